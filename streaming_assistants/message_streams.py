"""The streams of ``messages.list(stream=True)``, in both colours.

What a chunk is, and what to do on a server that does not stream this endpoint, is decided in
``wire/chunks.py`` and ``runs/follow.py``; the classes of a pair differ by ``async`` and ``await``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import anyio
import openai
from openai import AsyncStream, Stream

from . import _sdk
from .errors import MalformedEventError, NoFinalObjectError, WaitTimeoutError
from .runs.follow import Answer, Follow, Look
from .runs.settle import Pause
from .runs.waiting import WaitedTooLong, Waits
from .streams import broken
from .wire.chunks import Accumulator, ChunkReader, MessageChunk, ServerFailed
from .wire.events import Malformed

ChunkT = TypeVar("ChunkT")

_KEY = "streaming_assistants"


class Following(NamedTuple):
    """What a stream needs to know for a server that does not stream; kept with the response.

    ``options`` are the SDK's request options for what is fetched.
    """

    thread_id: str
    run_id: str | None
    poll_interval_ms: int | None
    max_wait_seconds: float | None
    options: dict[str, Any]

    def keep(self, response: Any) -> None:
        """Puts it where the stream finds it: a raw response makes its stream later, and by itself."""
        response.extensions[_KEY] = self


class _Reading:
    """What both colours do with a response besides waiting for it. Not a base class: see streams.py."""

    def __init__(self, response: Any) -> None:
        self.reader = ChunkReader()
        self.message = Accumulator()
        self.request = response.request
        following: Following = response.extensions[_KEY]
        kind = response.headers.get("content-type", "")
        self.streams = response.status_code < 400 and kind.startswith("text/event-stream")
        self._options = following.options
        waits = Waits(following.poll_interval_ms, following.max_wait_seconds, time.monotonic)
        self.follow = Follow(following.thread_id, following.run_id, waits)

    def fed(self, data: bytes) -> Iterator[MessageChunk]:
        for chunk in self.reader.feed(data):
            self.message.add(chunk)
            yield chunk

    def closed(self) -> Iterator[MessageChunk]:
        for chunk in self.reader.close():
            self.message.add(chunk)
            yield chunk

    def options(self, look: Look) -> dict[str, Any]:
        return {**self._options, "params": {**self._options.get("params", {}), **look.query}}

    def answer(self, response: Any) -> Answer:
        try:
            value = _sdk.json_parser()(response.content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise MalformedEventError(
                f"Expected a JSON object from {response.request.url}, got {response.text[:80]!r}",
                response.request,
                event="",
                data=response.content,
            )
        return Answer(value, {name.lower(): text for name, text in response.headers.items()})

    def refused(self, look: Look, error: openai.APIStatusError) -> Answer:
        if look.optional and error.status_code in (404, 405, 501):
            return Answer(None, {})
        raise error

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what a decision or the transport raises into what a caller expects."""
        follow = self.follow
        try:
            yield
        except Malformed as error:
            raise MalformedEventError(
                f"The stream holds a frame that is no chunk of a message: {error}",
                self.request,
                event=error.frame.event,
                data=error.frame.data,
            ) from error
        except ServerFailed as error:
            failed = openai.APIError(str(error), self.request, body=error.body)
            failed.body = error.body  # releases before 1.3 do not keep it
            raise failed from error
        except WaitedTooLong as error:
            run = f"run {follow.run_id}" if follow.run_id else "the run"
            raise WaitTimeoutError(
                f"max_wait_seconds passed while {run} of thread {follow.thread_id} was "
                f"{follow.status or 'unknown'}; the run goes on.",
                self.request,
                run_id=follow.run_id,
                thread_id=follow.thread_id,
                status=follow.status,
            ) from error
        except _sdk.transport_errors() as error:
            raise broken(error, self.request) from error

    def final(self) -> Any:
        if self.follow.message is not None:
            self.message.hold(self.follow.message)
        found = self.message.message()
        if found is None:
            raise NoFinalObjectError("No message found: the stream ended without one.")
        return found


class MessageStream(Stream[ChunkT]):
    """The newest message of a thread while it grows, as MessageChunks: an ``openai.Stream``.

    Ends where the server ends it, or where the message's run does. Raises ``openai.APIError`` for an
    error that the server reports, an exception that is both ``openai.APIConnectionError`` and the
    transport's own for a broken connection, MalformedEventError for a frame that is no chunk, and
    WaitTimeoutError for ``max_wait_seconds``.
    """

    def __stream__(self) -> Iterator[ChunkT]:
        self._chunks: Any = self._read()
        found: Iterator[ChunkT] = self._chunks
        return found

    @cached_property
    def _reading(self) -> _Reading:
        return _Reading(self.response)

    def _read(self) -> Iterator[Any]:
        reading = self._reading
        try:
            with reading.errors():
                if not reading.streams:
                    yield from self._followed(reading)
                    return
                for data in self.response.iter_bytes():
                    yield from reading.fed(data)
                    if reading.reader.done:
                        return
                yield from reading.closed()
        finally:
            self.response.close()

    def _followed(self, reading: _Reading) -> Iterator[MessageChunk]:
        self.response.close()
        plan, answer = reading.follow.plan(), None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(step, Look):
                answer = self._looked(step, reading)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                yield step

    def _looked(self, look: Look, reading: _Reading) -> Answer:
        client: Any = self._client
        cast_to, options = _sdk.response_class(), reading.options(look)
        try:
            return reading.answer(client.get(look.path, cast_to=cast_to, options=options))
        except openai.APIStatusError as error:
            return reading.refused(look, error)

    @property
    def text_deltas(self) -> Iterator[str]:
        """What the text grows by, piece by piece."""
        for chunk in self:
            yield from _texts(chunk)

    def get_final_message(self) -> Any:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        for _ in self:
            pass
        return self._reading.final()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream and releases the connection. Closing twice is fine."""
        if not self._chunks.gi_running:
            self._chunks.close()
        self.response.close()


class AsyncMessageStream(AsyncStream[ChunkT]):
    """The async form of :class:`MessageStream`: an ``openai.AsyncStream``."""

    def __stream__(self) -> AsyncIterator[ChunkT]:
        self._chunks: Any = self._read()
        found: AsyncIterator[ChunkT] = self._chunks
        return found

    @cached_property
    def _reading(self) -> _Reading:
        return _Reading(self.response)

    async def _read(self) -> AsyncIterator[Any]:
        reading = self._reading
        try:
            with reading.errors():
                if not reading.streams:
                    async for step in self._followed(reading):
                        yield step
                    return
                async for data in self.response.aiter_bytes():
                    for chunk in reading.fed(data):
                        yield chunk
                    if reading.reader.done:
                        return
                for chunk in reading.closed():
                    yield chunk
        finally:
            await self.response.aclose()

    async def _followed(self, reading: _Reading) -> AsyncIterator[MessageChunk]:
        await self.response.aclose()
        plan, answer = reading.follow.plan(), None
        while True:
            try:
                step = plan.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(step, Look):
                answer = await self._looked(step, reading)
            elif isinstance(step, Pause):
                await anyio.sleep(step.seconds)
            else:
                yield step

    async def _looked(self, look: Look, reading: _Reading) -> Answer:
        client: Any = self._client
        cast_to, options = _sdk.response_class(), reading.options(look)
        try:
            return reading.answer(await client.get(look.path, cast_to=cast_to, options=options))
        except openai.APIStatusError as error:
            return reading.refused(look, error)

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """What the text grows by, piece by piece."""
        async for chunk in self:
            for text in _texts(chunk):
                yield text

    async def get_final_message(self) -> Any:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        async for _ in self:
            pass
        return self._reading.final()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the stream and releases the connection. Closing twice is fine."""
        if not self._chunks.ag_running:
            await self._chunks.aclose()
        await self.response.aclose()

    async def aclose(self) -> None:
        """The same as :meth:`close`."""
        await self.close()


class PendingMessageStream:
    """What ``messages.list(stream=True)`` of an async client gives; the request is made on first use.

    ``await`` it for the AsyncMessageStream, as ``create(stream=True)`` of the SDK is awaited; or go
    through it with ``async for``, as the SDK's ``list()``; or enter it with ``async with``.
    """

    def __init__(self, request: Callable[[], Awaitable[Any]]) -> None:
        self._request = request
        self._stream: Any = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._opened().__await__()

    async def _opened(self) -> Any:
        if self._stream is None:
            self._stream = await self._request()
        return self._stream

    async def __aiter__(self) -> AsyncIterator[MessageChunk]:
        async with self as stream:
            async for chunk in stream:
                yield chunk

    async def __aenter__(self) -> Any:
        return await self._opened()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """What the text grows by, piece by piece."""
        async for chunk in self:
            for text in _texts(chunk):
                yield text

    async def get_final_message(self) -> Any:
        """Reads to the end; the whole Message. Raises NoFinalObjectError for none."""
        async with self as stream:
            return await stream.get_final_message()

    async def close(self) -> None:
        """Ends the stream if it was opened. Closing twice is fine."""
        if self._stream is not None:
            await self._stream.close()


def _texts(chunk: Any) -> Iterator[str]:
    for message in chunk.data:
        for item in message.content:
            if item.delta.value:
                yield item.delta.value
