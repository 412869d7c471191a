"""``web.sse``: the events of a stream as a text/event-stream, of both colours."""

from __future__ import annotations

import logging
import threading
from typing import Any

import anyio
import pytest

from streaming_assistants._protocol.events import EventReader
from streaming_assistants.web import sse

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .samples import DONE, frame, message, run, text, text_run
from .samples import sse as framed

pytestmark = pytest.mark.anyio


def asked(colour: Colour, server: Loopback) -> Any:
    runs = colour.client(server.url).beta.threads.runs
    return runs.stream(thread_id="thread_1", assistant_id="asst_1")


def names(body: bytes) -> list[str]:
    reader = EventReader()
    return [event.event for event in (*reader.feed(body), *reader.close())]


async def test_the_bytes_hold_the_events_and_the_end(colour: Colour, server: Loopback) -> None:
    events = text_run("Hel", "lo \u2028\ud83d")
    server.on("POST", ".*", Reply.sse([framed(events)]))
    body = b"".join(await colour.list(sse(asked(colour, server))))
    assert names(body) == [name for name, _ in events]
    assert body.endswith(DONE)
    ours, theirs = ([event.data for event in EventReader().feed(each)] for each in (body, framed(events)))
    assert ours == theirs


@pytest.mark.parametrize("opened", ["events", "handler"])
async def test_a_stream_that_is_open_already(colour: Colour, server: Loopback, opened: str) -> None:
    server.on("POST", ".*", Reply.sse([framed(text_run("a"))]))
    if opened == "events":
        stream = await colour.created(colour.client(server.url))
        pieces = await colour.list(sse(stream))
    else:
        async with colour.entered(asked(colour, server)) as stream:
            pieces = await colour.list(sse(stream))
    assert names(b"".join(pieces)) == [name for name, _ in text_run("a")]


async def test_silence_is_filled_with_comments(colour: Colour, server: Loopback) -> None:
    goes_on = threading.Event()
    server.on("POST", ".*", Reply.sse([frame(run("queued")), goes_on, framed([run("completed")])]))
    pieces = []
    async for piece in colour.each(sse(asked(colour, server), keep_alive=0.05)):
        pieces.append(piece)
        if piece.startswith(b":"):
            goes_on.set()
    assert names(b"".join(pieces)) == ["thread.run.queued", "thread.run.completed"]
    assert any(piece == b": keep-alive\n\n" for piece in pieces)


async def test_an_error_of_the_server_is_told(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.json({"error": {"message": "No thread found", "code": "gone"}}, 404))
    body = b"".join(await colour.list(sse(asked(colour, server))))
    (event,) = EventReader().feed(body.removesuffix(DONE))
    assert event.event == "error"
    assert "No thread found" in event.data.message


async def test_another_error_is_logged_and_not_told(
    colour: Colour, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("POST", "/threads/thread_1/runs", Reply.sse([frame(run("queued")), CUT]))
    with caplog.at_level(logging.ERROR, "streaming_assistants"):
        body = b"".join(await colour.list(sse(asked(colour, server))))
    assert names(body) == ["thread.run.queued", "error"]
    assert b"The stream broke off." in body
    assert "Connection error" in caplog.text


async def test_a_reader_who_leaves_closes_the_stream(colour: Colour, server: Loopback) -> None:
    silence = threading.Event()
    server.on("POST", ".*", Reply.sse([frame(run("queued")), silence, *[frame(text("a" * 9000))] * 500]))
    pieces = sse(asked(colour, server))
    await colour.next(pieces)
    await colour.of(pieces.aclose() if colour.is_async else pieces.close())
    silence.set()
    assert await anyio.to_thread.run_sync(lambda: server.closed_early.acquire(timeout=10))


async def test_a_slow_reader_gets_all(colour: Colour, server: Loopback) -> None:
    words = [str(place) for place in range(300)]
    server.on("POST", ".*", Reply.sse([framed([message("created"), *map(text, words), run("completed")])]))
    pieces = sse(asked(colour, server))
    first = await colour.next(pieces)
    await anyio.sleep(0.05)
    body = b"".join([first, *await colour.list(pieces)])
    assert names(body).count("thread.message.delta") == 300


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stream_that_ends_its_thread_ends_for_its_reader_too() -> None:
    def ends() -> Any:
        raise SystemExit
        yield

    error, done = sse(ends(), keep_alive=5)
    assert b"The stream broke off." in error
    assert done == DONE


@pytest.mark.parametrize(("wrong", "kind"), [(0, ValueError), (float("inf"), ValueError), ("15", TypeError)])
def test_what_is_no_silence_is_refused(wrong: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="keep_alive: expected"):
        sse(iter(()), keep_alive=wrong)


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(TypeError, match="await a coroutine first"):
        sse(3)  # type: ignore[call-overload]
