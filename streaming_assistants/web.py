"""Streams for browsers: the API's own events as a ``text/event-stream``, for any web framework.

    return StreamingResponse(sse(client.beta.threads.runs.stream(...)), media_type="text/event-stream")

Nothing here depends on a framework: what comes back yields bytes.
"""

from __future__ import annotations

import contextvars
import json
import logging
import queue
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, suppress
from functools import partial
from typing import TypeAlias, overload

import anyio
import openai
from pydantic import BaseModel

from . import _sdk
from ._io.loops import spawn
from ._protocol.failures import failure
from ._sdk.untyped import Model
from .errors import StreamingAssistantsError

logger = logging.getLogger("streaming_assistants")

Stream: TypeAlias = "Iterable[Model] | AbstractContextManager[Iterable[Model]]"
AsyncStream: TypeAlias = "AsyncIterable[Model] | AbstractAsyncContextManager[AsyncIterable[Model]]"

_SILENCE = b": keep-alive\n\n"
_DONE = b"event: done\ndata: [DONE]\n\n"
_AHEAD = 64  # frames that are kept for a reader who is slower than the stream


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
    the reader leaves, the stream is closed, also while it waits. Raises TypeError for what is no stream.
    """
    if hasattr(stream, "__aiter__") or hasattr(stream, "__aenter__"):
        return _frames_async(stream, keep_alive)  # type: ignore[arg-type]
    if hasattr(stream, "__iter__") or hasattr(stream, "__enter__"):
        return _frames(stream, keep_alive)  # type: ignore[arg-type]
    raise TypeError(f"sse() takes a stream of events, got {type(stream).__name__}; await a coroutine first.")


def _frame(event: Model) -> bytes:
    data = event.data
    if isinstance(data, BaseModel):
        data = _sdk.dump(data)
    # ASCII, as half of a surrogate pair has no bytes of its own.
    return b"event: %s\ndata: %s\n\n" % (_line(event.event), json.dumps(data).encode())


def _line(name: str) -> bytes:
    return " ".join(name.split()).encode("utf-8", "replace")


def _failure(error: Exception) -> bytes:
    """What a reader is told of an error; the log is told all of it."""
    logger.error("A stream to the web broke off.", exc_info=error)
    said = {"message": "The stream broke off.", "type": "server_error", "param": None, "code": None}
    ours = (openai.APIConnectionError, StreamingAssistantsError)
    if isinstance(error, openai.APIError) and not isinstance(error, ours):
        body = getattr(error, "body", None)  # releases before 1.3 do not keep it
        words = {name: getattr(error, name, None) for name in ("message", "code", "param")}
        said = {**said, **(failure(body) if isinstance(body, dict) else words)}
    return b"event: error\ndata: %s\n\n" % json.dumps({"error": said}).encode()


def _frames(stream: Stream, keep_alive: float | None) -> Iterator[bytes]:
    relay = _Relay(stream)
    run = partial(contextvars.copy_context().run, relay.run)
    threading.Thread(target=run, name="streaming_assistants: sse", daemon=True).start()
    try:
        while True:
            try:
                frame = relay.frames.get(timeout=keep_alive)
            except queue.Empty:
                frame = _SILENCE
            if frame is None:
                return
            yield frame
    finally:
        relay.leave()


class _Relay:
    """Reads a stream in a thread of its own, so that its silence can be filled."""

    def __init__(self, stream: Stream) -> None:
        self.frames: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._stream = stream
        self._left = threading.Event()
        self._entered: Model = None

    def run(self) -> None:
        try:
            with ExitStack() as stack:
                stream: Model = self._stream
                if not hasattr(stream, "__iter__"):
                    stream = stack.enter_context(stream)
                self._entered = stream
                stack.callback(self._close)
                if not self._left.is_set():
                    self._read(stream)
        except Exception as error:  # noqa: BLE001  (the reader and the log are told)
            self._put(_failure(error))
        self._put(_DONE)
        self._put(None)

    def _read(self, stream: Iterable[Model]) -> None:
        for event in stream:
            self._put(_frame(event))
            if self._left.is_set():
                return

    def _put(self, frame: bytes | None) -> None:
        while not self._left.is_set():
            with suppress(queue.Full):
                return self.frames.put(frame, timeout=1)

    def leave(self) -> None:
        """Closes the stream; the thread ends with what it is waiting for, and is not waited for."""
        self._left.set()
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
        while True:
            await relay.wait(keep_alive)
            frames, relay.frames = relay.frames or [_SILENCE], []
            for frame in frames:
                if frame is None:
                    return
                yield frame
    finally:
        with anyio.CancelScope(shield=True):
            await relay.leave()


class _AsyncRelay:
    """Reads a stream in a task of its own: a wait that is given up would be the end of the stream."""

    def __init__(self, stream: AsyncStream) -> None:
        self.frames: list[bytes | None] = []
        self._stream = stream
        self._scope = anyio.CancelScope()
        self._came = anyio.Event()
        self._taken = anyio.Event()
        self._ended = anyio.Event()

    async def run(self) -> None:
        try:
            with self._scope:
                try:
                    await self._read()
                except Exception as error:  # noqa: BLE001  (the reader and the log are told)
                    self._put(_failure(error))
                self._put(_DONE)
                self._put(None)
        finally:
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
            self._put(_frame(event))
            while len(self.frames) >= _AHEAD:
                self._taken = anyio.Event()
                await self._taken.wait()

    def _put(self, frame: bytes | None) -> None:
        self.frames.append(frame)
        self._came.set()

    async def wait(self, seconds: float | None) -> None:
        """Until there are frames, or for so long."""
        self._taken.set()
        if not self.frames:
            self._came = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._came.wait()

    async def leave(self) -> None:
        """Breaks off what is read, and waits until the stream is closed."""
        self._scope.cancel()
        await self._ended.wait()
