"""What reading the answer to ``messages.list(stream=True)`` is besides waiting for it. No colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from typing import NamedTuple

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import Accumulator, ChunkReader, MessageChunk
from streaming_assistants._protocol.follow import Follow
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Read, Received, WaitedTooLong
from streaming_assistants._protocol.waits import Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Model
from streaming_assistants.errors import (
    MalformedEventError,
    NoFinalObjectError,
    PollTimeoutError,
)

from .raised import transport_broken
from .reading import Reading, Span

_KEY, BETA = "streaming_assistants", "openai-beta"


class Following(NamedTuple):
    """What a stream needs to know for a server that does not stream; kept with the response.

    ``options`` are the SDK's request options for what is fetched.
    """

    thread_id: str
    run_id: str | None
    wait: Wait
    options: Arguments

    def keep(self, response: HttpResponse) -> None:
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


class MessageReading(Reading[ChunkReader]):
    """One answer with chunks of a message, which are collected in ``message``."""

    def __init__(self, response: HttpResponse, message: Accumulator) -> None:
        super().__init__(response, ChunkReader(), "chunk of a message")
        self._message = message
        self.heard = False  # of a chunk

    def feed(self, data: bytes) -> Iterator[MessageChunk]:
        return self._added(super().feed(data))

    def last(self) -> Iterator[MessageChunk]:
        return self._added(super().last())

    def _added(self, chunks: Iterable[MessageChunk]) -> Iterator[MessageChunk]:
        for chunk in chunks:
            self.heard = True
            self._message.add(chunk)
            yield chunk


class MessageSpan(Span):
    """The answer to ``messages.list(stream=True)``: streamed, or followed by polling."""

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        super().__init__(response, client)
        self._message = Accumulator()
        self._reading = MessageReading(response, self._message)

    @cached_property
    def _following(self) -> Following:
        following: Following = self.response.extensions[_KEY]
        return following

    @cached_property
    def _follow(self) -> Follow:
        kept = self._following
        kept.wait.begin()
        return Follow(kept.thread_id, kept.run_id, kept.wait)

    def plan(self) -> Plan[None]:
        """Asks for the messages where there was no stream, or nothing in it.

        A server that does not know the thread may answer with a stream that just ends.
        """
        with transport_broken(self.request):
            yield from self._streamed()
            if not self._reading.heard:
                yield from self._followed()

    def _streamed(self) -> Plan[None]:
        if not is_stream(self.response):  # the server does not stream this endpoint
            yield Invoke(self.response.aclose if _sdk.is_async(self.client) else self.response.close)
            return
        try:
            yield Read(lambda: self.response, lambda _: self._reading)
        except (openai.APIError, *_sdk.transport_errors()) as error:
            # A version that was only tried may fail before its first chunk, unless in words.
            spoken = [
                text for name, text in self._following.options["headers"].items() if name.lower() == BETA
            ]
            was_guessed = [self.request.headers.get(BETA)] != spoken
            if self._reading.heard or not was_guessed or _worded(error):
                raise

    def _followed(self) -> Plan[None]:
        follow = self._follow
        try:
            yield from follow.plan()
        except WaitedTooLong as error:
            raise self._following.too_late(self.request, follow.run_id, follow.status) from error
        except ValueError as error:
            said = f"The server's answer is no message: {error}"
            raise MalformedEventError(said, self.request, event="", data=b"") from error

    def asked(self, ask: Ask) -> Invoke:
        given = self._following.options
        options = {**given, "params": {**given.get("params", {}), **ask.query}}
        make = partial(self.client.get, ask.path, cast_to=_sdk.response_class(), options=options)
        return Invoke(make, ask.within, _received)

    def final(self) -> Model:
        """The message. Raises NoFinalObjectError for none."""
        if not self._reading.heard and self._follow.message is not None:
            self._message.hold(self._follow.message)
        try:
            message = self._message.message()
        except ValueError as error:
            said = f"The server's message is none: {error}"
            raise MalformedEventError(said, self.request, event="", data=b"") from error
        if message is None:
            raise NoFinalObjectError("No message found: the stream ended without one.")
        return message


def is_stream(response: HttpResponse) -> bool:
    """Whether a response is a stream of events."""
    kind = response.headers.get("content-type", "").lower()
    return bool(response.status_code < 400 and kind.startswith("text/event-stream"))


def _worded(error: Exception) -> bool:
    """Whether the server said what is wrong."""
    return not isinstance(error, MalformedEventError) and getattr(error, "body", None) is not None


def _received(response: HttpResponse) -> Received:
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
    return Received(value, response.headers, response.request)
