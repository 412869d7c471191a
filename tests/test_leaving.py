"""``cancel_on_close=``: a run is cancelled whose stream is left before its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

import streaming_assistants as sa

from . import objects
from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .objects import ONE_RUN, RUNS
from .samples import DONE, message, run, sse, text, text_run, tool_run

pytestmark = pytest.mark.anyio

CANCEL = f"{ONE_RUN}/cancel"
EARLY = [run("queued", "created"), run("in_progress"), message("created"), text("Hel")]


@pytest.fixture
def silent(server: Loopback) -> Iterator[Loopback]:
    """A server whose run has said ``Hel`` and then says nothing any more."""
    over = threading.Event()
    for path in (RUNS, "/threads/runs", f"{ONE_RUN}/submit_tool_outputs"):
        server.on("POST", path, Reply.sse([sse(EARLY, end=b""), over, DONE]))
    server.on("POST", CANCEL, Reply.json(objects.run("cancelling")))
    server.on("GET", RUNS, Reply.json(objects.page(objects.run("in_progress", created_at=int(time.time())))))
    yield server
    over.set()


def cancelled(server: Loopback) -> list[str]:
    return [request.path for request in server.requests if request.path.endswith("/cancel")]


def managed(client: Any, **more: Any) -> Any:
    return client.beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", **{"cancel_on_close": True, **more}
    )


OPENS: dict[str, Any] = {
    "stream": managed,
    "create_and_run_stream": lambda client: client.beta.threads.create_and_run_stream(
        assistant_id="asst_1", cancel_on_close=True
    ),
    "submit": lambda client: client.beta.threads.runs.submit_tool_outputs_stream(
        run_id="run_1", thread_id="thread_1", tool_outputs=[], cancel_on_close=True
    ),
}


@pytest.mark.parametrize("opens", OPENS)
async def test_leaving_the_block_cancels_the_run(colour: Colour, silent: Loopback, opens: str) -> None:
    async with colour.entered(OPENS[opens](colour.client(silent.url))) as stream:
        async for event in colour.each(stream):
            if event.event == "thread.message.delta":
                break
    assert cancelled(silent) == [CANCEL]


async def test_an_exception_cancels_the_run(colour: Colour, silent: Loopback) -> None:
    with pytest.raises(ZeroDivisionError):
        async with colour.entered(managed(colour.client(silent.url))) as stream:
            async for _ in colour.each(stream):
                raise ZeroDivisionError
    assert cancelled(silent) == [CANCEL]


async def test_an_exception_of_a_callback_cancels_the_run(colour: Colour, silent: Loopback) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    handler = type("Fails", (colour.handler,), {"on_text_delta": fails})()
    with pytest.raises(ZeroDivisionError):
        async with colour.entered(managed(colour.client(silent.url), event_handler=handler)) as stream:
            await colour.of(stream.until_done())
    assert cancelled(silent) == [CANCEL]


async def test_closing_cancels_the_run_once(colour: Colour, silent: Loopback) -> None:
    stream = await colour.created(colour.client(silent.url), cancel_on_close=True)
    await colour.next(stream)
    await colour.of(stream.close())
    await colour.of(stream.close())
    assert cancelled(silent) == [CANCEL]


@pytest.mark.parametrize("opened", ["stream", "create"])
async def test_a_stream_of_which_nothing_was_read_is_left_too(
    colour: Colour, silent: Loopback, opened: str
) -> None:
    client = colour.client(silent.url)
    if opened == "stream":
        async with colour.entered(managed(client)):
            pass
    else:
        await colour.of((await colour.created(client, cancel_on_close=True)).close())
    assert cancelled(silent) == [CANCEL]


async def test_dropping_a_stream_cancels_the_run(colour: Colour, silent: Loopback) -> None:
    stream = await colour.created(colour.client(silent.url), cancel_on_close=True)
    await colour.next(stream)
    del stream
    gc.collect()
    with anyio.fail_after(10):
        while not cancelled(silent):
            await anyio.sleep(0.001)


async def test_closing_from_another_thread_or_task_cancels_the_run(colour: Colour, silent: Loopback) -> None:
    stream = await colour.created(colour.client(silent.url), cancel_on_close=True)
    came = threading.Event()

    def note(events: list[Any], event: Any) -> None:
        events.append(event)
        if len(events) == len(EARLY):
            came.set()

    read: list[Any] = []
    if colour.is_async:

        async def reads() -> None:
            async for event in stream:
                note(read, event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reads)
            await anyio.to_thread.run_sync(came.wait)
            await stream.close()
    else:

        def reads_sync() -> None:
            for event in stream:
                note(read, event)

        reader = threading.Thread(target=reads_sync)
        reader.start()
        await anyio.to_thread.run_sync(came.wait)
        stream.close()
        await anyio.to_thread.run_sync(reader.join, 10)
    assert cancelled(silent) == [CANCEL]


@pytest.mark.parametrize("by", ["scope", "task", "twice", "timeout"])
@pytest.mark.parametrize("colour", ["async"], indirect=True)
async def test_cancellation_cancels_the_run(colour: Colour, silent: Loopback, by: str) -> None:
    came = asyncio.Event()

    async def read() -> None:
        async with managed(colour.client(silent.url)) as stream:
            async for event in stream:
                if event.event == "thread.message.delta":
                    came.set()

    if by == "scope":
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await came.wait()
            tasks.cancel_scope.cancel()
    elif by == "timeout":
        with anyio.move_on_after(0.2):
            await read()
    else:
        task = asyncio.ensure_future(read())
        await came.wait()
        task.cancel()
        if by == "twice":
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with anyio.fail_after(10):
        while not cancelled(silent):
            await anyio.sleep(0.001)
    await anyio.sleep(0.05)
    assert cancelled(silent) == [CANCEL]


ENDS: dict[str, list[Any]] = {
    "completed": text_run("Hello"),
    "requires_action": tool_run("{}"),
    "failed": [run("queued", "created"), run("failed")],
    "incomplete": [run("queued", "created"), run("incomplete")],
    "cancelled": [run("queued", "created"), run("cancelled")],
}


@pytest.mark.parametrize("reads", ["all", "to the last event"])
@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_that_came_to_its_end_cancels_nothing(
    colour: Colour, server: Loopback, end: str, reads: str
) -> None:
    server.on("POST", RUNS, Reply.sse([sse(ENDS[end])]))
    async with colour.entered(managed(colour.client(server.url))) as stream:
        if reads == "all":
            await colour.of(stream.until_done())
        else:
            async for event in colour.each(stream):
                if event.event == f"thread.run.{end}":
                    break
    assert [request.path for request in server.requests] == [RUNS]


async def test_a_settled_stream_cancels_nothing(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(EARLY, end=b"")]))
    server.on("GET", ONE_RUN, Reply.json(objects.run("completed")))
    async with colour.entered(managed(colour.client(server.url))) as stream:
        await colour.of(stream.until_done())
    assert not cancelled(server)


async def test_a_stream_that_breaks_cancels_the_run(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(EARLY, end=b""), CUT]))
    server.on("POST", CANCEL, Reply.json(objects.run("cancelling")))
    with pytest.raises(Exception, match=r"[Cc]onnection|incomplete"):
        async with colour.entered(managed(colour.client(server.url))) as stream:
            await colour.of(stream.until_done())
    assert cancelled(server) == [CANCEL]


@pytest.mark.parametrize("said", [{}, {"cancel_on_close": False}, {"cancel_on_close": None}])
async def test_without_it_nothing_is_cancelled(colour: Colour, silent: Loopback, said: Any) -> None:
    client = colour.client(silent.url)
    asked = client.beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1", **said)
    async with colour.entered(asked) as stream:
        await colour.next(stream)
    assert not cancelled(silent)


async def test_a_run_that_ended_meanwhile_is_no_error(
    colour: Colour, silent: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    over = {"error": {"message": "Cannot cancel run with status 'completed'."}}
    silent.on("POST", CANCEL, Reply.json(over, 400))
    async with colour.entered(managed(colour.client(silent.url))) as stream:
        await colour.next(stream)
    assert not caplog.records


async def test_a_run_that_cannot_be_cancelled_is_told_to_the_log(
    colour: Colour, silent: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    silent.on("POST", CANCEL, Reply.json({"error": {"message": "No route."}}, 501, retry_after="0"))
    with caplog.at_level(logging.WARNING, "streaming_assistants"):
        async with colour.entered(managed(colour.client(silent.url))) as stream:
            await colour.next(stream)
    assert [record.getMessage()[:63] for record in caplog.records] == [
        "Run run_1 could not be cancelled when its stream was left: Erro"
    ]


async def test_headers_of_the_call_are_said(colour: Colour, silent: Loopback) -> None:
    client = colour.client(silent.url)
    async with colour.entered(managed(client, extra_headers={"x-tenant": "t1"})) as stream:
        await colour.next(stream)
    assert silent.requests[-1].path == CANCEL
    assert silent.requests[-1].headers["x-tenant"] == "t1"


async def test_an_unpatched_release_takes_it_too(colour: Colour, silent: Loopback) -> None:
    client = sa.patch(colour.bare(silent.url), repair=False)
    async with colour.entered(managed(client)) as stream:
        await colour.next(stream)
    assert cancelled(silent) == [CANCEL]


async def test_a_client_that_was_closed_before_is_told_to_the_log(
    colour: Colour, silent: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    client = colour.client(silent.url)
    stream = await colour.created(client, cancel_on_close=True)
    await colour.next(stream)
    await colour.of(client.close())
    with caplog.at_level(logging.WARNING, "streaming_assistants"):
        await colour.of(stream.close())
    assert "run_1 could not be cancelled" in caplog.text
