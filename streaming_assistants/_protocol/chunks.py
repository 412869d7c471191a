"""The frames of ``GET /threads/{id}/messages?stream=true``: bytes in, typed chunks out. Sans-IO.

One server streams this endpoint. Its frames have no event name; each holds a list of one message, and
each content item what its text grew by.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Dict, List, Literal, Optional, cast

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Method, Model

from . import models
from .build import build
from .dialects import Malformed, is_json, short
from .sse import Frame, FrameDecoder

# ruff: noqa: UP006, UP035, UP045  (pydantic 1 on Python 3.10 reads the typing forms only)

if TYPE_CHECKING:
    from pydantic import BaseModel
else:
    BaseModel = _sdk.base_model()


OBJECTS = ("list", "thread.message.delta")
"""What a chunk may call itself."""


class MessageChunkDelta(BaseModel):
    """What a text grew by."""

    value: str


class MessageChunkContent(BaseModel):
    """The growth of one content block; ``index`` is its place in the message (0 where not said)."""

    type: str
    delta: MessageChunkDelta
    index: int = 0

    @property
    def text(self) -> MessageChunkDelta:
        """The same as ``delta``, under the name that a run's deltas have for it."""
        return self.delta


class MessageChunkData(BaseModel):
    """The message that grew, and by what; ``created_at`` in Unix seconds."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    thread_id: str
    role: str
    content: List[MessageChunkContent]
    assistant_id: Optional[str] = None
    run_id: Optional[str] = None
    file_ids: Optional[List[str]] = None
    metadata: Optional[Dict[str, Json]] = None


class MessageChunk(BaseModel):
    """One step of ``messages.list(stream=True)``: ``chunk.data[0].content[0].delta.value``.

    ``data`` holds one message. ``first_id`` and ``last_id`` are its id, as in a page.
    """

    object: Literal["list", "thread.message.delta"]
    data: List[MessageChunkData]
    first_id: Optional[str] = None
    last_id: Optional[str] = None


class ServerFailed(Exception):
    """The server reported an error in place of a chunk; ``body`` is what it said, or None."""

    def __init__(self, message: str, body: Json) -> None:
        super().__init__(message)
        self.body = body


class ChunkReader:
    """Bytes in, chunks out. ``done`` is set by a server's announced end."""

    def __init__(self) -> None:
        self.done = False
        self._frames = FrameDecoder()

    def feed(self, data: bytes) -> Iterator[MessageChunk]:
        """The chunks that ``data`` completes. Raises Malformed, or ServerFailed, at a frame that is none."""
        for frame in self._frames.feed(data):
            yield from self._chunks(frame)
            if self.done:
                return

    def close(self) -> Iterator[MessageChunk]:
        """The chunk of a last frame without its blank line."""
        frame = None if self.done else self._frames.close()
        if frame is not None:
            yield from self._chunks(frame)

    def _chunks(self, frame: Frame) -> Iterator[MessageChunk]:
        if self.done:
            return
        if frame.parts is not None and not is_json(frame.data):
            # Several data lines that are no JSON together: frames that lack the blank line between them.
            for name, data in frame.parts:
                yield from self._chunks(Frame(name, data))
        elif frame.data.startswith(b"[DONE]") or frame.event == "done":
            self.done = True
        elif frame.data.strip():
            chunk = read(frame)
            # Every chunk that is handed out has a delta: loops look at data[0].content[0] unasked.
            if chunk.data and all(message.content for message in chunk.data):
                yield chunk


def read(frame: Frame) -> MessageChunk:
    """The chunk that a frame holds. Raises ServerFailed or Malformed."""
    strict = _strict()
    if strict is not None and not frame.event:
        try:
            return cast(MessageChunk, strict(frame.data))
        except ValueError:
            pass  # below it is said what is wrong, or that nothing is
    try:
        value = _sdk.loads(frame.data)
    except ValueError as error:
        raise _malformed(f"JSON ({error})", frame) from error
    if value == [] or frame.event == "error" or (isinstance(value, dict) and value.get("error")):
        raise _failed(value)
    if not isinstance(value, dict) or value.get("object") not in OBJECTS:
        raise _malformed(f"an object whose 'object' is one of {OBJECTS}", frame)
    messages = value.get("data")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise _malformed("a list of messages as 'data'", frame)
    for message in messages:
        if not isinstance(message.get("id"), str):
            raise _malformed("a message with an 'id'", frame)
        message["content"] = [_content(item, frame) for item in _items(message, frame)]
    try:
        return cast(MessageChunk, build(MessageChunk, value))
    except ValueError as error:
        raise Malformed(f"{error} in {short(frame.data)}", frame) from error


def _items(message: dict[str, Json], frame: Frame) -> list[Json]:
    items = message.get("content")
    if items is not None and not isinstance(items, list):
        raise _malformed("a list as a message's 'content'", frame)
    return items or []


def _content(item: Json, frame: Frame) -> Json:
    delta = item.get("delta") if isinstance(item, dict) else None
    if not isinstance(delta, dict) or not isinstance(delta.get("value") or "", str):
        raise _malformed("content with a 'delta' that holds a text 'value'", frame)
    # A text that did not grow is "" and not None: what comes is printed and joined.
    delta = {**delta, "value": delta.get("value") or ""}
    return {"type": "text", **item, "index": item.get("index") or 0, "delta": delta}


def texts(chunk: Model) -> Iterator[str]:
    """What a chunk's texts grew by, empty ones left out."""
    for message in chunk.data:
        for item in message.content:
            if item.delta.value:
                yield item.delta.value


def growth(message: dict[str, Json], index: int, value: str) -> MessageChunk:
    """The chunk for a message, as a server's JSON has it, whose text block at ``index`` grew by ``value``."""
    kept = {name: message[name] for name in _KEPT if name in message}
    content = [{"type": "text", "delta": {"value": value}, "index": index}]
    data = {**kept, "object": "thread.message", "content": content}
    ends = {"first_id": message.get("id"), "last_id": message.get("id")}
    return cast(MessageChunk, build(MessageChunk, {"object": OBJECTS[1], "data": [data], **ends}))


_KEPT = ("id", "created_at", "thread_id", "role", "assistant_id", "run_id", "file_ids", "metadata")


class Accumulator:
    """The message that chunks add up to. Where a newer message begins, it takes the older one's place."""

    def __init__(self) -> None:
        self._message: dict[str, Json] | None = None
        self._texts: dict[int, list[str]] = {}

    def add(self, chunk: MessageChunk) -> None:
        """Takes one chunk."""
        for message in chunk.data:
            if self._message is None or self._message["id"] != message.id:
                self._message, self._texts = _sdk.dump(message), {}
            for item in message.content:
                self._texts.setdefault(item.index, []).append(item.delta.value)

    def hold(self, message: dict[str, Json]) -> None:
        """Takes a whole message, as the server has it, in place of what was added."""
        self._message, self._texts = message, {}

    def message(self) -> Model:
        """The message as the SDK's own type, or None before there was one."""
        if self._message is None:
            return None
        if not self._texts:
            return build(models.model("Message"), self._message)
        texts = ["".join(self._texts[index]) for index in sorted(self._texts)]
        content = [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]
        return build(models.model("Message"), {**self._message, "content": content})


@cache
def _strict() -> Method | None:
    return _sdk.json_validator(MessageChunk)


def _failed(value: Json) -> ServerFailed:
    body = value.get("error", value) if isinstance(value, dict) else value or None
    said = body.get("message") if isinstance(body, dict) else body
    if isinstance(said, str) and said:
        return ServerFailed(said, body)
    return ServerFailed("The server reported an error while it streamed the messages, and not which.", body)


def _malformed(expected: str, frame: Frame) -> Malformed:
    return Malformed(f"expected {expected}, got {short(frame.data)}", frame)
