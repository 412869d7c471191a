"""From bytes to typed events. Sans-IO.

What a frame means is in :mod:`.dialects`; most frames are like one before and made without asking there, see
:mod:`.repeats`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .dialects import Done, Malformed, is_json, read
from .models import MESSAGE_DELTA, STEP_DELTA
from .repeats import Repeats
from .sse import Frame, FrameDecoder


class EventReader:
    """Bytes in, typed events out.

    ``done`` is set by a server's announced end; what comes after it is not read. ``see`` is shown every event
    but message deltas before it is given out, and of the deltas of a step those that may say something new.
    """

    def __init__(
        self, see: Callable[[Model], object] | None = None, frames: FrameDecoder | None = None
    ) -> None:
        self.done = False
        self._see = see
        self._frames = frames or FrameDecoder()
        self._repeats = Repeats()
        self._step: str | None = None  # the id of the step whose deltas were seen last

    def feed(self, chunk: bytes) -> Iterable[Model]:
        """The events that ``chunk`` completes. Raises Malformed at the frame that is none."""
        frames = self._frames.feed(chunk)
        if len(frames) == 1:  # how servers send
            event = self._repeated(frames[0])
            return self._events(frames[0]) if event is None else (event,)
        return self._each(frames)

    def _each(self, frames: list[Frame]) -> Iterator[Model]:
        for frame in frames:
            event = self._repeated(frame)
            if event is not None:
                yield event
                continue
            yield from self._events(frame)
            if self.done:
                return

    def _repeated(self, frame: Frame) -> Model:
        """The event of a frame that is like one before; None for any other."""
        event = self._repeats.event(frame[0], frame[1])
        if event is not None and event.event != MESSAGE_DELTA and event.data.id != self._step:
            self._show(event)
        return event

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
            if event.event == MESSAGE_DELTA:
                self._repeats.learn(frame)
            else:
                if event.event == STEP_DELTA:
                    self._repeats.learn(frame)
                self._show(event)
            yield event

    def _show(self, event: Model) -> None:
        if event.event == STEP_DELTA:
            self._step = event.data.id
        if self._see is not None:
            self._see(event)
