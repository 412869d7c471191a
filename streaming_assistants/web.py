"""Streams for browsers: the API's own events as a ``text/event-stream``, for any web framework.

    return StreamingResponse(sse(client.beta.threads.runs.stream(...)), media_type="text/event-stream")

Nothing here depends on a framework: what comes back yields bytes.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, suppress
from functools import partial
from typing import TypeAlias, overload

import anyio

from ._io.loops import spawn
from ._protocol.browser_frames import Outbox
from ._protocol.waits import checked_seconds
from ._sdk.untyped import Model

Stream: TypeAlias = "Iterable[Model] | AbstractContextManager[Iterable[Model]]"
AsyncStream: TypeAlias = "AsyncIterable[Model] | AbstractAsyncContextManager[AsyncIterable[Model]]"


@overload
def sse(stream: AsyncStream, *, keep_alive: float | None = 15) -> AsyncIterator[bytes]: ...
@overload
def sse(stream: Stream, *, keep_alive: float | None = 15) -> Iterator[bytes]: ...
def sse(
    stream: Stream | AsyncStream, *, keep_alive: float | None = 15
) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The bytes of a ``text/event-stream`` with the events of ``stream``, one frame in each piece.

    ``stream`` is what ``runs.create(stream=True)`` or a ``.stream()`` helper gives, of either colour; one
    that was not entered is entered when the first piece is asked for, and left at the end. ``keep_alive``
    is how many seconds of silence are filled with a comment, None for none.

    The last frame is ``done``. An error that the server reported is an ``error`` event with its message;
    of any other the reader learns that there was one, and the log of ``streaming_assistants`` has it. Where
    the reader leaves, the stream is closed, also while it waits. Raises TypeError for what is no stream,
    and ValueError for a ``keep_alive`` that never ends or never begins.
    """
    keep_alive = checked_seconds("keep_alive", keep_alive)
    if hasattr(stream, "__aiter__") or hasattr(stream, "__aenter__"):
        return _frames_async(stream, keep_alive)  # type: ignore[arg-type]
    if hasattr(stream, "__iter__") or hasattr(stream, "__enter__"):
        return _frames(stream, keep_alive)  # type: ignore[arg-type]
    raise TypeError(f"sse() takes a stream of events, got {type(stream).__name__}; await a coroutine first.")


def _frames(stream: Stream, keep_alive: float | None) -> Iterator[bytes]:
    relay = _Relay(stream)
    run = partial(contextvars.copy_context().run, relay.run)
    threading.Thread(target=run, name="streaming_assistants: sse", daemon=True).start()
    try:
        while not relay.box.is_over:
            yield from relay.taken(keep_alive)
    finally:
        relay.leave()


class _Relay:
    """Reads a stream in a thread of its own, so that its silence can be filled."""

    def __init__(self, stream: Stream) -> None:
        self.box = Outbox()
        self._changed = threading.Condition()  # whoever changes the box holds it
        self._stream = stream
        self._entered: Model = None

    def run(self) -> None:
        error: BaseException | None = None
        try:
            with ExitStack() as stack:
                stream: Model = self._stream
                if not hasattr(stream, "__iter__"):
                    stream = stack.enter_context(stream)
                self._entered = stream
                stack.callback(self._close)
                if not self.box.is_left:
                    self._read(stream)
        except BaseException as raised:
            error = raised
            if not isinstance(raised, Exception):
                raise
        finally:
            with self._changed:
                self.box.end(error)
                self._changed.notify_all()

    def _read(self, stream: Iterable[Model]) -> None:
        for event in stream:
            with self._changed:
                self.box.tell(event)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self.box.has_room)
            if self.box.is_left:
                return

    def taken(self, seconds: float | None) -> Iterator[bytes]:
        """What there is to send: at once, or after so many seconds of silence."""
        with self._changed:
            self._changed.wait_for(lambda: self.box.has_some, seconds)
            frames = self.box.taken()
            self._changed.notify_all()
        return frames

    def leave(self) -> None:
        """Closes the stream; the thread ends with what it is waiting for, and is not waited for."""
        with self._changed:
            self.box.is_left = True
            self._changed.notify_all()
        with suppress(ValueError):  # a generator that runs in the thread, and ends there
            self._close()

    def _close(self) -> None:
        close = getattr(self._entered, "close", None)
        if close is not None:
            close()


async def _frames_async(stream: AsyncStream, keep_alive: float | None) -> AsyncIterator[bytes]:
    relay = _AsyncRelay(stream)
    task = spawn(relay.run)  # noqa: F841  (the loop holds tasks by weak references)
    try:
        while not relay.box.is_over:
            for frame in await relay.taken(keep_alive):
                yield frame
    finally:
        with anyio.CancelScope(shield=True):
            await relay.leave()


class _AsyncRelay:
    """Reads a stream in a task of its own: a wait that is given up would be the end of the stream."""

    def __init__(self, stream: AsyncStream) -> None:
        self.box = Outbox()
        self._stream = stream
        self._scope = anyio.CancelScope()
        self._came = anyio.Event()
        self._taken = anyio.Event()
        self._ended = anyio.Event()

    async def run(self) -> None:
        error: BaseException | None = None
        try:
            with self._scope:
                await self._read()
        except BaseException as raised:
            error = raised
            if not isinstance(raised, Exception):
                raise
        finally:
            self.box.end(error)
            self._came.set()
            self._ended.set()

    async def _read(self) -> None:
        stream: Model = self._stream
        if not hasattr(stream, "__aiter__"):
            async with stream as entered:
                return await self._read_all(entered)
        try:
            await self._read_all(stream)
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await close()

    async def _read_all(self, stream: AsyncIterable[Model]) -> None:
        async for event in stream:
            self.box.tell(event)
            self._came.set()
            while not self.box.has_room:
                self._taken = anyio.Event()
                await self._taken.wait()

    async def taken(self, seconds: float | None) -> Iterator[bytes]:
        """What there is to send: at once, or after so many seconds of silence."""
        if not self.box.has_some:
            self._came = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._came.wait()
        frames = self.box.taken()
        self._taken.set()
        return frames

    async def leave(self) -> None:
        """Breaks off what is read, and waits until the stream is closed."""
        self.box.is_left = True
        self._scope.cancel()
        await self._ended.wait()
