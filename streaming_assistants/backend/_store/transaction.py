"""What can be read and written within one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from .._engine.port import Json
from .._engine.store_port import NO_COLUMNS, Page, Row, RowKind, parent_of
from . import schema
from .bulk_rows import BulkRows, having, without_metadata
from .claim_rows import ClaimRows
from .event_rows import EventRows
from .file_rows import FileRows
from .key_rows import KeyRows
from .passage_rows import PassageRows

Where = Mapping[str, object]


class SqlTransaction(EventRows, FileRows, PassageRows, BulkRows, ClaimRows, KeyRows):
    """What the port says a transaction can do. Rows are mappings of the table's columns."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.changed: set[Json] = set()  # the threads, and the runs of events, that it has written to

    def add(self, kind: RowKind, data: Json, **columns: object) -> int:
        values = {"id": data["id"], "data": data, **columns}
        self.changed.add(values[parent_of(kind)])
        query = _insert(kind, self.connection.dialect.name)
        result = self.connection.execute(query, values)
        if result.returns_rows:
            return int(result.scalar() or 0)
        return int(result.lastrowid) if result.rowcount else 0

    def get(self, kind: RowKind, id: str, *, lock: bool = False, **where: object) -> Row | None:
        return self._find(kind, id, "lock" if lock else "", where)

    def change(
        self, kind: RowKind, id: str, changes: Json, *, row: Row | None = None, **columns: object
    ) -> Json | None:
        row = row or self.get(kind, id, lock=True)
        if row is None:
            return None
        self._note(kind, row)
        data = {**row["data"], **changes}
        values = {"data": data, **columns}
        self.connection.execute(_update(kind, tuple(values)), {**values, "where_id": id})
        return data

    def swap(
        self, kind: RowKind, known: Json, data: Json, held: Where = NO_COLUMNS, **columns: object
    ) -> bool:
        values = {"data": data, **columns}
        query = _update(kind, tuple(values), tuple(held), known=True)
        where = {"where_id": known["id"], "where_data": written(known)}
        where |= {f"where_{name}": value for name, value in held.items()}
        if not self.connection.execute(query, {**values, **where}).rowcount:
            return False
        self.changed.add(known[parent_of(kind)])
        return True

    def remove(self, kind: RowKind, id: str) -> bool:
        row = self.get(kind, id, lock=True)
        if row is None:
            return False
        self._note(kind, row)
        if kind == "vector_stores":
            self.drop_passages(id)
        table = _table(kind)
        self.connection.execute(delete(table).where(table.c.id == id))
        thread_id = row["thread_id"] if parent_of(kind) == "thread_id" else None
        place = {"id": id, "seq": row["seq"], "thread_id": thread_id}
        if kind == "store_files" or row["seq"] < 0:  # which may have come back under the same id
            self.connection.execute(delete(schema.removed).where(schema.removed.c.id == id))
        self.connection.execute(insert(schema.removed), place)
        return True

    def _find(self, name: str, id: str, how: str, where: Where) -> RowMapping | None:
        query = _select(name, ("id", *where), how)
        return self.connection.execute(query, {"id": id, **where}).mappings().one_or_none()

    def _note(self, kind: RowKind, row: Row) -> None:
        self.changed.add(row[parent_of(kind)])

    def seq(self, kind: RowKind, id: str, **where: object) -> int | None:
        row = self._find(kind, id, "", where)
        if row is None:
            place = {"thread_id": where["thread_id"]} if "thread_id" in where else {}
            row = self._find("removed", id, "", place)
        return None if row is None else int(row["seq"])

    def all(self, kind: RowKind, **where: object) -> Sequence[Row]:
        query = _select(kind, tuple(where), "oldest first")
        return self.connection.execute(query, where).mappings().all()

    def newest(self, kind: RowKind, **where: object) -> Row | None:
        query = _select(kind, tuple(where), "newest")
        return self.connection.execute(query, where).mappings().first()

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
        backwards = before is not None and after is None
        where, metadata = without_metadata(where)
        query = _page(kind, tuple(where), ascending, after is not None, before is not None)
        query = query.where(*having(_table(kind), metadata, self.connection.dialect.name))
        bounds = {"page_after": after, "page_before": before, "page_limit": limit + 1}
        given = {name: value for name, value in bounds.items() if value is not None}
        rows = list(self.connection.execute(query, {**where, **given}).mappings())
        more = len(rows) > limit
        rows = rows[:limit]
        if backwards:
            rows.reverse()
        return Page(rows, more)

    def active_runs(self) -> Sequence[Row]:
        return self.connection.execute(_ACTIVE).mappings().all()

    def keep_file(self, id: str, filename: str, content: bytes, **columns: object) -> None:
        self.connection.execute(delete(schema.files).where(schema.files.c.id == id))
        values = {"id": id, "filename": filename, "content": content, **columns}
        self.connection.execute(insert(schema.files), values)

    def file(self, id: str, **where: object) -> bytes | None:
        row = self._find("files", id, "", where)
        return None if row is None else bytes(row["content"])


def written(value: Json) -> str:
    """An object as the text that both databases keep of it, letter by letter."""
    return json.dumps(value)


def _table(name: str) -> Table:
    return schema.metadata.tables[name]


# The statements of every run are built once: building one costs more than running it.

# By the words of the index: SQLite knows it by them.
_ACTIVE = select(schema.runs).where(text("active")).order_by(schema.runs.c.seq)


@lru_cache(maxsize=256)
def _select(name: str, columns: tuple[str, ...], kind: str) -> Select[Any]:
    table = _table(name)
    query = select(table)
    query = query.where(*[table.c[column] == bindparam(column) for column in columns])
    if kind == "lock":
        # A lock that inserts of child rows do not wait for: they would deadlock with each other.
        return query.with_for_update(key_share=True)
    if kind == "oldest first":
        return query.order_by(table.c.seq)
    if kind == "newest":
        return query.order_by(table.c.seq.desc()).limit(1)
    return query


@lru_cache(maxsize=64)
def _page(name: str, columns: tuple[str, ...], ascending: bool, after: bool, before: bool) -> Select[Any]:
    seq = _table(name).c.seq
    query = _select(name, columns, "")
    if after:
        bound = bindparam("page_after", type_=seq.type)
        query = query.where(seq > bound if ascending else seq < bound)
    if before:
        bound = bindparam("page_before", type_=seq.type)
        query = query.where(seq < bound if ascending else seq > bound)
    upwards = ascending != (before and not after)
    return query.order_by(seq.asc() if upwards else seq.desc()).limit(bindparam("page_limit"))


@lru_cache(maxsize=64)
def _insert(name: str, dialect: str) -> Insert:
    table = _table(name)
    query: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    if name == "runs":
        query = query.on_conflict_do_nothing(index_elements=[table.c.thread_id], index_where=text("active"))
    # SQLite tells the key by itself, and returns rows since 3.35 only.
    return query.returning(table.c.seq) if dialect == "postgresql" else query  # type: ignore[no-any-return]


@lru_cache(maxsize=64)
def _update(
    name: str, columns: tuple[str, ...], held: tuple[str, ...] = (), *, known: bool = False
) -> Update:
    table = _table(name)
    values: dict[str, object] = {column: bindparam(column) for column in columns}
    query = update(table).where(table.c.id == bindparam("where_id")).values(values)
    query = query.where(*[table.c[column] == bindparam(f"where_{column}") for column in held])
    return query.where(cast(table.c.data, Text) == bindparam("where_data", type_=Text)) if known else query
