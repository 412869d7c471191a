"""Files on a store that several backends share, each with clients of its own: nobody's writing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine import vector_stores
from streaming_assistants.backend._http.routes import App
from tests.backend.conftest import JSON
from tests.backend.databases import File, Postgres

pytestmark = pytest.mark.any_sdk


@pytest.fixture
def clients(shared: File | Postgres) -> Iterator[list[openai.OpenAI]]:
    with ExitStack() as stack:
        made = []
        for _ in range(2):
            client = stack.enter_context(openai.OpenAI(api_key="unused", max_retries=0))
            stack.enter_context(LocalBackend("echo", shared.url)).attach(client)
            made.append(client)
        yield made


def together(*works: Any) -> None:
    """Runs functions in threads, all at once; raises what one of them raised."""
    raised: list[BaseException] = []

    def guarded(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if raised:
        raise raised[0]


def post(client: openai.OpenAI, path: str, body: Any = None) -> Any:
    return client.post(path, cast_to=JSON, body=body)


def test_what_one_uploads_the_other_has(clients: list[openai.OpenAI]) -> None:
    first, second = clients
    made = first.files.create(file=("a.txt", b"x" * 2_500_000), purpose="assistants")
    assert second.files.content(made.id).content == b"x" * 2_500_000
    second.files.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        first.files.content(made.id)


def test_counts_hold_while_both_attach_index_and_delete(
    clients: list[openai.OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(App, "_indexing", lambda *_: ())
    first, second = clients
    ids = [first.files.create(file=("a.txt", b"x"), purpose="assistants").id for _ in range(16)]
    store_id = post(first, "/vector_stores", {})["id"]
    path = f"/vector_stores/{store_id}"
    store = first._client._self_backend._app.store  # type: ignore[attr-defined]

    def attaching(client: openai.OpenAI, some: list[str]) -> Any:
        return lambda: [post(client, f"{path}/files", {"file_id": id}) for id in some]

    together(attaching(first, ids[:8]), attaching(second, ids[8:]), attaching(second, ids[4:12]))

    def index() -> None:
        for id in ids[::2]:
            with store.write() as tx:
                vector_stores.set_file(tx, store_id, id, {"status": "completed", "usage_bytes": 5})

    def delete() -> None:
        for id in ids[1::4]:
            second.files.delete(id)

    batches = [post(first, f"{path}/file_batches", {"file_ids": ids[:6]}) for _ in range(2)]
    together(index, delete, lambda: post(second, f"{path}/file_batches/{batches[1]['id']}/cancel"))
    with store.read() as tx:
        rows = tx.all("store_files", vector_store_id=store_id)
    assert len(rows) == 12
    counted = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    for row in rows:
        assert row["status"] == row["data"]["status"]
        counted[row["status"]] += 1
    told = second.get(path, cast_to=JSON)
    assert told["file_counts"] == {**counted, "total": 12}  # type: ignore[index]
    assert told["usage_bytes"] == 5 * counted["completed"]  # type: ignore[index]
    for batch in batches:
        state = second.get(f"{path}/file_batches/{batch['id']}", cast_to=JSON)
        of_it = [row for row in rows if row["batch_id"] == batch["id"]]
        assert state["file_counts"]["total"] == len(of_it)  # type: ignore[index]
