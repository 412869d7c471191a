"""From a frame to its typed event: the dialects of every server that speaks the protocol. Sans-IO.

A frame names its event (OpenAI, Azure), or its data holds ``{"event", "data"}`` (Astra, LiteLLM), or
both. It is first taken as the standard has it, and something else is looked for only where that cannot be
read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import build
from .failures import failure
from .sse import Frame


class UnknownEvent(NamedTuple):
    """An event whose name nobody knows: ``data`` is its decoded JSON, or its text where it is none."""

    event: str
    data: Model


_TYPED = frozenset(models.EVENTS) - {"done", "error"}


@dataclass(frozen=True)
class Done:
    """The end that a server announces (``event: done``, ``data: [DONE]``). Streams end on it."""

    event: str = "done"
    data: str = "[DONE]"


class Malformed(ValueError):
    """A frame that is no event. The shells turn it into MalformedEventError, which knows the request."""

    def __init__(self, message: str, frame: Frame) -> None:
        super().__init__(message)
        self.frame = frame


@dataclass(frozen=True)
class Kind:
    """How the data of one event becomes a typed event."""

    name: str
    validate: Callable[[bytes], Model] | None  # strict and fast, from raw JSON; None under pydantic 1
    lenient: Callable[[Json], Model]  # from decoded JSON of nearly any shape


def read(frame: Frame) -> Model:
    """The event that a frame holds: typed, :class:`UnknownEvent`, :class:`Done`, or None for no data."""
    data = frame.data
    if data.startswith(b"[DONE]"):
        return Done()
    if not data.strip():
        return _error(None) if frame.event == "error" else None
    kind = kind_of(frame.event)
    if kind is None:
        return _enveloped(frame)
    if kind.validate is not None:
        try:
            return kind.validate(data)
        except ValueError:
            pass  # the lenient way below says what is wrong, or that nothing is
    value = _decoded(frame)
    if isinstance(value, dict) and value.get("event") == kind.name and isinstance(value.get("data"), dict):
        value = value["data"]
    if not isinstance(value, dict):
        raise Malformed(f"expected a JSON object as the data of {kind.name!r}, got {short(data)}", frame)
    return _lenient(kind, value, frame)


def _enveloped(frame: Frame) -> Model:
    """A frame whose own name says nothing: its data names the event, or nobody knows it."""
    if frame.event == "done":
        return Done()
    if frame.event == "error":
        try:
            return _error(_decoded(frame))
        except Malformed:
            return _error(str(frame.data, "utf-8", "replace"))
    try:
        value = _decoded(frame)
    except Malformed:
        if frame.event:
            return UnknownEvent(frame.event, str(frame.data, "utf-8", "replace"))
        raise
    if not isinstance(value, dict):
        if frame.event:
            return UnknownEvent(frame.event, value)
        raise Malformed(f"expected a JSON object with 'event' and 'data', got {short(frame.data)}", frame)
    name = value.get("event")
    if isinstance(name, str) and "data" in value:
        inner = value["data"]
        if name == "done" or inner == "[DONE]":
            return Done()
        if name == "error":
            return _error(inner)
        kind = kind_of(name)
        if kind is None:
            return UnknownEvent(name, inner)
        if not isinstance(inner, dict):
            raise Malformed(f"expected a JSON object as the data of {name!r}, got {inner!r:.80}", frame)
        return _lenient(kind, inner, frame)
    if name == "error" or (not frame.event and (value.get("error") or value.get("object") == "error")):
        return _error({key: inner for key, inner in value.items() if key != "event"})
    return UnknownEvent(frame.event, value)


def _lenient(kind: Kind, value: dict[str, Json], frame: Frame) -> Model:
    if not isinstance(value.get("id"), str):
        if value.get("error"):
            return _error(value)
        raise Malformed(f"expected an 'id' in the data of {kind.name!r}, got {short(frame.data)}", frame)
    if kind.name.endswith(".delta") and not isinstance(value.get("delta"), dict):
        raise Malformed(f"expected a 'delta' in the data of {kind.name!r}, got {short(frame.data)}", frame)
    try:
        return kind.lenient(value)
    except ValueError as error:
        raise Malformed(f"{error} in the data of {kind.name!r}, {short(frame.data)}", frame) from error


def _error(value: Json) -> Model:
    """An ErrorEvent from ``{"message", ...}``, ``{"error": {...}}``, a string or anything else."""
    # Nothing is validated: an error of another shape is still the error that it is.
    said: dict[str, Json] = {"code": None, "param": None, "type": None, **failure(value)}
    data = _sdk.make(models.model("ErrorObject"), said, set(said))
    return _sdk.make(models.event_model("error"), {"event": "error", "data": data}, {"event", "data"})


def kind_of(name: str) -> Kind | None:
    """The kind of an event's name; None for ``""``, ``error``, ``done`` and names that nobody knows."""
    # Names that a server makes up are not kept.
    return _kind(name) if name in _TYPED else None


@cache
def _kind(name: str) -> Kind:
    event_model, data_model = models.event_model(name), models.model(models.data_name(name))
    given = {"event", "data"}
    is_message_delta = name == "thread.message.delta"

    def lenient(value: Json) -> Model:
        if is_message_delta:
            value = _indexed(value)
        return _sdk.make(event_model, {"data": build(data_model, value), "event": name}, set(given))

    validate_data = _sdk.json_validator(data_model)
    if validate_data is None:
        return Kind(name, None, lenient)
    sample = lenient({"id": "", "delta": {}})
    return Kind(name, lambda data: _sdk.changed(sample, data=validate_data(data)), lenient)


def _indexed(value: dict[str, Json]) -> dict[str, Json]:
    """A message delta whose parts all have an index: DashScope leaves it out, the position says it."""
    content = value["delta"].get("content")
    if not isinstance(content, list):
        return value
    parts = [
        {**item, "index": place} if isinstance(item, dict) and item.get("index") is None else item
        for place, item in enumerate(content)
    ]
    return {**value, "delta": {**value["delta"], "content": parts}}


def _decoded(frame: Frame) -> Json:
    try:
        return _sdk.loads(frame.data)
    except ValueError as error:
        raise Malformed(
            f"expected JSON as the data of {repr(frame.event) if frame.event else 'an unnamed event'}, "
            f"got {short(frame.data)} ({error})",
            frame,
        ) from error


def is_json(data: bytes) -> bool:
    """Whether the bytes are UTF-8 JSON."""
    try:
        _sdk.loads(data)
    except ValueError:
        return False
    return True


def short(data: bytes) -> str:
    """The start of a frame's data, for a message."""
    shown = data if len(data) <= 80 else data[:77] + b"..."
    return repr(shown)[1:]
