"""What an export of a store holds makes the same store, object by object, and a run goes on there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._data.incoming import OURS
from tests.clients import Colour

from .conftest import WEATHER, Api, attached
from .databases import File, Postgres
from .test_file_search_runs import filled, ran, searching, uploaded

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]


async def furnished(api: Api) -> str:
    """Fills a backend with one of everything; the thread of a run that has called a function."""
    store_id = await filled(api)
    batch_file = await uploaded(api, "batch.txt", "Nothing of interest.")
    batch = await api.post(f"/vector_stores/{store_id}/file_batches", {"file_ids": [batch_file]})
    assert batch["status"] in ("in_progress", "completed")
    await api.assistant(temperature=1.0, metadata={"a": "b"}, response_format={"type": "json_object"})
    searched = await ran(api, "what does Filip Carola like?", searching(store_id))
    assert searched["status"] == "completed"
    called = await api.settled(await api.run('get_weather {"city": "Rome"}'))
    assert called["status"] == "requires_action"
    (call,) = called["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{called['thread_id']}"
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "sunny"}]}
    done = await api.settled(await api.post(f"{path}/runs/{called['id']}/submit_tool_outputs", outputs))
    assert done["status"] == "completed"
    part = {"type": "image_file", "image_file": {"file_id": await uploaded(api, "a.png", "png")}}
    attachment = {"file_id": batch_file, "tools": [{"type": "file_search"}]}
    body = {"role": "user", "content": [part], "attachments": [attachment], "metadata": {"k": "v"}}
    await api.post(f"{path}/messages", body)
    waits = await api.settled(await api.run('get_weather {"city": "Oslo"}'))
    assert waits["status"] == "requires_action"
    with api.backend._store.write() as tx:
        tx.keep_file("file-made", "plot.png", b"\0made")
    await indexed(api)
    return str(called["thread_id"])


async def indexed(api: Api) -> None:
    with anyio.fail_after(20):
        while any(store["status"] != "completed" for store in (await api.get("/vector_stores"))["data"]):
            await anyio.sleep(0.01)


def held(backend: LocalBackend, **selection: Any) -> dict[str, Any]:
    """What is exported, by ids; a file of a vector store by both."""
    return {
        each.get("vector_store_id", "") + each["id"]: each for each in backend.export_objects(**selection)
    }


async def test_an_import_of_an_export_is_the_same_store(
    make_api: MakeApi, shared: File | Postgres, colour: Colour, tmp_path: Path
) -> None:
    turned = colour.is_async  # the lines come in one order or the other
    api = make_api("echo", shared.url)
    thread_id = await furnished(api)
    lines = [json.dumps(each) for each in api.backend.export_objects()]
    before = held(api.backend)
    assert {each["object"] for each in before.values()} == {
        "assistant", "file", "vector_store", "vector_store.file", "vector_store.files_batch", "thread",
        "thread.message", "thread.run", "thread.run.step",
    }  # fmt: skip
    backend = LocalBackend("echo", tmp_path / "other.db")
    report = backend.import_objects(reversed(lines) if turned else lines, newest_first=turned)
    assert report.errors == {}
    other = attached(backend, colour)
    await other.post("/threads", {})  # somebody uses it: it begins to index
    await indexed(other)
    after = held(backend)
    for id, each in before.items():
        if each.get("status") in ("requires_action", "in_progress"):
            assert after[id]["status"] == "expired"
        elif each["object"] == "vector_store":
            assert {**after[id], "last_active_at": 0} == {**each, "last_active_at": 0}
        else:
            assert after[id] == each
    assert [id for id in after if id in before] == list(before)
    assert await other.messages(thread_id) == await api.messages(thread_id)
    assert sorted(selected(api.backend, thread_id)) == sorted(selected(backend, thread_id))
    goes_on = await other.post(
        f"/threads/{thread_id}/runs", {"assistant_id": (await other.assistant(tools=[WEATHER]))}
    )
    assert (await other.settled(goes_on))["status"] == "completed"
    await other.aclose()


def selected(backend: LocalBackend, thread_id: str) -> list[str]:
    """A thread and what it refers to: whole, and nothing else."""
    chosen = held(backend, threads=[thread_id])
    kinds = [each["object"] for each in chosen.values()]
    assert kinds.count("thread") == 1
    assert {each["thread_id"] for each in chosen.values() if "thread_id" in each} == {thread_id}
    assert {"assistant", "file", "vector_store"} < set(kinds)
    files = [each for each in chosen.values() if each["object"] == "file"]
    assert all(each["content"] for each in files)
    assert any(each["filename"] == "a.png" for each in files)
    (run,) = [each for each in chosen.values() if each["object"] == "thread.run"]
    by_assistant = held(backend, assistants=[run["assistant_id"]], since=0, until=1 << 40)
    assert set(by_assistant) == set(chosen)
    return [id for id in chosen if chosen[id][OURS] is not None]


def test_a_thread_that_is_not_there_cannot_be_chosen(tmp_path: Path) -> None:
    with (
        LocalBackend("echo", tmp_path / "s.db") as backend,
        pytest.raises(ValueError, match="no thread thread_9"),
    ):
        list(backend.export_objects(threads=["thread_9"]))
