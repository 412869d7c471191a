"""Who waits for a thread to change: told of what is committed, so that nobody has to ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

Wake = Callable[[], object]


class Changes:
    """Threads of the API (``thread_...``), and who is woken when one of them has changed."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Wake]] = {}
        self._lock = threading.Lock()

    @property
    def watched(self) -> bool:
        """Whether anybody waits for anything."""
        return bool(self._waiting)

    def watch(self, thread_id: str, wake: Wake) -> Callable[[], None]:
        """Calls ``wake`` after each change from now on, in whichever thread made it; answers with what ends
        that."""
        with self._lock:
            self._waiting.setdefault(thread_id, []).append(wake)

        def stop() -> None:
            with self._lock:
                others = self._waiting[thread_id]
                others.remove(wake)
                if not others:
                    del self._waiting[thread_id]

        return stop

    def tell(self, thread_ids: Iterable[str]) -> None:
        """Says that these have changed, and that it is committed."""
        if not self._waiting:
            return
        with self._lock:
            woken = [wake for thread_id in thread_ids for wake in self._waiting.get(thread_id, ())]
        for wake in woken:
            wake()

    def tell_all(self) -> None:
        """Says that any of them may have changed."""
        with self._lock:
            woken = [wake for waiting in self._waiting.values() for wake in waiting]
        for wake in woken:
            wake()
