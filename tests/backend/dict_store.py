"""A store of dicts: what ``_engine/store_port.py`` asks for and no more. Nothing outlives the process."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from streaming_assistants._json import Json
from streaming_assistants.backend._engine.bulk_port import Placed
from streaming_assistants.backend._engine.claim_port import NOBODY, RUNS, Driven
from streaming_assistants.backend._engine.event_port import Claim, EventBatch
from streaming_assistants.backend._engine.file_port import Hit, Passage
from streaming_assistants.backend._engine.store_port import (
    NO_COLUMNS,
    Page,
    Row,
    RowKind,
    StoreClosed,
    parent_of,
)
from streaming_assistants.backend._search.filters import matches
from streaming_assistants.backend._search.ranking import Posting, scored
from streaming_assistants.backend._search.vectors import numbers, similarity
from streaming_assistants.backend._search.words import asked, words
from streaming_assistants.backend._store.changes import Changes

from .dict_keys import DictKeys

NOTHING: dict[str, Any] = {
    "hidden": None, "thread_id": None, "run_id": None, "active": None, "owner": None, "expires_at": None,
    "after_message": None, "purpose": None, "content_id": None, "upload_id": None, "vector_store_id": None,
    "file_id": None, "batch_id": None, "status": None, "claim": 0, "project": None,
}  # fmt: skip
"""The columns that an object may have besides ``seq``, ``id`` and ``data``."""

GIVEN: dict[str, dict[str, Any]] = {
    "runs": {"claim": 0, "project": ""}, "assistants": {"project": ""}, "threads": {"project": ""},
    "stored_files": {"project": ""}, "uploads": {"project": ""}, "vector_stores": {"project": ""},
}  # fmt: skip
"""What an object has in a column that it is not given."""


class DictStore:
    """Its transactions take turns: nobody sees half of one."""

    blocking = False
    in_memory = True

    def __init__(self) -> None:
        self.closed = False
        self._tables: dict[str, dict[str, Any]] = {}
        self._turn = threading.RLock()
        self._changes = Changes()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[DictTransaction]:
        with self._turn:
            if self.closed:
                raise StoreClosed
            tx = DictTransaction(self._tables)
            try:
                yield tx
            except BaseException:
                tx.undo()
                raise
        self._changes.tell(tx.changed)

    def read(self) -> Any:
        return self.write()

    def watch(self, thread_id: str, wake: Callable[[], object]) -> Callable[[], None]:
        return self._changes.watch(thread_id, wake)

    def clock(self) -> float:
        return time.time()

    def close(self) -> None:
        with self._turn:
            self.closed = True


class DictTransaction(DictKeys):
    """Tables are dicts of rows by id. What is JSON is kept as text, so that no caller holds what is kept."""

    def __init__(self, tables: dict[str, dict[str, Any]]) -> None:
        self.changed: set[str] = set()  # the threads that it has written to
        self._tables = tables
        self._before: list[tuple[str, str, Any]] = []  # what it has replaced: table, id, row

    def undo(self) -> None:
        for table, id, row in reversed(self._before):
            if row is None:
                del self._tables[table][id]
            else:
                self._tables[table][id] = row
        self.changed.clear()

    def add(self, kind: RowKind, data: Json, **columns: object) -> int:
        thread_id, id = columns.get("thread_id"), columns.get("id", data["id"])
        if thread_id is not None and thread_id not in self._table("threads"):
            raise KeyError(thread_id)
        if id in self._table(kind):
            raise ValueError(f"there is a {kind} {id} already")
        if columns.get("active") and self._rows("runs", thread_id=thread_id, active=True):
            return 0
        last = self._table("last").get(kind, {"seq": 0})
        seq = int(last["seq"]) + 1
        self._put("last", kind, {"seq": seq})
        self._keep(kind, {**NOTHING, **GIVEN.get(kind, {}), "seq": seq, "id": id, "data": data, **columns})
        return seq

    def get(self, kind: RowKind, id: str, *, lock: bool = False, **where: object) -> Row | None:
        row = self._row(kind, id)
        return row if row is not None and _fits(row, where) else None

    def change(
        self, kind: RowKind, id: str, changes: Json, *, row: Row | None = None, **columns: object
    ) -> Json | None:
        kept = self._row(kind, id)
        if kept is None:
            return None
        data = {**(row or kept)["data"], **changes}
        self._keep(kind, {**kept, "data": data, **columns})
        return data

    def swap(
        self,
        kind: RowKind,
        known: Json,
        data: Json,
        held: Mapping[str, object] = NO_COLUMNS,
        **columns: object,
    ) -> bool:
        kept = self._row(kind, known["id"])
        if kept is None or kept["data"] != known or not _fits(kept, held):
            return False
        self._keep(kind, {**kept, "data": data, **columns})
        return True

    def remove(self, kind: RowKind, id: str) -> bool:
        row = self._row(kind, id)
        if row is None:
            return False
        self._changed(kind, row)
        self._drop(kind, id)
        self._put("removed", id, {"id": id, "seq": row["seq"], "thread_id": row["thread_id"]})
        gone_with_it = {
            "threads": ("messages", "runs", "steps", "removed"), "runs": ("steps",),
            "uploads": ("upload_parts",), "vector_stores": ("file_batches", "store_files"),
        }  # fmt: skip
        column = {
            "threads": "thread_id", "runs": "run_id", "uploads": "upload_id",
            "vector_stores": "vector_store_id",
        }.get(kind, "")  # fmt: skip
        for table in gone_with_it.get(kind, ()):
            for each in self._rows(table, **{column: id}):
                self._drop(table, each["id"])
                for batch in self._events(each["id"]) if table == "runs" else ():
                    self._drop("events", f"{each['id']} {batch['first']}")
        if kind == "vector_stores":
            self.drop_passages(id)
        return True

    def seq(self, kind: RowKind, id: str, **where: object) -> int | None:
        place = {"thread_id": where["thread_id"]} if "thread_id" in where else {}
        rows = self._rows(kind, id=id, **where) or self._rows("removed", id=id, **place)
        return rows[0]["seq"] if rows else None

    def all(self, kind: RowKind, **where: object) -> Sequence[Row]:
        return self._rows(kind, **where)

    def newest(self, kind: RowKind, **where: object) -> Row | None:
        return next(reversed(self._rows(kind, **where)), None)

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
        rows = self._rows(kind, **where)
        if not ascending:
            rows.reverse()
        way = 1 if ascending else -1
        if after is not None:
            rows = [row for row in rows if way * (row["seq"] - after) > 0]
        if before is not None:
            rows = [row for row in rows if way * (row["seq"] - before) < 0]
        backwards = before is not None and after is None
        return Page(rows[-limit:] if backwards else rows[:limit], len(rows) > limit)

    def active_runs(self) -> Sequence[Row]:
        return self._rows("runs", active=True)

    def keep_file(self, id: str, filename: str, content: bytes, *, project: str = "") -> None:
        self._put("files", id, {"filename": filename, "content": content, "project": project})

    def file(self, id: str, **where: object) -> bytes | None:
        kept = self._table("files").get(id)
        return kept["content"] if kept is not None and _fits(kept, where) else None

    # many at once ----------------------------------------------------------------------------------------

    def known(self, kind: str, ids: Any) -> set[str]:
        return {id for id in ids if id in self._table(kind)}

    def add_all(self, kind: Any, rows: Any) -> set[str]:
        new = {row.id: row for row in reversed(rows) if row.id not in self._table(kind)}
        taken = {row["seq"] for row in self._table(kind).values()}
        for row in reversed(new.values()):
            seq = next(seq for seq in count(row.seq) if seq not in taken)
            taken.add(seq)
            columns = {**NOTHING, **GIVEN.get(kind, {}), **row.columns}
            self._keep(kind, {**columns, "seq": seq, "id": row.id, "data": row.data})
        return set(new)

    def placed(self, thread_ids: Any) -> list[Placed]:
        rows = [row for id in thread_ids for row in self._rows("messages", thread_id=id)]
        return [Placed(row["thread_id"], row["seq"], row["id"], row["run_id"]) for row in rows]

    def made_files(self, after: str, limit: int) -> list[tuple[str, str, bytes, str]]:
        table = sorted(self._table("files").items())
        files = [(id, kept["filename"], kept["content"], kept.get("project") or "") for id, kept in table]
        return [file for file in files if file[0] > after][:limit]

    # files -----------------------------------------------------------------------------------------------

    def add_piece(self, content_id: str, number: int, piece: bytes) -> None:
        key = f"{content_id} {number}"
        self._put("pieces", key, {"content_id": content_id, "number": number, "piece": piece})

    def piece(self, content_id: str, number: int) -> bytes | None:
        kept = self._table("pieces").get(f"{content_id} {number}")
        return None if kept is None else kept["piece"]

    def drop_content(self, content_id: str) -> bool:
        for key, kept in list(self._table("pieces").items()):
            if kept["content_id"] == content_id:
                self._drop("pieces", key)
        return False

    def loose_contents(self) -> Sequence[str]:
        kept = dict.fromkeys(each["content_id"] for each in self._table("pieces").values())
        needed = [row["content_id"] for kind in ("stored_files", "upload_parts") for row in self._rows(kind)]
        return [id for id in kept if id not in needed]

    def lapsed(self, kind: RowKind, now: float) -> Sequence[Row]:
        rows = self._rows(kind)
        return [row for row in rows if row["expires_at"] is not None and row["expires_at"] <= now]

    # passages --------------------------------------------------------------------------------------------

    def add_passages(
        self, vector_store_id: str, file_id: str, passages: Sequence[Passage], model: str | None
    ) -> None:
        entry = f"{vector_store_id} {file_id}"
        there = self._table("passages").get(entry) or {"passages": []}
        with_model = [(each, None if each.vector is None else model) for each in passages]
        self._put("passages", entry, {"passages": [*there["passages"], *with_model]})

    def put_vectors(
        self, vector_store_id: str, file_id: str, after: int, vectors: Sequence[bytes], model: str
    ) -> None:
        entry = f"{vector_store_id} {file_id}"
        there = list(self._table("passages")[entry]["passages"])
        for number, vector in enumerate(vectors, after):
            there[number] = (there[number][0]._replace(vector=vector), model)
        self._put("passages", entry, {"passages": there})

    def drop_passages(self, vector_store_id: str, file_id: str | None = None) -> None:
        for entry in list(self._table("passages")):
            if entry.split() == [vector_store_id, file_id or entry.split()[1]]:
                self._drop("passages", entry)

    def sweep_passages(self) -> bool:
        return False

    def passages(self, vector_store_id: str, file_id: str, *, after: int, limit: int) -> Sequence[Passage]:
        there = self._table("passages").get(f"{vector_store_id} {file_id}") or {"passages": []}
        return [each._replace(vector=None) for each, _ in there["passages"][after : after + limit]]

    def keyword_hits(
        self, vector_store_ids: Sequence[str], query: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        every = self._passages(vector_store_ids)
        said = [Counter(words(each.text)) for _, each, _ in every]
        postings = [
            Posting(times, {at: each[word] for at, each in enumerate(said) if word in each})
            for word, times in asked(query).items()
        ]
        lengths = {at: each.total() for at, each in enumerate(said)}
        ranked = scored(postings, lengths.__getitem__, len(every), sum(lengths.values()))
        return self._hits([(*every[at][:2], score) for at, score in ranked], filters, limit)

    def vector_hits(
        self, vector_store_ids: Sequence[str], vector: bytes, model: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        near = [
            (entry, each, sum(a * b for a, b in zip(numbers(each.vector), numbers(vector), strict=True)))
            for entry, each, of in self._passages(vector_store_ids)
            if of == model and each.vector is not None and len(each.vector) == len(vector)
        ]
        near.sort(key=lambda each: -each[2])
        return self._hits([(*each[:2], similarity(each[2])) for each in near], filters, limit)

    def _passages(self, vector_store_ids: Sequence[str]) -> list[tuple[str, Passage, str | None]]:
        return [
            (entry, each, model)
            for entry, there in self._table("passages").items()
            if entry.split()[0] in vector_store_ids
            for each, model in there["passages"]
        ]

    def _hits(self, ranked: Any, filters: Json, limit: int) -> list[Hit]:
        hits = []
        for entry, each, score in ranked:
            store_id, file_id = entry.split()
            rows = self._rows("store_files", vector_store_id=store_id, file_id=file_id, status="completed")
            if rows and matches(filters, rows[0]["data"]["attributes"]):
                name = self._row("stored_files", file_id)["data"]["filename"]
                attributes = rows[0]["data"]["attributes"]
                place = (each.text, attributes, each.place, each.start, each.end)
                hits.append(Hit(store_id, file_id, name, score, *place))
        return hits[:limit]

    # events ----------------------------------------------------------------------------------------------

    def held(self, claims: Mapping[str, Claim]) -> Mapping[str, bool]:
        rows = {id: self._row("runs", id) for id in claims}
        return {id: (row["owner"], row["claim"]) == claims[id] for id, row in rows.items() if row is not None}

    def add_events(self, batches: Sequence[EventBatch], at: float) -> None:
        for batch in batches:
            if batch.run_id not in self._table("runs"):
                raise KeyError(batch.run_id)
            key = f"{batch.run_id} {batch.first}"
            if key in self._table("events"):
                raise ValueError(f"there is an event {key} already")
            self._put("events", key, {**batch._asdict(), "at": at})
            self.changed.add(batch.run_id)

    def last_event(self, run_id: str) -> int:
        return max((each["last"] for each in self._events(run_id)), default=0)

    def events(self, after: Mapping[str, int], limit: int) -> Sequence[EventBatch]:
        kept = [each for id in sorted(after) for each in self._events(id) if each["last"] > after[id]]
        return [EventBatch(*(each[name] for name in EventBatch._fields)) for each in kept[:limit]]

    def drop_events(self, before: float) -> None:
        for run in self._rows("runs", active=False):
            kept = self._events(run["id"])
            if all(each["at"] < before for each in kept):
                for each in kept:
                    self._drop("events", f"{run['id']} {each['first']}")

    def _events(self, run_id: str) -> list[Any]:
        kept = [each for each in self._table("events").values() if each["run_id"] == run_id]
        return sorted(kept, key=lambda each: each["first"])

    # owners ----------------------------------------------------------------------------------------------
    def owner(self, id: str) -> Row | None:
        return self._table("owners").get(id)

    def owners(self, *, lock: bool = False) -> Sequence[Row]:
        return sorted(self._table("owners").values(), key=lambda row: row["id"])

    def stop_driving(self, id: str) -> None:
        if id in self._table("owners"):
            self._put("owners", id, {**self._table("owners")[id], "drives": False})

    def seen(
        self, id: str, place: str, pid: int, started: str, now: float, *, lease: float, drives: bool = False
    ) -> None:
        row = {"id": id, "place": place, "pid": pid, "started": started, "seen_at": now}
        self._put("owners", id, {**row, "lease": lease, "drives": drives})

    def forget_unseen(self, now: float) -> None:
        for owner in list(self._table("owners").values()):
            if owner["seen_at"] + owner["lease"] < now:
                self.forget(owner["id"])

    def driven(self) -> Sequence[Driven]:
        ends: dict[str | None, list[float]] = {}
        for row in self._rows("runs", active=True):
            ends.setdefault(row["owner"], []).append(row["expires_at"])
        return [Driven(owner, len(times), min(times)) for owner, times in ends.items()]

    def runs_of(
        self, owners: Sequence[str], limit: int | None = None, *, lock: bool = False
    ) -> Sequence[Row]:
        return [row for row in self._rows("runs", active=True) if row["owner"] in owners][:limit]

    def lapsed_runs(self, now: float) -> Sequence[Row]:
        return [row for row in self._rows("runs", active=True) if row["expires_at"] <= now]

    def give_back(self, owner: str) -> bool:
        given = self.runs_of([owner])
        for row in given:
            self._keep("runs", {**row, "owner": NOBODY})
        if given:
            self.changed.add(RUNS)
        return bool(given)

    def forget(self, id: str) -> None:
        self._drop("owners", id)

    # rows ------------------------------------------------------------------------------------------------

    def _table(self, name: str) -> dict[str, Any]:
        return self._tables.setdefault(name, {})

    def _row(self, table: str, id: str) -> Any:
        row = self._table(table).get(id)
        return None if row is None else _read(row)

    def _rows(self, table: str, **where: object) -> list[Any]:
        """Those that fit, oldest first."""
        fitting = [row for row in self._table(table).values() if _fits(row, where)]
        return [_read(row) for row in sorted(fitting, key=lambda row: row["seq"])]

    def _keep(self, kind: RowKind, row: dict[str, Any]) -> None:
        self._changed(kind, row)
        self._put(kind, row["id"], row)

    def _changed(self, kind: RowKind, row: Row) -> None:
        self.changed.add(row[parent_of(kind)])

    def _put(self, table: str, id: str, row: Any) -> None:
        self._before.append((table, id, self._table(table).get(id)))
        self._table(table)[id] = {name: json.dumps(row[name]) if name in _JSON else row[name] for name in row}

    def _drop(self, table: str, id: str) -> None:
        row = self._table(table).pop(id, None)
        if row is not None:
            self._before.append((table, id, row))


_JSON = ("data", "hidden")


def _fits(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    metadata = where.get("metadata")
    if metadata is not None:
        kept = _read({"data": row["data"]})["data"].get("metadata") or {}
        where = {column: value for column, value in where.items() if column != "metadata"}
        if any(kept.get(key) != value for key, value in metadata.items()):
            return False
    return all(row[column] == value for column, value in where.items())


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(row[name]) if name in _JSON else row[name] for name in row}
