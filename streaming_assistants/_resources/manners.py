"""What a call wants of a run's stream besides its events: when it begins, how it goes on, how it is left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import openai

from streaming_assistants import _sdk
from streaming_assistants._io import drive
from streaming_assistants._io.reading import RunSpan, Way, Ways
from streaming_assistants._io.resuming import begun, read_after, resumed
from streaming_assistants._patch.defaults import resumes
from streaming_assistants._protocol import failed_runs
from streaming_assistants._protocol.offered import offered
from streaming_assistants._protocol.plan import Invoke, Plan, Sleep
from streaming_assistants._protocol.waits import Terms
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Model

from .active import TAKES, Posting, chosen, one
from .failing import Failing, another, failed, flag, retry_seconds
from .opening import opened, send
from .operations import CREATE_AND_RUN, READ, RUN, Operation, Request, request_options
from .params import FailureParams, RetryParams, StreamParams, names
from .polling import REQUEST, Wanted, deadline
from .tool_params import taken as tools_of
from .tool_rounds import again, streamed_rounds

log = logging.getLogger("streaming_assistants")

FAREWELL_SECONDS = 5.0
"""How long the request may take by which a run is cancelled whose stream is left."""


def parameters(operation: Operation) -> frozenset[str]:
    """The parameters of ours that a streamed call of ``operation`` takes."""
    starts = operation in (RUN, CREATE_AND_RUN)
    failing = names(RetryParams if starts else FailureParams)
    return names(StreamParams) | failing | (TAKES if operation is RUN else frozenset())


@dataclass(frozen=True)
class Manners:
    """What one call wants; ``if_active`` about a run that is active, which it waits for on ``terms``."""

    client: AnyClient
    request: Request
    failing: Failing
    resumes: bool
    cancels: bool
    if_active: str | None
    terms: Terms
    rounds: tuple[Way, ...] = ()
    """Of functions that are called."""
    first: tuple[Way, ...] = ()
    """In the place of the first answer."""

    @classmethod
    def taken(
        cls,
        client: AnyClient,
        operation: Operation,
        args: tuple[object, ...],
        kwargs: Arguments,
        **headers: str,
    ) -> Manners:
        """Takes it out of ``kwargs``, and makes the request of the rest. Raises TypeError and ValueError for
        what is wrong with either."""
        starts = operation in (RUN, CREATE_AND_RUN)
        failing = Failing.taken(kwargs) if starts else Failing(flag(kwargs, "raise_on_failure"))
        resume, cancel = flag(kwargs, "resume", resumes(client)), flag(kwargs, "cancel_on_close")
        if_active, terms = None, Terms()
        if operation is RUN and "if_active" in kwargs:
            if_active, terms = chosen(kwargs), deadline(kwargs)
        loop = tools_of(client, kwargs)
        rounds = () if loop is None else (streamed_rounds(client, loop, again(kwargs)),)
        first: tuple[Way, ...] = ()
        if operation is READ:
            number = read_from(kwargs)
            kwargs["starting_after"] = number
            headers = {**headers, "Last_Event_ID": str(number)}
            first = (read_after(number, goes_on=resume),)
        request = operation.request(args, kwargs, **headers)
        return cls(client, request, failing, resume, cancel, if_active, terms, rounds, first)

    def opened(self) -> Model:
        """The stream; from an async client a coroutine that gives it."""
        make = partial(opened, self.client, self.request, self.ways())
        if self.if_active is None:
            return make()
        carry_out = drive.run_async if _sdk.is_async(self.client) else drive.run
        return carry_out(self._posting().plan(partial(one, make)))

    def _posting(self) -> Posting:
        said, wanted = self.request.said, Wanted(self.terms, None)
        return Posting(
            self.client, said["thread_id"], said, cancels=self.if_active == "cancel", wanted=wanted
        )

    def ways(self) -> Ways:
        """How the stream goes on."""
        whole = (*self.first, *([self._started_anew] if self.failing.retries else []), *self.rounds)
        return Ways(
            answer=(resumed,) if self.resumes else (),
            whole=(*whole, _raising) if self.failing.raises else whole,
            farewell=_cancelled if self.cancels else None,
            options=_said(self.request),
        )

    def _started_anew(self, span: RunSpan, plan: Plan[None]) -> Plan[None]:
        """A way around the first answer: a run that failed in passing is followed by another one."""
        told = span.listen()
        yield from plan
        for tries in range(1, self.failing.retries + 1):
            run = span.progress.run
            if run is None or not failed_runs.may_pass(run) or told.has_shown_text:
                return
            yield Sleep(retry_seconds(tries))
            span.progress.run_id = None  # of the one that is begun now
            make = partial(send, self.client, another(self.request, run.thread_id))
            if self.if_active is not None:
                stream = yield from self._posting().plan(partial(one, make))
                make = partial(_itself, stream)
            yield from span.answer(make)


def read_from(kwargs: Arguments) -> int:
    """The number of the event after which a run is read. Raises TypeError and ValueError for what is none."""
    given = kwargs.get("starting_after", 0)
    number = given if _sdk.given(given) else 0
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"starting_after: expected a whole number, got {number!r:.80}")
    if number < 0:
        raise ValueError(f"starting_after: expected 0 or more, got {number!r}")
    return number


def _itself(stream: Model) -> Model:
    return stream


def _raising(span: RunSpan, plan: Plan[None]) -> Plan[None]:
    """A way around the whole: a run that has failed raises at the end. Raises RunFailedError."""
    yield from plan
    if failed_runs.has_failed(span.progress.run):
        raise failed(span.progress.run, span.halt.response.request)


def _cancelled(span: RunSpan, left: bool) -> Plan[None]:
    """Cancels a run whose stream is left before it came to its end."""
    progress = span.progress
    if progress.ended and (progress.status != "requires_action" or not (left and span.goes_on)):
        return
    try:
        if not (yield from begun(span, lambda ask: offered(span.asked(ask)))):
            log.warning("A run could not be cancelled when its stream was left: nothing has named it yet.")
            return
        thread_id, run_id = (quote(id or "", safe="") for id in (progress.thread_id, progress.run_id))
        path = f"/threads/{thread_id}/runs/{run_id}/cancel"
        options = {**span.options({}), "timeout": FAREWELL_SECONDS, "max_retries": 1}
        yield Invoke(partial(span.client.post, path, cast_to=_sdk.JSON_OBJECT, options=options))
    except (openai.APIError, RuntimeError, *_sdk.transport_errors()) as error:
        # Whoever leaves has other worries, and an exception of their own perhaps. RuntimeError is that of a
        # client that was closed before.
        if getattr(error, "status_code", None) not in (400, 404, 409):  # it is over by now
            log.warning("Run %s could not be cancelled when its stream was left: %s", progress.run_id, error)


def _said(request: Request) -> Arguments:
    """What a call says for every request."""
    said: Arguments = {name: request.said[name] for name in REQUEST if name in request.said}
    raw = _sdk.made_raw(said.get("extra_headers") or {})
    headers = {name: text for name, text in (said.get("extra_headers") or {}).items() if name not in raw}
    return request_options({**said, "extra_headers": headers}, {}, {})
