"""Whole runs as lists of events, and the ways in which servers put an event on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.objects import (
    call_delta,
    function,
    message,
    required,
    run,
    step,
    step_delta,
    text,
    text_delta,
    tool_step,
)

Event = tuple[str, Any]
DONE: Event = ("done", "[DONE]")


def hello(*parts: str) -> list[Event]:
    """A run that says ``Hello``, or the given parts: 12 events and ``done``."""
    parts = parts or ("Hel", "lo")
    return [*opening(), *said(*parts), *closing()]


def opening() -> list[Event]:
    return [
        ("thread.run.created", run("queued")),
        ("thread.run.queued", run("queued")),
        ("thread.run.in_progress", run("in_progress")),
    ]


def said(*parts: str, id: str = "msg_1", step_id: str = "step_1") -> list[Event]:
    """The step, the message and the deltas of one text message."""
    details = {"type": "message_creation", "message_creation": {"message_id": id}}
    return [
        ("thread.run.step.created", step(details, "in_progress", step_id)),
        ("thread.run.step.in_progress", step(details, "in_progress", step_id)),
        ("thread.message.created", message(id=id, status="in_progress")),
        ("thread.message.in_progress", message(id=id, status="in_progress")),
        *(("thread.message.delta", text_delta(part, id=id)) for part in parts),
        ("thread.message.completed", message(text("".join(parts)), id=id)),
        ("thread.run.step.completed", step(details, "completed", step_id)),
    ]


def closing(status: str = "completed") -> list[Event]:
    return [(f"thread.run.{status}", run(status)), DONE]


def weather() -> list[Event]:
    """A run that asks for the weather and stops at ``requires_action``."""
    return [*opening(), *called("get_weather", '{"city":', '"Rome"}')[:-1], *waiting()]


def waiting() -> list[Event]:
    call = function("get_weather", '{"city":"Rome"}')
    return [("thread.run.requires_action", run("requires_action", **required(call))), DONE]


def called(name: str, *arguments: str, id: str = "call_1", step_id: str = "step_1") -> list[Event]:
    """A tool step whose one function call arrives in pieces."""
    first = call_delta(id=id, function={"name": name, "arguments": "", "output": None})
    return [
        ("thread.run.step.created", tool_step(status="in_progress", id=step_id)),
        ("thread.run.step.in_progress", tool_step(status="in_progress", id=step_id)),
        ("thread.run.step.delta", step_delta(first, id=step_id)),
        *(
            ("thread.run.step.delta", step_delta(call_delta(function={"arguments": part}), id=step_id))
            for part in arguments
        ),
        ("thread.run.step.completed", tool_step(function(name, "".join(arguments), id), id=step_id)),
    ]


def names(events: Iterable[Event]) -> list[str]:
    """The event names that an iterator over these events yields: all but the last mark."""
    return [name for name, _ in events if name != "done"]


# framings ------------------------------------------------------------------------------------------------

Framing = Callable[[str, str], str]


def standard(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


def crlf(name: str, data: str) -> str:
    return standard(name, data).replace("\n", "\r\n")


def tight(name: str, data: str) -> str:
    return f"event:{name}\ndata:{data}\n\n"


def enveloped(name: str, data: str) -> str:
    """Data alone, which holds the event's name."""
    return f"data: {_envelope(name, data)}\n\n"


def both(name: str, data: str) -> str:
    return f"event: {name}\ndata: {_envelope(name, data)}\n\n"


def unspaced(name: str, data: str) -> str:
    """No blank line after the frame."""
    return f"event: {name}\ndata: {data}\n"


def _envelope(name: str, data: str) -> str:
    if name == "done":
        return data
    return json.dumps({"event": name, "data": json.loads(data)})


def frames(events: Iterable[Event], framing: Framing = standard) -> Iterator[bytes]:
    for name, data in events:
        yield framing(name, data if isinstance(data, str) else json.dumps(data)).encode()


def wire(events: Iterable[Event], framing: Framing = standard) -> bytes:
    return b"".join(frames(events, framing))
