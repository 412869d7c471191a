"""What ``LocalBackend(store=...)`` takes and refuses, and what a backend says of what it has not got."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend

from .conftest import Api, text_of

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


@pytest.mark.parametrize("form", ["path", "name", "relative", "url"])
async def test_a_path_is_a_file(
    make_api: MakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my %41?store.db" if form == "path" else tmp_path / "x.db"
    given: Any = {"path": path, "name": str(path), "relative": "x.db", "url": f"sqlite:///{path}"}[form]
    first = make_api("echo", given)
    thread_id = await first.thread("kept")
    await first.aclose()
    assert path.exists()
    second = make_api("echo", given)
    assert text_of((await second.messages(thread_id))[0]) == "kept"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("mysql://user:secret@host/db", "not mysql"),
        ("mysql+pymysql://user:secret@host/db", "not mysql"),
        ("mssql://user:secret@host/db", "not mssql"),
        ("redis://user:secret@host", "not 'redis'"),
        ("postgres://user:secret@host/db", "not 'postgres'"),
        ("sqlite:x.db", "not 'sqlite'"),
        ("", "not an empty text"),
        ("sqlite+aiosqlite:///x.db", "aiosqlite is a driver for event loops"),
        ("postgresql+asyncpg://user:secret@host/db", "asyncpg is a driver for event loops"),
    ],
)
def test_other_databases_are_refused_with_words(store: str, words: str) -> None:
    with pytest.raises(ValueError, match="A store is a path") as caught:
        LocalBackend("echo", store)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_no_path_is_refused_with_words() -> None:
    with pytest.raises(TypeError):
        LocalBackend("echo", 3)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="these file systems are Unix's")
async def test_a_file_system_without_wal_works_at_once(make_api: MakeApi, tmp_path: Path) -> None:
    began = time.monotonic()
    api = make_api("echo", f"sqlite:///file:{tmp_path}/x.db?vfs=unix-dotfile&uri=true")
    run = await api.settled(await api.run("no shared memory"))
    assert run["status"] == "completed"
    assert time.monotonic() - began < 30  # half of what waiting for WAL took
    assert not list(tmp_path.glob("*-wal"))


async def test_a_closed_backend_says_so(make_api: MakeApi, tmp_path: Path) -> None:
    for store in ("sqlite://", tmp_path / "x.db"):
        api = make_api("echo", store)
        thread_id = await api.thread("hi")
        await api.backend.aclose()
        for method, path in (
            ("post", "/threads"),
            ("get", f"/threads/{thread_id}"),
            ("get", "/files/f/content"),
        ):
            error = await api.refused(path, {}, method)
            assert (error["status"], error["message"]) == (500, "The backend has been closed.")


@pytest.mark.in_memory
async def test_a_thread_of_another_store_in_memory_is_a_404_that_hints_at_it(
    make_api: MakeApi, tmp_path: Path
) -> None:
    here, there = make_api("echo"), make_api("echo")
    thread_id, assistant_id = await there.thread("hi"), await there.assistant()
    with pytest.raises(openai.NotFoundError, match="another LocalBackend or an earlier process"):
        await here.get(f"/threads/{thread_id}")
    error = await here.refused(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert error["message"].startswith(f"No thread found with id '{thread_id}'. This backend keeps")
    mine = await here.thread("hi")
    error = await here.refused(f"/threads/{mine}/runs", {"assistant_id": assistant_id})
    assert error["message"].startswith(f"No assistant found with id '{assistant_id}'. This backend keeps")
    for api, id in ((make_api("echo", tmp_path / "x.db"), thread_id), (here, "thread_0")):
        error = await api.refused(f"/threads/{id}", method="get")
        assert error["message"] == f"No thread found with id '{id}'."
