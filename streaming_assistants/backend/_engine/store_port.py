"""What the engine asks of a store. A store fills :class:`Store` and :class:`Transaction`; who opens one
hands it to the engine, which never learns what it is. Sans-IO.

Each object is a row: ``seq`` orders it among its kind, ``id`` names it (as its data do, unless the columns
have another), ``data`` is what a client sees and ``hidden`` what the engine remembers beside that. Messages,
runs and steps have a ``thread_id`` besides, and go when their thread goes. A message has the ``run_id`` of
the run that wrote it, or None, a step always has one, and ``after_message``, the seq of the thread's newest
message when it began. A run is ``active`` until it ends, which no two of a thread may be; ``owner`` drives
it under the number ``claim``, and from ``expires_at`` on others may end it. Assistants, threads, runs, files,
uploads and vector stores have a ``project``, "" unless one is given; what is part of them is its, too. What
belongs to an upload or a vector store goes with that likewise (:func:`parent_of`). What is asked of files
besides is in ``file_port``, of owners in ``claim_port``, of many objects at once in ``bulk_port``.

A column that an object has not got is None, and what a caller does to a row does not reach the store.
``tests/backend/test_store_port.py`` asks all of this of each store; ``dict_store.py`` there is the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from .bulk_port import BulkTransaction
from .claim_port import ClaimTransaction
from .event_port import EventTransaction
from .file_port import FileTransaction
from .key_port import KeyTransaction
from .port import Json
from .rows import Row as Row

RowKind: TypeAlias = Literal[
    "assistants",
    "threads",
    "messages",
    "runs",
    "steps",
    "stored_files",
    "uploads",
    "upload_parts",
    "vector_stores",
    "file_batches",
    "store_files",
]

_PARENTS: Mapping[str, str] = {
    "messages": "thread_id",
    "runs": "thread_id",
    "steps": "thread_id",
    "upload_parts": "upload_id",
    "file_batches": "vector_store_id",
    "store_files": "vector_store_id",
}


def parent_of(kind: RowKind) -> str:
    """The column that names what an object is a part of: a thread, an upload, a vector store. A change of
    the object is a change of that, too. Of what stands alone it is its own id."""
    return _PARENTS.get(kind, "id")


class StoreAway(Exception):
    """The store is restarted, full, locked or out of reach; later the same transaction may hold."""

    doubtful = False
    """Whether it may hold already: the store went away while the transaction was being ended."""


class Undone(StoreAway):
    """Nothing of the transaction is kept, and done again at once it may hold: the store ended it for
    another's sake, or its connection broke. See ``transacting``."""


class StoreReplaced(StoreAway):
    """Where the store was is now another, or none: nothing is written there before that has been seen to."""


class StoreClosed(Exception):
    """The backend was closed while work of it was still under way."""


NO_COLUMNS: Mapping[str, object] = MappingProxyType({})


class Page(NamedTuple):
    """``rows`` in the order asked for; ``more`` when others lie beyond the last one."""

    rows: Sequence[Row]
    more: bool


class Transaction(
    EventTransaction, FileTransaction, BulkTransaction, ClaimTransaction, KeyTransaction, Protocol
):
    """What can be read and written at once, whole or not at all. ``where`` are columns and their values."""

    def add(self, kind: RowKind, data: Json, **columns: object) -> int:
        """Stores a new object; answers with its ``seq``, higher than any that its kind has had. A run of a
        thread that has an active one is not stored: 0."""
        ...

    def get(self, kind: RowKind, id: str, *, lock: bool = False, **where: object) -> Row | None:
        """The row, or None. ``lock`` keeps others from changing it until the transaction ends."""

    def change(
        self, kind: RowKind, id: str, changes: Json, *, row: Row | None = None, **columns: object
    ) -> Json | None:
        """Puts ``changes`` over the stored object; answers with the whole, None when it is gone.

        Reads first, within the lock, so that what another writer put in other fields stays; ``row`` is
        what the caller has already read and locked.
        """

    def swap(
        self,
        kind: RowKind,
        known: Json,
        data: Json,
        held: Mapping[str, object] = NO_COLUMNS,
        **columns: object,
    ) -> bool:
        """Puts ``data`` in the place of the object that the caller knows, unread; False, and nothing is
        done, when it is gone or no longer what the caller knows, or has not the columns of ``held``."""
        ...

    def remove(self, kind: RowKind, id: str) -> bool:
        """Whether it was there."""
        ...

    def seq(self, kind: RowKind, id: str, **where: object) -> int | None:
        """Where an object is in its list, or was; None when it never was in there."""

    def all(self, kind: RowKind, **where: object) -> Sequence[Row]:
        """Every row that fits, oldest first."""
        ...

    def newest(self, kind: RowKind, **where: object) -> Row | None:
        """The row that fits and has the highest seq."""

    def page(
        self,
        kind: RowKind,
        where: Mapping[str, object],
        *,
        limit: int,
        ascending: bool,
        after: int | None,
        before: int | None,
    ) -> Page:
        """A page between two cursors (each a ``seq``, left out itself).

        With ``before`` alone it is the page that ends at the cursor, so that a caller can walk back. In
        ``where`` there may be ``metadata``, of which an object's have to hold every pair.
        """
        ...

    def active_runs(self) -> Sequence[Row]:
        """Those of all threads, oldest first."""
        ...

    def keep_file(self, id: str, filename: str, content: bytes, **columns: object) -> None:
        """Stores a file that a tool made."""

    def file(self, id: str, **where: object) -> bytes | None:
        """The content of a file that a tool made."""


@runtime_checkable
class Store(Protocol):
    """Transactions raise :class:`StoreAway` where they could not be, :class:`StoreClosed` after
    :meth:`close`.

    ``blocking`` says whether one may wait for a disk, a network or another process: a caller in an event
    loop then hands it to a thread. ``in_memory`` says that nobody else sees what is stored.
    """

    blocking: bool
    in_memory: bool
    closed: bool

    def write(self, *, durable: bool = True) -> AbstractContextManager[Transaction]:
        """A transaction that may write. One that is not ``durable`` need not have reached a disk when it is
        over; those that follow it do not reach one before."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads."""
        ...

    def watch(self, thread_id: str, wake: Callable[[], object]) -> Callable[[], None]:
        """Calls ``wake`` after each change of a thread that this process commits, in whichever thread made
        it, and where the store :class:`HearsOthers` after those of other processes, too; answers with what
        ends that. In place of a thread ``runs`` stands for runs that nobody drives, and a run's id for its
        events."""
        ...

    def clock(self) -> float:
        """The time in seconds since the epoch, the same for all who share the store."""
        ...

    def close(self) -> None:
        """Ends it; what is under way fails."""


@runtime_checkable
class HearsOthers(Protocol):
    """A store that many processes may share, and whose watchers may be told of what the others commit."""

    hears_others: bool
    """Whether they are. A notice may be lost: who must not miss anything looks each second, too."""
