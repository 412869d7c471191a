"""What a batch of objects from elsewhere becomes in one transaction. Sans-IO."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from .._engine.bulk_port import NewRow, Placed, place, second_of
from .._engine.file_counts import moved, no_files
from .._engine.port import Json
from .._engine.scoped import ALONE
from .._engine.store_port import Row, RowKind, Transaction
from .incoming import PARENTS, Incoming, implied_thread

ABSENT = "absent"
"""Of what is hidden of a file: that its content is not here."""

RECOUNT = "recount"
"""Of what is hidden of a vector store: that its files have to be counted anew."""

NOT_HERE = {"code": "server_error", "message": "The file's content was not among what was imported."}


ANOTHERS = "{} is there already, and is of another project"


class One(NamedTuple):
    """An object that is to be stored: its line, its number among all, and its row."""

    line: int
    number: int
    row: Incoming


class Stored(NamedTuple):
    """What became of some objects of one kind: what was ``stored``, what was ``known`` already, what came
    too ``early`` and what is ``wrong``."""

    stored: Sequence[One]
    known: Sequence[One]
    early: Sequence[One] = ()
    wrong: Sequence[tuple[int, str]] = ()
    implied: int = 0
    to_index: int = 0


def store(
    tx: Transaction, kind: str, ones: Sequence[One], common: Mapping[str, object], *, last: bool
) -> Stored:
    """Stores those whose parents are there; with ``last`` nothing is too early any more: a thread is made for
    what names one that is not there, and of others they are wrong."""
    early: list[One] = []
    wrong: list[tuple[int, str]] = []
    implied = 0
    if kind in PARENTS:
        parent = PARENTS[kind][0]
        missing = {one.row.parent for one in ones} - tx.known(parent, {str(one.row.parent) for one in ones})
        early = [one for one in ones if one.row.parent in missing]
        ones = [one for one in ones if one.row.parent not in missing]
        if last and parent == "threads":
            implied = _imply(tx, early, common)
            ones, early = [*ones, *early], []
        elif last:
            wrong = [
                (one.line, f"{one.row.data['id']} is of {one.row.parent}, which is not here") for one in early
            ]
            early = []
        foreign = _of_others(tx, parent, {str(one.row.parent) for one in ones}, common)
        wrong += [
            (one.line, f"{one.row.data['id']} is of {one.row.parent}, which is of another project")
            for one in ones
            if one.row.parent in foreign
        ]
        ones = [one for one in ones if one.row.parent not in foreign]
    if kind == "steps":
        rows = list(_steps(tx, ones))
    elif kind == "store_files":
        rows = _store_files(tx, ones)
    else:
        hidden = {"hidden": {RECOUNT: True}} if kind == "vector_stores" else {}
        rows = [_row(one, {**one.row.columns, **hidden, **_owned(kind, one.row, common)}) for one in ones]
    new = tx.add_all(kind, rows)
    to_index = 0
    if kind == "store_files":
        again = _found_since(tx, [one for one in ones if one.row.id not in new])
        to_index = sum(row.columns["status"] == "in_progress" for row in rows if row.id in new) + again
    firsts = {one.row.id: one for one in reversed(ones) if one.row.id in new}
    known = [one for one in ones if firsts.get(one.row.id) is not one]
    if kind in ALONE:
        foreign = {one.row.id for one in known if is_of_another(tx, kind, one.row, common)}
        wrong += [(one.line, ANOTHERS.format(one.row.id)) for one in known if one.row.id in foreign]
        known = [one for one in known if one.row.id not in foreign]
    return Stored(list(firsts.values()), known, early, wrong, implied, to_index)


def _owned(kind: str, row: Incoming, common: Mapping[str, object]) -> Mapping[str, object]:
    """The project of what has one: that of the import, else the one that it was exported from."""
    if kind not in ALONE and kind != "runs":
        return {}
    project = row.ours.get("project")
    return {"project": project, **common} if project else common


def is_of_another(tx: Transaction, kind: str, row: Incoming, common: Mapping[str, object]) -> bool:
    """Whether another project has it: it is there, and whoever is to have it will not see it."""
    there = tx.get(cast("RowKind", kind), row.id)
    return there is not None and there["project"] != (common.get("project") or row.ours.get("project") or "")


def _of_others(tx: Transaction, kind: str, ids: Iterable[str], common: Mapping[str, object]) -> set[str]:
    """Those that others than the project of the import have."""
    project = common.get("project")
    rows = [tx.get(cast("RowKind", kind), id) for id in ids] if project else []
    return {row["id"] for row in rows if row is not None and row["project"] != project}


def _row(one: One, columns: Mapping[str, object]) -> NewRow:
    return NewRow(one.row.id, place(one.row.created_at, one.number), one.row.data, columns)


def _imply(tx: Transaction, ones: Iterable[One], common: Mapping[str, object]) -> int:
    """Makes the threads that these name. How many."""
    first: dict[str, One] = {}
    for one in ones:
        id = str(one.row.parent)
        if id not in first or one.row.created_at < first[id].row.created_at:
            first[id] = one
    rows = [
        NewRow(id, place(one.row.created_at, one.number), implied_thread(id, one.row.created_at), common)
        for id, one in first.items()
    ]
    return len(tx.add_all("threads", rows))


def _steps(tx: Transaction, ones: Sequence[One]) -> Iterable[NewRow]:
    """Steps, each with the message that it comes after: none of its own run that is not older."""
    messages: dict[str, list[Placed]] = defaultdict(list)
    calling = {one.row.data["thread_id"] for one in ones if one.row.data["type"] == "tool_calls"}
    for message in tx.placed(calling):
        messages[message.thread_id].append(message)
    for one in ones:
        before = _before(one.row, messages[one.row.data["thread_id"]])
        yield _row(one, {**one.row.columns, "after_message": before})


def _before(step: Incoming, messages: Sequence[Placed]) -> int:
    after = step.ours.get("after")
    before = place(step.created_at, 0)
    for message in messages:
        if message.id == after:
            return message.seq
        second = second_of(message.seq)
        own = message.run_id == step.data["run_id"]
        if second is not None and second + own <= int(step.created_at):
            before = message.seq
    return before


def _store_files(tx: Transaction, ones: Sequence[One]) -> list[NewRow]:
    """Files of vector stores. What could be searched there is indexed here, if its content is here."""
    rows = []
    for one in ones:
        made = one.row
        data, columns = made.data, {**made.columns, "batch_id": made.ours.get("batch_id")}
        if data["status"] in ("completed", "in_progress"):
            here = _is_here(tx.get("stored_files", made.data["id"]))
            told = {"status": "in_progress"} if here else {"status": "failed", "last_error": NOT_HERE}
            data, columns = {**data, "usage_bytes": 0, **told}, {**columns, "status": told["status"]}
        rows.append(_row(one, columns)._replace(data=data))
    for store_id in {str(one.row.parent) for one in ones}:
        there = tx.get("vector_stores", store_id, lock=True)
        if there is not None and not (there["hidden"] or {}).get(RECOUNT):
            tx.change(
                "vector_stores", store_id, {}, row=there, hidden={**(there["hidden"] or {}), RECOUNT: True}
            )
    return rows


def _found_since(tx: Transaction, ones: Iterable[One]) -> int:
    """Has files indexed whose contents came with a later import. How many."""
    count = 0
    for one in ones:
        there = tx.get("store_files", one.row.id, lock=True)
        if there is None or there["data"]["last_error"] != NOT_HERE:
            continue
        if _is_here(tx.get("stored_files", one.row.data["id"])):
            changes = {"status": "in_progress", "last_error": None}
            tx.change("store_files", there["id"], changes, row=there, status="in_progress")
            count += 1
    return count


def _is_here(file: Row | None) -> bool:
    return file is not None and not (file["hidden"] or {}).get(ABSENT)


def recounted(tx: Transaction, store_id: str) -> None:
    """Counts the files of a vector store, and of its batches, anew."""
    row = tx.get("vector_stores", store_id, lock=True)
    if row is None:
        return
    entries = tx.all("store_files", vector_store_id=store_id)
    hidden = {name: value for name, value in (row["hidden"] or {}).items() if name != RECOUNT}
    changes = _counts(entries)
    if row["data"]["status"] != "expired":
        changes["status"] = _status(changes)
    tx.change("vector_stores", store_id, changes, row=row, hidden=hidden or None)
    for batch in tx.all("file_batches", vector_store_id=store_id):
        of_it = [entry for entry in entries if entry["batch_id"] == batch["id"]]
        if of_it:
            counts = _counts(of_it)
            told = {"file_counts": counts["file_counts"]}
            if batch["data"]["status"] != "cancelled":
                told["status"] = _status(counts)
            tx.change("file_batches", batch["id"], told, row=batch)


def _counts(entries: Sequence[Row]) -> Json:
    return moved({"file_counts": no_files(), "usage_bytes": 0}, [(None, entry["data"]) for entry in entries])


def _status(counts: Json) -> str:
    return "in_progress" if counts["file_counts"]["in_progress"] else "completed"
