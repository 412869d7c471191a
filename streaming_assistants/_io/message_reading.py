"""How a response to ``messages.list(stream=True)`` is read: streamed, or followed by polling.

What a chunk is, and what to ask next on a server that does not stream this endpoint, is decided
in ``_protocol/chunks.py`` and ``_protocol/follow.py``. The functions of a pair differ by ``async`` and
``await``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from functools import cached_property, partial
from typing import Any, NamedTuple

import anyio
import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import Accumulator, ChunkReader, MessageChunk, ServerFailed
from streaming_assistants._protocol.events import Malformed
from streaming_assistants._protocol.follow import Answer, Follow, Look
from streaming_assistants._protocol.plan import WaitedTooLong
from streaming_assistants._protocol.settle import Pause
from streaming_assistants._protocol.waits import Waits
from streaming_assistants.errors import MalformedEventError, NoFinalObjectError, PollTimeoutError

from .drive import called, called_async
from .reading import broken, reported

_KEY, BETA = "streaming_assistants", "openai-beta"


class Following(NamedTuple):
    """What a stream needs to know for a server that does not stream; kept with the response.

    ``options`` are the SDK's request options for what is fetched.
    """

    thread_id: str
    run_id: str | None
    waits: Waits
    options: dict[str, Any]

    def keep(self, response: Any) -> None:
        """Puts it where the stream finds it: a raw response makes its stream later, and by itself."""
        response.extensions[_KEY] = self

    def too_late(self, request: object, run_id: str | None = None, status: str | None = None) -> Exception:
        """The error of a deadline that passed."""
        run = f"run {run_id}" if run_id else "the run"
        return PollTimeoutError(
            f"max_wait_seconds passed while {run} of thread {self.thread_id} was {status or 'unknown'}. "
            "It was left alone: list its messages again, or cancel it.",
            request,
            id=run_id or self.thread_id,
            status=status,
        )


def streamed(response: Any) -> bool:
    """Whether a response is a stream of events."""
    kind = response.headers.get("content-type", "").lower()
    return bool(response.status_code < 400 and kind.startswith("text/event-stream"))


class Reading:
    """What both colours do with a response besides waiting for it. Not a base class: see streams.py.

    The generators below hold this and not the stream, so that a stream that is dropped is closed at once.
    """

    def __init__(self, response: Any, client: Any) -> None:
        self.response, self.client = response, client
        self.request = response.request
        self.reader = ChunkReader()
        self.message = Accumulator()
        self.stopped = False  # by the caller, and not because it came to its end
        self.heard = False  # of a chunk

    @cached_property
    def _following(self) -> Following:
        found: Following = self.response.extensions[_KEY]
        return found

    @cached_property
    def follow(self) -> Follow:
        kept = self._following
        kept.waits.begin()
        return Follow(kept.thread_id, kept.run_id, kept.waits)

    @property
    def streams(self) -> bool:
        """Whether the server streams this endpoint; one that does not answers with a page or an error."""
        return streamed(self.response)

    @property
    def _guessed(self) -> bool:
        """Whether it was asked for under a version that the client does not speak."""
        spoken = [text for name, text in self._following.options["headers"].items() if name.lower() == BETA]
        return [self.request.headers.get(BETA)] != spoken

    def fed(self, data: bytes) -> Iterator[MessageChunk]:
        return self._taken(self.reader.feed(data))

    def closed(self) -> Iterator[MessageChunk]:
        return self._taken(self.reader.close())

    def _taken(self, found: Iterator[MessageChunk]) -> Iterator[MessageChunk]:
        for chunk in found:
            self.heard = True
            self.message.add(chunk)
            yield chunk

    @contextlib.contextmanager
    def guess(self) -> Iterator[None]:
        """Lets a stream of a version that was only tried fail before its first chunk, unless in words."""
        try:
            yield
        except (ServerFailed, Malformed, *_sdk.transport_errors()) as error:
            if self.heard or not self._guessed or getattr(error, "body", None) is not None:
                raise

    @property
    def follows(self) -> bool:
        """Whether the messages have to be asked for: there was no stream, or nothing in it.

        A server that does not know the thread may answer with a stream that just ends.
        """
        return not (self.heard or self.stopped)

    def options(self, look: Look) -> dict[str, Any]:
        given = self._following.options
        return {**given, "params": {**given.get("params", {}), **look.query}}

    def answer(self, response: Any) -> Answer:
        try:
            value = _sdk.loads(response.content)
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
            raise reported(str(error), self.request, error.body) from error
        except WaitedTooLong as error:
            follow = self.follow
            raise self._following.too_late(self.request, follow.run_id, follow.status) from error
        except ValueError as error:
            said = f"The server's answer is no message: {error}"
            raise MalformedEventError(said, self.request, event="", data=b"") from error
        except _sdk.transport_errors() as error:
            if not self.stopped:
                raise broken(error, self.request) from error

    def final(self) -> Any:
        if not self.heard and self.follow.message is not None:
            self.message.hold(self.follow.message)
        try:
            found = self.message.message()
        except ValueError as error:
            said = f"The server's message is none: {error}"
            raise MalformedEventError(said, self.request, event="", data=b"") from error
        if found is None:
            raise NoFinalObjectError("No message found: the stream ended without one.")
        return found


def chunks(reading: Reading) -> Generator[Any, None, None]:
    response = reading.response
    try:
        with reading.errors():
            if reading.streams:
                with reading.guess():
                    for data in response.iter_bytes():
                        yield from reading.fed(data)
                        if reading.reader.done:
                            break
                    yield from reading.closed()
            if reading.follows:
                response.close()
                yield from _followed(reading)
    finally:
        response.close()


def _followed(reading: Reading) -> Iterator[MessageChunk]:
    plan, answer = reading.follow.plan(), None
    while not reading.stopped:
        try:
            step = plan.send(answer)
        except StopIteration:
            return
        answer = None
        if isinstance(step, Look):
            answer = _looked(step, reading)
        elif isinstance(step, Pause):
            time.sleep(step.seconds)
        else:
            yield step


def _looked(look: Look, reading: Reading) -> Answer:
    cast_to, options = _sdk.response_class(), reading.options(look)
    try:
        asked = partial(reading.client.get, look.path, cast_to=cast_to, options=options)
        return reading.answer(called(asked, reading.follow.waits.left()))
    except openai.APIStatusError as error:
        return reading.refused(look, error)


async def chunks_async(reading: Reading) -> AsyncGenerator[Any, None]:
    response = reading.response
    try:
        with reading.errors():
            if reading.streams:
                with reading.guess():
                    async for data in response.aiter_bytes():
                        for chunk in reading.fed(data):
                            yield chunk
                        if reading.reader.done:
                            break
                    for chunk in reading.closed():
                        yield chunk
            if reading.follows:
                await response.aclose()
                async for chunk in _followed_async(reading):
                    yield chunk
    finally:
        await response.aclose()


async def _followed_async(reading: Reading) -> AsyncIterator[MessageChunk]:
    plan, answer = reading.follow.plan(), None
    while not reading.stopped:
        try:
            step = plan.send(answer)
        except StopIteration:
            return
        answer = None
        if isinstance(step, Look):
            answer = await _looked_async(step, reading)
        elif isinstance(step, Pause):
            await anyio.sleep(step.seconds)
        else:
            yield step


async def _looked_async(look: Look, reading: Reading) -> Answer:
    cast_to, options = _sdk.response_class(), reading.options(look)
    try:
        asked = partial(reading.client.get, look.path, cast_to=cast_to, options=options)
        return reading.answer(await called_async(asked, reading.follow.waits.left()))
    except openai.APIStatusError as error:
        return reading.refused(look, error)


def texts(chunk: Any) -> Iterator[str]:
    """What a chunk's texts grew by, empty ones left out."""
    for message in chunk.data:
        for item in message.content:
            if item.delta.value:
                yield item.delta.value
