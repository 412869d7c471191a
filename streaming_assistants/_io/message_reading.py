"""What reading the answer to ``messages.list(stream=True)`` is besides waiting for it. No colour."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property, partial
from typing import NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import Accumulator, ChunkReader, MessageChunk, ServerFailed
from streaming_assistants._protocol.events import Malformed
from streaming_assistants._protocol.follow import Follow
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Received, WaitedTooLong
from streaming_assistants._protocol.waits import Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Model
from streaming_assistants.errors import (
    MalformedEventError,
    NoFinalObjectError,
    PollTimeoutError,
)

from .reading import Reading

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
    """The answer to ``messages.list(stream=True)``: streamed, or followed by polling."""

    noun = "chunk of a message"

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        super().__init__(response, client)
        self.reader = ChunkReader()
        self._message = Accumulator()
        self._heard = False  # of a chunk

    @cached_property
    def _following(self) -> Following:
        found: Following = self.response.extensions[_KEY]
        return found

    @cached_property
    def _follow(self) -> Follow:
        kept = self._following
        kept.wait.begin()
        return Follow(kept.thread_id, kept.run_id, kept.wait)

    @property
    def streams(self) -> bool:
        """Whether the server streams this endpoint; one that does not answers with a page or an error."""
        return is_stream(self.response)

    def feed(self, data: bytes) -> Iterator[MessageChunk]:
        return self._added(super().feed(data))

    def last(self) -> Iterator[MessageChunk]:
        return self._added(super().last())

    def _added(self, chunks: Iterator[MessageChunk]) -> Iterator[MessageChunk]:
        for chunk in chunks:
            self._heard = True
            self._message.add(chunk)
            yield chunk

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Lets a stream of a version that was only tried fail before its first chunk, unless in words."""
        try:
            yield
        except (ServerFailed, Malformed, *_sdk.transport_errors()) as error:
            spoken = [
                text for name, text in self._following.options["headers"].items() if name.lower() == BETA
            ]
            was_guessed = [self.request.headers.get(BETA)] != spoken
            if self._heard or not was_guessed or getattr(error, "body", None) is not None:
                raise

    def rest(self) -> Plan[None]:
        """Asks for the messages where there was no stream, or nothing in it.

        A server that does not know the thread may answer with a stream that just ends.
        """
        if self._heard or self.closed:
            return
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
        if not self._heard and self._follow.message is not None:
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
