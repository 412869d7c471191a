"""Vector stores and their files: what each is made of, and when they expire.

Where more than one of them is locked, it is the store first, then a batch, then a file of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from .._files import kinds
from . import api_errors, objects
from .file_counts import Move, no_files, recount
from .files import file_row
from .lifecycle import Keeper
from .port import Json
from .store_port import Row, Transaction

MOST_FILES = 10_000
"""Of a store."""

THREAD_EXPIRY = {"anchor": "last_active_at", "days": 7}
"""The hosted API's own, for stores that threads and their messages make."""

AUTO = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}

_DAY = 86_400


def entry_id(store_id: str, file_id: str) -> str:
    """The id of a file's row in a store."""
    return "vsf_" + hashlib.sha256(f"{store_id} {file_id}".encode()).hexdigest()[:48]


def store_row(tx: Transaction, store_id: str, *, lock: bool = False) -> Row:
    """The row of a vector store, or the API's 404."""
    row = tx.get("vector_stores", store_id, lock=lock)
    if row is None:
        raise api_errors.missing("vector store", store_id)
    return row


def make_store(tx: Transaction, keeper: Keeper, body: Json) -> Json:
    """Stores a new vector store, with the files that the body names; as it then is."""
    now = keeper.now()
    store = {
        "id": objects.new_id("vs"),
        "object": "vector_store",
        "created_at": now,
        "name": body.get("name"),
        "description": body.get("description"),
        "usage_bytes": 0,
        "file_counts": no_files(),
        "status": "completed",
        "expires_after": body.get("expires_after"),
        "expires_at": None,
        "last_active_at": now,
        "metadata": body.get("metadata") or {},
    }
    store["expires_at"] = _expiry(store)
    tx.add("vector_stores", store, expires_at=store["expires_at"])
    ids = body.get("file_ids") or []
    if ids:
        strategy = body.get("chunking_strategy")
        attach_files(tx, keeper, store["id"], [{"file_id": id, "chunking_strategy": strategy} for id in ids])
    return store_row(tx, store["id"])["data"]


def attach_files(
    tx: Transaction,
    keeper: Keeper,
    store_id: str,
    entries: Sequence[Json],
    *,
    batch_id: str | None = None,
    param: str = "file_ids",
) -> None:
    """Puts files into a store, to be indexed. An entry has a ``file_id`` and may have ``attributes`` and a
    ``chunking_strategy``; what is in the store already, the same way, is not indexed again.

    Raises the API's errors for a file that is not there or that nothing can be searched in, and for too many;
    ``param`` is the parameter that they name.
    """
    row = store_row(tx, store_id, lock=True)
    if row["data"]["status"] == "expired":
        raise api_errors.expired_store(store_id)
    entries = list({entry["file_id"]: entry for entry in entries}.values())
    files = [file_row(tx, entry["file_id"], lock=True) for entry in entries]
    refused = [kind for file in files if (kind := extension(file)) not in kinds.SEARCHABLE]
    if refused:
        raise api_errors.unsupported_files(refused, param)
    batch = None if batch_id is None else tx.get("file_batches", batch_id, lock=True)
    moves: list[Move] = []
    new: list[Move] = []
    for entry in entries:
        _attach(tx, store_id, entry, batch_id, keeper.now(), moves, new)
    recount(tx, row, None, moves)
    recount(tx, None, batch, new)
    if store_row(tx, store_id)["data"]["file_counts"]["total"] > MOST_FILES:
        raise api_errors.bad(f"A vector store holds at most {MOST_FILES:,} files.", param)
    used(tx, keeper, store_id)


def extension(file: Row) -> str:
    """Of a file's name, as the API's errors name it."""
    return kinds.extension(file["data"]["filename"])


def set_file(tx: Transaction, store_id: str, file_id: str, changes: Json, **columns: object) -> Json | None:
    """Changes a file of a store, and counts its store and its batch anew where its ``status`` or its
    ``usage_bytes`` change; as it then is, None when it is gone."""
    store = tx.get("vector_stores", store_id, lock=True)
    before = tx.get("store_files", entry_id(store_id, file_id))
    if store is None or before is None:
        return None
    batch = _batch(tx, before)
    before = tx.get("store_files", before["id"], lock=True)
    if before is None:
        return None
    if "status" in changes:
        columns["status"] = changes["status"]
    data = tx.change("store_files", before["id"], changes, row=before, **columns)
    recount(tx, store, batch, [(before["data"], data)])
    return data


def remove_file(tx: Transaction, store_id: str, file_id: str) -> bool:
    """Takes a file out of a store, and its passages; whether it was in there."""
    store = tx.get("vector_stores", store_id, lock=True)
    before = tx.get("store_files", entry_id(store_id, file_id))
    if store is None or before is None:
        return False
    batch = _batch(tx, before)
    tx.drop_passages(store_id, file_id)
    if not tx.remove("store_files", before["id"]):
        return False
    recount(tx, store, batch, [(before["data"], None)])
    return True


def used(tx: Transaction, keeper: Keeper, store_id: str) -> None:
    """Notes that a store was used now, from which on its ``expires_after`` counts."""
    row = tx.get("vector_stores", store_id, lock=True)
    now = keeper.now()
    if row is None or row["data"]["status"] == "expired" or row["data"]["last_active_at"] == now:
        return
    changes: Json = {"last_active_at": now}
    changes["expires_at"] = _expiry({**row["data"], **changes})
    tx.change("vector_stores", store_id, changes, row=row, expires_at=changes["expires_at"])


def renewed(store: Json, now: int) -> Json:
    """A store, used now."""
    used = {**store, "last_active_at": now}
    return {**used, "expires_at": _expiry(used)}


def expired(keeper: Keeper, row: Row) -> bool:
    """Whether a store's time is over, noted or not."""
    return row["data"]["status"] == "expired" or (
        row["expires_at"] is not None and row["expires_at"] <= keeper.clock()
    )


def expire(tx: Transaction, row: Row) -> None:
    """Ends a store whose time is over: it finds nothing any more, and keeps its list of files."""
    tx.drop_passages(row["id"])
    tx.change("vector_stores", row["id"], {"status": "expired"}, row=row, expires_at=None)


def usable(tx: Transaction, keeper: Keeper, store_ids: Iterable[str]) -> list[str]:
    """Those that are there and have not expired: what a search may look into."""
    rows = ((id, tx.get("vector_stores", id)) for id in store_ids)
    return [id for id, row in rows if row is not None and not expired(keeper, row)]


def change_store(tx: Transaction, row: Row, changes: Json) -> Json:
    """A store with other values of what the API has changed; one that has expired stays so."""
    named = {key: value or {} if key == "metadata" else value for key, value in changes.items()}
    data = {**row["data"], **named}
    expires_at = None if data["status"] == "expired" else _expiry(data)
    if "expires_after" in named and data["status"] != "expired":
        named["expires_at"] = expires_at
    return tx.change("vector_stores", row["id"], named, row=row, expires_at=expires_at)


def cancel_batch(tx: Transaction, row: Row) -> Json:
    """Ends a batch: those of its files that are not indexed yet never will be. Its store is locked."""
    store = store_row(tx, row["vector_store_id"], lock=True)
    tx.change("file_batches", row["id"], {"status": "cancelled"}, row=row)
    moves: list[Move] = []
    for entry in tx.all("store_files", batch_id=row["id"], status="in_progress"):
        changes = {"status": "cancelled"}
        data = tx.change("store_files", entry["id"], changes, status="cancelled", owner=None)
        if entry["owner"] is not None:  # who may have begun
            tx.drop_passages(store["id"], entry["file_id"])
        moves.append((entry["data"], data))
    recount(tx, store, tx.get("file_batches", row["id"]), moves)
    batch = tx.get("file_batches", row["id"])
    assert batch is not None
    return batch["data"]


def _expiry(store: Json) -> int | None:
    after = store["expires_after"]
    return None if after is None else int(store["last_active_at"] + after["days"] * _DAY)


def _attach(
    tx: Transaction,
    store_id: str,
    entry: Json,
    batch_id: str | None,
    now: int,
    moves: list[Move],
    new: list[Move],
) -> None:
    """Puts a file into a store; what that changes for the store's counts goes to ``moves``, and for those of
    the batch to ``new``."""
    file_id = entry["file_id"]
    strategy = as_kept(entry.get("chunking_strategy"))
    there = tx.get("store_files", entry_id(store_id, file_id), lock=True)
    if there is not None:
        data = there["data"]
        same = data["chunking_strategy"] == strategy and data["status"] in ("completed", "in_progress")
        batch_id = batch_id or (there["batch_id"] if same else None)
        moved = batch_id != there["batch_id"]
        if moved:
            recount(tx, None, _batch(tx, there), [(data, None)])
        if same:
            changes = {"attributes": entry["attributes"]} if entry.get("attributes") is not None else {}
            kept = tx.change("store_files", there["id"], changes, row=there, batch_id=batch_id)
            new += [(None, kept)] if moved else []
            return
        tx.drop_passages(store_id, file_id)
        tx.remove("store_files", there["id"])
        moves.append((data, None))
    data = {
        "id": file_id,
        "object": "vector_store.file",
        "created_at": now,
        "vector_store_id": store_id,
        "status": "in_progress",
        "last_error": None,
        "usage_bytes": 0,
        "chunking_strategy": strategy,
        "attributes": entry.get("attributes") or {},
    }
    columns = {"vector_store_id": store_id, "file_id": file_id, "batch_id": batch_id}
    tx.add("store_files", data, id=entry_id(store_id, file_id), status="in_progress", **columns)
    moves.append((None, data))
    new.append((None, data))


def as_kept(strategy: Json) -> Json:
    """A chunking strategy as the API shows it."""
    return AUTO if strategy is None or strategy["type"] == "auto" else strategy


def _batch(tx: Transaction, row: Row) -> Row | None:
    return None if row["batch_id"] is None else tx.get("file_batches", row["batch_id"], lock=True)
