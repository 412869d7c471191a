"""Who may end a stream, from where, and what a reader sees of it. Both colours, on sockets."""

from __future__ import annotations

import gc
import pickle
import threading
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants import types

from .clients import Colour
from .loopback import Loopback, Reply
from .objects import MESSAGES
from .samples import DONE, chunk_frame, frame, run, sse, text, text_run

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"


def asked(colour: Colour, server: Loopback, handler: Any = None) -> Any:
    runs = colour.client(server.url).beta.threads.runs
    return runs.stream(thread_id="thread_1", assistant_id="asst_1", event_handler=handler)


@pytest.fixture
def stalled(server: Loopback) -> Any:
    """A server that goes silent after the first event, for as long as the test lasts."""
    over = threading.Event()
    server.on("POST", RUNS, Reply.sse([frame(run("in_progress")), over, DONE]))
    yield server
    over.set()


async def while_read(colour: Colour, stream: Any) -> list[Any]:
    """What a reader gets who waits for an event while somebody else closes the stream."""
    iterator = stream._iterator
    running = "ag_running" if colour.is_async else "gi_running"
    return await colour.read_until_closed(stream, lambda: bool(getattr(iterator, running)))


async def test_closing_a_stream_wakes_whoever_waits_for_its_next_event(
    colour: Colour, stalled: Loopback
) -> None:
    stream = await colour.created(colour.client(stalled.url))
    assert (await colour.next(stream)).event == "thread.run.in_progress"
    assert await while_read(colour, stream) == []
    assert stream.response.is_closed
    assert len(stalled.requests) == 1  # a stream that was closed is not settled


async def test_closing_a_stream_of_messages_wakes_whoever_waits_for_more(
    colour: Colour, stalled: Loopback
) -> None:
    more = threading.Event()
    stalled.on("GET", MESSAGES, Reply.sse([chunk_frame("Hel"), more, chunk_frame("lo")]))
    messages = colour.client(stalled.url).beta.threads.messages
    stream = await colour.of(messages.list("thread_1", stream=True))
    await colour.next(stream)
    assert await while_read(colour, stream) == []
    more.set()
    assert stream.response.is_closed


async def test_closing_a_handler_wakes_whoever_waits_for_its_next_event(
    colour: Colour, stalled: Loopback
) -> None:
    log: list[Any] = []
    async with colour.entered(asked(colour, stalled, colour.logging_handler(log))) as stream:
        await colour.next(stream)
        assert await while_read(colour, stream) == []
        assert stream._session.stream.response.is_closed
    assert [entry[0] for entry in log] == ["on_event", "on_end"]
    assert len(stalled.requests) == 1


async def test_a_stream_closed_in_the_middle_has_no_more_events(colour: Colour, stalled: Loopback) -> None:
    stream = await colour.created(colour.client(stalled.url))
    await colour.next(stream)
    await colour.of(stream.close())
    assert await colour.list(stream) == []
    assert len(stalled.requests) == 1


async def test_a_stream_that_is_dropped_closes_without_the_garbage_collector(
    colour: Colour, stalled: Loopback
) -> None:
    client = colour.client(stalled.url)
    gc.disable()
    try:
        stream = await colour.created(client)
        response = stream.response
        async for _ in colour.each(stream):
            break
        await anyio.sleep(0)  # the test's own async generator is closed by the event loop,
        del stream
        await anyio.sleep(0.01)  # and then an async stream's
        assert response.is_closed
    finally:
        gc.enable()


async def test_reading_on_inside_a_callback_says_what_to_use_instead(
    colour: Colour, server: Loopback
) -> None:
    class Asks(colour.handler):  # type: ignore[name-defined,misc]
        def on_text_done(self, text: Any) -> Any:
            return self.get_final_run()

    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    with pytest.raises(RuntimeError, match=r"is being read already.* current_run"):
        await colour.handled(colour.client(server.url), Asks())


async def test_on_end_may_ask_for_the_final_objects(colour: Colour, server: Loopback) -> None:
    seen: list[str] = []

    class Sync(colour.handler):  # type: ignore[name-defined,misc]
        def on_end(self) -> None:
            seen.append(self.get_final_messages()[0].content[0].text.value)

    class Async(colour.handler):  # type: ignore[name-defined,misc]
        async def on_end(self) -> None:
            seen.append((await self.get_final_messages())[0].content[0].text.value)

    server.on("POST", RUNS, Reply.sse([sse(text_run("Hi"))]))
    await colour.handled(colour.client(server.url), Async() if colour.is_async else Sync())
    assert seen == ["Hi"]


@pytest.mark.parametrize("callback", ["on_exception", "on_end"])
async def test_a_callback_about_the_end_may_raise(colour: Colour, server: Loopback, callback: str) -> None:
    log: list[Any] = []

    def raises(self: Any, *_: Any) -> None:
        log.append((callback,))
        raise ZeroDivisionError("mine")

    handler = type("Raises", (type(colour.logging_handler(log)),), {callback: raises})()
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress"), ("error", {"message": "broke"})])]))
    with pytest.raises(ZeroDivisionError) as caught:
        await colour.handled(colour.client(server.url), handler)
    assert isinstance(caught.value.__context__, openai.APIError)
    assert [entry[0] for entry in log][-2:] == ["on_exception", "on_end"]
    assert handler._session.stream.response.is_closed


async def test_what_is_no_error_of_a_program_still_ends_the_stream(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []

    class Interrupted(type(colour.logging_handler(log))):  # type: ignore[misc]
        def on_text_delta(self, *_: Any) -> None:
            raise KeyboardInterrupt

    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    handler = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        async with colour.entered(asked(colour, server, handler)) as stream:
            await colour.of(stream.until_done())
    assert [entry[0] for entry in log][-1] == "on_end"
    assert "on_exception" not in [entry[0] for entry in log]
    assert handler._session.stream.response.is_closed


@pytest.mark.parametrize("colour", ["async"], indirect=True)
async def test_a_cancelled_task_still_fires_on_end_once(colour: Colour, stalled: Loopback) -> None:
    log: list[Any] = []
    async with anyio.create_task_group() as tasks:
        handler = colour.logging_handler(log)
        tasks.start_soon(colour.handled, colour.client(stalled.url), handler)
        while not log:
            await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    assert [entry[0] for entry in log] == ["on_event", "on_end"]
    assert handler._session.stream.response.is_closed


async def test_a_used_handler_starts_no_second_run(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    handler = colour.handler()
    client = colour.client(server.url)
    await colour.handled(client, handler)
    with pytest.raises(RuntimeError, match="cannot be shared"):
        await colour.handled(client, handler)
    assert len(server.requests) == 1


async def test_events_and_snapshots_can_be_pickled(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    server.on("POST", RUNS, Reply.sse([sse([*text_run("a"), ("thread.unheard_of", {"a": [1]})])]))
    await colour.handled(colour.client(server.url), colour.logging_handler(log))
    handed = [value for entry in log for value in entry[1:]]
    assert any(isinstance(value, types.ThreadMessageDelta) for value in handed)
    assert [pickle.loads(pickle.dumps(value)) for value in handed] == handed


async def test_a_frame_cut_in_the_middle_is_the_end_of_its_stream(colour: Colour, server: Loopback) -> None:
    started = sse([run("in_progress"), text("Hel")], end=b"") + frame(text("lo"))[:-30]
    server.on("POST", RUNS, Reply.sse([started]))
    server.on("GET", f"{RUNS}/run_1", Reply.json(run("completed")[1]))
    server.on("GET", ".*/(steps|messages)", Reply.json({"data": []}))
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.event for event in events] == [
        "thread.run.in_progress",
        "thread.message.delta",
        "thread.run.completed",
    ]
