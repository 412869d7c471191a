"""What reading a stream is besides waiting for it: state, judgement, errors. No colour."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.chunks import ChunkReader, ServerFailed
from streaming_assistants._protocol.dialects import Malformed, kind_of
from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.failures import failure, is_failure
from streaming_assistants._protocol.held import Owed
from streaming_assistants._protocol.numbers import NumberedFrames
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Read, Received
from streaming_assistants._protocol.resume import Told
from streaming_assistants._protocol.settle import Pending, Progress, settle
from streaming_assistants._protocol.tool_calls import ToolOutput
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Model
from streaming_assistants.errors import (
    IncompleteStreamError,
    MalformedEventError,
)

from .halt import Halt
from .raised import reported, transport_broken

ReaderT = TypeVar("ReaderT", EventReader, ChunkReader)

_KEY = "streaming_assistants"  # among the extensions of a response


class Reading(Generic[ReaderT]):
    """One response being read: a :class:`~streaming_assistants._protocol.plan.Body`.

    ``noun`` is what a frame is expected to be.
    """

    reader: ReaderT

    def __init__(self, response: HttpResponse, reader: ReaderT, noun: str) -> None:
        self.response = response
        self.reader = reader
        self.noun = noun

    def feed(self, data: bytes) -> Iterable[Model]:
        """What the next bytes of the body complete."""
        return self.reader.feed(data)

    def last(self) -> Iterator[Model]:
        """What the end of the body completes."""
        return self.reader.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what a decision or the transport raises into what a caller expects."""
        request = self.response.request
        with transport_broken(request):
            try:
                yield
            except Malformed as error:
                raise MalformedEventError(
                    f"The stream holds a frame that is no {self.noun}: {error}",
                    request,
                    event=error.frame.event,
                    data=error.frame.data,
                ) from error
            except ServerFailed as error:
                raise reported(str(error), request, error.body) from error


class Span:
    """What a stream tells from its first event to its last, in however many responses.

    It does not know its stream, whose generator holds it: a stream that is dropped closes at once, and not
    when the garbage collector finds a cycle. Nor is it a base class of streams: the SDK reads a stream's
    type from its bases, and trips over one that is not generic.
    """

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        self.response = response  # the first
        self.client = client
        self.request = response.request
        self.halt = Halt(response)

    def plan(self) -> Plan[None]:
        """Reads the response, and says what it did not bring and the server has all the same."""
        raise NotImplementedError

    def asked(self, ask: Ask) -> Invoke:
        """How the client is asked for it."""
        raise NotImplementedError

    def farewell(self, *, left: bool) -> Plan[None] | None:
        """The plan for when nothing is read any more; ``left``: before :meth:`plan` came to its end. None for
        nothing to do, as when it was done before."""
        return None


class ToldReading(Reading[EventReader]):
    """One answer with events of a run, each of which is shown to what knows all that was told."""

    def __init__(self, response: HttpResponse, reader: EventReader, told: Told) -> None:
        super().__init__(response, reader, "event")
        self._told = told

    def feed(self, data: bytes) -> Iterable[Model]:
        return self._shown(super().feed(data))

    def last(self) -> Iterator[Model]:
        return self._shown(super().last())

    def _shown(self, events: Iterable[Model]) -> Iterator[Model]:
        for event in events:
            self._told.see(event)
            yield event


class RunSpan(Span):
    """The stream of a run."""

    def __init__(self, response: HttpResponse, client: AnyClient) -> None:
        super().__init__(response, client)
        self.progress = Progress()
        self.progress.at(*_sdk.sent(response))
        self.heard = 0  # events of the answer that is read, but for deltas of messages
        self.has_answer = False  # what is asked for has begun to be answered
        self.told: Told | None = None  # for ways that have to know
        self.settles = True  # what just ends, unless a way goes on there
        self._has_parted = False
        self.goes_on = False  # at a required action: a way answers it
        self.on_tool_output: Callable[[Model, str], object] | None = None  # the handler's
        self.unsent: Callable[[], list[ToolOutput]] = list  # outputs that nobody has submitted

    def plan(self) -> Plan[None]:
        """Reads the response, goes on as the call wanted it, and settles what did not come to its end."""
        with transport_broken(self.request):
            plan = self.answer(lambda: self.response)
            for way in self.ways.whole:
                plan = way(self, plan)
            yield from plan

    def answer(self, make: Callable[[], Model]) -> Plan[None]:
        """The plan for one request's answer, to its end. ``make`` makes the request: it gives a stream of the
        SDK, a response, or for an async client an awaitable of either."""
        return self.wrapped(self.bare(make))

    def wrapped(self, plan: Plan[None]) -> Plan[None]:
        """A plan that reads one answer, with the ways around it that each answer has."""
        for way in self.ways.answer:
            plan = way(self, plan)
        return plan

    def bare(self, make: Callable[[], Model]) -> Plan[None]:
        """The same without the ways around it: what is read, and what settles it where it just ended."""
        self.heard, self.has_answer, self.progress.status = 0, False, None
        if self.told is not None:
            self.told.numbers.begin()
        reading: Reading[EventReader] = yield Read(make, self.reading)
        yield from self.rest(reading)

    def reading(self, answer: Model) -> Reading[EventReader]:
        """Reads what a request gave."""
        self.heard, self.has_answer = 0, True
        response = getattr(answer, "response", answer)
        if self.told is None:
            return Reading(response, EventReader(self._see), "event")
        return ToldReading(response, EventReader(self._see, NumberedFrames(self.told.numbers)), self.told)

    def listen(self) -> Told:
        """Has all that is told from now on known."""
        if self.told is None:
            self.told = Told(self.progress)
        return self.told

    def _see(self, event: Model) -> None:
        """Raises the error that an ``error`` event is."""
        self.heard += 1
        if event.event == "error":
            raise reported(event.data.message, self.halt.response.request, _sdk.dump(event.data))
        self.progress.see(event)

    def rest(self, reading: Reading[EventReader]) -> Plan[None]:
        """Settles a stream that did not come to its end."""
        if reading.reader.done or self.progress.ended:
            return
        answer = None if self.heard else reading.reader.plain()
        if is_failure(answer):
            said = failure(answer)
            raise reported(said["message"], reading.response.request, said)
        if not self.settles:
            raise self.incomplete(self.progress.status)
        try:
            yield from settle(self.progress, self.owed)
        except Pending as error:
            raise self.incomplete(error.status) from None
        except (openai.APIError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise self.incomplete(None, error) from error

    def owed(self, owed: Owed) -> Model:
        """The event by which the reader is told what is owed."""
        kind = kind_of(owed.event)
        assert kind is not None  # only events of the API are owed
        event = kind.lenient(owed.data)
        self.progress.see(event)
        if self.told is not None:
            self.told.see(event)
        return event

    @property
    def ways(self) -> Ways:
        """How the stream goes on, as its call wanted it."""
        return self.response.extensions.get(_KEY) or Ways()

    def asked(self, ask: Ask) -> Invoke:
        retries = {} if ask.retries is None else {"max_retries": ask.retries}
        options = {**self.options(ask.query), **retries}
        make = partial(self.client.get, ask.path, cast_to=_sdk.JSON_OBJECT, options=options)
        return Invoke(make, ask.within, lambda value: Received(value, {}))

    def options(self, query: Mapping[str, object], **headers: str) -> Arguments:
        """The SDK's options of a request besides the call's own, for which that says the same."""
        said = self.ways.options
        beta = self.request.headers.get("OpenAI-Beta", "assistants=v2")
        return {
            **said,
            "params": {**said.get("params", {}), **query},
            "headers": {**said.get("headers", {}), "OpenAI-Beta": beta, **headers},
        }

    def farewell(self, *, left: bool) -> Plan[None] | None:
        if self._has_parted or self.ways.farewell is None:
            return None
        self._has_parted = True
        return self.ways.farewell(self, left)

    def unnumbered(self, number: int) -> IncompleteStreamError:
        """The error of a server that has no events after a number."""
        progress = self.progress
        return IncompleteStreamError(
            f"The server has no events of run {progress.run_id} after number {number}: it does not number "
            "them, or does not keep them any more. starting_after=0 tells the run as it stands.",
            self.halt.response.request,
            run_id=progress.run_id,
            thread_id=progress.thread_id,
            status=progress.status,
        )

    def incomplete(self, status: str | None, cause: Exception | None = None) -> IncompleteStreamError:
        """The error of a stream whose end cannot be learned."""
        progress = self.progress
        if not self.heard and progress.run_id is None:
            kind = self.halt.response.headers.get("content-type", "no content type")
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
        else:
            hint = "; one may have been started all the same, in a thread that nothing names"
        return IncompleteStreamError(
            f"The stream ended before its run did, and {said}{hint}.",
            self.halt.response.request,
            run_id=progress.run_id,
            thread_id=progress.thread_id,
            status=status or progress.status,
        )


Way: TypeAlias = Callable[[RunSpan, Plan[None]], Plan[None]]
"""A plan around a plan: it carries that out by ``yield from``, and goes on where that ends or breaks."""


class Ways(NamedTuple):
    """How a stream goes on where one answer ends, as its call wanted it. The innermost comes first."""

    answer: tuple[Way, ...] = ()
    """Around each answer that is read: the first, and those that other ways ask for."""
    whole: tuple[Way, ...] = ()
    """Around the whole."""
    farewell: Callable[[RunSpan, bool], Plan[None]] | None = None
    """What is done once nothing is read any more; see :meth:`Span.farewell`."""
    options: Mapping[str, Any] = MappingProxyType({})
    """What the call says for every request: the SDK's options ``headers``, ``params`` and ``timeout``."""

    def keep(self, response: HttpResponse) -> None:
        """Puts them where the stream finds them: a raw response makes its stream later, and by itself."""
        response.extensions[_KEY] = self
