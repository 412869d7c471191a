"""The numbers that a server gives its events, by which it can be asked for those after one. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_assistants import _sdk

from .sse import Frame, FrameDecoder

_DIGITS = 18


class NotNumbered(Exception):
    """A server that was asked for the events after one does not say which these are, or leaves some out."""


class Numbers:
    """The numbers of one run's events, in however many answers.

    ``last`` is the number of the last event, None for a server that does not number its events: each number
    has to be greater than the one before.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._sound = True
        self._asked = False  # for what comes after the last one
        self._whole = True  # no number was left out so far

    def begin(self, after: int | None = None) -> None:
        """An answer begins that is numbered by itself, or not at all; or one that was asked for what comes
        ``after`` a number."""
        self.last, self._sound, self._asked, self._whole = after, True, after is not None, True

    def ask(self) -> None:
        """An answer begins that goes on after the last number."""
        self._asked = True

    def drop(self) -> None:
        """The server cannot be asked by numbers."""
        self.last, self._sound = None, False

    def new(self, frames: list[Frame]) -> Iterator[Frame]:
        """Those of ``frames`` that were not told before. Raises NotNumbered."""
        for frame in frames:
            if not self._sound or not _is_of_run(frame) or self._is_next(frame.id):
                yield frame

    def _is_next(self, said: str) -> bool:
        number = int(said) if said.isascii() and said.isdigit() and len(said) <= _DIGITS else None
        last = self.last
        if number is not None and (last is None or number > last):
            if last is not None and number != last + 1:
                if self._asked and self._whole:
                    raise NotNumbered(f"event {last + 1} is missing: after {last} comes {number}")
                self._whole = False
            self.last = number
            return True
        if not self._asked:
            self.drop()
            return True
        if number is None:
            raise NotNumbered(f"an event after {last} has no number")
        return False


class NumberedFrames(FrameDecoder):
    """The frames of an answer that were not told before."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def feed(self, chunk: bytes) -> list[Frame]:
        return list(self._numbers.new(super().feed(chunk)))

    def close(self) -> Frame | None:
        frame = super().close()
        if frame is None or not _is_whole(frame):
            return frame  # which says nothing, and does not count
        return next(self._numbers.new([frame]), None)


def _is_of_run(frame: Frame) -> bool:
    """Whether it holds what is numbered, and not the end, an error or a sign of life."""
    named = not frame.event or frame.event.startswith("thread.")
    return named and not frame.data.startswith(b"[DONE]") and bool(frame.data.strip())


def _is_whole(frame: Frame) -> bool:
    try:
        _sdk.loads(frame.data)
    except ValueError:
        return False
    return True
