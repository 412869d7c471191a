"""Events of a run, as servers send them: by ones, and as whole stories. ``framings.py`` writes them down."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import objects
from .framings import DIALECTS, DONE, END, Event, chunk_frame, data_only, frame, sse

__all__ = ["DIALECTS", "DONE", "END", "Event", "chunk_frame", "data_only", "frame", "sse"]

RUN = objects.run("queued")


def run(status: str, event: str | None = None, **more: Any) -> Event:
    return f"thread.run.{event or status}", objects.run(status, **more)


def message(change: str, *texts: str, **more: Any) -> Event:
    status = {"status": "in_progress" if change == "created" else change}
    return f"thread.message.{change}", objects.message(*texts, **{**status, **more})


def delta(*parts: dict[str, Any], id: str = "msg_1") -> Event:
    return "thread.message.delta", objects.message_delta(*parts, id=id)


def text(value: str, index: int = 0, *, id: str = "msg_1", **more: Any) -> Event:
    return "thread.message.delta", objects.text_delta(value, index, id, **more)


def step(change: str, *calls: Any, id: str = "step_1", **more: Any) -> Event:
    status = {"status": "in_progress" if change == "created" else change}
    return f"thread.run.step.{change}", objects.step(objects.tool_calls(*calls), id=id, **{**status, **more})


def writes(change: str, message_id: str = "msg_1", id: str = "step_1") -> Event:
    """The step that makes a message."""
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    status = "in_progress" if change == "created" else change
    return f"thread.run.step.{change}", objects.step(details, status, id)


def calls(*items: dict[str, Any], id: str = "step_1") -> Event:
    return "thread.run.step.delta", objects.step_delta(*items, id=id)


def call(index: int, arguments: str, name: str | None = None, id: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"index": index, "type": "function", "function": {"arguments": arguments}}
    if name is not None:
        made["function"]["name"] = name
        made["id"] = id or f"call_{index}"
    return made


def text_run(*words: str) -> list[Event]:
    """A whole run that answers with ``words``, one delta each."""
    whole = "".join(words)
    return [
        run("queued", "created"),
        run("queued"),
        run("in_progress"),
        message("created"),
        *(text(word) for word in words),
        message("completed", whole),
        run("completed"),
    ]


def tool_run(*pieces: str, name: str = "get_weather") -> list[Event]:
    """A run that stops for one function call, its arguments in ``pieces``."""
    return [
        run("queued", "created"),
        step("created"),
        calls(call(0, "", name)),
        *(calls(call(0, piece)) for piece in pieces),
        run("requires_action", required_action=None),
    ]


def hello(*parts: str) -> list[Event]:
    """A run that says ``Hello``, or the given parts: 12 events and ``done``."""
    parts = parts or ("Hel", "lo")
    return [*opening(), *said(*parts), *closing()]


def opening() -> list[Event]:
    return [run("queued", "created"), run("queued"), run("in_progress")]


def said(*parts: str, id: str = "msg_1", step_id: str = "step_1") -> list[Event]:
    """The step, the message and the deltas of one text message."""
    return [
        writes("created", id, step_id),
        writes("in_progress", id, step_id),
        message("created", id=id),
        message("in_progress", id=id),
        *(text(part, id=id) for part in parts),
        message("completed", "".join(parts), id=id),
        writes("completed", id, step_id),
    ]


def closing(status: str = "completed") -> list[Event]:
    return [run(status), END]


def weather() -> list[Event]:
    """A run that asks for the weather and stops at ``requires_action``."""
    return [*opening(), *called("get_weather", '{"city":', '"Rome"}')[:-1], *waiting()]


def waiting() -> list[Event]:
    wanted = objects.function("get_weather", '{"city":"Rome"}')
    return [run("requires_action", **objects.required(wanted)), END]


def called(name: str, *arguments: str, id: str = "call_1", step_id: str = "step_1") -> list[Event]:
    """A tool step whose one function call arrives in pieces."""
    first = objects.call_delta(id=id, function={"name": name, "arguments": "", "output": None})
    return [
        step("created", id=step_id),
        step("in_progress", id=step_id),
        calls(first, id=step_id),
        *(calls(objects.call_delta(function={"arguments": part}), id=step_id) for part in arguments),
        step("completed", objects.function(name, "".join(arguments), id), id=step_id),
    ]


def names(events: Iterable[Event]) -> list[str]:
    """The event names that an iterator over these events yields: all but the last mark."""
    return [name for name, _ in events if name != "done"]


def values(chunks: list[Any]) -> list[str]:
    """What the loop of the original shim prints."""
    return [chunk.data[0].content[0].delta.value for chunk in chunks]


def recordings() -> Path | None:
    """The folder of recorded traffic, where the environment names one."""
    named = os.environ.get("STREAMING_ASSISTANTS_RECORDINGS")
    return Path(named) if named and Path(named).is_dir() else None


def recorded_streams() -> list[Path]:
    folder = recordings()
    return sorted(folder.glob("*.sse")) if folder is not None else []
