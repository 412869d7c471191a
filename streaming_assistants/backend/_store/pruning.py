"""Threads that nobody has touched for long are dropped, with all that belongs to them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, delete, exists, func, or_, select, update

from .._engine.bulk_port import LOWEST
from .._engine.files import content_ids
from .._engine.transacting import transacted
from .database import Database
from .file_tables import contents, store_files, stored_files, uploads
from .json_members import members
from .schema import assistants, files, messages, runs, steps, threads
from .service_tables import run_events
from .transaction import SqlTransaction

_THREADS = 50
"""Threads that are dropped in one transaction."""
_PAGE = 500
_FILE_ID = re.compile(r"[\w-]*file[\w-]+", re.ASCII)
_AFTERWARDS = ("completed_at", "cancelled_at", "failed_at")


class Pruned(NamedTuple):
    """How many objects of each kind were dropped, or would be."""

    threads: int = 0
    messages: int = 0
    runs: int = 0
    steps: int = 0
    run_events: int = 0
    files: int = 0

    def more(self, counted: Mapping[str, int]) -> Pruned:
        return Pruned(*(had + counted.get(kind, 0) for kind, had in self._asdict().items()))


def prune(
    store: str | os.PathLike[str],
    untouched_for: float,
    *,
    dry_run: bool = False,
    told: Callable[[Pruned], object] = lambda _: None,
) -> Pruned:
    """Drops the threads that nothing has happened in for so many seconds, and the files that they alone
    referred to. In transactions of a few threads each, between which others work; a thread that is in use at
    the moment is passed over. ``told`` hears how far it is; with ``dry_run`` nothing is dropped.

    A file whose content lies outside the store is given its time to expire: a backend that knows the place
    drops it. Raises what SQLAlchemy raises where the store cannot be reached.
    """
    with Database(store) as database:
        pruning = _Pruning(database, database.clock() - untouched_for, dry_run)
        for so_far in pruning.threads():
            told(so_far)
        return pruning.files()


class _Pruning:
    def __init__(self, database: Database, before: float, dry_run: bool) -> None:
        self._database = database
        self._before = before
        self._dry_run = dry_run
        self._pruned = Pruned()
        self._gone: set[str] = set()  # threads
        self._named: set[str] = set()  # files, by the threads that are gone

    def threads(self) -> Iterator[Pruned]:
        after = LOWEST
        while True:
            with self._database.read() as tx:
                page = _page(tx.connection, self._before, after)
            if not page:
                return
            after = page[-1]
            drop = partial(_drop, seqs=page, before=self._before, dry_run=self._dry_run)
            counted, gone, named = transacted(self._database, drop, writes=not self._dry_run)
            self._pruned = self._pruned.more(counted)
            self._gone.update(gone)
            self._named |= named
            yield self._pruned

    def files(self) -> Pruned:
        loose = self._named - self._referred_to() if self._named else ()
        for id in sorted(loose):
            drop = partial(_drop_file, id=id, before=self._before, dry_run=self._dry_run)
            held = transacted(self._database, drop, writes=not self._dry_run)
            if held is None:
                continue
            self._pruned = self._pruned.more({"files": 1})
            for content_id in () if self._dry_run else held:
                more = True
                while more:
                    with self._database.write() as tx:
                        more = tx.drop_content(content_id)
        return self._pruned

    def _referred_to(self) -> set[str]:
        """What is named by anything that stays: all of it is read once, page by page."""
        there: set[str] = set()
        for table in (threads, assistants, messages, steps):
            thread_id = table.c.thread_id if "thread_id" in table.c else table.c.id
            query = select(table.c.seq, thread_id, cast(table.c.data, Text)).order_by(table.c.seq)
            after, more = LOWEST, True
            while more:
                with self._database.read() as tx:
                    rows = tx.connection.execute(query.where(table.c.seq > after).limit(_PAGE)).all()
                for seq, of, data in rows:
                    after = seq
                    if of not in self._gone:
                        there |= self._named.intersection(_file_ids(data))
                more = len(rows) == _PAGE
        return there


def _page(connection: Connection, before: float, after: int) -> Sequence[int]:
    """The next threads that are old enough to be looked at, by their numbers."""
    made = members(threads.c.data)["created_at"].as_float()
    query = select(threads.c.seq).where(threads.c.seq > after, made < before)
    return connection.scalars(query.order_by(threads.c.seq).limit(_THREADS)).all()


def _untouched(
    connection: Connection, seqs: Sequence[int], before: float, *, lock: bool
) -> Sequence[tuple[str, object]]:
    """Those of the threads that nothing has happened in since, each with its data; locked, so that nothing
    begins in them."""
    query = select(threads.c.id, threads.c.data).where(threads.c.seq.in_(seqs))
    if lock:
        query = query.with_for_update(skip_locked=True)
    held = {row.id: row.data for row in connection.execute(query)}
    touched: set[str] = set()
    for table, names in ((messages, ("created_at",)), (runs, ("created_at", *_AFTERWARDS))):
        since = or_(*(members(table.c.data)[name].as_float() >= before for name in names))
        if table is runs:
            since = or_(since, table.c.active & (runs.c.expires_at >= before))
        here = select(table.c.thread_id).where(table.c.thread_id.in_(held), since).distinct()
        touched |= set(connection.scalars(here))
    return [(id, data) for id, data in held.items() if id not in touched]


def _drop(
    tx: SqlTransaction, *, seqs: Sequence[int], before: float, dry_run: bool
) -> tuple[Mapping[str, int], Sequence[str], set[str]]:
    """What goes with those of the threads that are untouched, counted; their ids, and those of the files that
    they have."""
    connection = tx.connection
    dropped = _untouched(connection, seqs, before, lock=not dry_run)
    ids = [id for id, _ in dropped]
    if not ids:
        return {}, (), set()
    counted = {"threads": len(ids)}
    named = {id for _, data in dropped for id in _attached(data)}
    for table in (messages, runs, steps):
        of_them = table.c.thread_id.in_(ids)
        counted[table.name] = connection.execute(select(func.count()).where(of_them)).scalar_one()
    for table in (messages, steps):
        said = select(cast(table.c.data, Text)).where(table.c.thread_id.in_(ids))
        for data in connection.execute(said.execution_options(yield_per=_PAGE)).scalars():
            named.update(_attached(json.loads(data)))
    batches = select(func.count()).select_from(run_events.join(runs, runs.c.id == run_events.c.run_id))
    counted["run_events"] = connection.execute(batches.where(runs.c.thread_id.in_(ids))).scalar_one()
    if not dry_run:
        connection.execute(delete(threads).where(threads.c.id.in_(ids)))
        tx.changed.update(ids)
    return counted, ids, named


def _drop_file(tx: SqlTransaction, *, id: str, before: float, dry_run: bool) -> Sequence[str] | None:
    """Drops a file unless a vector store has it or it is newer; its contents, None where it stays."""
    connection = tx.connection
    made_by_tool = connection.scalar(select(files.c.id).where(files.c.id == id))
    if made_by_tool is not None:
        if not dry_run:
            connection.execute(delete(files).where(files.c.id == id))
        return ()
    row = tx.get("stored_files", id, lock=not dry_run)
    if row is None or row["data"]["created_at"] >= before:
        return None
    if connection.scalar(select(exists().where(store_files.c.file_id == id))):
        return None
    held = content_ids(row)
    if dry_run:
        return held
    here = exists().where(contents.c.content_id.in_(held))
    if held and not connection.scalar(select(here)):
        connection.execute(update(stored_files).where(stored_files.c.id == id).values(expires_at=before))
        return ()
    tx.remove("stored_files", id)
    connection.execute(delete(uploads).where(uploads.c.id == row["content_id"]))  # with its parts
    return held


def _attached(data: object) -> Iterator[str]:
    """The files that an object has, as the API names them: one that a text or somebody's metadata speak of is
    not its to take along."""
    if isinstance(data, list):
        for each in data:
            yield from _attached(each)
    elif isinstance(data, Mapping):
        for name, value in data.items():
            ids = [value] if name == "file_id" else value if name == "file_ids" else ()
            yield from (id for id in ids or () if isinstance(id, str) and _FILE_ID.fullmatch(id))
            if name != "metadata":
                yield from _attached(value)


def _file_ids(text: str) -> set[str]:
    return set(_FILE_ID.findall(text)) if "file" in text else set()
