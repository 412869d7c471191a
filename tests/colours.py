"""``sync`` or ``async``: one body of a test drives both, awaiting where there is something to await.

Imports the SDK alone: the conformance suite asks SDKs with it that nothing has patched.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Iterable
from typing import Any

import openai


async def done(value: Any) -> Any:
    """What a call gave, awaited where there is something to await."""
    return await value if inspect.isawaitable(value) else value


class EitherColour:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"
        self._clients: list[Any] = []

    def __repr__(self) -> str:
        return self.name

    async def of(self, value: Any) -> Any:
        return await done(value)

    async def next(self, iterator: Any) -> Any:
        return await iterator.__anext__() if self.is_async else next(iterator)

    def sdk_client(self, *, azure: bool = False, **options: Any) -> Any:
        """A client as the SDK makes it, which tries once; :meth:`close` closes it."""
        kinds = (
            (openai.AzureOpenAI, openai.AsyncAzureOpenAI) if azure else (openai.OpenAI, openai.AsyncOpenAI)
        )
        client: Any = kinds[self.is_async](**{"max_retries": 0, **options})
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Closes the clients that the test made."""
        for client in self._clients:
            await done(client.close())

    @property
    def stream(self) -> Any:
        return openai.AsyncStream if self.is_async else openai.Stream

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
