"""From frames to typed events: the dialects of every server that speaks the protocol. Sans-IO.

A frame names its event (OpenAI, Azure), or its data holds ``{"event", "data"}`` (Astra, LiteLLM), or
both. The reader first takes a frame as the standard has it, and looks for something else only where
that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import build
from .failures import failure
from .sse import Frame, FrameDecoder


class UnknownEvent(NamedTuple):
    """An event whose name nobody knows: ``data`` is its decoded JSON, or its text where it is none."""

    event: str
    data: Model


DELTA = "thread.message.delta"
"""The event that nearly all of a stream is."""


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


class EventReader:
    """Bytes in, typed events out.

    ``done`` is set by a server's announced end; what comes after it is not read. ``see`` is shown every
    event but message deltas before it is given out.
    """

    def __init__(self, see: Callable[[Model], object] | None = None) -> None:
        self.done = False
        self._see = see
        self._frames = FrameDecoder()
        self._text = _text_delta()

    def feed(self, chunk: bytes) -> Iterator[Model]:
        """The events that ``chunk`` completes. Raises Malformed at the frame that is none."""
        text_of = self._text
        for frame in self._frames.feed(chunk):
            if frame[0] == DELTA and text_of is not None:
                event = text_of(frame[1])
                if event is not None:
                    yield event
                    continue
            yield from self._events(frame)
            if self.done:
                return

    def close(self) -> Iterator[Model]:
        """The events of a last frame without its blank line.

        A frame that was cut in the middle is left out: a stream that ends there did not come to its end,
        which tells more than the frame's half.
        """
        frame = None if self.done else self._frames.close()
        if frame is None:
            return
        try:
            yield from self._events(frame)
        except Malformed as error:
            last = frame.parts[-1] if frame.parts is not None else frame[:2]
            if error.frame[:2] != last or is_json(error.frame.data):
                raise

    def plain(self) -> Json:
        """The JSON that came in place of a stream, or None."""
        try:
            return _sdk.json_parser()(self._frames.unframed)
        except ValueError:
            return None

    def _events(self, frame: Frame) -> Iterator[Model]:
        if self.done:
            return
        if frame.parts is not None and not is_json(frame.data):
            # Several data lines that are no JSON together: frames that lack the blank line between them.
            for name, data in frame.parts:
                yield from self._events(Frame(name, data))
            return
        event = read(frame)
        if isinstance(event, Done):
            self.done = True
        elif event is not None:
            if self._see is not None and event.event != DELTA:
                self._see(event)
            yield event


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
    clone = _sdk.cloner(sample)
    return Kind(name, lambda data: clone({"data": validate_data(data), "event": name}), lenient)


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


@cache
def _text_delta() -> Callable[[bytes], Model] | None:
    """The fast way for the event that nearly all of a stream is: one text part with only a value.

    It builds what the validator builds: five models, cloned from one that the validator made. Anything
    that looks different (annotations, a role, a second part, a wrong type) is left to the validator.
    """
    kind = kind_of("thread.message.delta")
    if kind is None or kind.validate is None:
        return None
    sample = kind.validate(
        b'{"id":"m","object":"thread.message.delta",'
        b'"delta":{"content":[{"index":0,"type":"text","text":{"value":"v"}}]}}'
    )
    block = sample.data.delta.content[0]
    new_event, new_data, new_delta = map(_sdk.cloner, (sample, sample.data, sample.data.delta))
    new_block, new_text = _sdk.cloner(block), _sdk.cloner(block.text)
    parse = _sdk.json_parser()
    # What the server left out, with the defaults that this release of the SDK has for it.
    delta_rest = {name: v for name, v in vars(sample.data.delta).items() if name != "content"}
    text_rest = {name: v for name, v in vars(block.text).items() if name != "value"}

    def text_delta(data: bytes) -> Model:
        try:
            value = parse(data)
            delta = value["delta"]
            content = delta["content"]
            part = content[0]
            text = part["text"]
            if (
                len(value) != 3
                or len(delta) != 1
                or len(content) != 1
                or len(part) != 3
                or len(text) != 1
                or part["type"] != "text"
                or value["object"] != "thread.message.delta"
                or type(text["value"]) is not str
                or type(part["index"]) is not int
                or type(value["id"]) is not str
            ):
                return None
        except (ValueError, LookupError, TypeError):
            return None
        text.update(text_rest)
        part["text"] = new_text(text)
        content[0] = new_block(part)
        delta.update(delta_rest)
        value["delta"] = new_delta(delta)
        return new_event({"data": new_data(value), "event": "thread.message.delta"})

    return text_delta


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
