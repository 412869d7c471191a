"""What a store gives of what it keeps."""

from __future__ import annotations

from typing import Protocol

from .port import Json


class Row(Protocol):
    """A stored object, by the names of its columns."""

    def __getitem__(self, column: str, /) -> Json: ...
