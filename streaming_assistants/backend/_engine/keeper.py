"""Whose runs are whose: what a backend knows of itself and of the others on its store. Sans-IO."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from .event_log import Said
from .rows import Row

LEASE = 15.0
"""Seconds that a backend may go unseen before others take its runs over, unless it is told otherwise."""


@dataclass(frozen=True)
class Keeper:
    """The id of this backend, what time it is, and which other owners live. Its runs are its own for
    ``lease`` seconds from the last time that it was seen."""

    owner: str
    clock: Callable[[], float]
    lives: Callable[[Row | None, float], bool]
    lease: float = LEASE
    said: dict[str, Said] = field(default_factory=dict)
    """What the drivers here have said, by the ids of their runs."""
    _driven: dict[str, float] = field(default_factory=dict)  # run ids, each with when it lapses

    def now(self) -> int:
        return int(self.clock())

    def claim(self, run_id: str) -> None:
        """Says, before others can see the run, that it will be driven here. A claim that nobody takes up
        lapses: its request was cancelled, or its transaction failed."""
        now = time.monotonic()
        for lapsed in [id for id, until in list(self._driven.items()) if until < now]:
            self._driven.pop(lapsed, None)
        self._driven[run_id] = now + self.lease

    def take_up(self, run_id: str) -> None:
        """The run has its driver now."""
        self._driven[run_id] = inf

    def let_go(self, run_id: str) -> None:
        """The run's driver is done. A claim for the run's next stretch stays."""
        if self._driven.get(run_id) == inf:
            del self._driven[run_id]

    def drives(self, run_id: str) -> bool:
        return time.monotonic() < self._driven.get(run_id, 0)
