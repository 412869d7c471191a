"""What a backend that keeps files itself is set to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .file_port import Contents
from .indexers import Indexers
from .lifecycle import Keeper

Searching: TypeAlias = Literal["function", "always"]
"""Whether a model asks for a search by a function, or is given passages before each of its turns."""


@dataclass(frozen=True)
class FileSettings:
    """``embedding_model`` is a model of the upstream's ``/embeddings``; without one, searches go by words.
    ``contents`` is where contents of files are kept when that is not the store."""

    keeper: Keeper
    embedding_model: str | None = None
    contents: Contents | None = None
    search: Searching = "function"
    indexers: Indexers = field(default_factory=Indexers)
