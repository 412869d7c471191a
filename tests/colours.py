"""``sync`` or ``async``: one body of a test drives both, awaiting where there is something to await."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any


class EitherColour:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"

    def each(self, items: Any) -> Any:
        """``for`` or ``async for``, by ``async for``."""
        return items if self.is_async else _Each(items)

    async def list(self, items: Any) -> list[Any]:
        return [item async for item in self.each(items)]

    @contextlib.asynccontextmanager
    async def entered(self, manager: Any) -> AsyncIterator[Any]:
        """``with`` or ``async with``, by ``async with``."""
        if self.is_async:
            async with manager as value:
                yield value
        else:
            with manager as value:
                yield value


class _Each:
    """An iterable read by ``async for``; its iterator lives as long as that of a ``for`` would."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._iterator = iter(items)

    def __aiter__(self) -> _Each:
        return self

    async def __anext__(self) -> Any:
        for item in self._iterator:
            return item
        raise StopAsyncIteration
