"""Threads that wait for their next work a while: starting one costs as much as a short question to a store.

They are daemons, which the end of a process does not wait for.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import cache

_SPARE_SECONDS = 5.0


class SpareThreads:
    """Those that have nothing to do; a list's own operations are whole, and need no lock."""

    def __init__(self) -> None:
        self._spare: list[_Worker] = []

    def do(self, work: Callable[[], object]) -> None:
        """Has ``work``, which raises nothing, done in another thread. Raises RuntimeError where none can be
        started."""
        while self._spare:
            try:
                worker = self._spare.pop()
            except IndexError:
                break  # another thread was faster
            if worker.is_alive():  # not in the child of a fork
                worker.works.put(work)
                return
        _Worker(self._spare, work).start()


class _Worker(threading.Thread):
    def __init__(self, spare: list[_Worker], work: Callable[[], object]) -> None:
        super().__init__(name="streaming_assistants", daemon=True)
        self.works: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.works.put(work)
        self._spare = spare

    def run(self) -> None:
        while True:
            try:
                self.works.get(timeout=_SPARE_SECONDS)()
            except queue.Empty:
                try:
                    self._spare.remove(self)
                except ValueError:
                    continue  # work is about to come
                return
            self._spare.append(self)


@cache
def spare_threads() -> SpareThreads:
    """Those of this process."""
    return SpareThreads()
