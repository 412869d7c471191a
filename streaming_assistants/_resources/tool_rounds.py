"""How a call that has ``tool_handlers=`` goes on where its run waits for outputs: polled, and streamed."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import openai

from streaming_assistants import _sdk
from streaming_assistants._io.raised import transport_broken
from streaming_assistants._io.reading import RunSpan, Way
from streaming_assistants._protocol import models
from streaming_assistants._protocol.build import build
from streaming_assistants._protocol.held import Owed
from streaming_assistants._protocol.offered import offered
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Say
from streaming_assistants._protocol.settle import Pending, settle
from streaming_assistants._protocol.tool_calls import ToolOutput
from streaming_assistants._protocol.tool_loop import ToolLoop, safely, waited_for, worth_asking
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Model
from streaming_assistants.errors import IncompleteStreamError, StreamingAssistantsError

from .endpoint import Endpoint
from .opening import send
from .operations import SUBMIT, Request
from .polling import REQUEST, RETRIEVE_RUN, RUN_WATCH, Wanted, start

_SUBMIT = Endpoint("post", SUBMIT, "Run", path="beta.threads.runs.submit_tool_outputs")

_OF_ONE_REQUEST = ("idempotency-key", "x-stainless-raw-response")


def again(said: Arguments) -> Arguments:
    """What a caller said for requests, out of a call's arguments, as it goes for those that follow."""
    kept = {name: said[name] for name in REQUEST if name in said and name != "extra_body"}
    headers = kept.get("extra_headers")
    if headers is not None:
        kept["extra_headers"] = {
            name: text for name, text in headers.items() if name.lower() not in _OF_ONE_REQUEST
        }
    return kept


def _request(run: Model, outputs: list[ToolOutput], said: Arguments, *, stream: bool) -> Request:
    ids = {"thread_id": run.thread_id, "run_id": run.id}
    request = SUBMIT.plain((), {**ids, "tool_outputs": outputs, "stream": stream, **said})
    request.options["max_retries"] = 0  # the run is asked before anything is sent again
    return request


def _pause(client: AnyClient, error: Exception, failures: int) -> float | None:
    """The seconds until the run is asked whether it has the outputs; None for an error that says it."""
    ours = isinstance(error, StreamingAssistantsError) and not isinstance(error, IncompleteStreamError)
    if ours:
        return None
    if isinstance(error, openai.APIStatusError) and not isinstance(error, openai.BadRequestError):
        return _sdk.retry_seconds(client, error, failures)
    return worth_asking(error, failures)


# ---------------------------------------------------------------- polled


def polled_rounds(
    client: AnyClient, loop: ToolLoop | None, wanted: Wanted, said: Arguments, run: Model
) -> Plan[Model]:
    """The run once it calls no more. ``said`` is what :func:`again` gives."""
    if loop is None:
        return run
    waited = wanted
    came = time.monotonic()

    def submit(run: Model, outputs: list[ToolOutput]) -> Plan[Model]:
        nonlocal waited, came
        # What functions take is no waiting, and not cut.
        waited = replace(waited, began=waited.began + time.monotonic() - came)
        ids = {"run_id": run.id, "thread_id": run.thread_id, **said}
        request = _request(run, outputs, said, stream=False)

        def once() -> Plan[Model]:
            with transport_broken(_sdk.request(client, "POST", request.path)):
                yield from start(client, _SUBMIT, request, waited, "id", "thread_id")
            loop.taken()

        def ask() -> Plan[Model]:
            return (yield Invoke(partial(RETRIEVE_RUN.send, client, RETRIEVE_RUN.request((), ids))))

        def gone_on(_: Exception, took: bool) -> Plan[Model]:
            yield from ()
            if took:
                loop.taken()

        yield from safely(outputs, once, ask=ask, pause=partial(_pause, client), gone_on=gone_on)
        run = yield from RUN_WATCH.plan(client, waited, ids)
        came = time.monotonic()
        return run

    run = yield from loop.rounds(run, submit)
    # Beside its fields: what a server sends of it stays what it is.
    object.__setattr__(run, "tool_outputs", loop.outputs)
    return run


def telling(loop: ToolLoop | None, plan: Plan[Model]) -> Plan[Model]:
    """``plan``, whose errors say how far the loop came."""
    if loop is None:
        return (yield from plan)
    with loop.errors():
        return (yield from plan)


# ---------------------------------------------------------------- streamed


def streamed_rounds(client: AnyClient, loop: ToolLoop, said: Arguments) -> Way:
    """A way around a whole stream. ``said`` is what :func:`again` gives."""

    def way(span: RunSpan, plan: Plan[None]) -> Plan[None]:
        span.goes_on, span.unsent = True, lambda: loop.outputs
        with loop.errors():
            yield from plan
            run = yield from _told(span)
            yield from loop.rounds(run, partial(_submitted, span, client, loop, said), span.on_tool_output)
        span.goes_on = False

    return way


def _submitted(
    span: RunSpan, client: AnyClient, loop: ToolLoop, said: Arguments, run: Model, outputs: list[ToolOutput]
) -> Plan[Model]:
    request = _request(run, outputs, said, stream=True)
    make = partial(_opened, client, request, loop.taken)

    def once() -> Plan[Model]:
        with transport_broken(span.request):
            yield from span.bare(make)

    def ask() -> Plan[Model]:
        return (yield from _asked(span))

    def pause(error: Exception, failures: int) -> float | None:
        # What has begun to be told was taken.
        return None if span.heard else _pause(client, error, failures)

    def gone_on(error: Exception, took: bool) -> Plan[Model]:
        if took:
            loop.taken()
        if span.ways.answer:
            span.has_answer = True
            raise span.incomplete(None, error)  # they go on with it
        try:
            yield from settle(span.progress, span.owed, math.inf)
        except (Pending, ValueError) as why:
            raise span.incomplete(None, why) from error

    plan = safely(outputs, once, ask=ask, pause=pause, gone_on=gone_on)
    yield from span.wrapped(plan)
    return (yield from _told(span))


def _opened(client: AnyClient, request: Request, taken: Callable[[], object]) -> Model:
    """Opens the answer to a submit; ``taken`` is told once there is one."""
    answer = send(client, request)
    if _sdk.is_async(client):
        return _taken_async(answer, taken)
    taken()
    return answer


async def _taken_async(answer: Awaitable[Model], taken: Callable[[], object]) -> Model:
    opened = await answer
    taken()
    return opened


def _asked(span: RunSpan) -> Plan[Model]:
    """The run, as the server has it; None for one that cannot be asked for."""
    progress = span.progress
    if progress.run_id is None or progress.thread_id is None:
        return None
    ids = (quote(each, safe="") for each in (progress.thread_id, progress.run_id))
    received = yield from offered(Ask("/threads/{}/runs/{}".format(*ids)))
    return build(models.model("Run"), received.value) if isinstance(received.value, dict) else None


def _told(span: RunSpan) -> Plan[Model]:
    """The run that a stream told of, with the calls that it waits for."""
    progress = span.progress
    if progress.ended and (progress.status != "requires_action" or waited_for(progress.run)):
        return progress.run
    # A server that announced the end of the stream and not that of the run, or did not say what it wants.
    run = yield from _asked(span)
    if run is None or run.status != "requires_action":
        return progress.run
    if not progress.ended:
        yield Say(span.owed(Owed("thread.run.requires_action", _sdk.dump(run))))
    return run
