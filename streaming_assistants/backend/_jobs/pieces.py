"""A file on its way to whoever downloads it: the body of an answer, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

from streaming_assistants._io.loops import in_thread


class _Pieces:
    patience: float | None = None  # a store that is slow is waited for

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def close(self) -> None:
        """Its reader has left, who alone has pieces read."""


class Pieces(_Pieces):
    """For a sync reader."""

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


class AsyncPieces(_Pieces):
    """For an async reader; with ``blocking`` a thread reads them."""

    def __init__(self, pieces: Iterator[bytes], *, blocking: bool) -> None:
        super().__init__(pieces)
        self._blocking = blocking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        following = partial(next, self._pieces, None)
        while (piece := await in_thread(following) if self._blocking else following()) is not None:
            yield piece
