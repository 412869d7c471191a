"""Engines and transactions: what SQLite and PostgreSQL each need so that no write is lost."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, RootTransaction, create_engine, event, func, insert, select
from sqlalchemy import Engine as Pool
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from .._engine.store_port import StoreAway, StoreClosed
from . import passage_tables, schema
from .address import address
from .changes import Changes
from .transaction import SqlTransaction, written

_BUSY_MS = 60_000
_MAPPED = 1 << 30  # bytes of a SQLite file that are read without being copied: a search reads megabytes
_BEGINS_ITSELF = ("postgresql+psycopg",)  # a driver that ends a transaction that it has not begun
_SCHEMA_LOCK = 0x5A55157  # any number that other users of the database's advisory locks do not use


# What SQLAlchemy raises where a database is restarted, full, locked or out of reach.
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)


class Database:
    """The :class:`Store` at a path or a SQLAlchemy URL: ``sqlite://`` (memory), ``sqlite:///file.db``,
    PostgreSQL's. Where it cannot be opened, SQLAlchemy's own error says so."""

    def __init__(self, store: str | os.PathLike[str]) -> None:
        parsed = address(store)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        in_memory = self.sqlite and parsed.database in (None, "", ":memory:")
        self.in_memory = in_memory
        self.blocking = not in_memory
        # A store in memory is one connection, and a connection serves one transaction at a time.
        self._alone = threading.RLock() if in_memory else nullcontext()
        options: dict[str, Any] = {"pool_pre_ping": parsed.drivername not in _BEGINS_ITSELF}
        if in_memory:
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        elif self.sqlite:
            options = {"connect_args": {"timeout": _BUSY_MS / 1000}, "pool_size": 16, "max_overflow": 64}
        self.closed = False
        self._changes = Changes()
        self._ahead = 0.0  # of the database's clock, before the monotonic one
        try:
            self._pool = create_engine(parsed, json_serializer=written, **options)
        except ModuleNotFoundError as error:
            hint = "" if self.sqlite else ": pip install 'streaming_assistants[postgres]' brings psycopg"
            raise ImportError(
                f"The store {parsed.drivername} needs {error.name}, which is not installed{hint}"
            ) from None
        # For a backend that nobody closes. Not at the interpreter's exit: a job's thread may be within a
        # transaction then, and closing SQLite's connection under it crashes the process.
        weakref.finalize(self, self._pool.dispose).atexit = False
        if self.sqlite:
            event.listen(self._pool, "connect", partial(_prepare_sqlite, durable=not in_memory))
        else:
            event.listen(self._pool, "connect", self._prepare_postgres)
        if self.sqlite or parsed.drivername in _BEGINS_ITSELF:
            event.listen(self._pool, "begin", _begin)
        self._create_schema()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqlTransaction]:
        """A transaction that may write. SQLite takes the write lock at once: a lock taken later, after a
        read, fails with "database is locked" instead of waiting. PostgreSQL flushes its log to the disk for
        one that is ``durable``, with all that came before it."""
        with self._begun({"writes": True, "durable": durable}) as connection:
            tx = SqlTransaction(connection)
            yield tx
        self._changes.tell(tx.changed)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """A transaction that only reads; on SQLite it neither waits for a writer nor holds one up."""
        with self._begun({}) as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def _begun(self, options: dict[str, bool]) -> Iterator[Connection]:
        try:
            with self._alone:
                connection, transaction = self._transaction(options)
                with connection:
                    try:
                        with transaction:
                            yield connection
                    finally:
                        if self.closed:
                            connection.invalidate()  # the pool that it goes back to has been emptied already
        except _AWAY as error:
            raise StoreAway(str(error)) from error

    def _transaction(self, options: dict[str, bool]) -> tuple[Connection, RootTransaction]:
        """A connection, and a transaction that has begun on it."""
        last = self.sqlite
        while True:
            connection = self._open().connect()
            try:
                connection.execution_options(**options)
                return connection, connection.begin()
            except BaseException as error:
                connection.invalidate()
                connection.close()
                if last or not isinstance(error, _AWAY):
                    raise
            # A server that was restarted has cut what the pool has kept, and the first word over it tells.
            self._pool.dispose()
            last = True

    def check_vectors(self) -> None:
        """Raises ImportError where nothing here can search by vectors."""
        with self.read() as tx:
            tx.check_vectors()

    def watch(self, thread_id: str, wake: Callable[[], object]) -> Callable[[], None]:
        return self._changes.watch(thread_id, wake)

    def clock(self) -> float:
        """The database's time, in seconds since the epoch: the hosts that share a store may not agree on
        theirs. Read from its server with each connection, and counted on in between."""
        return time.time() if self.sqlite else self._ahead + time.monotonic()

    def _prepare_postgres(self, dbapi: DBAPIConnection, _record: object) -> None:
        if self._pool.url.drivername in _BEGINS_ITSELF:
            dbapi.autocommit = True
        cursor = dbapi.cursor()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        row = cursor.fetchone()
        cursor.close()
        dbapi.rollback()  # the driver has begun a transaction
        if row is not None:
            self._ahead = float(row[0]) - time.monotonic()

    def _open(self) -> Pool:
        if self.closed:
            raise StoreClosed("The backend has been closed.")
        return self._pool

    def close(self) -> None:
        with self._alone:
            self.closed = True
            self._pool.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _create_schema(self) -> None:
        connection, transaction = self._transaction({"writes": True})
        with connection, transaction:
            if connection.dialect.name == "postgresql":
                # IF NOT EXISTS does not keep two processes from creating the same table at once.
                connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            for table in schema.metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in sorted(table.indexes, key=lambda index: str(index.name)):
                    connection.execute(CreateIndex(index, if_not_exists=True))
            passage_tables.prepare(connection)
            version = connection.scalar(select(schema.about.c.version))
            if version is None:
                connection.execute(insert(schema.about).values(version=schema.VERSION))
            elif version != schema.VERSION:
                raise RuntimeError(
                    f"The store has schema version {version}; this release of streaming_assistants reads "
                    f"version {schema.VERSION}. Use the release that wrote it, or another store."
                )


def _prepare_sqlite(dbapi: DBAPIConnection, _record: object, *, durable: bool) -> None:
    # The driver's own transaction handling begins late and unasked; "begin" below takes its place.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    if durable:
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.execute(f"PRAGMA mmap_size = {_MAPPED}")
        if _enter_wal(cursor):
            cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begins at once, over the driver's connection: with the write lock on SQLite, and on a server with the
    word that tells whether the connection still stands."""
    options, begin = connection.get_execution_options(), "BEGIN"
    how: dict[str, Any] = {}
    if connection.dialect.name == "sqlite":
        begin = "BEGIN IMMEDIATE" if options.get("writes") else begin
    elif not options.get("durable", True):
        # One message for both, which no driver can prepare.
        begin, how = "BEGIN; SET LOCAL synchronous_commit = off", {"prepare": False}
    cursor = connection.connection.cursor()
    failure = connection.dialect.loaded_dbapi.Error
    try:
        cursor.execute(begin, **how)
    except failure as error:
        raise DBAPIError.instance(begin, None, error, failure, dialect=connection.dialect) from error
    finally:
        cursor.close()


def _enter_wal(cursor: DBAPICursor) -> bool:
    """Whether the file has a write-ahead log now: a file system without shared memory keeps its journal."""
    # Changing the journal mode needs the file alone and does not heed the busy timeout.
    give_up = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            answer = cursor.fetchone()
            return answer is not None and bool(answer[0] == "wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        if time.monotonic() > give_up:
            raise TimeoutError("The SQLite file stayed locked by another process while it was opened.")
        time.sleep(0.01)
