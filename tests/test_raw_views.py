"""Every endpoint that patch() adds, in the forms that the SDK's own endpoints have."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import pytest

from streaming_assistants import types

from .clients import Colour
from .loopback import Loopback, Reply
from .polling_support import BATCH, FILE, STORE

pytestmark = pytest.mark.anyio

STORES, ATTACHED, BATCHES = "vector_stores", "vector_stores.files", "vector_stores.file_batches"
FOUND = {
    "file_id": "file-1",
    "filename": "a.txt",
    "score": 0.5,
    "attributes": {},
    "content": [{"type": "text", "text": "abc"}],
}
BATCH_CLASS = "VectorStoreFileBatch"
DONE_FILE, DONE_BATCH = {**FILE, "status": "completed"}, {**BATCH, "status": "completed"}


def page(item: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [item], "has_more": False, "first_id": "a", "last_id": "a"}


def gone(name: str) -> dict[str, Any]:
    return {"id": f"{name}_1", "object": f"{name}.deleted", "deleted": True}


class Call(NamedTuple):
    """A method, what it is given, and what the server answers with."""

    resource: str
    method: str
    given: dict[str, Any]
    route: tuple[str, str]
    answer: dict[str, Any]
    gives: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.method}"


IN = {"vector_store_id": "vs_1"}
ONE_FILE, ONE_BATCH = {"file_id": "file-1", **IN}, {"batch_id": "vsfb_1", **IN}
ROOT, OF_FILES, OF_BATCHES = (
    "/vector_stores/vs_1",
    "/vector_stores/vs_1/files",
    "/vector_stores/vs_1/file_batches",
)
MESSAGE = {"message_id": "msg_1", "thread_id": "thread_1"}

CALLS = [
    Call(STORES, "create", {"name": "papers"}, ("POST", "/vector_stores"), STORE, "VectorStore"),
    Call(STORES, "retrieve", IN, ("GET", ROOT), STORE, "VectorStore"),
    Call(STORES, "update", {**IN, "name": "a"}, ("POST", ROOT), STORE, "VectorStore"),
    Call(STORES, "list", {}, ("GET", "/vector_stores"), page(STORE), "VectorStore"),
    Call(STORES, "delete", IN, ("DELETE", ROOT), gone("vector_store"), "VectorStoreDeleted"),
    Call(
        STORES, "search", {**IN, "query": "abc", "max_num_results": 2}, ("POST", f"{ROOT}/search"),
        page(FOUND), "VectorStoreSearchResponse",
    ),
    Call(ATTACHED, "create", ONE_FILE, ("POST", OF_FILES), DONE_FILE, "VectorStoreFile"),
    Call(ATTACHED, "retrieve", ONE_FILE, ("GET", f"{OF_FILES}/file-1"), DONE_FILE, "VectorStoreFile"),
    Call(
        ATTACHED, "update", {**ONE_FILE, "attributes": {"a": "b"}}, ("POST", f"{OF_FILES}/file-1"),
        DONE_FILE, "VectorStoreFile",
    ),
    Call(ATTACHED, "list", IN, ("GET", OF_FILES), page(DONE_FILE), "VectorStoreFile"),
    Call(
        ATTACHED, "delete", ONE_FILE, ("DELETE", f"{OF_FILES}/file-1"), gone("vector_store.file"),
        "VectorStoreFileDeleted",
    ),
    Call(
        ATTACHED, "content", ONE_FILE, ("GET", f"{OF_FILES}/file-1/content"),
        page({"type": "text", "text": "abc"}), "FileContentResponse",
    ),
    Call(BATCHES, "create", {**IN, "file_ids": ["file-1"]}, ("POST", OF_BATCHES), DONE_BATCH, BATCH_CLASS),
    Call(BATCHES, "retrieve", ONE_BATCH, ("GET", f"{OF_BATCHES}/vsfb_1"), DONE_BATCH, BATCH_CLASS),
    Call(BATCHES, "cancel", ONE_BATCH, ("POST", f"{OF_BATCHES}/vsfb_1/cancel"), DONE_BATCH, BATCH_CLASS),
    Call(
        BATCHES, "list_files", ONE_BATCH, ("GET", f"{OF_BATCHES}/vsfb_1/files"), page(DONE_FILE),
        "VectorStoreFile",
    ),
    Call(
        "beta.threads.messages", "delete", MESSAGE, ("DELETE", "/threads/thread_1/messages/msg_1"),
        gone("thread.message"), "MessageDeleted",
    ),
]  # fmt: skip


@pytest.fixture(params=CALLS, ids=str)
def asked(request: pytest.FixtureRequest, server: Loopback) -> Call:
    call: Call = request.param
    server.on(*call.route, Reply.json(call.answer, x_request_id="req_1"))
    return call


def owner(client: Any, call: Call) -> Any:
    return walked(client, call.resource.split("."))


def checked(call: Call, answer: Any) -> None:
    if "data" in call.answer:
        (answer,) = answer.data
    assert isinstance(answer, getattr(types, call.gives))


async def test_the_object(colour: Colour, server: Loopback, asked: Call) -> None:
    checked(
        asked, await colour.of(getattr(owner(colour.client(server.url), asked), asked.method)(**asked.given))
    )
    sent = {name: value for name, value in asked.given.items() if name not in ("vector_store_id", "batch_id")}
    if asked.route[0] == "POST" and asked.method in ("create", "search"):
        assert server.requests[0].json == sent


async def test_with_raw_response(colour: Colour, server: Loopback, asked: Call) -> None:
    view = owner(colour.client(server.url), asked).with_raw_response
    response = await colour.of(getattr(view, asked.method)(**asked.given))
    assert response.headers["x-request-id"] == "req_1"
    checked(asked, response.parse())


async def test_with_streaming_response(colour: Colour, server: Loopback, asked: Call) -> None:
    client = colour.client(server.url)
    if not hasattr(client, "with_streaming_response"):
        with pytest.raises(AttributeError, match="with_streaming_response"):
            owner(client, asked).with_streaming_response  # noqa: B018
        return
    view = owner(client, asked).with_streaming_response
    async with colour.entered(getattr(view, asked.method)(**asked.given)) as response:
        assert response.headers["x-request-id"] == "req_1"
        assert not response.is_closed
        checked(asked, await colour.of(response.parse()))
    assert response.is_closed


async def test_every_way_to_a_raw_view(colour: Colour, server: Loopback, asked: Call) -> None:
    client = colour.client(server.url)
    beside = [f"beta.{asked.resource}"] if asked.resource.startswith(STORES) else []
    for resource in [asked.resource, *beside]:
        names = resource.split(".")
        for place in range(len(names) + 1):
            view = walked(walked(client, names[:place]).with_raw_response, names[place:])
            checked(asked, (await colour.of(getattr(view, asked.method)(**asked.given))).parse())


def walked(found: Any, names: list[str]) -> Any:
    for name in names:
        found = getattr(found, name)
    return found


async def test_a_path_without_an_id_is_refused(colour: Colour, server: Loopback, asked: Call) -> None:
    for name in [
        name for name in asked.given if name.endswith("_id") and asked.given[name] in asked.route[1]
    ]:
        view = owner(colour.client(server.url), asked).with_raw_response
        with pytest.raises(ValueError, match=f"Expected a non-empty value for `{name}` but received ''"):
            await colour.of(getattr(view, asked.method)(**{**asked.given, name: ""}))


@pytest.mark.parametrize("resource", [STORES, ATTACHED, BATCHES])
def test_no_endpoint_of_the_sdk_is_left_out(resource: str) -> None:
    """An endpoint that a newer SDK brings belongs into the table, for the older ones."""
    with Colour("sync").client("http://127.0.0.1:9") as client:
        sdks = type(owner(client, Call(resource, "", {}, ("", ""), {}, "")))
        known = {call.method for call in CALLS if call.resource == resource}
        for name, method in vars(sdks).items():
            helper = name.endswith("poll") or name == "upload"
            if not name.startswith("_") and inspect.isfunction(method) and not helper:
                assert name in known
