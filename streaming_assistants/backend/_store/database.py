"""A store in a database: its transactions, its clock, and who is told of what it commits."""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType

from sqlalchemy import Connection, RootTransaction
from sqlalchemy import Engine as Pool
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .._engine.store_port import StoreAway, StoreClosed, StoreReplaced, Undone
from . import upgrading
from .address import address, patience
from .changes import Changes
from .connecting import Pulse, begins_itself, commit, pool_of
from .listening import Listener, notices
from .transaction import SqlTransaction

# What SQLAlchemy raises where a database is restarted, full, locked or out of reach.
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)

_CONTENDED = ("40001", "40P01")  # a serialisation failure, a deadlock
_CUT = ("08", "57P")  # a connection that broke, a server that ends: who was told so knows no more
_NO_TABLE = "42P01"
_REPLACED = (
    "The database at {place} has {what}. It may have failed over to a replica that is empty or old, or have "
    "been restored. Nothing is made there while this process runs: bring the store back, or end this process "
    "and begin with what is there."
)


class Database:
    """The :class:`Store` at a path or a SQLAlchemy URL: ``sqlite://`` (memory), ``sqlite:///file.db``,
    PostgreSQL's. Where it cannot be opened, SQLAlchemy's own error says so.

    A new one is made, one of an earlier release brought forward; RuntimeError for one of a later."""

    def __init__(self, store: str | os.PathLike[str]) -> None:
        url, waits = patience(address(store))
        self.sqlite = url.get_backend_name() == "sqlite"
        self.in_memory = self.sqlite and url.database in (None, "", ":memory:")
        self.blocking = not self.in_memory
        self.hears_others = begins_itself(url)
        """Whether :meth:`watch` tells of what other processes commit, too."""
        self._alone = threading.RLock() if self.in_memory else nullcontext()
        self.closed = False
        self._changes = Changes()
        self._ahead = 0.0  # of the database's clock, before the monotonic one
        self._about: upgrading.About | None = None
        self._pool_size = waits.pool_size
        self._origin = secrets.token_hex(4)
        self._pool = pool_of(url, waits, in_memory=self.in_memory, told=_weakly(self._connected))
        self._listener = Listener(self._pool, self._changes, self._origin)
        # For a backend that nobody closes. Not at the interpreter's exit: a job's thread may be within a
        # transaction then, and closing SQLite's connection under it crashes the process.
        weakref.finalize(self, _leave, self._listener, self._pool).atexit = False
        self._about = self._opened()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqlTransaction]:
        """A transaction that may write. SQLite takes the write lock at once: a lock taken later, after a
        read, fails with "database is locked" instead of waiting. PostgreSQL flushes its log to the disk for
        one that is ``durable``, with all that came before it."""
        changed: set[object] = set()
        with self._begun({"writes": True, "durable": durable}, changed) as connection:
            tx = SqlTransaction(connection)
            yield tx
            changed |= tx.changed
        self._changes.tell(tx.changed)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """A transaction that only reads; on SQLite it neither waits for a writer nor holds one up."""
        with self._begun({}) as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def _begun(self, options: dict[str, bool], changed: Collection[object] = ()) -> Iterator[Connection]:
        """A transaction, at whose end those who listen to a server are told what is ``changed``."""
        begun = ends = False
        try:
            with self._alone:
                connection, transaction = self._transaction(options)
                begun = True
                with connection:
                    try:
                        with transaction:
                            yield connection
                            ends = True
                            self._tell_server(connection, changed)
                    finally:
                        if self.closed:
                            connection.invalidate()  # the pool that it goes back to has been emptied already
        except _AWAY as error:
            state = _state(error)
            cut = begun and (
                getattr(error, "connection_invalidated", False) or (state or "").startswith(_CUT)
            )
            doubtful = cut and ends and bool(options.get("writes"))
            undone = state in _CONTENDED or (cut and not doubtful)
            away = Undone(str(error)) if undone else StoreAway(str(error))
            away.doubtful = doubtful
            raise away from error
        except ProgrammingError as error:
            if _state(error) != _NO_TABLE:
                raise
            raise self._replaced("not all tables of the store") from error

    def _tell_server(self, connection: Connection, changed: Collection[object]) -> None:
        if self.sqlite or not (told := notices(self._origin, changed)):
            return
        if self.hears_others:
            commit(connection, told)
        else:
            connection.exec_driver_sql(told)

    def _transaction(self, options: dict[str, bool]) -> tuple[Connection, RootTransaction]:
        """A connection, and a transaction that has begun on it. A server that was restarted has cut what the
        pool has kept, and the first word over each tells."""
        kept = 0 if self.sqlite else self._pool_size
        while True:
            connection = self._open().connect()
            try:
                connection.execution_options(**options)
                return connection, connection.begin()
            except BaseException as error:
                connection.invalidate()
                connection.close()
                kept -= 1
                if kept < 0 or not isinstance(error, _AWAY):
                    raise

    def check_vectors(self) -> None:
        """Raises ImportError where nothing here can search by vectors."""
        with self.read() as tx:
            tx.check_vectors()

    def watch(self, thread_id: str, wake: Callable[[], object]) -> Callable[[], None]:
        stop = self._changes.watch(thread_id, wake)
        if self.hears_others and not self.closed:
            self._listener.begin()
        return stop

    def clock(self) -> float:
        """The database's time, in seconds since the epoch: the hosts that share a store may not agree on
        theirs. Read from its server with each connection, and counted on in between."""
        return time.time() if self.sqlite else self._ahead + time.monotonic()

    def _opened(self) -> upgrading.About:
        """What the store is, made or brought forward where it has to be."""
        connection, transaction = self._transaction({})
        with connection, transaction:
            about = upgrading.current(connection)
        if about is not None:
            return about
        connection, transaction = self._transaction({"writes": True})
        with connection, transaction:
            return upgrading.upgrade(connection)

    def _connected(self, pulse: Pulse, dbapi: DBAPIConnection) -> None:
        """Hears a new connection to a server. Raises StoreReplaced where the store is not there any more."""
        if self._about is not None:
            try:
                there = upgrading.about_by(dbapi)
            except self._pool.dialect.loaded_dbapi.Error as error:
                dbapi.close()
                if getattr(error, "sqlstate", getattr(error, "pgcode", None)) != _NO_TABLE:
                    raise
                raise self._replaced("no store") from error
            if there is None or there.store != self._about.store or there.version < self._about.version:
                dbapi.close()
                older = there is not None and there.store == self._about.store
                raise self._replaced("an older state of the store" if older else "another store than before")
        self._ahead = pulse.time - time.monotonic()

    def _replaced(self, what: str) -> StoreReplaced:
        url = self._pool.url
        return StoreReplaced(_REPLACED.format(place=f"{url.host or 'localhost'}/{url.database}", what=what))

    def _open(self) -> Pool:
        if self.closed:
            raise StoreClosed("The backend has been closed.")
        return self._pool

    def close(self) -> None:
        with self._alone:
            self.closed = True
            _leave(self._listener, self._pool)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _weakly(told: Callable[[Pulse, DBAPIConnection], None]) -> Callable[[Pulse, DBAPIConnection], None]:
    """The same for a pool, which would keep the store of a backend that nobody closes."""
    reference = weakref.WeakMethod(told)

    def tell(pulse: Pulse, dbapi: DBAPIConnection) -> None:
        method = reference()
        if method is not None:
            method(pulse, dbapi)

    return tell


def _leave(listener: Listener, pool: Pool) -> None:
    listener.stop()
    pool.dispose()


def _state(error: Exception) -> str | None:
    """What PostgreSQL calls it, in five letters."""
    origin = error.orig if isinstance(error, DBAPIError) else None
    state: str | None = getattr(origin, "sqlstate", getattr(origin, "pgcode", None))
    return state
