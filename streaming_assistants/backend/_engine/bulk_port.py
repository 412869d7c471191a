"""What the engine asks of a store where many objects come in, or go out, at once. Sans-IO."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from .port import Json

SECOND = 1 << 31
"""How many objects of one kind and one second have places of their own."""

LOWEST = -(1 << 63)
"""No ``seq`` is lower."""

_END = 1 << 32  # in the year 2106


def place(created_at: float, number: int) -> int:
    """The ``seq`` of an object that was made elsewhere: by its second, then by ``number``. Below those that
    the store gives by itself, so that what was made before comes before, whenever it is stored."""
    second = max(0, min(int(created_at), _END - 1))
    return (second - _END) * SECOND + number % SECOND


def second_of(seq: int) -> int | None:
    """The second that a ``seq`` of :func:`place` tells; None of one that the store has given."""
    return seq // SECOND + _END if seq < 0 else None


class NewRow(NamedTuple):
    """An object to be stored as it is: its ``id`` among its kind, its ``seq``, what a client sees, and the
    kind's columns, ``hidden`` among them."""

    id: str
    seq: int
    data: Json
    columns: Mapping[str, object]


class Placed(NamedTuple):
    """Where a message stands in its thread, and the run that wrote it."""

    thread_id: str
    seq: int
    id: str
    run_id: str | None


class BulkTransaction(Protocol):
    """The part of a transaction that is about many objects at once. ``kind`` is a RowKind."""

    def known(self, kind: str, ids: Collection[str]) -> set[str]:
        """Those of the ids that are there."""
        ...

    def add_all(self, kind: str, rows: Sequence[NewRow]) -> set[str]:
        """Stores those whose id is not there, and answers with their ids. Where a ``seq`` is taken, the
        object gets the next one that is free."""
        ...

    def placed(self, thread_ids: Collection[str]) -> Sequence[Placed]:
        """The messages of these threads, oldest first."""
        ...

    def made_files(self, after: str, limit: int) -> Sequence[tuple[str, str, bytes, str]]:
        """Files that tools made, by their ids, of those beyond ``after``: id, name, content and project."""
        ...
