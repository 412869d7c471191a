"""From the worker that drives a run to the response that shows it: bounded, and either side may leave.

A feed holds at most :data:`LIMIT` frames; a worker that is further ahead waits for its reader.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import anyio

from streaming_assistants._json import Json

from .._engine.effects import Events

LIMIT = 256

_CEDE_EVERY = 0.002  # seconds

Encode = Callable[[str, Json], bytes]


class _Frames:
    """The frames that a reader has yet to take, and who may go on. The other two say how one waits.

    All of it happens within ``lock``; ``tell`` wakes whoever waits for a change.
    """

    patience: float | None = None
    """How many seconds the reader waits for the next frame before it raises TimeoutError."""

    def __init__(
        self, encode: Encode, end: bytes, lock: AbstractContextManager[object], tell: Callable[[], object]
    ) -> None:
        self.left = False  # the reader is gone
        self.on_leave: Callable[[], object] | None = None
        self._encode = encode
        self._end = end
        self._lock = lock
        self._tell = tell
        self._frames: deque[bytes] = deque()
        self._finished = False
        self._hurry = False
        self._idle = False  # the reader waits
        self._cede_at = 0.0

    def push(self, events: Events) -> None:
        """Adds the events, however far behind the reader is."""
        with self._lock:
            if not (self.left or self._finished):
                self._frames.extend([self._encode(name, data) for name, data in events])
                self._tell()

    def finish(self, events: Events = ()) -> None:
        """The last that the reader is told; nothing more once it has been."""
        with self._lock:
            if not self._finished:
                self._finished = True
                self._frames.extend([self._encode(name, data) for name, data in events])
                self._frames.append(self._end)
                self._tell()

    def hurry(self) -> None:
        """Lets a waiting worker go on: there is something more urgent than the reader's pace."""
        with self._lock:
            self._hurry = True
            self._tell()

    def close(self) -> None:
        """The reader leaves; one that waits in another thread or task wakes, and is told nothing more."""
        with self._lock:
            self.left = True
            self._frames.clear()
            self._tell()
        if self.on_leave is not None:
            self.on_leave()

    def _cedes(self) -> bool:
        """Whether a worker that is ahead lets its reader run: a first event goes out at once, and a reader is
        never much behind, but the two do not change places at each event."""
        if not self._idle:
            return False
        now = time.monotonic()
        if now < self._cede_at:
            return False
        self._cede_at = now + _CEDE_EVERY
        return True

    def _has_room(self) -> bool:
        return len(self._frames) < LIMIT or self.left or self._hurry

    def _has_news(self) -> bool:
        return bool(self._frames) or self._finished or self.left

    def _taken(self) -> bytes | None:
        """What there is for the reader, who has waited long enough; None when nothing more will come."""
        if self.left:
            return None
        if not self._frames and not self._finished:
            raise TimeoutError(
                f"The run said nothing for {self.patience} seconds, as long as the request's timeout allows."
            )
        chunk = b"".join(self._frames)
        self._frames.clear()
        self._tell()
        return chunk or None


class Feed(_Frames):
    """For a worker thread and a reader in another thread."""

    def __init__(self, encode: Encode, end: bytes) -> None:
        self._changed = threading.Condition()
        super().__init__(encode, end, self._changed, self._changed.notify_all)

    def put(self, events: Events) -> None:
        """Adds the events, then waits until there is room for more."""
        cedes = self._cedes()
        self.push(events)
        if cedes:
            time.sleep(0)  # the reader waits for the interpreter, too
        with self._changed:
            self._changed.wait_for(self._has_room)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            yield chunk

    def _next(self) -> bytes | None:
        with self._changed:
            self._idle = not self._has_news()
            self._changed.wait_for(self._has_news, self.patience)
            self._idle = False
            return self._taken()


class AsyncFeed(_Frames):
    """For a task and a reader in the same event loop; every method is called there."""

    def __init__(self, encode: Encode, end: bytes) -> None:
        self._changed = anyio.Event()
        super().__init__(encode, end, nullcontext(), lambda: self._changed.set())

    async def put(self, events: Events) -> None:
        """Adds the events, then waits until there is room for more."""
        cedes = self._cedes()
        self.push(events)
        if cedes:
            await anyio.sleep(0)  # an upstream that has a lot to say never waits by itself
        while not self._has_room():
            await self._change()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._next()) is not None:
            yield chunk

    async def _next(self) -> bytes | None:
        if not self._has_news():
            self._idle = True
            with anyio.move_on_after(self.patience):
                while not self._has_news():
                    await self._change()
            self._idle = False
        return self._taken()

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()
