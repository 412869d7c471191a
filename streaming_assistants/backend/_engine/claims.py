"""Whose the files are that are to be indexed: each is one backend's at a time, as long as that lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from . import files, vector_stores
from .file_port import Passage
from .file_settings import FileSettings
from .port import Json
from .store_port import Row, Transaction

_PAGE = 50
MODELS = "models"
"""Of what is hidden of a vector store: which models its files have been embedded by; None is by none."""


class Lost(Exception):
    """The file is not ours to index any more: it was cancelled, removed, or taken up by another."""


class Claim(NamedTuple):
    """A file of a store that is ours to index, and what it takes to read it."""

    store_id: str
    file_id: str
    entry_id: str
    seq: int
    filename: str
    content_ids: Sequence[str]
    max_tokens: int
    overlap: int


def left_behind(tx: Transaction, settings: FileSettings, store_ids: Sequence[str] | None = None) -> list[str]:
    """The stores that somebody has to index files of, among these or all: after a crash, or since another
    ``embedding_model`` is asked for. None while as many are indexed as can be."""
    if settings.indexers.enough:
        return []
    if store_ids is None:
        row = next(_claimable(tx, settings, None), None)
        return [] if row is None else [row["vector_store_id"]]
    return [id for id in store_ids if any(_claimable(tx, settings, id)) or outdated(tx, settings, id)]


def outdated(tx: Transaction, settings: FileSettings, store_id: str) -> bool:
    """Whether a store has passages without a vector of the model that searches ask for."""
    row = tx.get("vector_stores", store_id)
    models = [] if row is None else (row["hidden"] or {}).get(MODELS, [])
    return settings.embedding_model is not None and any(each != settings.embedding_model for each in models)


def claim(tx: Transaction, settings: FileSettings, store_id: str | None) -> Claim | None:
    """Takes the next file that is nobody's, of a store or of any."""
    for row in _claimable(tx, settings, store_id):
        locked = tx.get("store_files", row["id"], lock=True)
        if locked is None or not _free(tx, settings, locked) or not settings.indexers.hold(row["id"]):
            continue
        claimed = _claimed(tx, settings, locked)
        if claimed is not None:
            return claimed
        settings.indexers.let_go(row["id"])
    return None


def _claimed(tx: Transaction, settings: FileSettings, row: Row) -> Claim | None:
    store_id, file_id = row["vector_store_id"], row["file_id"]
    file = tx.get("stored_files", file_id)
    if file is None:  # its deletion takes it out of every store
        return None
    tx.drop_passages(store_id, file_id)  # of one who did not come to the end
    tx.change("store_files", row["id"], {}, row=row, owner=settings.keeper.owner)
    cut = row["data"]["chunking_strategy"]["static"]
    return Claim(
        store_id,
        file_id,
        row["id"],
        row["seq"],
        file["data"]["filename"],
        files.content_ids(file),
        cut["max_chunk_size_tokens"],
        cut["chunk_overlap_tokens"],
    )


def ours(tx: Transaction, settings: FileSettings, claimed: Claim) -> Row:
    """The file's row, locked. Raises Lost."""
    row = tx.get("store_files", claimed.entry_id, lock=True)
    if (
        row is None
        or row["seq"] != claimed.seq
        or row["status"] != "in_progress"
        or row["owner"] != settings.keeper.owner
    ):
        raise Lost
    return row


def store_passages(
    settings: FileSettings, claimed: Claim, passages: Sequence[Passage], tx: Transaction
) -> None:
    """Stores more passages of the file. Raises Lost."""
    ours(tx, settings, claimed)
    tx.add_passages(claimed.store_id, claimed.file_id, passages, settings.embedding_model)


def finish(settings: FileSettings, claimed: Claim, changes: Json, tx: Transaction) -> None:
    """The file has its end, unless it is not ours any more; what failed is not found by half."""
    store = tx.get("vector_stores", claimed.store_id, lock=True)
    try:
        ours(tx, settings, claimed)
    except Lost:
        return
    if changes["status"] == "completed" and store is not None:
        note_model(tx, store, settings.embedding_model)
        hidden = {"model": settings.embedding_model}
        vector_stores.set_file(tx, claimed.store_id, claimed.file_id, changes, owner=None, hidden=hidden)
    else:
        tx.drop_passages(claimed.store_id, claimed.file_id)
        vector_stores.set_file(tx, claimed.store_id, claimed.file_id, changes, owner=None)


def note_model(tx: Transaction, store: Row, model: str | None) -> None:
    """Notes that a store, which is locked, has passages of a model."""
    hidden = store["hidden"] or {}
    models = hidden.get(MODELS, [])
    if model not in models:
        tx.change("vector_stores", store["id"], {}, row=store, hidden={**hidden, MODELS: [*models, model]})


def give_back(settings: FileSettings, claimed: Claim, tx: Transaction) -> None:
    """The file is nobody's again, for another backend."""
    try:
        row = ours(tx, settings, claimed)
    except Lost:
        return
    tx.change("store_files", row["id"], {}, row=row, owner=None)


def _claimable(tx: Transaction, settings: FileSettings, store_id: str | None) -> Iterator[Row]:
    where: dict[str, object] = {"status": "in_progress"}
    if store_id is not None:
        where["vector_store_id"] = store_id
    after, more = None, True
    while more:
        page = tx.page("store_files", where, limit=_PAGE, ascending=True, after=after, before=None)
        yield from (row for row in page.rows if _free(tx, settings, row))
        more = page.more
        after = page.rows[-1]["seq"] if page.rows else None


def _free(tx: Transaction, settings: FileSettings, row: Row) -> bool:
    """Whether nobody who lives indexes the file."""
    if row["status"] != "in_progress" or settings.indexers.holds(row["id"]):
        return False
    owner, keeper = row["owner"], settings.keeper
    return owner is None or owner == keeper.owner or not keeper.lives(tx.owner(owner), keeper.clock())
