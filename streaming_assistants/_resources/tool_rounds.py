"""How a call that has ``tool_handlers=`` goes on where its run waits for outputs: polled, and streamed."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import openai

from streaming_assistants import _sdk
from streaming_assistants._io.reading import transport_broken
from streaming_assistants._protocol.plan import Invoke, Plan
from streaming_assistants._protocol.tool_calls import ToolOutput
from streaming_assistants._protocol.tool_loop import ToolLoop, safely, worth_asking
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Model
from streaming_assistants.errors import IncompleteStreamError, StreamingAssistantsError

from .endpoint import Endpoint
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
                return (yield from start(client, _SUBMIT, request, waited, "id", "thread_id"))

        def ask() -> Plan[Model]:
            return (yield Invoke(partial(RETRIEVE_RUN.send, client, RETRIEVE_RUN.request((), ids))))

        def gone_on(_: Exception) -> Plan[Model]:
            yield from ()

        yield from safely(outputs, once, ask=ask, pause=partial(_pause, client), gone_on=gone_on)
        loop.taken()
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
