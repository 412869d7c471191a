"""Contents of files, in pieces."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from .file_tables import contents


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

    def drop_content(self, content_id: str) -> None:
        self.connection.execute(delete(contents).where(contents.c.content_id == content_id))
