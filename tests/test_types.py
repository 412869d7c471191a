"""What type checkers are told of a patched client is what it is: ``_typing.pyi`` against live objects."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants import _typing, types

from .clients import Colour
from .loopback import Loopback, Reply
from .objects import MESSAGES, page, thread
from .polling_support import BATCH, FILE, HELPERS, RUN, UPLOAD
from .samples import chunk_frame, message, run, sse, step, text

pytestmark = pytest.mark.anyio

STUB = Path(_typing.__file__).with_suffix(".pyi")
CLASSES = {
    each.name: each
    for each in ast.parse(STUB.read_text(encoding="utf-8")).body
    if isinstance(each, ast.ClassDef)
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef

OUTPUTS = {"thread_id": "thread_1", "run_id": "run_1", "tool_outputs": [{"tool_call_id": "c", "output": "4"}]}
STARTED = {"thread_id": "thread_1", "assistant_id": "asst_1"}
THAT_RUN = {"run_id": "run_1", "thread_id": "thread_1"}
CALLS: dict[str, list[dict[str, Any]]] = {
    "Messages.list": [{"thread_id": "thread_1", "stream": True}, {"thread_id": "thread_1"}],
    "Messages.update": [{"message_id": "msg_1", "thread_id": "thread_1", "content": "Hi"}],
    "Messages.delete": [{"message_id": "msg_1", "thread_id": "thread_1"}],
    "Messages.create": [{"thread_id": "thread_1", "role": "user", "content": "Hi"}],
    "Runs.create": [{**STARTED, "stream": True}, STARTED, STARTED],
    "Runs.submit_tool_outputs": [{**OUTPUTS, "stream": True}, OUTPUTS, OUTPUTS],
    "Threads.list": [{}],
    "Threads.create_and_run": [{"assistant_id": "asst_1", "stream": True}, *[{"assistant_id": "asst_1"}] * 2],
    "Runs.retrieve": [{**THAT_RUN, "stream": True}, THAT_RUN],
    "Runs.resume": [THAT_RUN],
    "Runs.stream": [STARTED],
    "Runs.create_and_stream": [STARTED],
    "Runs.submit_tool_outputs_stream": [OUTPUTS],
    "Threads.create_and_run_stream": [{"assistant_id": "asst_1"}],
    "Files.upload": [{"vector_store_id": "vs_1", "file": ("a.txt", b"abc")}],
}
"""How each method of the stub is called; those that wait are in HELPERS."""


def served(server: Loopback) -> None:
    completed = {**RUN, "status": "completed"}
    stream = Reply.sse(
        [
            sse(
                [
                    step("completed"),
                    message("created"),
                    text("Hi"),
                    message("completed", "Hi"),
                    run("completed"),
                ]
            )
        ]
    )

    def started(request: Any) -> Reply:
        return stream if request.json.get("stream") else Reply.json(completed)

    def retrieved(request: Any) -> Reply:
        return stream if "stream" in request.query else Reply.json(completed)

    def listed(request: Any) -> Reply:
        return (
            Reply.sse([chunk_frame("Hi")])
            if "stream" in request.query
            else Reply.json(page(message("completed", "Hi")[1]))
        )

    for path in (
        "/threads/runs",
        "/threads/thread_1/runs",
        "/threads/thread_1/runs/run_1/submit_tool_outputs",
    ):
        server.on("POST", path, started)
    server.on("GET", "/threads/thread_1/runs/run_1", retrieved)
    server.on("GET", "/threads", Reply.json(page(thread())))
    server.on("GET", MESSAGES, listed)
    server.on("POST", MESSAGES, Reply.json(message("completed", "Hi")[1]))
    gone = {"id": "msg_1", "object": "thread.message.deleted", "deleted": True}
    server.on("DELETE", f"{MESSAGES}/msg_1", Reply.json(gone))
    server.on("POST", f"{MESSAGES}/msg_1", Reply.json(message("completed", "Hi")[1]))
    server.on("POST", "/files", Reply.json(UPLOAD))
    for path, one, thing in (("files", "file-1", FILE), ("file_batches", "vsfb_1", BATCH)):
        done = {**thing, "status": "completed"}
        server.on("POST", f"/vector_stores/vs_1/{path}", Reply.json(done))
        server.on("GET", f"/vector_stores/vs_1/{path}/{one}", Reply.json(done))


def classes(client: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(name of the stub's class, the object that it stands for), from a client down."""
    yield name, client
    for member in CLASSES[name].body:
        if is_property(member):
            yield from classes(getattr(client, member.name), returned(member))


def is_property(member: ast.stmt) -> bool:
    return isinstance(member, ast.FunctionDef) and any(
        isinstance(each, ast.Name) and each.id == "property" for each in member.decorator_list
    )


def returned(definition: Definition) -> str:
    """The class that a method is said to give, without what it is made of."""
    found = definition.returns
    while isinstance(found, ast.Subscript):
        found = found.value
    assert isinstance(found, ast.Name)
    return found.id


def given_by(returns: ast.expr | None) -> set[str]:
    """The classes that a method is said to give, of a union all of them."""
    if isinstance(returns, ast.BinOp):
        return given_by(returns.left) | given_by(returns.right)
    if isinstance(returns, ast.Subscript):
        return given_by(returns.value)
    assert isinstance(returns, (ast.Name, ast.Attribute))
    name = returns.id if isinstance(returns, ast.Name) else returns.attr
    # A run that has its tool outputs, too: tests/typing/api.py asks for those.
    return {"Run" if name == "HandledRun" else name}


def methods(name: str) -> dict[str, list[Definition]]:
    found: dict[str, list[Definition]] = {}
    for member in CLASSES[name].body:
        if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_property(member):
            found.setdefault(member.name, []).append(member)
    return found


def names(value: Any) -> set[str]:
    return {each.__name__.partition("[")[0] for each in value.__class__.__mro__}


def is_a(value: Any, name: str) -> bool:
    """Whether it is of the class of that name, which older releases of the SDK may call another."""
    return name in names(value) or (name in types.__all__ and isinstance(value, getattr(types, name)))


def root(colour: Colour) -> str:
    return "PatchedAsyncOpenAI" if colour.is_async else "PatchedOpenAI"


async def test_every_class_of_the_stub_is_reached(colour: Colour, server: Loopback) -> None:
    reached = {name for name, _ in classes(colour.client(server.url), root(colour))}
    ours = {name for name in CLASSES if name.startswith("Patched")}
    mine = {name for name in ours if name.startswith("PatchedAsync") == colour.is_async}
    assert mine - reached == {root(colour).replace("OpenAI", "AzureOpenAI")}


async def test_objects_are_of_the_classes_that_the_stub_names(colour: Colour, server: Loopback) -> None:
    for name, found in classes(colour.client(server.url), root(colour)):
        for base in CLASSES[name].bases:
            said = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
            ours = found.__class__.__module__.startswith("streaming_assistants")
            assert is_a(found, said.removeprefix("Async") if ours else said), name


async def test_methods_give_what_the_stub_says(colour: Colour, server: Loopback) -> None:
    served(server)
    client = colour.client(server.url)
    asked: set[str] = set()
    for name, owner in classes(client, root(colour)):
        resource = name.removeprefix("Patched").removeprefix("Async")
        for method, definitions in methods(name).items():
            key = f"{resource}.{method}"
            results = [
                *waited(client, key),
                *(getattr(owner, method)(**given) for given in CALLS.get(key, ())),
            ]
            values = [await answered(colour, result, definitions[0]) for result in results]
            said = {name for each in definitions for name in given_by(each.returns)}
            assert values, f"{key} is not asked here"
            for value in values:
                assert any(is_a(value, one) for one in said), f"{key} gave a {type(value)}, said is {said}"
            for one in said:
                assert any(is_a(value, one) for value in values), f"{key} never gave a {one}"
            asked.add(key)
    assert CALLS.keys() <= asked


def waited(client: Any, key: str) -> Iterator[Any]:
    """What the helper of that name gives, where it is one that waits."""
    for helper in HELPERS:
        if helper.name == key.replace("FileBatches", "file_batches").lower():
            yield helper.call(client)


async def answered(colour: Colour, result: Any, definition: Definition) -> Any:
    """What a call gives; awaited where the stub says ``async def``, and nowhere else."""
    if isinstance(definition, ast.AsyncFunctionDef):
        assert inspect.isawaitable(result)
        return await result
    return result


async def test_handlers_give_what_their_annotations_say(colour: Colour, server: Loopback) -> None:
    served(server)
    client = colour.client(server.url)
    async with colour.entered(client.beta.threads.runs.stream(**STARTED)) as stream:
        assert type(stream) is colour.handler
        events = await colour.list(stream)
        answers = {
            name: await colour.of(getattr(stream, name)())
            for name in ("get_final_run", "get_final_run_steps", "get_final_messages")
        }
        for name in ("current_run", "current_message_snapshot", "current_run_step_snapshot"):
            answers[name] = getattr(stream, name)
    for name, value in answers.items():
        found = inspect.getattr_static(colour.handler, name)
        said = inspect.signature(found.fget if isinstance(found, property) else found).return_annotation
        one = said.removeprefix("list[").removesuffix("]").removesuffix(" | None")
        assert one in ("Run", "RunStep", "Message")
        for each in value if said.startswith("list[") else [value]:
            assert each is None or is_a(each, one), name
    assert {type(event).__name__ for event in events} <= set(types.__all__)


async def test_streams_of_messages_give_what_their_annotations_say(colour: Colour, server: Loopback) -> None:
    served(server)
    messages = colour.client(server.url).beta.threads.messages
    async with colour.entered(messages.list(thread_id="thread_1", stream=True)) as stream:
        assert is_a(stream, "AsyncMessageStream" if colour.is_async else "MessageStream")
        assert {type(part) for part in await colour.list(stream)} == {types.MessageChunk}
        assert isinstance(await colour.of(stream.get_final_message()), types.Message)
