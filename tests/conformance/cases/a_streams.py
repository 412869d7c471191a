"""``create(stream=True)`` and its two siblings: an ``openai.Stream`` of typed events."""

from __future__ import annotations

import asyncio

import openai

from tests.conformance.kit import Kit, NotApplicable, equal, raises, text_of
from tests.conformance.registry import Group
from tests.conformance.script import drip, error, gate, reply, sse
from tests.framings import frames, wire
from tests.objects import ONE_RUN, RUNS, run, text_delta, thread
from tests.samples import called, closing, hello, names, opening, said

streams = Group("streams")
OUTPUTS = [{"tool_call_id": "call_1", "output": "sunny"}]
ENDLESS = drip(wire([("thread.message.delta", text_delta("again "))]))


def submitted() -> list[tuple[str, object]]:
    """What follows submitted outputs: the stream starts in the middle of a run."""
    return [called("get_weather", "{}")[-1], *opening()[1:], *said("Sunny"), *closing()]


@streams.case()
async def create_streams_events(t: Kit) -> None:
    """`runs.create(stream=True)` yields the run's events in order and ends with `done`."""
    events = await t.read(wire(hello()))
    equal([event.event for event in events], names(hello()))
    equal(text_of(events), "Hello")


@streams.case()
async def create_sends_the_request(t: Kit) -> None:
    """`runs.create(stream=True)` sends one POST with `stream: true` and the parameters in its body."""
    t.streams(wire(hello()))
    await t.list(await t.raw(instructions="Be brief"))
    (request,) = t.seen("POST", RUNS)
    equal(request["json"], {"assistant_id": "asst_1", "instructions": "Be brief", "stream": True})


@streams.case()
async def create_gives_an_openai_stream(t: Kit) -> None:
    """`runs.create(stream=True)` returns an `openai.Stream` or `AsyncStream`."""
    t.streams(wire(hello()))
    stream = await t.raw()
    assert isinstance(stream, openai.AsyncStream if t.is_async else openai.Stream), type(stream)
    await t.list(stream)


@streams.case()
async def stream_shows_its_response(t: Kit) -> None:
    """The HTTP response of a stream, its request id for one, is at `stream.response`."""
    t.streams(wire(hello()))
    stream = await t.raw()
    equal(stream.response.status_code, 200)
    equal(stream.response.headers["content-type"], "text/event-stream")
    await t.list(stream)


@streams.case()
async def create_and_run_streams_events(t: Kit) -> None:
    """`threads.create_and_run(stream=True)` yields `thread.created` and then the run's events."""
    story = [("thread.created", thread()), *hello()]
    t.streams(wire(story), path="/threads/runs")
    threads = t.client().beta.threads
    stream = await t.value(threads.create_and_run(assistant_id="asst_1", stream=True))
    equal([event.event for event in await t.list(stream)], names(story))


@streams.case()
async def submit_tool_outputs_streams_events(t: Kit) -> None:
    """`runs.submit_tool_outputs(stream=True)` yields the rest of the run's events."""
    t.streams(wire(submitted()), path=f"{ONE_RUN}/submit_tool_outputs")
    runs = t.client().beta.threads.runs
    called = runs.submit_tool_outputs("run_1", thread_id="thread_1", tool_outputs=OUTPUTS, stream=True)
    events = await t.list(await t.value(called))
    equal([event.event for event in events], names(submitted()))
    equal(t.seen("POST")[0]["json"], {"tool_outputs": OUTPUTS, "stream": True})


@streams.case()
async def without_stream_nothing_changes(t: Kit) -> None:
    """Without `stream`, and with `stream=False`, the three methods return a `Run`."""
    for path in (RUNS, "/threads/runs", f"{ONE_RUN}/submit_tool_outputs"):
        t.answers("POST", path, reply(run("queued")))
    threads = t.client().beta.threads
    outputs = {"thread_id": "thread_1", "tool_outputs": OUTPUTS}
    for stream in ({}, {"stream": False}):
        for call in (
            threads.runs.create("thread_1", assistant_id="asst_1", **stream),
            threads.create_and_run(assistant_id="asst_1", **stream),
            threads.runs.submit_tool_outputs("run_1", **outputs, **stream),
        ):
            equal((await t.value(call)).status, "queued")


@streams.case()
async def breaking_out_releases_the_connection(t: Kit) -> None:
    """A stream left early inside its `with` block closes the connection."""
    t.streams(*frames(opening()), ENDLESS)
    async with t.entered(await t.raw()) as stream:
        async for _ in t.each(stream):
            break
    assert t.realm.hung_up(), "the connection is still open"


@streams.case()
async def an_error_in_the_loop_releases_the_connection(t: Kit) -> None:
    """An exception raised inside the `with` block of a stream closes the connection."""
    t.streams(*frames(opening()), ENDLESS)
    with raises(LookupError):
        async with t.entered(await t.raw()) as stream:
            async for _ in t.each(stream):
                raise LookupError
    assert t.realm.hung_up(), "the connection is still open"


@streams.case(only="async")
async def cancelling_a_task_releases_the_connection(t: Kit) -> None:
    """A task that reads a stream and is cancelled closes the connection."""
    t.streams(*frames(opening()), gate("never"), ENDLESS)
    started = asyncio.Event()

    async def read() -> None:
        async with await t.raw() as stream:
            async for _ in stream:
                started.set()

    task = asyncio.create_task(read())
    await asyncio.wait({task, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with raises(asyncio.CancelledError):
        await task
    t.realm.open("never")
    assert t.realm.hung_up(), "the connection is still open"


@streams.case()
async def no_event_waits_for_the_next(t: Kit) -> None:
    """An event is delivered before the server sends the next one."""
    first, *rest = frames(hello())
    t.streams(first, gate("next"), *rest)
    seen = 0
    async for _ in t.each(await t.raw()):
        if seen == 0:
            t.realm.open("next")
        seen += 1
    equal(seen, len(rest))


@streams.case()
async def raw_response_of_a_stream(t: Kit) -> None:
    """`runs.with_raw_response.create(stream=True)` gives the headers, and the stream from `parse()`."""
    t.streams(wire(hello()))
    runs = t.client().beta.threads.runs.with_raw_response
    response = await t.value(runs.create("thread_1", assistant_id="asst_1", stream=True))
    equal(response.headers["content-type"], "text/event-stream")
    equal(text_of(await t.list(response.parse())), "Hello")


@streams.case()
async def streaming_response_of_a_stream(t: Kit) -> None:
    """`runs.with_streaming_response.create(stream=True)` gives the stream from `parse()`."""
    t.streams(wire(hello()))
    client = t.client()
    if not hasattr(client.models, "with_streaming_response"):
        raise NotApplicable("this SDK has no with_streaming_response on any resource")
    runs = client.beta.threads.runs.with_streaming_response
    async with t.entered(runs.create("thread_1", assistant_id="asst_1", stream=True)) as response:
        parsed = response.parse()
        equal(text_of(await t.list(await parsed if t.is_async else parsed)), "Hello")


@streams.case()
async def raw_response_without_stream(t: Kit) -> None:
    """`runs.with_raw_response.create()` gives the headers, and the run from `parse()`."""
    t.answers("POST", RUNS, reply(run("queued"), x_request_id="req_1"))
    runs = t.client().beta.threads.runs.with_raw_response
    response = await t.value(runs.create("thread_1", assistant_id="asst_1"))
    equal(response.headers["x-request-id"], "req_1")
    equal(response.parse().status, "queued")


@streams.case()
async def a_refused_stream_raises_the_status_error(t: Kit) -> None:
    """A 400 in answer to a stream request raises `BadRequestError` with the server's message."""
    t.answers("POST", RUNS, error(400, "Thread thread_1 already has an active run"))
    with raises(openai.BadRequestError) as caught:
        await t.raw()
    assert "already has an active run" in str(caught.error), caught.error


@streams.case()
async def a_stream_request_is_retried(t: Kit) -> None:
    """A 500 in answer to a stream request is retried as `max_retries` says."""
    t.answers(
        "POST", RUNS, error(500, "try again", retry_after_ms="1", retry_after="0.001"), sse(wire(hello()))
    )
    with t.naps():
        stream = await t.raw(t.client(max_retries=1))
    equal(text_of(await t.list(stream)), "Hello")


@streams.case()
async def a_client_survives_a_broken_stream(t: Kit) -> None:
    """After a stream that failed, the same client streams again."""
    client = t.client()
    with raises(Exception):
        await t.read(b"event: thread.run.created\ndata: {\n\n", client=client)
    equal(text_of(await t.read(wire(hello()), client=client)), "Hello")


@streams.case()
async def two_streams_at_once(t: Kit) -> None:
    """Two streams of one client are read in turns without disturbing each other."""
    t.streams(wire(hello("a", "b")))
    t.streams(wire(hello("c", "d")), path="/threads/runs")
    client = t.client()
    one = t.each(await t.raw(client))
    other = t.each(await t.value(client.beta.threads.create_and_run(assistant_id="asst_1", stream=True)))
    turns = [aiter(one), aiter(other)]
    heard: list[list[object]] = [[], []]
    for _ in names(hello()):
        for turn, events in zip(turns, heard, strict=True):
            events.append(await anext(turn))
    equal([text_of(events) for events in heard], ["ab", "cd"])
