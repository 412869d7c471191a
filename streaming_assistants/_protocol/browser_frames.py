"""What a browser gets of a stream: a frame for each event, its end, and comments in its silence. Sans-IO."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import openai
from pydantic import BaseModel

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Model
from streaming_assistants.errors import StreamingAssistantsError

from .failures import failure

logger = logging.getLogger("streaming_assistants")

_SILENCE = b": keep-alive\n\n"
_DONE = b"event: done\ndata: [DONE]\n\n"
_AHEAD = 64  # frames that are kept for a reader who is slower than the stream


class Outbox:
    """The frames between who reads a stream and who sends them on: one tells, the other takes."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._has_ended = False
        self.is_left = False
        """Whether nobody takes any more."""

    def tell(self, event: Model) -> None:
        """An event."""
        self._frames.append(_frame(event))

    def end(self, error: BaseException | None = None) -> None:
        """The end of the stream, for whatever reason: there is nothing to tell after it."""
        if error is not None:
            self._frames.append(_failed(error))
        self._frames.append(_DONE)
        self._has_ended = True

    @property
    def has_room(self) -> bool:
        """Whether the next event may be told: who takes is not too slow, or has left."""
        return self.is_left or len(self._frames) < _AHEAD

    @property
    def has_some(self) -> bool:
        """Whether there is something to take."""
        return bool(self._frames)

    def taken(self) -> Iterator[bytes]:
        """What there is; a comment where there is nothing, as who takes has waited long enough."""
        frames, self._frames = self._frames or [_SILENCE], []
        return iter(frames)

    @property
    def is_over(self) -> bool:
        """Whether all has been taken."""
        return self._has_ended and not self._frames


def _frame(event: Model) -> bytes:
    data = event.data
    if isinstance(data, BaseModel):
        data = _sdk.dump(data)
    # ASCII, as half of a surrogate pair has no bytes of its own.
    return b"event: %s\ndata: %s\n\n" % (_line(event.event), json.dumps(data).encode())


def _line(name: str) -> bytes:
    return " ".join(name.split()).encode("utf-8", "replace")


def _failed(error: BaseException) -> bytes:
    """What a reader is told of an error; the log is told all of it."""
    if isinstance(error, Exception):  # a cancellation is nothing to tell
        logger.error("A stream to the web broke off.", exc_info=error)
    said = {"message": "The stream broke off.", "type": "server_error", "param": None, "code": None}
    ours = (openai.APIConnectionError, StreamingAssistantsError)
    if isinstance(error, openai.APIError) and not isinstance(error, ours):
        body = getattr(error, "body", None)  # releases before 1.3 do not keep it
        words = {name: getattr(error, name, None) for name in ("message", "code", "param")}
        said = {**said, **(failure(body) if isinstance(body, dict) else words)}
    return b"event: error\ndata: %s\n\n" % json.dumps({"error": said}).encode()
