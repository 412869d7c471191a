"""What goes on in one run, for all in this process who read it: its newest events, and who waits for more.

Who has fallen behind what is held here reads the store; nobody waits for a reader.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from .._engine.event_log import STOPS, stops
from .._engine.event_port import Entry

WINDOW = 1024
"""Events that a channel holds at least, of those that there are; more than wait to be stored in memory."""

Frame = Callable[[Entry], bytes]


class Batch:
    """Events that came at once."""

    __slots__ = ("_frames", "entries", "first", "last", "stops")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.first, self.last = entries[0].number, entries[-1].number
        self.stops = False
        for entry in entries:
            if entry.name in STOPS:
                self.stops = True
        self._frames: dict[Frame, bytes] = {}

    def frames(self, frame: Frame) -> bytes:
        """All of them, as ``frame`` writes each: made once for all who read them so."""
        made = self._frames.get(frame)
        if made is None:
            made = self._frames[frame] = b"".join([frame(entry) for entry in self.entries])
        return made


class Listener(Protocol):
    """A reader."""

    def wake(self) -> None:
        """Tells it that there are some; from any thread."""


class Channel:
    """``last`` is the number of the newest event that is known here; ``stopped``: none follows for now."""

    def __init__(self, run_id: str, thread_id: str, last: int, *, stopped: bool = False) -> None:
        self.run_id = run_id
        self.thread_id = thread_id
        self.last = last
        self.stopped = stopped
        self.driver: object = None
        """Who tells what the run's driver says, where that is in this process."""
        self.farewell: Sequence[Entry] | None = None
        """What is told besides the log, last of all, once there is no other way to end."""
        self.is_cut = False
        self.lock = threading.Lock()
        self.idle = 0
        """How many readers wait for news, or have not gone on yet since there are some."""
        self._base = last  # the number before the first of the window
        self._window: deque[Batch] = deque()
        self._readers: weakref.WeakSet[Listener] = weakref.WeakSet()
        self._waiting: list[Listener] = []

    @property
    def driven(self) -> bool:
        """Whether the run's driver is in this process, and tells what it says."""
        return self.driver is not None

    @property
    def is_read(self) -> bool:
        return bool(self._readers)

    def join(self, reader: Listener) -> None:
        self._readers.add(reader)

    def leave(self, reader: Listener) -> None:
        self._readers.discard(reader)

    def publish(self, entries: Sequence[Entry]) -> list[Listener]:
        """Adds events, those that are known already left out; answers with those who wait for them."""
        with self.lock:
            if not entries or entries[-1].number <= self.last:
                return []
            if entries[0].number <= self.last:
                entries = [entry for entry in entries if entry.number > self.last]
            if entries[0].number != self.last + 1:  # others have told what lies between: it is in the store
                self._window.clear()
                self._base = entries[0].number - 1
            batch = Batch(entries)
            self._window.append(batch)
            self.last = entries[-1].number
            while self.last - self._window[0].last >= WINDOW:
                self._base = self._window.popleft().last
            self.stopped = batch.stops and stops(entries)
            return self._woken()

    def conclude(self, farewell: Sequence[Entry]) -> list[Listener]:
        """Nothing more comes of the run, but for what is told besides its log. The first one counts."""
        with self.lock:
            if self.farewell is not None or self.stopped:
                return []
            self.farewell = farewell
            return self._woken()

    def cut(self, *, driven: bool = True) -> list[Listener]:
        """Breaks off its readers, who may ask for the rest, here or elsewhere; unless ``driven`` only where
        the run's driver is not here."""
        with self.lock:
            if self.driver is not None and not driven:
                return []
            self.is_cut = not self.stopped and self.farewell is None
            return self._woken()

    def go_on(self, last: int) -> None:
        """The run goes on, from that number."""
        with self.lock:
            self.stopped, self.farewell, self.is_cut = False, None, False
            if last > self.last:
                self._window.clear()
                self._base = self.last = last

    def _woken(self) -> list[Listener]:
        woken, self._waiting = self._waiting, []
        return woken

    # Within the lock, for a reader that has come as far as ``after``.

    def wait(self, reader: Listener) -> None:
        """The reader waits to be woken."""
        self._waiting.append(reader)
        self.idle += 1

    def go_on_reading(self, reader: Listener) -> None:
        """It does not wait any more."""
        self.idle -= 1
        if reader in self._waiting:
            self._waiting.remove(reader)

    def lags(self, after: int) -> bool:
        """Whether what comes next is in the store alone."""
        return after < self._base

    def news(self, after: int) -> list[Batch]:
        """The batches that hold events beyond it."""
        found: list[Batch] = []
        for batch in reversed(self._window):
            if batch.last <= after:
                break
            found.append(batch)
        found.reverse()
        return found

    def ends(self, after: int) -> bool:
        """Whether nothing more comes."""
        return self.is_cut or (after >= self.last and (self.stopped or self.farewell is not None))


def ring(readers: Iterable[Listener]) -> None:
    """Wakes them all."""
    for reader in readers:
        reader.wake()
