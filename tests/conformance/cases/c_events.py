"""Every event of the protocol, by name and by type."""

from __future__ import annotations

from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises, text_of
from tests.conformance.registry import Group
from tests.framings import END, Event, wire
from tests.objects import (
    function,
    message,
    required,
    run,
    step,
    step_delta,
    text,
    text_delta,
    thread,
    tool_step,
)
from tests.samples import closing, hello, opening, said

events = Group("events")
RUN_STATUSES = (
    "created", "queued", "in_progress", "requires_action", "completed", "failed", "cancelling", "cancelled",
    "expired",
)  # fmt: skip
STEP_STATUSES = ("created", "in_progress", "completed", "failed", "cancelled", "expired")


def _class_name(event: str) -> str:
    return "".join(word.title() for word in event.replace(".", "_").split("_"))


async def _typed(t: Kit, story: list[Event], data_type: str) -> list[Any]:
    """The story's events are of the class that bears their name, and their data of ``data_type``."""
    got = await t.read(wire([*story, *closing()]))
    got = got[: len(story)]
    equal([type(event).__name__ for event in got], [_class_name(name) for name, _ in story])
    equal([event.event for event in got], [name for name, _ in story])
    equal({type(event.data).__name__ for event in got}, {data_type})
    return got


@events.case()
async def thread_event(t: Kit) -> None:
    """`thread.created` is a `ThreadCreated` that holds a `Thread`."""
    (event,) = await _typed(t, [("thread.created", thread())], "Thread")
    equal(event.data.id, "thread_1")


def _run_event(status: str) -> Any:
    async def body(t: Kit) -> None:
        now = {"created": "queued"}.get(status, status)
        fields = required(function("f", "{}")) if status == "requires_action" else {}
        (event,) = await _typed(t, [(f"thread.run.{status}", run(now, **fields))], "Run")
        equal((event.data.id, event.data.status), ("run_1", now))

    return body


for _status in (*RUN_STATUSES, "incomplete"):
    _name = f"thread.run.{_status}"
    events.add(
        f"event-run-{_status.replace('_', '-')}",
        f"`{_name}` is a `{_class_name(_name)}` that holds a `Run`.",
        _run_event(_status),
    )


@events.case()
async def step_events(t: Kit) -> None:
    """The six `thread.run.step.*` events with a whole step are of their own classes and hold a `RunStep`."""
    story = [
        (f"thread.run.step.{status}", step(status="in_progress" if status == "created" else status))
        for status in STEP_STATUSES
    ]
    await _typed(t, story, "RunStep")


@events.case()
async def step_delta_event(t: Kit) -> None:
    """`thread.run.step.delta` is a `ThreadRunStepDelta` that holds a `RunStepDeltaEvent`."""
    call = {"index": 0, **function("f", '{"a"')}
    story = [
        ("thread.run.step.created", tool_step(status="in_progress")),
        ("thread.run.step.delta", step_delta(call)),
    ]
    got = (await t.read(wire([*story, *closing()])))[1]
    equal((type(got).__name__, type(got.data).__name__), ("ThreadRunStepDelta", "RunStepDeltaEvent"))
    (delta,) = got.data.delta.step_details.tool_calls
    equal((type(delta).__name__, delta.index, delta.function.arguments), ("FunctionToolCallDelta", 0, '{"a"'))


@events.case()
async def message_events(t: Kit) -> None:
    """The four `thread.message.*` events with a whole message are of their own classes and hold a
    `Message`.
    """
    story = [
        (
            f"thread.message.{status}",
            message(text("Hi"), status="in_progress" if status == "created" else status),
        )
        for status in ("created", "in_progress", "completed", "incomplete")
    ]
    for event in await t.read(wire([*story, *closing()])):
        if event.event.startswith("thread.message"):
            equal(type(event).__name__, _class_name(event.event))
            equal((event.data.id, event.data.content[0].text.value), ("msg_1", "Hi"))


@events.case()
async def message_delta_event(t: Kit) -> None:
    """`thread.message.delta` is a `ThreadMessageDelta` that holds a `MessageDeltaEvent` with typed blocks."""
    got = (await t.read(wire([*opening(), *said("Hi"), *closing()])))[7]
    equal((type(got).__name__, type(got.data).__name__), ("ThreadMessageDelta", "MessageDeltaEvent"))
    (block,) = got.data.delta.content
    equal((type(block).__name__, block.type, block.text.value), ("TextDeltaBlock", "text", "Hi"))


@events.case()
async def error_event_nested(t: Kit) -> None:
    """An `error` event with `{"error": {...}}` raises `openai.APIError` with its message, code and type."""
    body = {"error": {"message": "Too fast", "code": "rate_limit_exceeded", "type": "server_error"}}
    await _raises_the_error(t, wire([*opening(), ("error", body)]))


@events.case("flat_errors_are_lost")
async def error_event_flat(t: Kit) -> None:
    """An `error` event with the error's fields at the top raises `openai.APIError` just so."""
    body = {"message": "Too fast", "code": "rate_limit_exceeded", "type": "server_error"}
    await _raises_the_error(t, wire([*opening(), ("error", body)]))


async def _raises_the_error(t: Kit, stream: bytes) -> None:
    with raises(openai.APIError) as caught:
        await t.read(stream)
    error = caught.error
    got = (str(error.message), error.code, error.type)
    equal(got, ("Too fast", "rate_limit_exceeded", "server_error"))


@events.case()
async def done_ends_the_stream(t: Kit) -> None:
    """`done` ends the stream: what a server sends after it is not read as events."""
    got = await t.read(wire([*hello(), ("thread.message.delta", text_delta(" again"))]))
    equal(text_of(got), "Hello")


@events.case("unknown_events_are_mistyped")
async def unknown_event(t: Kit) -> None:
    """An event whose name nobody knows is yielded under its name and as no other event's class."""
    got = await t.read(wire([("thread.run.paused", {"id": "run_1", "why": "x"}), *hello()]))
    equal(got[0].event, "thread.run.paused")
    _is_of_no_known_class(got[0])


def _is_of_no_known_class(event: Any) -> None:
    known = {_class_name(f"thread.run.{status}") for status in (*RUN_STATUSES, "incomplete")} | {
        "ThreadCreated"
    }
    assert type(event).__name__ not in known, f"typed {type(event).__name__}"


@events.case("unknown_events_are_mistyped")
async def unknown_event_outside_threads(t: Kit) -> None:
    """An unknown event that is no `thread.*` event is yielded with its name and data, not lost and
    not fatal.
    """
    got = await t.read(wire([("server.notice", {"note": "x"}), *hello()]))
    equal(len(got), 13)
    equal(got[0].event, "server.notice")
    _is_of_no_known_class(got[0])
    data = got[0].data
    equal(data["note"] if isinstance(data, dict) else data.note, "x")


@events.case("unknown_events_are_mistyped")
async def a_handler_survives_an_unknown_event(t: Kit) -> None:
    """A handler reads on over events that nobody knows."""
    story = [("thread.run.paused", {"id": "run_1"}), ("server.notice", {"note": "x"}), *hello()]
    handler = await t.play(wire(story))
    equal(handler.calls.texts("on_text_done"), ["Hello"])


@events.case()
async def unknown_fields_are_kept(t: Kit) -> None:
    """Fields that the SDK does not know stay readable on the event's data."""
    got = await t.read(wire([("thread.run.created", run("queued", region="eu")), *closing()]))
    equal(got[0].data.region, "eu")


@events.case()
async def missing_fields_are_tolerated(t: Kit) -> None:
    """An event whose data lacks required fields, or leaves nulls out, is yielded with what it has."""
    story = [("thread.run.created", {"id": "run_1", "object": "thread.run", "status": "queued"}), *hello()]
    got = await t.read(wire(story))
    equal((got[0].data.id, got[0].data.status, text_of(got)), ("run_1", "queued", "Hello"))


@events.case()
async def status_generating(t: Kit) -> None:
    """The status `generating`, which Astra reports, is accepted in a run."""
    got = await t.read(wire([("thread.run.in_progress", run("generating")), *closing()]))
    equal(got[0].data.status, "generating")


@events.case()
async def block_kinds(t: Kit) -> None:
    """Message deltas of image files, image URLs and refusals are typed beside text."""
    blocks = [
        {"index": 0, "type": "image_file", "image_file": {"file_id": "file_9"}},
        {"index": 1, "type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"index": 2, "type": "refusal", "refusal": "I will not"},
    ]
    delta = {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": blocks}}
    story = [("thread.message.created", message(status="in_progress")), ("thread.message.delta", delta)]
    got = (await t.read(wire([*story, *closing()])))[1].data.delta.content
    equal(
        [type(block).__name__ for block in got],
        ["ImageFileDeltaBlock", "ImageURLDeltaBlock", "RefusalDeltaBlock"],
    )
    equal((got[0].image_file.file_id, got[2].refusal), ("file_9", "I will not"))


@events.case()
async def tool_kinds(t: Kit) -> None:
    """Step deltas of function, code interpreter and file search calls are typed each as its own kind."""
    calls = [
        {"index": 0, **function("f", "")},
        {"index": 1, "id": "call_2", "type": "code_interpreter", "code_interpreter": {"input": "1+1"}},
        {"index": 2, "id": "call_3", "type": "file_search", "file_search": {}},
    ]
    story = [
        ("thread.run.step.created", tool_step(status="in_progress")),
        ("thread.run.step.delta", step_delta(*calls)),
    ]
    got = (await t.read(wire([*story, *closing()])))[1].data.delta.step_details.tool_calls
    wanted = ["FunctionToolCallDelta", "CodeInterpreterToolCallDelta", "FileSearchToolCallDelta"]
    equal([type(call).__name__ for call in got], wanted)


@events.case()
async def an_empty_run_is_a_run(t: Kit) -> None:
    """A run that fails at once, with `done` and no steps, gives its error."""
    failure = {"code": "rate_limit_exceeded", "message": "Too fast"}
    got = await t.read(wire([*opening(), ("thread.run.failed", run("failed", last_error=failure)), END]))
    equal((got[-1].event, got[-1].data.last_error.message), ("thread.run.failed", "Too fast"))
