"""What an operator does with a store: look at its version, bring it forward, and count what is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, cast, func, select, text

from . import schema, upgrading
from .address import address, patience
from .connecting import pool_of
from .database import Database
from .json_members import members

KINDS = (
    "assistants",
    "threads",
    "messages",
    "runs",
    "steps",
    "run_events",
    "stored_files",
    "uploads",
    "vector_stores",
    "store_files",
    "passages",
    "files",
    "projects",
    "keys",
)


class Checked(NamedTuple):
    """The ``version`` of a store's schema, None where there is no store; the one that is ``wanted``, and what
    is ``missing`` of it, in words."""

    version: int | None
    wanted: int
    missing: list[str]

    @property
    def sound(self) -> bool:
        return self.version == self.wanted and not self.missing


class Stats(NamedTuple):
    """How many objects there are of each kind, how many bytes each table takes (where the database tells) and
    all of them, the active runs by their status, when the oldest of these and the oldest thread were made
    (seconds since the epoch), and how many processes are seen."""

    version: int
    objects: Mapping[str, int]
    bytes: int
    table_bytes: Mapping[str, int]
    active_runs: Mapping[str, int]
    oldest_active_run: int | None
    oldest_thread: int | None
    processes: int


def check(store: str | os.PathLike[str]) -> Checked:
    """Looks at a store and changes nothing. Raises what SQLAlchemy raises where it cannot be reached."""
    with _as_it_is(store) as connection:
        about = upgrading.about(connection)
        if about is None:
            return Checked(None, schema.VERSION, [])
        missing = upgrading.missing(connection) if about.version <= schema.VERSION else []
        return Checked(about.version, schema.VERSION, missing)


def upgrade(store: str | os.PathLike[str]) -> tuple[int | None, int]:
    """Brings a store forward, or makes a new one: the version before and the one after.

    Raises RuntimeError for a store of a later release, ImportError where Alembic is needed and missing."""
    try:
        before = check(store).version
    except FileNotFoundError:
        before = None
    Database(store).close()
    return before, schema.VERSION


def stats(store: str | os.PathLike[str]) -> Stats:
    """Counts. Every row is, which takes its time in a large store and holds nobody up."""
    with Database(store) as database, database.read() as tx:
        connection = tx.connection
        if not database.sqlite:
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # rows are counted one by one
        tables = schema.metadata.tables
        runs, threads = schema.runs, schema.threads
        status = members(runs.c.data)["status"].as_string()
        of_status = select(status, func.count()).where(text("active")).group_by(status).order_by(status)
        made = cast(members(runs.c.data)["created_at"].as_float(), BigInteger)
        oldest = (
            select(cast(members(threads.c.data)["created_at"].as_float(), BigInteger))
            .order_by(threads.c.seq)
            .limit(1)
        )
        sizes = _table_bytes(connection)
        lately = schema.owners.c.seen_at >= database.clock() - schema.owners.c.lease
        about = upgrading.about(connection)
        assert about is not None
        return Stats(
            version=about.version,
            objects={
                kind: connection.execute(select(func.count()).select_from(tables[kind])).scalar_one()
                for kind in KINDS
            },
            bytes=_bytes(connection),
            table_bytes=sizes,
            active_runs={row[0]: row[1] for row in connection.execute(of_status)},
            oldest_active_run=connection.scalar(select(func.min(made)).where(text("active"))),
            oldest_thread=connection.scalar(oldest),
            processes=connection.execute(
                select(func.count()).select_from(schema.owners).where(lately)
            ).scalar_one(),
        )


def _bytes(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages = connection.scalar(text("PRAGMA page_count")) or 0
    return int(pages) * int(connection.scalar(text("PRAGMA page_size")) or 0)


def _table_bytes(connection: Connection) -> Mapping[str, int]:
    """With indexes and what lies beside a table; SQLite tells it only where it was built to."""
    if connection.dialect.name != "postgresql":
        return {}
    rows = connection.execute(
        text(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 2 DESC"
        )
    )
    ours = {*schema.metadata.tables, "passage_words", "passage_vectors"}
    return {name: int(size) for name, size in rows if name in ours}


@contextmanager
def _as_it_is(store: str | os.PathLike[str]) -> Iterator[Connection]:
    """A connection to a store that is neither made nor brought forward. A file is not made, either: raises
    FileNotFoundError."""
    url, waits = patience(address(store))
    in_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if in_file and not os.path.exists(str(url.database)):
        raise FileNotFoundError(f"There is no file {url.database}.")
    pool = pool_of(url, waits, in_memory=False, told=lambda pulse, dbapi: None)
    try:
        with pool.connect() as connection:
            yield connection
    finally:
        pool.dispose()
