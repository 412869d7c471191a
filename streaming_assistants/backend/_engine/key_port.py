"""What the engine asks of a store for those who share it: their keys, their projects, and the limits of
these. Sans-IO.

Objects of no project are those of the project ``""``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Limits(NamedTuple):
    """Of a project: runs at once, requests a minute, bytes of storage; None where there is none."""

    runs: int | None = None
    requests_per_minute: int | None = None
    storage: int | None = None


NO_LIMITS = Limits()


class Key(NamedTuple):
    """``projects`` are those that it opens, the first by default. Times are in seconds since the epoch."""

    id: str
    projects: Sequence[str]
    created_at: float
    revoked_at: float | None = None


class Used(NamedTuple):
    """What a project has now: active runs, and bytes of files, of parts of uploads and of what is indexed."""

    runs: int
    storage: int


class KeyTransaction(Protocol):
    """The part of a transaction that is about keys and projects."""

    def unfit(self) -> str | None:
        """Why the store cannot be used as it is, in a sentence; None when it can."""

    def add_key(self, id: str, digest: str, opens: Sequence[str], now: float) -> None:
        """Stores a key by its SHA-256, in hexadecimal digits, which opens these projects, the first by
        default. Raises ValueError for one that is there."""

    def key(self, digest: str) -> Key | None:
        """The key, if it is there and has not been revoked."""

    def all_keys(self) -> Sequence[Key]:
        """All that there are, the oldest first; those that were revoked, too."""
        ...

    def keyed(self) -> bool:
        """Whether there ever was a key: then nobody is served without one."""
        ...

    def revoke_key(self, id: str, now: float) -> bool:
        """Whether there was one to revoke."""
        ...

    def limits(self, project: str, *, lock: bool = False) -> Limits:
        """Those of a project. ``lock`` keeps others that lock them waiting until the transaction ends."""
        ...

    def set_limits(self, project: str, limits: Limits, now: float) -> None:
        """Gives a project these limits in place of those that it has."""

    def all_projects(self) -> Sequence[tuple[str, Limits]]:
        """The names of projects that have keys or limits, each with these, by name."""
        ...

    def count_request(self, project: str, minute: int) -> int:
        """Counts one more request of a minute (since the epoch); how many those are now."""
        ...

    def forget_requests(self, before: int) -> None:
        """Drops the counts of earlier minutes."""

    def used(self, project: str) -> Used:
        """What counts towards the limits of a project."""
        ...
