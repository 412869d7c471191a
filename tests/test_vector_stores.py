"""``client.vector_stores`` and ``client.beta.vector_stores``: one object, on every SDK."""

from __future__ import annotations

import inspect
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants._resources import stores as vector_stores
from streaming_assistants.types import VectorStore, VectorStoreFile, VectorStoreFileBatch

from .clients import Colour
from .loopback import Loopback, Reply
from .polling_support import BATCH, FILE, STORE

pytestmark = pytest.mark.anyio


def pages(*items: dict[str, Any]) -> list[Reply]:
    """One item a page, then an empty one: early releases ask on until they get that."""
    last = len(items) - 1
    made = [
        {"data": [item], "has_more": place < last, "first_id": item["id"], "last_id": item["id"]}
        for place, item in enumerate(items)
    ]
    return [Reply.json({"object": "list", **each}) for each in (*made, {"data": [], "has_more": False})]


@pytest.fixture
def stores(colour: Colour, server: Loopback) -> Any:
    return colour.client(server.url).vector_stores


async def test_both_paths_lead_to_one_object(colour: Colour, server: Loopback) -> None:
    client = colour.client(server.url)
    assert client.vector_stores is client.beta.vector_stores
    for copy in (client.copy(), client.with_options(timeout=3)):
        assert copy.vector_stores is copy.beta.vector_stores
        assert copy.vector_stores is not client.vector_stores
        await colour.of(copy.close())


async def test_unpatching_takes_the_namespaces_back(colour: Colour, server: Loopback) -> None:
    bare = colour.bare(server.url)
    before = hasattr(bare, "vector_stores"), hasattr(bare.beta, "vector_stores")
    sa.patch(bare)
    sa.unpatch(bare)
    assert (hasattr(bare, "vector_stores"), hasattr(bare.beta, "vector_stores")) == before
    sa.patch(bare)
    assert bare.vector_stores is bare.beta.vector_stores


async def test_unpatching_leaves_what_somebody_else_put_there(colour: Colour, server: Loopback) -> None:
    client = colour.client(server.url)
    mine = object()
    client.beta.__dict__["vector_stores"] = mine
    sa.unpatch(client)
    assert client.beta.vector_stores is mine


async def test_stores(colour: Colour, server: Loopback, stores: Any) -> None:
    server.on("POST", "/vector_stores", Reply.json(STORE))
    server.on("GET", "/vector_stores/vs_1", Reply.json(STORE))
    server.on("POST", "/vector_stores/vs_1", Reply.json({**STORE, "name": "books"}))
    gone = {"id": "vs_1", "object": "vector_store.deleted", "deleted": True}
    server.on("DELETE", "/vector_stores/vs_1", Reply.json(gone))
    made = await colour.of(stores.create(name="papers", file_ids=["file-1"], metadata={"a": "b"}))
    assert isinstance(made, VectorStore)
    assert (made.id, made.file_counts.total) == ("vs_1", 1)
    assert server.requests[-1].json == {"name": "papers", "file_ids": ["file-1"], "metadata": {"a": "b"}}
    assert server.requests[-1].headers["openai-beta"] == "assistants=v2"
    assert (await colour.of(stores.retrieve("vs_1"))).name == "papers"
    assert (await colour.of(stores.update("vs_1", name="books"))).name == "books"
    assert (await colour.of(stores.delete("vs_1"))).deleted is True


async def test_lists_are_pages_that_go_on(colour: Colour, server: Loopback, stores: Any) -> None:
    server.on("GET", "/vector_stores", *pages(STORE, {**STORE, "id": "vs_2"}))
    found = stores.list(limit=1, order="asc")
    assert [store.id async for store in colour.each(found)] == ["vs_1", "vs_2"]
    first, second = server.requests[:2]
    assert first.query == {"limit": ["1"], "order": ["asc"]}
    assert second.query == {"limit": ["1"], "order": ["asc"], "after": ["vs_1"]}
    server.on("GET", "/vector_stores", *pages(STORE))
    assert [store.id for store in (await colour.of(stores.list())).data] == ["vs_1"]


async def test_files(colour: Colour, server: Loopback, stores: Any) -> None:
    file = {**FILE, "status": "completed"}
    server.on("POST", "/vector_stores/vs_1/files", Reply.json(file))
    server.on("GET", "/vector_stores/vs_1/files", *pages(file))
    server.on("GET", "/vector_stores/vs_1/files/file-1", Reply.json(file))
    server.on("POST", "/vector_stores/vs_1/files/file-1", Reply.json(file))
    gone = {"id": "file-1", "object": "vector_store.file.deleted", "deleted": True}
    server.on("DELETE", "/vector_stores/vs_1/files/file-1", Reply.json(gone))
    made = await colour.of(stores.files.create("vs_1", file_id="file-1", attributes={"year": 2024}))
    assert isinstance(made, VectorStoreFile)
    assert server.requests[-1].json == {"file_id": "file-1", "attributes": {"year": 2024}}
    assert (await colour.of(stores.files.retrieve("file-1", vector_store_id="vs_1"))).id == "file-1"
    updated = await colour.of(
        stores.files.update("file-1", vector_store_id="vs_1", attributes={"year": 2025})
    )
    assert updated.id == "file-1"
    listed = [each.id async for each in colour.each(stores.files.list("vs_1", filter="completed"))]
    assert listed == ["file-1"]
    asked = [request for request in server.requests if request.query]
    assert asked[0].query == {"filter": ["completed"]}
    assert (await colour.of(stores.files.delete("file-1", vector_store_id="vs_1"))).deleted is True


async def test_file_batches(colour: Colour, server: Loopback, stores: Any) -> None:
    path = "/vector_stores/vs_1/file_batches"
    batch = {**BATCH, "status": "completed"}
    server.on("POST", path, Reply.json(batch))
    server.on("GET", f"{path}/vsfb_1", Reply.json(batch))
    server.on("POST", f"{path}/vsfb_1/cancel", Reply.json({**batch, "status": "cancelled"}))
    server.on("GET", f"{path}/vsfb_1/files", *pages({**FILE, "status": "completed"}))
    batches = stores.file_batches
    made = await colour.of(batches.create("vs_1", file_ids=["file-1"]))
    assert isinstance(made, VectorStoreFileBatch)
    assert made.file_counts.in_progress == 1
    assert (await colour.of(batches.retrieve("vsfb_1", vector_store_id="vs_1"))).id == "vsfb_1"
    assert (await colour.of(batches.cancel("vsfb_1", vector_store_id="vs_1"))).status == "cancelled"
    listed = batches.list_files("vsfb_1", vector_store_id="vs_1")
    assert [each.id async for each in colour.each(listed)] == ["file-1"]


async def test_raw_responses(colour: Colour, server: Loopback, stores: Any) -> None:
    server.on("GET", "/vector_stores/vs_1", Reply.json(STORE, x_request_id="req_1"))
    response = await colour.of(stores.with_raw_response.retrieve("vs_1"))
    assert response.headers["x-request-id"] == "req_1"
    assert response.parse().id == "vs_1"
    with pytest.raises(AttributeError):
        stores.with_raw_response.nonsense  # noqa: B018


async def test_errors_are_the_sdks(colour: Colour, server: Loopback, stores: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="no route"):
        await colour.of(stores.retrieve("vs_9"))
    for bad in (stores.retrieve, stores.delete):
        with pytest.raises(ValueError, match="non-empty value for `vector_store_id`"):
            await colour.of(bad(""))
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        await colour.of(stores.create(nonsense=1))
    assert len(server.requests) == 1


async def test_a_deleted_message(colour: Colour, server: Loopback) -> None:
    gone = {"id": "msg_1", "object": "thread.message.deleted", "deleted": True}
    server.on("DELETE", "/threads/thread_1/messages/msg_1", Reply.json(gone))
    messages = colour.client(server.url).beta.threads.messages
    assert (await colour.of(messages.delete("msg_1", thread_id="thread_1"))).deleted is True
    response = await colour.of(messages.with_raw_response.delete("msg_1", thread_id="thread_1"))
    assert response.parse().id == "msg_1"
    assert {request.headers["openai-beta"] for request in server.requests} == {"assistants=v2"}


async def test_messages_of_a_run(colour: Colour, server: Loopback) -> None:
    empty = {"object": "list", "data": [], "has_more": False}
    server.on("GET", "/threads/thread_1/messages", Reply.json(empty))
    messages = colour.client(server.url).beta.threads.messages
    assert [each async for each in colour.each(messages.list("thread_1", run_id="run_1"))] == []
    assert server.requests[0].query == {"run_id": ["run_1"]}


@pytest.mark.parametrize(
    ("path", "endpoints"),
    [
        ("", vector_stores.STORES),
        ("files", vector_stores.FILES),
        ("file_batches", vector_stores.BATCHES),
    ],
)
def test_our_methods_take_what_the_sdks_take(path: str, endpoints: Any) -> None:
    """Where the SDK has the resource, ours knows each of its parameters."""
    with Colour("sync").bare("http://127.0.0.1:9") as bare:
        stores = getattr(bare, "vector_stores", None) or getattr(bare.beta, "vector_stores", None)
        owner = getattr(stores, path) if path and stores is not None else stores
        for endpoint in endpoints:
            sdks = getattr(type(owner), endpoint.operation.name, None)
            if sdks is not None:
                taken = set(inspect.signature(sdks).parameters) - {"self"}
                assert taken <= endpoint.operation.params, endpoint
