"""Many objects at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite

from .._engine.bulk_port import NewRow, Placed
from .json_members import members, readable
from .schema import files, messages, metadata

_AT_ONCE = 500
"""Values that a statement compares with: SQLite before 3.32 takes no more than 999."""


class BulkRows:
    """What the port says a transaction can do with many objects."""

    connection: Connection
    changed: set[Any]

    def known(self, kind: str, ids: Collection[str]) -> set[str]:
        return set(self._there(metadata.tables[kind].c.id, ids))

    def add_all(self, kind: str, rows: Sequence[NewRow]) -> set[str]:
        known = self.known(kind, [row.id for row in rows])
        new = {row.id: row for row in reversed(rows) if row.id not in known}
        table = metadata.tables[kind]
        taken = set(self._there(table.c.seq, [row.seq for row in new.values()]))
        values: dict[tuple[str, ...], list[dict[str, object]]] = {}  # by the columns that they have
        for row in reversed(new.values()):
            seq = row.seq
            while seq in taken or (seq != row.seq and self._there(table.c.seq, [seq])):
                seq += 1
            taken.add(seq)
            made = {**row.columns, "id": row.id, "seq": seq, "data": row.data}
            values.setdefault(tuple(made), []).append(made)
            if "thread_id" in made:
                self.changed.add(made["thread_id"])
        dialect: Any = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        # Somebody else may store the same at this moment: only PostgreSQL lets two write at once.
        query = dialect.insert(table).on_conflict_do_nothing(index_elements=["id"])
        for alike in values.values():
            self.connection.execute(query, alike)
        return set(new)

    def placed(self, thread_ids: Collection[str]) -> Sequence[Placed]:
        columns = (messages.c.thread_id, messages.c.seq, messages.c.id, messages.c.run_id)
        rows: list[Placed] = []
        for some in _parts(thread_ids):
            query = select(*columns).where(messages.c.thread_id.in_(some))
            rows += [Placed(*row) for row in self.connection.execute(query.order_by(messages.c.seq))]
        return rows

    def made_files(self, after: str, limit: int) -> Sequence[tuple[str, str, bytes, str]]:
        columns = (files.c.id, files.c.filename, files.c.content, files.c.project)
        query = select(*columns).where(files.c.id > after).order_by(files.c.id).limit(limit)
        rows = self.connection.execute(query)
        return [(id, filename, bytes(content), project) for id, filename, content, project in rows]

    def _there(self, column: Any, values: Collection[object]) -> Iterable[Any]:
        return [
            each
            for some in _parts(values)
            for each in self.connection.scalars(select(column).where(column.in_(some)))
        ]


def without_metadata(where: Mapping[str, object]) -> tuple[Mapping[str, object], Mapping[str, str]]:
    """Columns and their values, and apart from them what metadata are to hold."""
    metadata = where.get("metadata")
    if not isinstance(metadata, Mapping):
        return where, {}
    return {column: value for column, value in where.items() if column != "metadata"}, metadata


def having(table: Table, metadata: Mapping[str, str], dialect: str) -> list[ColumnElement[bool]]:
    """That the metadata of an object hold all of these."""
    if dialect == "postgresql":
        there = members(table.c.data)["metadata"]
        return [there[readable(key)].as_string() == readable(value) for key, value in metadata.items()]
    made: list[ColumnElement[bool]] = []
    for key, value in metadata.items():
        pair = func.json_each(table.c.data, "$.metadata").table_valued(
            "key", "value", name=f"pair_{len(made)}"
        )
        made.append(exists().where(pair.c.key == key, pair.c.value == value))
    return made


def _parts(values: Collection[object]) -> Iterable[Sequence[object]]:
    listed = list(values)
    return (listed[at : at + _AT_ONCE] for at in range(0, len(listed), _AT_ONCE))
