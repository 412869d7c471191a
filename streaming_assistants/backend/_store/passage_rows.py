"""Passages of files, and how a search finds them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from .._engine.file_port import Hit, Passage
from .._engine.port import Json


class PassageRows:
    """What the port says a transaction can do with passages."""

    connection: Connection

    def add_passages(
        self, vector_store_id: str, file_id: str, passages: Sequence[Passage], model: str | None
    ) -> None:
        raise NotImplementedError

    def drop_passages(self, vector_store_id: str, file_id: str | None = None) -> None:
        raise NotImplementedError

    def passages(self, vector_store_id: str, file_id: str, *, after: int, limit: int) -> Sequence[Passage]:
        raise NotImplementedError

    def keyword_hits(
        self, vector_store_ids: Sequence[str], query: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        raise NotImplementedError

    def vector_hits(
        self, vector_store_ids: Sequence[str], vector: bytes, model: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        raise NotImplementedError
