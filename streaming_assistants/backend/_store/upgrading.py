"""A store's version: made for a new one, and brought forward where an earlier release wrote it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from . import file_tables, passage_tables, schema, service_tables

_LOCK = 0x5A55157  # any number that other users of the database's advisory locks do not use
_SCRIPTS = Path(__file__).with_name("migrations")

# Imported so that the schema is whole.
_ROOMS = (file_tables, passage_tables, service_tables)


class About(NamedTuple):
    """What a store says of itself: the ``version`` of its schema, and what tells it from every other."""

    version: int
    store: str


def about(connection: Connection) -> About | None:
    """None where there is no store."""
    name = schema.about.name
    if not inspect(connection).has_table(name):
        return None
    row = connection.execute(text(f"SELECT * FROM {name} ORDER BY version DESC")).mappings().first()
    return None if row is None else About(row["version"], row.get("store", ""))


def about_by(dbapi: DBAPIConnection) -> About | None:
    """The same over a driver's own connection, which it leaves outside of a transaction; the driver's error
    where there is no store."""
    cursor = dbapi.cursor()
    try:
        cursor.execute(f"SELECT version, store FROM {schema.about.name} ORDER BY version DESC")
        row = cursor.fetchone()
    finally:
        cursor.close()
        dbapi.rollback()
    return None if row is None else About(*row)


def current(connection: Connection) -> About | None:
    """What the store says, where nothing has to be done to it. Raises RuntimeError for one that a later
    release wrote."""
    there = about(connection)
    if there is not None and there.version > schema.VERSION:
        raise RuntimeError(
            f"The store has schema version {there.version}; this release of streaming_assistants reads "
            f"versions up to {schema.VERSION}. Use the release that wrote it, or another store."
        )
    ready = there is not None and there.version == schema.VERSION and passage_tables.prepared(connection)
    return there if ready else None


def upgrade(connection: Connection) -> About:
    """Makes the tables of a new store, or brings an earlier one forward, within a transaction that writes."""
    if connection.dialect.name == "postgresql":
        # What is changed may be large, and another process may be at it.
        for patience in ("statement_timeout", "lock_timeout"):
            connection.execute(text(f"SET LOCAL {patience} = 0"))
        # IF NOT EXISTS does not keep two processes from creating the same table at once.
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    there = current(connection)
    if there is not None:
        return there  # by another process, meanwhile
    before = about(connection)
    if before is not None and before.version < schema.VERSION:
        _migrate(connection, before.version)
    _create(connection)
    if before is None:
        made = {"version": schema.VERSION, "store": secrets.token_hex(16)}
        connection.execute(insert(schema.about).values(made))
    after = about(connection)
    assert after is not None
    return after


def missing(connection: Connection) -> list[str]:
    """The tables, columns and indexes of the schema that a store has not got."""
    inspector = inspect(connection)
    lacking: list[str] = []
    for table in schema.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            lacking.append(f"table {table.name}")
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        lacking += [f"column {table.name}.{each.name}" for each in table.columns if each.name not in columns]
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        names = sorted(str(index.name) for index in table.indexes)
        lacking += [f"index {name}" for name in names if name not in indexes]
    return lacking


def _create(connection: Connection) -> None:
    for table in schema.metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))
    passage_tables.prepare(connection)


def _migrate(connection: Connection, version: int) -> None:
    try:
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The store has schema version {version}, and bringing it to version {schema.VERSION} needs "
            f"{error.name}, which is not installed: pip install 'streaming_assistants[backend]'"
        ) from None
    scripts: list[Any] = list(
        ScriptDirectory(str(_SCRIPTS)).iterate_revisions(str(schema.VERSION), str(version))
    )
    with Operations.context(MigrationContext.configure(connection)):
        for script in reversed(scripts):
            script.module.upgrade()
    connection.execute(update(schema.about).values(version=schema.VERSION))
