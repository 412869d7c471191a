"""How many files of a vector store, and of a batch, are in which state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from .port import Json
from .store_port import Row, Transaction

Move: TypeAlias = "tuple[Json | None, Json | None]"
"""A file of a store as it was and as it is: None where it was not, or is no more, in there."""

_STATUSES = ("in_progress", "completed", "failed", "cancelled")


def no_files() -> Json:
    """``file_counts`` of what has none."""
    return {**dict.fromkeys(_STATUSES, 0), "total": 0}


def recount(tx: Transaction, store: Row | None, batch: Row | None, moves: Sequence[Move]) -> None:
    """Puts into the counts of a store and of a batch what has changed of their files."""
    if store is not None:
        totals = {key: store["data"][key] for key in ("file_counts", "usage_bytes")}
        told = _with_status(store["data"], moved(totals, moves))
        if any(store["data"][key] != value for key, value in told.items()):
            tx.change("vector_stores", store["id"], told, row=store)
    if batch is not None:
        totals = {"file_counts": batch["data"]["file_counts"], "usage_bytes": 0}
        counts = moved(totals, moves)["file_counts"]
        status = _batch_status(batch["data"]["status"], counts)
        tx.change("file_batches", batch["id"], {"file_counts": counts, "status": status}, row=batch)


def moved(totals: Json, moves: Iterable[Move]) -> Json:
    counts, size = dict(totals["file_counts"]), totals["usage_bytes"]
    for move in moves:
        for data, by in zip(move, (-1, 1), strict=True):
            if data is not None:
                counts[data["status"]] += by
                counts["total"] += by
                size += by * data["usage_bytes"]
    return {"file_counts": counts, "usage_bytes": size}


def _with_status(store: Json, totals: Json) -> Json:
    if store["status"] == "expired":
        return totals
    busy = totals["file_counts"]["in_progress"] > 0
    return {**totals, "status": "in_progress" if busy else "completed"}


def _batch_status(status: str, counts: Json) -> str:
    if status == "cancelled":
        return status
    if counts["in_progress"]:
        return "in_progress"
    return "failed" if counts["failed"] and counts["failed"] == counts["total"] else "completed"
