"""From the worker that drives a run to the response that shows it: bounded, and either side may leave.

A feed holds at most :data:`LIMIT` frames; a worker that is further ahead waits for its reader.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import anyio

from streaming_assistants._json import Json

LIMIT = 256

_TOO_LONG = "The run said nothing for {} seconds, as long as the request's timeout allows."

Encode = Callable[[str, Json], bytes]
Events = Sequence[tuple[str, Json]]


class _Pace:
    """When a worker that is ahead lets its reader run: a first event goes out at once, and a reader is
    never much behind, but the two do not change places at each event."""

    _EVERY = 0.002  # seconds

    def __init__(self) -> None:
        self._next = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._EVERY
        return True


class Feed:
    """For a worker thread and a reader in another thread."""

    patience: float | None = None
    """How many seconds the reader waits for the next frame before it raises TimeoutError."""

    def __init__(self, encode: Encode, end: bytes) -> None:
        self.left = False  # the reader is gone
        self.on_leave: Callable[[], object] | None = None
        self._encode = encode
        self._end = end
        self._frames: deque[bytes] = deque()
        self._finished = False
        self._hurry = False
        self._idle = False  # the reader waits
        self._pace = _Pace()
        self._changed = threading.Condition()

    def put(self, events: Events) -> None:
        """Adds the events, then waits until there is room for more."""
        cede = self._idle and self._pace.due()
        self.push(events)
        if cede:
            time.sleep(0)  # the reader waits for the interpreter, too
        with self._changed:
            self._changed.wait_for(lambda: len(self._frames) < LIMIT or self.left or self._hurry)

    def push(self, events: Events) -> None:
        with self._changed:
            if not (self.left or self._finished):
                self._frames.extend([self._encode(name, data) for name, data in events])
                self._changed.notify_all()

    def finish(self, events: Events = ()) -> None:
        """The last that the reader is told; nothing more once it has been."""
        with self._changed:
            if not self._finished:
                self._finished = True
                self._frames.extend([self._encode(name, data) for name, data in events])
                self._frames.append(self._end)
                self._changed.notify_all()

    def hurry(self) -> None:
        """Lets a waiting worker go on: there is something more urgent than the reader's pace."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()

    def close(self) -> None:
        """The reader leaves; one that waits in another thread or task wakes, and is told nothing more."""
        with self._changed:
            self.left = True
            self._frames.clear()
            self._changed.notify_all()
        if self.on_leave is not None:
            self.on_leave()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._idle = not (self._frames or self._finished)
                came = self._changed.wait_for(
                    lambda: self._frames or self._finished or self.left, self.patience
                )
                self._idle = False
                if self.left:
                    return
                if not came:
                    raise TimeoutError(_TOO_LONG.format(self.patience))
                chunk = b"".join(self._frames)
                self._frames.clear()
                finished = self._finished
                self._changed.notify_all()
            if chunk:
                yield chunk
            if finished:
                return


class AsyncFeed:
    """For a task and a reader in the same event loop; every method is called there."""

    patience: float | None = None

    def __init__(self, encode: Encode, end: bytes) -> None:
        self.left = False
        self.on_leave: Callable[[], object] | None = None
        self._encode = encode
        self._end = end
        self._frames: deque[bytes] = deque()
        self._finished = False
        self._hurry = False
        self._idle = False  # the reader waits
        self._pace = _Pace()
        self._filled = anyio.Event()
        self._drained = anyio.Event()

    async def put(self, events: Events) -> None:
        """Adds the events, then waits until there is room for more."""
        cede = self._idle and self._pace.due()
        self.push(events)
        if cede:
            await anyio.sleep(0)  # an upstream that has a lot to say never waits by itself
        while len(self._frames) >= LIMIT and not (self.left or self._hurry):
            self._drained = anyio.Event()
            await self._drained.wait()

    def push(self, events: Events) -> None:
        if not (self.left or self._finished):
            self._frames.extend([self._encode(name, data) for name, data in events])
            self._filled.set()

    def finish(self, events: Events = ()) -> None:
        """The last that the reader is told; nothing more once it has been."""
        if not self._finished:
            self._finished = True
            self._frames.extend([self._encode(name, data) for name, data in events])
            self._frames.append(self._end)
            self._filled.set()

    def hurry(self) -> None:
        self._hurry = True
        self._drained.set()

    def close(self) -> None:
        """The reader leaves; one that waits in another thread or task wakes, and is told nothing more."""
        self.left = True
        self._frames.clear()
        self._drained.set()
        self._filled.set()
        if self.on_leave is not None:
            self.on_leave()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if not (self._frames or self._finished):
                self._filled = anyio.Event()
                self._idle = True
                with anyio.move_on_after(self.patience):
                    await self._filled.wait()
                self._idle = False
                if not (self._frames or self._finished or self.left):
                    raise TimeoutError(_TOO_LONG.format(self.patience))
            if self.left:
                return
            chunk = b"".join(self._frames)
            self._frames.clear()
            finished = self._finished
            self._drained.set()
            if chunk:
                yield chunk
            if finished:
                return
