"""A file taken in piece by piece, and its passages given out again."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice

from .cutting import Chunk, chunks
from .kinds import APART, extension
from .reader_process import read_apart
from .sections import sections


class Spooled:
    """How it is cut say ``max_tokens`` and ``overlap``. The copy on the disk goes with :meth:`close`."""

    def __init__(self, filename: str, max_tokens: int, overlap: int) -> None:
        self._filename = filename
        self._cut = (max_tokens, overlap)
        self._path = ""
        self._chunks: Iterator[Chunk] | None = None

    def take(self, pieces: Iterable[bytes]) -> None:
        """The next of the file's bytes."""
        if not self._path:
            handle, self._path = tempfile.mkstemp(prefix="streaming_assistants-")
            os.close(handle)
        with open(self._path, "ab") as file:
            for piece in pieces:
                file.write(piece)

    def next(self, most: int) -> list[Chunk]:
        """Its next passages; none when it has no more. Raises Unreadable."""
        if self._chunks is None:
            self.take(())
            read = read_apart if extension(self._filename) in APART else sections
            self._chunks = chunks(read(self._filename, self._path), *self._cut)
        return list(islice(self._chunks, most))

    def close(self) -> None:
        """What reads it is stopped."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):  # another thread is reading; its process has a time limit
                close()
        if self._path:
            os.unlink(self._path)
