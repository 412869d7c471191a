"""One stream over several responses: plans that go on where an answer ends or breaks."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants._io.reading import Ways
from streaming_assistants._io.streams import AssistantStreamManager, AsyncAssistantStreamManager
from streaming_assistants._protocol.plan import Sleep
from streaming_assistants._resources.opening import opened, send
from streaming_assistants._resources.operations import RUN

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .samples import DONE, frame, message, run, sse, text, text_run

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"
REQUEST = RUN.request((), {"thread_id": "thread_1", "assistant_id": "asst_1"})


def again(client: Any) -> Any:
    """A way that makes the request a second time."""

    def way(span: Any, plan: Any) -> Any:
        yield from plan
        yield from span.answer(lambda: send(client, REQUEST))

    return way


def forgiving(client: Any) -> Any:
    """A way that makes a request again whose answer broke."""

    def way(span: Any, plan: Any) -> Any:
        try:
            yield from plan
        except openai.APIConnectionError:
            yield from span.bare(lambda: send(client, REQUEST))

    return way


def managed(colour: Colour, client: Any, ways: Ways, handler: Any) -> Any:
    manager = AsyncAssistantStreamManager if colour.is_async else AssistantStreamManager
    return manager(lambda: opened(client, REQUEST, ways), event_handler=handler)


async def test_one_handler_spans_two_responses(colour: Colour, server: Loopback) -> None:
    first, second = text_run("one"), text_run("two")
    server.on("POST", RUNS, Reply.sse([sse(first)]), Reply.sse([sse(second)]))
    client = colour.client(server.url)
    log: list[Any] = []
    ways = Ways(whole=(again(client),))
    async with colour.entered(managed(colour, client, ways, colour.logging_handler(log))) as stream:
        await colour.of(stream.until_done())
    told = [entry[1].event for entry in log if entry[0] == "on_event"]
    assert told == [name for name, _ in [*first, *second]]
    assert [entry[0] for entry in log].count("on_end") == 1
    assert len(server.requests) == 2


async def test_a_way_around_each_answer_sees_how_it_broke(colour: Colour, server: Loopback) -> None:
    broken = Reply.sse([sse([run("in_progress"), message("created"), text("Hel")], end=b""), CUT])
    whole = Reply.sse([sse([text("lo"), run("completed")])])
    server.on("POST", RUNS, broken, whole, broken, whole)
    client = colour.client(server.url)
    ways = Ways(answer=(forgiving(client),), whole=(again(client),))
    stream = await colour.of(opened(client, REQUEST, ways))
    events = [event.event for event in await colour.list(stream)]
    assert events.count("thread.run.completed") == 2
    assert events.count("thread.message.delta") == 4


async def test_an_error_that_no_way_takes_comes_out(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("one"))]), Reply.json({"error": {"message": "no"}}, 400))
    client = colour.client(server.url)
    stream = await colour.of(opened(client, REQUEST, Ways(whole=(again(client),))))
    with pytest.raises(openai.BadRequestError):
        await colour.list(stream)


async def test_closing_wakes_whoever_waits_in_the_second_response(colour: Colour, server: Loopback) -> None:
    over = threading.Event()
    silent = Reply.sse([frame(run("in_progress")), over, DONE])
    server.on("POST", RUNS, Reply.sse([sse(text_run("one"))]), silent)
    client = colour.client(server.url)
    stream = await colour.of(opened(client, REQUEST, Ways(whole=(again(client),))))
    found = await colour.read_until_closed(stream, lambda: len(server.requests) == 2)
    over.set()
    assert [event.event for event in found][-1] == "thread.run.in_progress"
    assert stream._span.halt.response.is_closed


async def test_closing_wakes_whoever_waits_between_two_responses(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("one"))]))
    client = colour.client(server.url)
    pauses: list[bool] = []

    def way(span: Any, plan: Any) -> Any:
        yield from plan
        pauses.append(True)
        yield Sleep(60)
        yield from span.answer(lambda: send(client, REQUEST))

    stream = await colour.of(opened(client, REQUEST, Ways(whole=(way,))))
    found = await colour.read_until_closed(stream, lambda: pauses)
    assert [event.event for event in found] == [name for name, _ in text_run("one")]
    assert len(server.requests) == 1


@pytest.mark.parametrize("colour", ["async"], indirect=True)
async def test_a_cancelled_task_leaves_between_two_responses(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("one"))]))
    client = colour.client(server.url)
    log: list[Any] = []

    def way(span: Any, plan: Any) -> Any:
        try:
            yield from plan
            log.append("pause")
            yield Sleep(60)
        finally:
            log.append("left")

    ways = Ways(whole=(way,))
    handler = colour.logging_handler(log)

    async def read() -> None:
        async with managed(colour, client, ways, handler) as stream:
            await stream.until_done()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        while "pause" not in log:
            await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    assert "left" in log
    assert log[-1] == ("on_end",)
