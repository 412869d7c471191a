"""Contents of files, in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select

from .._engine.file_port import LapsingKind
from .._engine.store_port import Row
from .file_tables import contents, stored_files, upload_parts
from .schema import metadata

_DROPPED = 16
"""Pieces that are dropped at once."""


class FileRows:
    """What the port says a transaction can do with contents."""

    connection: Connection

    def add_piece(self, content_id: str, number: int, piece: bytes) -> None:
        values = {"content_id": content_id, "number": number, "piece": piece}
        self.connection.execute(insert(contents), values)

    def piece(self, content_id: str, number: int) -> bytes | None:
        key = (contents.c.content_id == content_id, contents.c.number == number)
        piece = self.connection.scalar(select(contents.c.piece).where(*key))
        return None if piece is None else bytes(piece)

    def loose_contents(self) -> Sequence[str]:
        begun = select(contents.c.content_id).where(contents.c.number == 0)
        query = begun.where(
            *(
                ~exists().where(table.c.content_id == contents.c.content_id)
                for table in (stored_files, upload_parts)
            )
        )
        return self.connection.execute(query).scalars().all()

    def lapsed(self, kind: LapsingKind, now: float) -> Sequence[Row]:
        table = metadata.tables[kind]
        query = select(table).where(table.c.expires_at <= now).order_by(table.c.seq)
        return self.connection.execute(query).mappings().all()

    def drop_content(self, content_id: str) -> bool:
        of_it = contents.c.content_id == content_id
        last = self.connection.scalar(select(func.max(contents.c.number)).where(of_it))
        first = (-1 if last is None else last) - _DROPPED + 1
        # Its first piece goes last: by that one it is known for loose until all is gone.
        self.connection.execute(delete(contents).where(of_it, contents.c.number >= first))
        return first > 0
