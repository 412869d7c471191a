"""Streams that break, lie or just end."""

from __future__ import annotations

import importlib
from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises, text_of, transport_errors
from tests.conformance.registry import Group
from tests.conformance.script import CUT, Answer, gate, reply
from tests.framings import enveloped, frames, wire
from tests.objects import (
    MESSAGES,
    ONE_RUN,
    RUN,
    STEPS,
    function,
    message,
    page,
    required,
    run,
    step,
    text,
)
from tests.samples import hello, names, opening, said

errors = Group("errors and endings")
ERROR = {"message": "Too fast", "code": "rate_limit_exceeded", "type": "server_error"}


def library_errors(t: Kit) -> tuple[type[BaseException], ...]:
    """What a program may catch: ``openai.APIError``, and the library's base where there is the library."""
    if not t.patched:
        return (openai.APIError,)
    return (openai.APIError, importlib.import_module("streaming_assistants").StreamingAssistantsError)


@errors.case("transport_errors_are_raw")
async def cut_stream(t: Kit) -> None:
    """A connection that breaks raises what is both `APIConnectionError` and the transport's own error."""
    client = t.client()
    t.streams(*frames(opening()), CUT)
    got: list[str] = []
    with raises(openai.APIConnectionError, transport_errors(client).TransportError):
        async for event in t.each(await t.raw(client)):
            got.append(event.event)  # noqa: PERF401 - what came before the error is kept
    equal(got, names(opening()))


@errors.case()
async def stalled_stream(t: Kit) -> None:
    """A stream that stalls past the timeout raises `APITimeoutError`."""
    t.streams(*frames(opening()), gate("never"))
    with raises(openai.APITimeoutError):
        await t.list(await t.raw(timeout=0.2))


@errors.case("data_only_events_have_no_name")
async def error_event_in_data_alone(t: Kit) -> None:
    """A data-only frame that holds the event `error` raises `openai.APIError` with its message, code and
    type.
    """
    with raises(openai.APIError) as caught:
        await t.read(wire([*opening(), ("error", ERROR)], enveloped))
    error = caught.error
    equal((str(error.message), error.code, error.type), ("Too fast", "rate_limit_exceeded", "server_error"))


@errors.case("flat_errors_are_lost")
async def error_event_in_a_handler(t: Kit) -> None:
    """A flat `error` event ends a handler's stream with `openai.APIError`, through `on_exception`."""
    handler = t.handler()
    t.streams(wire([*opening(), ("error", ERROR)]))
    with raises(openai.APIError):
        async with t.entered(t.managed(event_handler=handler)) as stream:
            await t.value(stream.until_done())
    equal([call.name for call in handler.calls.of("on_exception", "on_end")], ["on_exception", "on_end"])


def _malformed(name: str, what: str, frame: bytes) -> None:
    async def body(t: Kit) -> None:
        handler = t.handler()
        t.streams(*frames(opening()), frame, *frames(hello()[3:]))
        with raises(Exception) as caught:
            async with t.entered(t.managed(event_handler=handler)) as stream:
                await t.value(stream.until_done())
        assert isinstance(caught.error, library_errors(t)), f"raised {type(caught.error).__name__}"
        equal([call.name for call in handler.calls.of("on_exception", "on_end")], ["on_exception", "on_end"])

    errors.add(
        name,
        f"{what} ends the stream with an `openai.APIError`, through `on_exception`.",
        body,
        "malformed_frames_raise_raw_errors",
    )


_malformed("invalid-json", "A frame of invalid JSON", b'event: thread.run.queued\ndata: {"id": \n\n')
_malformed("json-scalar", "A frame whose JSON is no object", b"event: thread.run.queued\ndata: 7\n\n")
_malformed(
    "invalid-utf8", "A frame of invalid UTF-8", b'event: thread.run.queued\ndata: {"id": "\xff\xfe"}\n\n'
)


# a stream that just ends ---------------------------------------------------------------------------------


def _server_holds(t: Kit, *runs: dict[str, Any]) -> None:
    t.answers("GET", ONE_RUN, *(reply(one) for one in runs))
    t.answers("GET", STEPS, reply(page(step())))
    t.answers("GET", MESSAGES, reply(page(message(text("Hello")))))


def _unfinished() -> bytes:
    return wire([*opening(), *said("Hel", "lo")[:-2]])


@errors.case("missing_end_looks_like_success")
async def an_end_that_is_missing_is_fetched(t: Kit) -> None:
    """A stream that just ends, of a run that the server says is completed, gets its end from the server."""
    _server_holds(t, run("completed"))
    events = await t.read(_unfinished())
    equal(text_of(events), "Hello")
    tail = [event.event for event in events[-3:]]
    equal(sorted(tail[:2]), ["thread.message.completed", "thread.run.step.completed"])
    equal(tail[2], "thread.run.completed")


@errors.case("missing_end_looks_like_success")
async def an_end_that_is_missing_reaches_the_handler(t: Kit) -> None:
    """A handler whose stream just ends gets the missing callbacks from what the server holds."""
    _server_holds(t, run("completed"))
    handler = await t.play(_unfinished())
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.calls.count("on_message_done"), 1)
    equal([step.status for step in await t.value(handler.get_final_run_steps())], ["completed"])
    equal((await t.value(handler.get_final_run())).status, "completed")


@errors.case("missing_end_looks_like_success")
async def an_end_at_requires_action_is_fetched(t: Kit) -> None:
    """A stream that just ends, of a run that the server says requires action, gets `requires_action`."""
    _server_holds(t, run("requires_action", **required(function("f", "{}"))))
    t.answers("GET", MESSAGES, reply(page()))
    t.answers("GET", STEPS, reply(page()))
    events = await t.read(wire(opening()))
    equal((events[-1].event, events[-1].data.status), ("thread.run.requires_action", "requires_action"))


@errors.case("missing_end_looks_like_success")
async def an_end_that_comes_late_is_awaited(t: Kit) -> None:
    """A stream that just ends, of a run that the server completes shortly after, gets its end."""
    _server_holds(t, run("in_progress"), run("completed"))
    events = await t.read(_unfinished())
    equal(events[-1].event, "thread.run.completed")


@errors.case("missing_end_looks_like_success")
async def a_run_that_never_ends_is_an_error(t: Kit) -> None:
    """A stream that just ends, of a run that stays pending, raises an `openai.APIError` that names
    the run.
    """
    _server_holds(t, run("in_progress"))
    with raises(Exception) as caught:
        await t.read(_unfinished())
    assert isinstance(caught.error, library_errors(t)), f"raised {type(caught.error).__name__}"
    shown = f"{caught.error} {getattr(caught.error, 'run_id', '')}"
    assert RUN in shown, shown


@errors.case("missing_end_looks_like_success")
async def a_stream_of_nothing_is_an_error(t: Kit) -> None:
    """A stream that ends before its first event raises an `openai.APIError` instead of looking like
    success.
    """
    with raises(Exception) as caught:
        await t.read(b"")
    assert isinstance(caught.error, library_errors(t)), f"raised {type(caught.error).__name__}"


@errors.case()
async def a_whole_stream_asks_nothing(t: Kit) -> None:
    """A stream that ends as it should makes no further request."""
    await t.read(wire(hello()))
    equal(
        [(request["method"], request["path"]) for request in t.seen()], [("POST", "/threads/thread_1/runs")]
    )


@errors.case()
async def done_alone_is_an_end(t: Kit) -> None:
    """A terminal run event without `done`, and `done` without a terminal run event, each end a stream."""
    for story in (hello()[:-1], [*hello()[:-2], hello()[-1]]):
        equal(text_of(await t.read(wire(story))), "Hello")


@errors.case()
async def the_connection_is_used_again(t: Kit) -> None:
    """After a stream has been read to its end, the client goes on with ordinary calls."""
    client = t.client()
    await t.read(wire(hello()), client=client)
    t.answers("GET", ONE_RUN, reply(run()))
    equal((await t.value(client.beta.threads.runs.retrieve(RUN, thread_id="thread_1"))).status, "completed")


@errors.case()
async def an_api_that_is_gone_says_so(t: Kit) -> None:
    """A server without the Assistants API (404, empty body) gives `NotFoundError` and not a
    decoding error.
    """
    t.answers("POST", "/threads/thread_1/runs", Answer((), 404, {}))
    with raises(openai.NotFoundError):
        await t.raw()


@errors.case()
async def azure_says_the_api_is_gone(t: Kit) -> None:
    """Azure's 410 `assistants_api_deprecated` gives an `APIStatusError` that carries the code."""
    body = {"error": {"code": "assistants_api_deprecated", "message": "gone", "type": None, "param": None}}
    t.answers("POST", "/threads/thread_1/runs", reply(body, 410))
    with raises(openai.APIStatusError) as caught:
        await t.raw()
    equal(caught.error.status_code, 410)
    assert "assistants_api_deprecated" in caught.error.response.text, caught.error.response.text
