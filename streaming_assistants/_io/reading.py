"""What reading a response is besides waiting for it: state, judgement, errors. No colour."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Generic, TypeVar

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import ChunkReader, ServerFailed
from streaming_assistants._protocol.events import EventReader, Malformed, kind_of
from streaming_assistants._protocol.failures import failure, is_failure
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Received
from streaming_assistants._protocol.settle import Owed, Pending, Progress, settle
from streaming_assistants._sdk.untyped import AnyClient, HttpRequest, HttpResponse, Model
from streaming_assistants.errors import (
    IncompleteStreamError,
    MalformedEventError,
    both,
)

ReaderT = TypeVar("ReaderT", EventReader, ChunkReader)


class Reading(Generic[ReaderT]):
    """One response being read.

    It does not know its stream, whose generator holds it: a stream that is dropped closes at once, and not
    when the garbage collector finds a cycle. Nor is it a base class of streams: the SDK reads a stream's
    type from its bases, and trips over one that is not generic.
    """

    reader: ReaderT

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


class RunReading(Reading[EventReader]):
    """The stream of a run."""

    noun = "event"

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


def reported(message: str, request: HttpRequest, body: object) -> openai.APIError:
    """The error that a server reports in what it sends."""
    error = both(openai.APIError)(message, request, body=body)
    error.body = body  # releases before 1.3 do not keep it
    return error


def broken(error: Exception, request: HttpRequest) -> openai.APIConnectionError:
    """A transport's error as the SDK's, and still the transport's: ``except`` finds it by either class."""
    if isinstance(error, _sdk.timeout_errors()):
        return both(openai.APITimeoutError, type(error))(request=request)
    said = f"Connection error: {str(error) or type(error).__name__}"
    return both(openai.APIConnectionError, type(error))(message=said, request=request)
