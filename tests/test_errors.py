"""Errors that servers report, and errors as objects: whatever their shape, in both colours."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .objects import page
from .polling_support import UPLOAD
from .samples import RUN, message, run, sse, text

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"
START = [run("queued", "created"), run("in_progress"), message("created"), text("Hel")]


async def streamed(colour: Colour, server: Loopback, body: bytes, kind: str = "text/event-stream") -> None:
    server.on("POST", RUNS, Reply(200, {"content-type": kind}, [body]))
    async for _ in colour.each(await colour.created(colour.client(server.url))):
        pass


SHAPES: list[tuple[Any, str, Any, Any]] = [
    ({"error": {"message": "overloaded", "status": 503}}, "overloaded", None, None),
    ({"error": {"message": "overloaded", "type": 5, "code": 503}}, "overloaded", 503, 5),
    ({"message": "overloaded", "input": {"a": [1]}, "index": "x"}, "overloaded", None, None),
    ({"error": {"message": ["over", "loaded"], "value": {}}}, '["over", "loaded"]', None, None),
    ({"error": "overloaded", "code": "busy"}, "overloaded", "busy", None),
    ({"error": [{"code": 1}]}, '[{"code": 1}]', None, None),
    ({"detail": "overloaded"}, "overloaded", None, None),
    ({"code": "busy", "reason": "why"}, '"reason": "why"', "busy", None),
    ({"error": {"message": "overloaded", "cls": 1, "_fields_set": 2, "self": 3}}, "overloaded", None, None),
    ("overloaded", "overloaded", None, None),
    (["overloaded"], '["overloaded"]', None, None),
    (5, "5", None, None),
    (None, "An error occurred", None, None),
]


@pytest.mark.parametrize("envelope", [False, True], ids=["named", "data-only"])
@pytest.mark.parametrize(("data", "words", "code", "kind"), SHAPES, ids=lambda value: str(value)[:40])
async def test_an_error_event_of_any_shape_is_the_servers_error(
    colour: Colour, server: Loopback, data: Any, words: str, code: Any, kind: Any, envelope: bool
) -> None:
    frame = json.dumps({"event": "error", "data": data} if envelope else data)
    body = sse(START, end=b"") + (b"" if envelope else b"event: error\n") + f"data: {frame}\n\n".encode()
    with pytest.raises(openai.APIError) as caught:
        await streamed(colour, server, body)
    error: Any = caught.value
    assert not isinstance(error, sa.StreamingAssistantsError), "the server said it"
    assert words in error.message
    assert error.body["message"] == error.message
    assert (error.body["code"], error.body["type"]) == (code, kind)
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        others = {name: value for name, value in data["error"].items() if name != "message"}
        assert others.items() <= error.body.items()


async def test_an_error_event_without_data_is_an_error(colour: Colour, server: Loopback) -> None:
    with pytest.raises(openai.APIError, match="An error occurred"):
        await streamed(colour, server, sse(START, end=b"") + b"event: error\ndata:\n\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no quota", "code": "rate_limit_exceeded"}}, "no quota"),
        ({"error": "no quota"}, "no quota"),
        ({"detail": "no quota"}, "no quota"),
        ({"object": "error", "message": "no quota", "code": 429}, "no quota"),
        ({"message": "no quota"}, "no quota"),
    ],
    ids=str,
)
@pytest.mark.parametrize("written", ["plain", "pretty", "ended"])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_json_error_in_place_of_a_stream_is_that_error(
    colour: Colour, server: Loopback, body: dict[str, Any], words: str, written: str, kind: str
) -> None:
    sent = json.dumps(body, indent=2 if written == "pretty" else None)
    sent += "\r\n\r\n" if written == "ended" else ""
    with pytest.raises(openai.APIError, match=words) as caught:
        await streamed(colour, server, sent.encode(), kind)
    assert not isinstance(caught.value, sa.IncompleteStreamError)
    assert len(server.requests) == 1


# ---------------------------------------------------------------- errors as objects


async def of_a_stream(colour: Colour, server: Loopback) -> None:
    await streamed(colour, server, b'event: error\ndata: {"message": "no", "code": "busy"}\n\n')


async def malformed(colour: Colour, server: Loopback) -> None:
    await streamed(colour, server, b"event: thread.run.created\ndata: {\n\n")


async def incomplete(colour: Colour, server: Loopback) -> None:
    await streamed(colour, server, b"")


async def broken(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(START, end=b""), CUT]))
    async for _ in colour.each(await colour.created(colour.client(server.url))):
        pass


async def too_late(colour: Colour, server: Loopback) -> None:
    server.on("GET", f"{RUNS}/run_1", Reply.json(RUN))
    runs = colour.client(server.url).beta.threads.runs
    await colour.of(runs.poll("run_1", thread_id="thread_1", max_wait_seconds=0.02, poll_interval_ms=1))


async def without_a_final_run(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([b"data: [DONE]\n\n"]))
    stream = await colour.handled(colour.client(server.url))
    await colour.of(stream.get_final_run())


async def stalled(colour: Colour, server: Loopback) -> None:
    server.on("GET", RUNS, Reply.json(page({"id": "a"}, more=True)))
    async for _ in colour.each(colour.client(server.url).beta.threads.runs.list("thread_1")):
        pass


async def not_uploaded(colour: Colour, server: Loopback) -> None:
    refused = Reply.json({"error": {"message": "too large"}}, 413)
    server.on("POST", "/files", Reply.json(UPLOAD), refused, refused)
    batches = colour.client(server.url).vector_stores.file_batches
    files = [(f"{n}.txt", b"abc") for n in range(3)]
    await colour.of(batches.upload_and_poll("vs_1", files=files, max_concurrency=1))


async def not_uploaded_for_want_of_a_connection(colour: Colour, server: Loopback) -> None:
    server.on("POST", "/files", Reply(200, {}, [b"{", CUT]))
    batches = colour.client(server.url).vector_stores.file_batches
    await colour.of(batches.upload_and_poll("vs_1", files=[("a.txt", b"abc")]))


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
@pytest.mark.parametrize(
    "fails",
    [
        *(of_a_stream, malformed, incomplete, broken, too_late, without_a_final_run, stalled),
        *(not_uploaded, not_uploaded_for_want_of_a_connection),
    ],
    ids=lambda function: function.__name__,
)
async def test_errors_can_be_pickled_and_copied(
    colour: Colour, server: Loopback, fails: Any, way: str
) -> None:
    with pytest.raises(openai.OpenAIError) as caught:
        await fails(colour, server)
    error = caught.value
    ways = {"pickle": lambda: pickle.loads(pickle.dumps(error)), "copy": lambda: copy.copy(error)}
    again = ways.get(way, lambda: copy.deepcopy(error))()
    assert type(again) is type(error), "except finds it by the same classes"
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again).keys() == vars(error).keys()
    for name in ("message", "body", "code", "run_id", "thread_id", "status", "id", "event", "uploaded"):
        assert getattr(again, name, None) == getattr(error, name, None)
    if isinstance(error, sa.FileUploadError):
        assert [type(each) for each in again.failed.values()] == [type(e) for e in error.failed.values()]
        assert [str(each) for each in again.failed.values()] == [str(e) for e in error.failed.values()]
    if isinstance(error, sa.StalledPagesError):
        assert [item.id for item in again.page.data] == ["a"]
    if hasattr(error, "request"):
        assert again.request.url == error.request.url


async def test_a_broken_connection_is_the_transports_error_after_pickling_too(
    colour: Colour, server: Loopback
) -> None:
    with pytest.raises(openai.APIConnectionError) as caught:
        await broken(colour, server)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, openai.APIConnectionError)
    assert isinstance(again, _sdk.transport_errors())
