"""What reading a response is besides waiting for it: state, judgement, errors. No colour."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any, NamedTuple

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import Accumulator, ChunkReader, MessageChunk, ServerFailed
from streaming_assistants._protocol.events import EventReader, Malformed, kind_of
from streaming_assistants._protocol.failures import failure, is_failure
from streaming_assistants._protocol.follow import Follow
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Received, WaitedTooLong
from streaming_assistants._protocol.settle import Owed, Pending, Progress, settle
from streaming_assistants._protocol.waits import Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Model
from streaming_assistants.errors import (
    IncompleteStreamError,
    MalformedEventError,
    NoFinalObjectError,
    PollTimeoutError,
    both,
)

_KEY, BETA = "streaming_assistants", "openai-beta"


class Reading:
    """One response being read.

    It does not know its stream, whose generator holds it: a stream that is dropped closes at once, and not
    when the garbage collector finds a cycle. Nor is it a base class of streams: the SDK reads a stream's
    type from its bases, and trips over one that is not generic.
    """

    reader: EventReader | ChunkReader

    noun: str
    """What a frame is expected to be."""

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        self.response = response
        self.client = client
        self.request = response.request
        self.closed = False  # by the caller, and not because it came to its end

    @property
    def streams(self) -> bool:
        """Whether the response is a stream at all."""
        return True

    def feed(self, data: bytes) -> Iterator[Model]:
        """What the next bytes of the body complete."""
        return self.reader.feed(data)

    def last(self) -> Iterator[Model]:
        """What the end of the body completes."""
        return self.reader.close()

    def rest(self) -> Plan[None]:
        """Says what the body did not bring and the server has all the same."""
        raise NotImplementedError

    def asked(self, ask: Ask) -> Invoke:
        """How the client is asked for it."""
        raise NotImplementedError

    def stopped(self) -> bool:
        return self.closed

    def attempt(self) -> contextlib.AbstractContextManager[None]:
        """Around the body, whose errors it may forgive."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what a decision or the transport raises into what a caller expects."""
        try:
            yield
        except Malformed as error:
            raise MalformedEventError(
                f"The stream holds a frame that is no {self.noun}: {error}",
                self.request,
                event=error.frame.event,
                data=error.frame.data,
            ) from error
        except ServerFailed as error:
            raise reported(str(error), self.request, error.body) from error
        except _sdk.transport_errors() as error:
            if not self.closed:
                raise broken(error, self.request) from error


class RunReading(Reading):
    """The stream of a run."""

    noun = "event"
    reader: EventReader

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        super().__init__(response, client)
        self._progress = Progress()
        self._progress.at(*_sdk.sent(response))
        self._events = 0
        self.reader = EventReader(self._see)

    def _see(self, event: Model) -> None:
        """Raises the error that an ``error`` event is."""
        self._events += 1
        if event.event == "error":
            raise reported(event.data.message, self.request, _sdk.dump(event.data))
        self._progress.see(event)

    def rest(self) -> Plan[None]:
        """Settles a stream that did not come to its end."""
        if self.closed or self.reader.done or self._progress.ended:
            return
        answer = None if self._events else self.reader.plain()
        if is_failure(answer):
            said = failure(answer)
            raise reported(said["message"], self.request, said)
        try:
            yield from settle(self._progress, self._owed)
        except Pending as error:
            raise self._incomplete(error.status) from None
        except (openai.APIError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise self._incomplete(None, error) from error

    def _owed(self, owed: Owed) -> Model:
        kind = kind_of(owed.event)
        assert kind is not None  # settle owes events of the API only
        event = kind.lenient(owed.data)
        self._progress.see(event)
        return event

    def asked(self, ask: Ask) -> Invoke:
        beta = self.request.headers.get("OpenAI-Beta", "assistants=v2")
        retries = {} if ask.retries is None else {"max_retries": ask.retries}
        options = {"params": ask.query, "headers": {"OpenAI-Beta": beta}, **retries}
        make = partial(self.client.get, ask.path, cast_to=_sdk.JSON_OBJECT, options=options)
        return Invoke(make, ask.within, lambda value: Received(value, {}))

    def _incomplete(self, status: str | None, cause: Exception | None = None) -> IncompleteStreamError:
        progress = self._progress
        if not self._events and progress.run_id is None:
            kind = self.response.headers.get("content-type", "no content type")
            said = f"the answer ({kind}) held no event of a run"
        elif progress.run_id is None:
            said = "it named no run to ask the server about"
        elif cause is not None:
            said = f"asking the server for run {progress.run_id} failed: {cause}"
        else:
            said = f"the server says that run {progress.run_id} is {status or 'unknown'}"
        hint = ""
        if progress.run_id is not None:
            hint = "; poll the run to see how it ends"
        elif progress.thread_id is not None:
            hint = f"; list the runs of thread {progress.thread_id} to see whether one was started"
        return IncompleteStreamError(
            f"The stream ended before its run did, and {said}{hint}.",
            self.request,
            run_id=progress.run_id,
            thread_id=progress.thread_id,
            status=status or progress.status,
        )


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


class MessageReading(Reading):
    """The answer to ``messages.list(stream=True)``: streamed, or followed by polling."""

    noun = "chunk of a message"
    reader: ChunkReader

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


def reported(message: str, request: object, body: object) -> openai.APIError:
    """The error that a server reports in what it sends."""
    error: openai.APIError = both(openai.APIError)(message, request, body=body)
    error.body = body  # releases before 1.3 do not keep it
    return error


def broken(error: Exception, request: object) -> openai.APIConnectionError:
    """A transport's error as the SDK's, and still the transport's: ``except`` finds it by either class."""
    is_timeout = isinstance(error, _sdk.timeout_errors())
    sdks: Any = openai.APITimeoutError if is_timeout else openai.APIConnectionError
    transports: Any = type(error)
    words = {} if is_timeout else {"message": f"Connection error: {str(error) or transports.__name__}"}
    made: openai.APIConnectionError = both(sdks, transports)(request=request, **words)
    return made
