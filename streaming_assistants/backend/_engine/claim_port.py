"""What the engine asks of a store for claims: who drives which run, and whether they live. Sans-IO.

A run has an ``owner``, who drives it, and the number of its ``claim``, which grows by one each time that
somebody takes it. Whoever drives a run writes to it only while both are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .rows import Row

NOBODY = ""
"""The owner of a run that was given back: somebody has to drive it. Of one that waits for its client it is
None."""

RUNS = "runs"
"""What :meth:`~.store_port.Store.watch` is told for a run that was given back."""


class Driven(NamedTuple):
    """The active ``runs`` of an owner, or of nobody, and the earliest ``expires_at`` of them."""

    owner: str | None
    runs: int
    expires_at: float


class ClaimTransaction(Protocol):
    """The part of a transaction that is about owners and their runs."""

    def owner(self, id: str) -> Row | None:
        """The row of a backend that lives: ``place``, ``pid``, ``started``, ``seen_at``, the ``lease`` that
        it has from then on, in seconds, and whether it ``drives`` what others leave behind."""

    def owners(self, *, lock: bool = False) -> Sequence[Row]:
        """The rows of all, by their ids. ``lock`` keeps others from changing them until the transaction
        ends."""
        ...

    def seen(
        self, id: str, place: str, pid: int, started: str, now: float, *, lease: float, drives: bool = False
    ) -> None:
        """Notes that the owner lives, which renews its claims on all its runs."""

    def forget_unseen(self, now: float) -> None:
        """Drops the owners whose lease is over: to have no row is to be dead."""

    def stop_driving(self, id: str) -> None:
        """Notes that the owner takes over nothing more."""

    def forget(self, id: str) -> None:
        """Drops one owner."""

    def driven(self) -> Sequence[Driven]:
        """Who drives the active runs. Asked each second, however many there are: no row is read for it."""
        ...

    def runs_of(
        self, owners: Sequence[str], limit: int | None = None, *, lock: bool = False
    ) -> Sequence[Row]:
        """Active runs of these owners, oldest first. ``lock`` keeps others from changing them until the
        transaction ends, and leaves out those that others have locked."""
        ...

    def lapsed_runs(self, now: float) -> Sequence[Row]:
        """Active runs whose ``expires_at`` has come, oldest first."""
        ...

    def give_back(self, owner: str) -> bool:
        """Makes the runs that an owner drives :data:`NOBODY`'s; whether there were any."""
        ...
