"""What the engine asks of a store for the events of runs, which it keeps until an hour after their end.
Sans-IO.

The events of a run are numbered from 1 on, without a gap, and stored in batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

LARGEST_BATCH = 32
"""Events that a batch holds at most."""

KEPT_SECONDS = 3600.0
"""How long after a run's end its events are there."""


class Entry(NamedTuple):
    """One event: ``body`` is its object as JSON. Without a ``number`` (0) it is no part of the log."""

    number: int
    name: str
    body: str


class EventBatch(NamedTuple):
    """The events of a run from the number ``first`` to ``last``: a JSON array of ``[name, data]``."""

    run_id: str
    first: int
    last: int
    events: str


class Claim(NamedTuple):
    """By what a run is driven here: its owner, and the number of its claim."""

    owner: str
    number: int


class EventTransaction(Protocol):
    """The events of runs within a transaction. Who writes some has the run locked: two batches of the same
    number cannot both be stored."""

    def held(self, claims: Mapping[str, Claim]) -> Mapping[str, bool]:
        """Which of these runs are driven so, as far as they can be locked without waiting: whether that is
        the run's claim. Their rows stay locked."""
        ...

    def add_events(self, batches: Sequence[EventBatch], at: float) -> None:
        """Stores batches, at that time. It is a change of their runs, for those who watch one by its id."""

    def last_event(self, run_id: str) -> int:
        """The number of the run's newest event; 0 for none."""
        ...

    def events(self, after: Mapping[str, int], limit: int) -> Sequence[EventBatch]:
        """The batches of runs that hold events after a number, in order; so many at most of all of them."""
        ...

    def drop_events(self, before: float) -> None:
        """Drops the events of runs that have ended and of which none was stored since."""
