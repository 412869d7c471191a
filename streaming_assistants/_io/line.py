"""Those who wait to post to one thread: one at a time, in the order in which they came.

Threads and tasks stand in one line, whichever client of the process they use.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary

import anyio

from .loops import caller


class Line:
    """The line before one thread of the API."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: deque[Place] = deque()

    def join(self) -> Place:
        """A place at the end. Whoever takes it has to leave it."""
        place = Place(self)
        with self._lock:
            self._places.append(place)
            if len(self._places) == 1:
                place.call()
        return place

    def leave(self, place: Place) -> None:
        """Gives the place up; the next one is called."""
        with self._lock:
            self._places.remove(place)
            # One whose event loop has ended will never leave by itself.
            while self._places and not self._places[0].call():
                self._places.popleft()


class Place:
    """One place in a line."""

    def __init__(self, line: Line) -> None:
        self._line = line  # which lasts as long as somebody stands in it
        self._called = threading.Event()
        self._tell: Callable[[], object] | None = None

    def call(self) -> bool:
        """Says that it is this one's turn; answers whether there is anybody to be told."""
        self._called.set()
        if self._tell is None:
            return True
        try:
            self._tell()
        except RuntimeError:
            return False
        return True

    def wait(self, seconds: float | None) -> bool:
        """Waits for the turn, at most so many seconds; answers whether it came."""
        return self._called.wait(None if seconds is None else max(seconds, 0))

    async def wait_async(self, seconds: float | None) -> bool:
        """The async form of :meth:`wait`."""
        came = anyio.Event()
        call_soon = caller()
        self._tell = lambda: call_soon(came.set)
        if not self._called.is_set():  # asked after the line knows whom to tell
            with anyio.move_on_after(seconds):
                await came.wait()
        return self._called.is_set()

    def leave(self) -> None:
        with contextlib.suppress(ValueError):  # dropped, while its event loop ended
            self._line.leave(self)


# One process, one order: the clients of a program do not know of each other. Nothing is kept of a thread
# that nobody waits for.
_LINES: WeakValueDictionary[tuple[str, str], Line] = WeakValueDictionary()
_LOCK = threading.Lock()


def line(server: str, thread_id: str) -> Line:
    """The line before a thread of the server at that address."""
    with _LOCK:
        kept = _LINES.get((server, thread_id))
        if kept is None:
            kept = _LINES[server, thread_id] = Line()
        return kept
