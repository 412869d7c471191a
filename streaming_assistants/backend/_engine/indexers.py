"""Who indexes files in this process: a few at a time, whichever requests they began with."""

from __future__ import annotations

import threading
from collections.abc import Sequence

MOST = 4
"""Files that are indexed at once."""


class Indexers:
    """One that comes while enough are at work leaves word of its stores, whose files are then next. So no
    file that is there when somebody comes for it waits for nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working = 0
        self._wanted: list[str] = []
        self._held: set[str] = set()

    @property
    def enough(self) -> bool:
        """Whether one that came now would have nothing to do."""
        with self._lock:
            return self._working >= MOST

    def comes(self, store_ids: Sequence[str]) -> bool:
        """Whether there is a place for another one."""
        with self._lock:
            self._wanted += [id for id in store_ids if id not in self._wanted]
            if self._working >= MOST:
                return False
            self._working += 1
            return True

    def next_wanted(self) -> str | None:
        """A store that is asked for, and is looked into next."""
        with self._lock:
            return self._wanted.pop(0) if self._wanted else None

    def goes(self) -> bool:
        """Whether one that has nothing left to do may go; else there are stores that are asked for."""
        with self._lock:
            if self._wanted:
                return False
            self._working -= 1
            return True

    def breaks_off(self) -> None:
        """One ends before its time."""
        with self._lock:
            self._working -= 1

    def hold(self, entry: str) -> bool:
        """Takes a file in a store, by the id of its row; False where another of this process has it."""
        with self._lock:
            if entry in self._held:
                return False
            self._held.add(entry)
            return True

    def let_go(self, entry: str) -> None:
        with self._lock:
            self._held.discard(entry)

    def holds(self, entry: str) -> bool:
        with self._lock:
            return entry in self._held
