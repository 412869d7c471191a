"""Events of a small run, as servers send them, and their framings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import objects

Event = tuple[str, Any]
DONE = b"event: done\ndata: [DONE]\n\n"

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


def sse(events: Iterable[Event], *, end: bytes = DONE) -> bytes:
    """OpenAI's framing."""
    return b"".join(frame(event) for event in events) + end


def frame(event: Event) -> bytes:
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def data_only(events: Iterable[Event], *, end: bytes = b"data: [DONE]\n\n") -> bytes:
    """The framing of Astra and LiteLLM: the event's name is inside the data."""
    frames = (json.dumps({"event": name, "data": data}) for name, data in events)
    return b"".join(f"data: {data}\n\n".encode() for data in frames) + end


def chunk_frame(value: str, message: str = "msg_1", object: str = "thread.message.delta") -> bytes:
    """A frame of ``messages.list(stream=True)`` as Astra's server writes it, byte for byte."""
    return (
        b'data: {"object":"%s","first_id":"%s","last_id":"%s","data":[{"id":"%s","object":"thread.message",'
        b'"created_at":1700000001,"thread_id":"thread_1","role":"assistant","content":[{"type":"text",'
        b'"delta":{"value":%s}}],"assistant_id":"asst_1","run_id":"run_1","file_ids":[],"metadata":{}}]}\n\n'
        % (object.encode(), *(3 * [message.encode()]), json.dumps(value).encode())
    )


def values(chunks: list[Any]) -> list[str]:
    """What the loop of the original shim prints."""
    return [chunk.data[0].content[0].delta.value for chunk in chunks]


DIALECTS: dict[str, Callable[[list[Event]], bytes]] = {
    "openai": sse,
    "data_only": data_only,
    "data_only_without_done": lambda events: data_only(events, end=b""),
    "both": lambda events: (
        b"".join(
            f"event: {name}\ndata: {json.dumps({'event': name, 'data': data})}\n\n".encode()
            for name, data in events
        )
        + DONE
    ),
    "no_space": lambda events: sse(events).replace(b"event: ", b"event:").replace(b"data: ", b"data:"),
    "crlf": lambda events: sse(events).replace(b"\n", b"\r\n"),
    "cr": lambda events: sse(events).replace(b"\n", b"\r"),
    "comments": lambda events: b": ping\n\n" + sse(events).replace(b"event: ", b": hello\nevent: "),
    "ids_and_retries": lambda events: b"retry: 100\n\n" + sse(events).replace(b"event: ", b"id: 7\nevent: "),
    "empty_data": lambda events: sse(events).replace(b"event: ", b"event: ping\ndata:\n\nevent: "),
    "bare_data": lambda events: sse(events).replace(b"event: ", b"data\n\nevent: "),
    "bom": lambda events: b"\xef\xbb\xbf" + sse(events),
    "no_blank_lines": lambda events: sse(events).replace(b"\n\n", b"\n") + b"\n",
    "data_only_no_blank_lines": lambda events: data_only(events).replace(b"\n\n", b"\n") + b"\n",
    "last_frame_unfinished": lambda events: sse(events, end=b"").rstrip(b"\n"),
    "last_frame_half_finished": lambda events: sse(events, end=b"")[:-1],
    "pretty_json_over_lines": lambda events: (
        b"".join(
            f"event: {name}\n".encode()
            + b"".join(f"data: {line}\n".encode() for line in json.dumps(data, indent=1).split("\n"))
            + b"\n"
            for name, data in events
        )
        + DONE
    ),
    "data_before_event": lambda events: (
        b"".join(f"data: {json.dumps(data)}\nevent: {name}\n\n".encode() for name, data in events) + DONE
    ),
}
"""Ways to write the same events. Each server of the field uses one or a mix of these."""


def recordings() -> Path | None:
    """The folder of recorded traffic, where this machine has it."""
    named = os.environ.get("STREAMING_ASSISTANTS_RECORDINGS")
    found = Path(named) if named else Path(__file__).parents[2] / "shared" / "recordings"
    return found if found.is_dir() else None


def recorded_streams() -> list[Path]:
    folder = recordings()
    return sorted(folder.glob("*.sse")) if folder is not None else []
