"""Connections: how an engine of SQLAlchemy is made for SQLite and for PostgreSQL, and how each begins and
ends its transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_engine, event
from sqlalchemy import Engine as Pool
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from .address import Patience
from .transaction import written

_BUSY_MS = 60_000
_MAPPED = 1 << 30  # bytes of a SQLite file that are read without being copied: a search reads megabytes
_PSYCOPG = "postgresql+psycopg"
_RENEWED = 1800.0
"""Seconds after which a connection is made anew: the database's clock is read with it."""

# What the driver is told of a server that is gone without a word, unless the URL says otherwise: seconds, and
# milliseconds for what has been sent.
_KEPT_ALIVE: Mapping[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Pulse(NamedTuple):
    """What a new connection to PostgreSQL tells: the database's time, in seconds since the epoch."""

    time: float


def begins_itself(url: URL) -> bool:
    """Whether the driver ends a transaction that it has not begun: what begins and ends one can then go with
    other words in one message."""
    return url.drivername == _PSYCOPG


def pool_of(
    url: URL, patience: Patience, *, in_memory: bool, told: Callable[[Pulse, DBAPIConnection], None]
) -> Pool:
    """The engine for a store. ``told`` hears each new connection to PostgreSQL, and may refuse it.

    Raises ImportError where the driver is missing."""
    sqlite = url.get_backend_name() == "sqlite"
    options: dict[str, Any]
    if in_memory:
        # A store in memory is one connection, and a connection serves one transaction at a time.
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    elif sqlite:
        options = {"connect_args": {"timeout": _BUSY_MS / 1000}, "pool_size": 16, "max_overflow": 64}
    else:
        options = {
            "pool_size": patience.pool_size,
            "max_overflow": 0,
            "pool_use_lifo": True,
            "pool_recycle": _RENEWED,
            "pool_pre_ping": not begins_itself(url),  # where the first word does not tell
        }
        if begins_itself(url):
            given = url.query
            options["connect_args"] = {
                name: value for name, value in _KEPT_ALIVE.items() if name not in given
            }
    try:
        pool = create_engine(url, json_serializer=written, **options)
    except ModuleNotFoundError as error:
        hint = "" if sqlite else ": pip install 'streaming_assistants[postgres]' brings psycopg"
        raise ImportError(
            f"The store {url.drivername} needs {error.name}, which is not installed{hint}"
        ) from None
    if sqlite:
        event.listen(pool, "connect", partial(_prepare_sqlite, durable=not in_memory))
    else:
        event.listen(pool, "connect", partial(_prepare_postgres, url, patience, told))
    if sqlite or begins_itself(url):
        event.listen(pool, "begin", _begin)
    return pool


def commit(connection: Connection, notices: str) -> None:
    """Commits, and has the server tell ``notices``, statements of its own, behind that and in the same
    message: within the transaction they would have every other that tells something wait for its disk.

    The connection's driver :func:`begins_itself`."""
    _said(connection, f"COMMIT; {notices}", {"prepare": False})


def _prepare_postgres(
    url: URL,
    patience: Patience,
    told: Callable[[Pulse, DBAPIConnection], None],
    dbapi: DBAPIConnection,
    _record: object,
) -> None:
    if begins_itself(url):
        dbapi.autocommit = True
    asked = ", ".join(["SELECT extract(epoch FROM clock_timestamp())", *map(_set, patience.settings)])
    cursor = dbapi.cursor()
    cursor.execute(asked, list(patience.settings.values()))
    row = cursor.fetchone()
    cursor.close()
    dbapi.commit()  # the driver may have begun a transaction
    assert row is not None
    told(Pulse(float(row[0])), dbapi)


def _set(name: str) -> str:
    return f"set_config('{name}', %s, false)"


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
    _said(connection, begin, how)


def _said(connection: Connection, statement: str, how: Mapping[str, Any]) -> None:
    """Has the driver's own connection execute a statement; what it raises is as SQLAlchemy raises it."""
    cursor = connection.connection.cursor()
    failure = connection.dialect.loaded_dbapi.Error
    try:
        cursor.execute(statement, **how)
    except failure as error:
        raise DBAPIError.instance(statement, None, error, failure, dialect=connection.dialect) from error
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
