"""The streams of ``messages.list(stream=True)``, in both colours: what a caller iterates.

How they are read is in ``drive.py`` and ``message_reading.py``; a pair differs by ``async`` and ``await``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from openai import AsyncStream, Stream

from streaming_assistants._protocol.chunks import MessageChunk, texts
from streaming_assistants._sdk.untyped import Model

from .drive import said, said_async
from .message_reading import MessageSpan
from .streams import AsyncClosing, Closing

if TYPE_CHECKING:
    from openai.types.beta.threads import Message

ChunkT = TypeVar("ChunkT")


class MessageStream(Closing[ChunkT], Stream[ChunkT]):
    """The newest message of a thread while it grows, as MessageChunks: an ``openai.Stream``.

    Ends where the server ends it, or where the message's run does. Raises ``openai.APIError`` for an
    error that the server reports, an exception that is both ``openai.APIConnectionError`` and the
    transport's own for a broken connection, MalformedEventError for a frame that is no chunk, and
    PollTimeoutError for ``max_wait_seconds``.
    """

    def __stream__(self) -> Iterator[ChunkT]:
        self._span = span = MessageSpan(self.response, self._client)
        return said(span.plan(), span.asked, span.halt, span.farewell)

    @property
    def text_deltas(self) -> Iterator[str]:
        """What the text grows by, piece by piece."""
        for chunk in self:
            yield from texts(chunk)

    def get_final_message(self) -> Message:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        for _ in self:
            pass
        return self._span.final()  # type: ignore[no-any-return]


class AsyncMessageStream(AsyncClosing[ChunkT], AsyncStream[ChunkT]):
    """The async form of :class:`MessageStream`: an ``openai.AsyncStream``."""

    def __stream__(self) -> AsyncIterator[ChunkT]:
        self._span = span = MessageSpan(self.response, self._client)
        return said_async(span.plan(), span.asked, span.halt, span.farewell)

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """What the text grows by, piece by piece."""
        async for chunk in self:
            for text in texts(chunk):
                yield text

    async def get_final_message(self) -> Message:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        async for _ in self:
            pass
        return self._span.final()  # type: ignore[no-any-return]


class PendingMessageStream:
    """What ``messages.list(stream=True)`` of an async client gives; the request is made on first use.

    ``await`` it for the AsyncMessageStream, as ``create(stream=True)`` of the SDK is awaited; or go
    through it with ``async for``, as the SDK's ``list()``; or enter it with ``async with``.
    """

    def __init__(self, request: Callable[[], Awaitable[Model]]) -> None:
        self._request = request
        self._stream: AsyncMessageStream[MessageChunk] | None = None

    def __await__(self) -> Generator[Any, None, AsyncMessageStream[MessageChunk]]:
        return self._opened().__await__()

    async def _opened(self) -> AsyncMessageStream[MessageChunk]:
        stream = self._stream
        if stream is None:
            stream = self._stream = await self._request()
        return stream

    async def __aiter__(self) -> AsyncIterator[MessageChunk]:
        async with self as stream:
            async for chunk in stream:
                yield chunk

    async def __aenter__(self) -> AsyncMessageStream[MessageChunk]:
        return await self._opened()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """What the text grows by, piece by piece."""
        async for chunk in self:
            for text in texts(chunk):
                yield text

    async def get_final_message(self) -> Message:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        async with self as stream:
            return await stream.get_final_message()

    async def close(self) -> None:
        """Ends the stream if it was opened. Closing twice is fine."""
        if self._stream is not None:
            await self._stream.close()
