"""What the engine asks of a store for files: their contents, and the passages that a search finds. Sans-IO.

A content is immutable and named by an id of its own; files and parts of uploads refer to it. A passage is one
of a file in one vector store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from .port import Json
from .rows import Row

PIECE = 1 << 20
"""Bytes of a content that are read and written at once."""


LapsingKind: TypeAlias = Literal["stored_files", "uploads", "vector_stores"]
"""What a client may have expire."""


class Unsearchable(Exception):
    """The store cannot search, as it says in a sentence: its database was built without what that takes."""


class Passage(NamedTuple):
    """A stretch of a file's text: ``start`` and ``end`` are offsets in the whole text, in characters;
    ``place`` is where it begins (``{"page": 3}``, ``{"heading": "Terms"}``, ``{"sheet": "Q1"}`` or nothing);
    ``vector`` is its embedding as float32 in native order, where there is one."""

    text: str
    start: int
    end: int
    place: Mapping[str, Json]
    vector: bytes | None = None


@runtime_checkable
class SearchesVectors(Protocol):
    """A store that may be unable to search by vectors, and says so before anybody does."""

    def check_vectors(self) -> None:
        """Raises ImportError, in a sentence that says what is missing."""


class Hit(NamedTuple):
    """A passage that a search has found. ``score`` is between 0 and 1, higher is better."""

    vector_store_id: str
    file_id: str
    filename: str
    score: float
    text: str
    attributes: Mapping[str, Json]
    place: Mapping[str, Json]
    start: int
    end: int


class Contents(Protocol):
    """Where contents are kept that do not lie in the store: a folder, a bucket. Each is written once.

    From before it is written until something refers to it, and from before nothing does until it is gone, a
    content is marked, so that what a crash leaves behind can be told. Everything raises OSError where the
    place is out of reach.
    """

    def write(self, content_id: str, pieces: Iterable[bytes]) -> None:
        """Keeps a content, marked."""

    def pieces(self, content_id: str) -> Iterator[bytes]:
        """A content from its beginning; raises FileNotFoundError where there is none."""
        ...

    def drop(self, content_id: str) -> None:
        """Drops a content, if it is there, and its mark."""

    def mark(self, content_id: str, marked: bool) -> None:
        """Sets a content's mark, or takes it away."""

    def marked(self) -> Sequence[str]:
        """The ids of those that are marked."""
        ...


class FileTransaction(Protocol):
    """The part of a transaction that is about files."""

    def add_piece(self, content_id: str, number: int, piece: bytes) -> None:
        """Stores a piece of a content; the first has the number 0."""

    def piece(self, content_id: str, number: int) -> bytes | None:
        """A piece of a content; None after its last one."""

    def drop_content(self, content_id: str) -> bool:
        """Drops the last pieces of a content, as many as go quickly; whether there are more. Asked until
        there are none, by whoever knows that nothing refers to it."""
        ...

    def loose_contents(self) -> Sequence[str]:
        """Ids of contents in the store that no file and no part of an upload refers to."""
        ...

    def lapsed(self, kind: LapsingKind, now: float) -> Sequence[Row]:
        """The rows whose ``expires_at`` has come, oldest first."""
        ...

    def add_passages(
        self, vector_store_id: str, file_id: str, passages: Sequence[Passage], model: str | None
    ) -> None:
        """Stores passages of a file in a vector store, after those that it has; ``model`` made their
        vectors. They are found once the file's entry in ``store_files`` is ``completed``."""

    def drop_passages(self, vector_store_id: str, file_id: str | None = None) -> None:
        """Drops those of a file in a vector store, or of all its files: nothing finds them any more."""

    def sweep_passages(self) -> bool:
        """Frees the space of some passages that were dropped; whether there may be more. Dropping a store
        takes no longer for all that is in it."""
        ...

    def put_vectors(
        self, vector_store_id: str, file_id: str, after: int, vectors: Sequence[bytes], model: str
    ) -> None:
        """Gives the passages of a file, from the one with the number ``after`` on, vectors of ``model`` in
        place of those that they have."""

    def passages(self, vector_store_id: str, file_id: str, *, after: int, limit: int) -> Sequence[Passage]:
        """Those of a file, in order, from the one with the number ``after`` (from 0) on, without vectors."""
        ...

    def keyword_hits(
        self, vector_store_ids: Sequence[str], query: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        """The best by words, best first, of files that are ``completed``. ``filters`` are the API's, checked,
        or None. Raises Unsearchable."""
        ...

    def vector_hits(
        self, vector_store_ids: Sequence[str], vector: bytes, model: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        """The nearest by the vectors of ``model``, best first. Raises Unsearchable."""
        ...
