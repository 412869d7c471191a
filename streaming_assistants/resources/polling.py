"""The helpers that start something and wait for its end, on a client of either colour.

Each is a generator of steps (see ``steps.py``); what is wrong with a call is said before the first.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import openai

from streaming_assistants import _sdk, steps
from streaming_assistants.errors import PollTimeoutError
from streaming_assistants.reading import broken
from streaming_assistants.runs import polling
from streaming_assistants.runs.polling import Answer, Expired, Steps
from streaming_assistants.runs.waiting import Terms
from streaming_assistants.steps import Call

from .endpoints import Endpoint
from .params import PollParams, RequestParams, names
from .requests import CREATE_AND_RUN, RUN, SUBMIT, Operation

Method = Callable[..., Any]

POLLING = names(PollParams)
REQUEST = ("extra_headers", "extra_query", "extra_body", "timeout")

Plan = Callable[[Any, tuple[Any, ...], dict[str, Any]], Steps]
"""``(client, args, kwargs)`` of a call: raises for what is wrong with it, else gives its steps."""

RETRIEVE_RUN = Endpoint(
    "get",
    Operation(
        "poll", "/threads/{thread_id}/runs/{run_id}", names(RequestParams) | {"run_id", "thread_id"},
        ("run_id", "thread_id"), ("run_id", "thread_id", *REQUEST, "poll_interval_ms"),
    ),
    "Run",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a caller wants of the waiting: its terms, and to be told of each answer."""

    terms: Terms
    tell: Callable[[Any], Call] | None

    @classmethod
    def taken(cls, client: Any, kwargs: dict[str, Any]) -> Wanted:
        """Takes the polling parameters out of ``kwargs``. Raises TypeError and ValueError for bad ones."""
        asked = {name: kwargs.pop(name, None) for name in POLLING}
        asked = {name: value if _sdk.given(value) else None for name, value in asked.items()}
        terms = Terms.checked(asked["poll_interval_ms"], asked["max_wait_seconds"])
        on_poll = asked["on_poll"]
        if on_poll is None:
            return cls(terms, None)
        if not callable(on_poll):
            raise TypeError(
                f"Expected a function for `on_poll` but received {on_poll!r} ({type(on_poll).__name__})"
            )
        if not _sdk.is_async(client) and inspect.iscoroutinefunction(on_poll):
            raise TypeError(
                f"Expected a plain function for `on_poll` but received the `async def` {on_poll!r}; "
                "a sync client cannot await it"
            )
        return cls(terms, lambda thing: Call(partial(on_poll, thing)))


@dataclass(frozen=True)
class Watch:
    """What is polled: how it is asked for, what it is called, and when it is over."""

    endpoint: Endpoint
    noun: str
    id_name: str
    pending: Callable[[Any], bool] = polling.is_pending

    def steps(self, client: Any, wanted: Wanted, kwargs: Mapping[str, Any]) -> Steps:
        """Polls the thing that ``kwargs`` name. What is wrong with them is said before the first step."""
        headers = {"X_Stainless_Poll_Helper": "true"}
        if wanted.terms.interval_ms is not None:
            headers["X_Stainless_Custom_Poll_Interval"] = str(wanted.terms.interval_ms)
        request = self.endpoint.request((), kwargs, **headers)

        def fetch(left: float | None) -> Call:
            # Retries are the plan's, which knows the deadline.
            options: dict[str, Any] = {"max_retries": 0}
            if left is not None:
                given = request.options.get("timeout", client.timeout)
                options["timeout"] = _sdk.capped(given, left)
            return Call(partial(self.endpoint.raw, client, request, **options))

        plan = polling.poll(
            wanted.terms,
            fetch=fetch,
            read=lambda response: Answer(*_sdk.read(response)),
            clock=time.monotonic,
            tell=wanted.tell,
            pending=self.pending,
            retry=partial(_sdk.retry_seconds, client),
            # Releases before 1.3 let the transport's own errors out.
            failed=(openai.APIError, *_sdk.transport_errors()),
        )
        return self._named(plan, kwargs[self.id_name], wanted.terms)

    def _named(self, plan: Steps, id: str, terms: Terms) -> Steps:
        try:
            thing = yield from plan
        except Expired as error:
            cause: Any = error.cause
            if isinstance(cause, _sdk.transport_errors()):
                cause = broken(cause, cause.request)
            raise PollTimeoutError(
                f"{self.noun} {id} is {error.status or 'not known to the server'} after {terms.max_wait:g} s "
                "of waiting. It was left alone: poll it again, or cancel it.",
                error.request,
                id=id,
                status=error.status,
            ) from cause
        except _sdk.transport_errors() as error:
            raise broken(error, error.request) from error
        # Some servers answer with the vector store's id for a batch.
        return thing if getattr(thing, "id", id) == id else _sdk.changed(thing, id=id)


RUN_WATCH = Watch(RETRIEVE_RUN, "Run", "run_id")


def started(client: Any, plan: Plan) -> Method:
    """The method that a client gets for a helper, of the client's colour."""
    drive = steps.run_async if _sdk.is_async(client) else steps.run
    return lambda *args, **kwargs: drive(plan(client, args, kwargs))


def extended(client: Any, plan: Plan, taken: frozenset[str], below: Method) -> Method:
    """``below``, and ours for a call with parameters that ``below`` does not take."""
    ours = started(client, plan)

    def call(*args: Any, **kwargs: Any) -> Any:
        return below(*args, **kwargs) if kwargs.keys() <= taken else ours(*args, **kwargs)

    return call


def poll_run(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps:
    """``runs.poll``."""
    return polled(RUN_WATCH, client, args, kwargs)


def polled(watch: Watch, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps:
    """``poll`` of anything: the ids are the caller's."""
    wanted = Wanted.taken(client, kwargs)
    operation = watch.endpoint.operation
    return watch.steps(client, wanted, operation.bind(args, kwargs))


def create_and_poll(start: Endpoint) -> Plan:
    """Starts or continues a run, and polls it."""

    def plan(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps:
        wanted = Wanted.taken(client, kwargs)
        request = start.request(args, {**kwargs, "stream": False})
        again = {name: kwargs[name] for name in REQUEST if name in kwargs and name != "extra_body"}

        def go() -> Steps:
            run = yield Call(partial(start.send, client, request))
            ids = {"run_id": run.id, "thread_id": run.thread_id}
            return (yield from RUN_WATCH.steps(client, wanted, {**ids, **again}))

        return go()

    return plan


CREATE_AND_POLL = create_and_poll(Endpoint("post", RUN, "Run"))
CREATE_AND_RUN_POLL = create_and_poll(Endpoint("post", CREATE_AND_RUN, "Run"))
SUBMIT_AND_POLL = create_and_poll(Endpoint("post", SUBMIT, "Run"))
