"""Files as the API has them, and their contents. Each refers to a content, or to the parts of an upload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from . import api_errors
from .file_port import Contents
from .store_port import Row, Transaction

PARTS = "parts"
"""Of what is hidden of a file that came in parts: their contents. Its own is the upload, which has them."""


def file_row(tx: Transaction, file_id: str, *, lock: bool = False) -> Row:
    """The row of a file, or the API's 404."""
    row = tx.get("stored_files", file_id, lock=lock)
    if row is None:
        raise api_errors.missing("file", file_id)
    return row


def content_ids(row: Row) -> Sequence[str]:
    """The contents that make up a file's, one after another."""
    parts: Sequence[str] | None = (row["hidden"] or {}).get(PARTS)
    return [row["content_id"]] if parts is None else parts


def content(tx: Transaction, row: Row, contents: Contents | None = None) -> Iterator[bytes]:
    """A file's content, piece by piece, within the transaction; it ends early where somebody deletes it.
    ``contents`` is that of the backend's :class:`FileSettings`."""
    for id in content_ids(row):
        if contents is not None:
            yield from contents.pieces(id)
            continue
        for number in count():
            piece = tx.piece(id, number)
            if piece is None:
                break
            yield piece
