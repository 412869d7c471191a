"""The helpers that start something and wait for its end, on a client of either colour.

Each is a plan; what is wrong with a call is said before its first effect.
"""

from __future__ import annotations

import inspect
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import openai
import pydantic

from streaming_assistants import _sdk
from streaming_assistants._io import drive
from streaming_assistants._io.raised import broken, reported
from streaming_assistants._protocol.failures import failure, is_failure
from streaming_assistants._protocol.plan import Invoke, Plan, Received, WaitedTooLong
from streaming_assistants._protocol.poll import Expired, poll
from streaming_assistants._protocol.status import is_pending
from streaming_assistants._protocol.waits import WHOLE_SECONDS, Terms, Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Method, Model
from streaming_assistants.errors import MalformedEventError, PollTimeoutError

from .endpoint import Endpoint
from .operations import Operation, Request
from .params import RequestParams, names

_SLACK = 0.05  # seconds

REQUEST = ("extra_headers", "extra_query", "extra_body", "timeout")

Helper = Callable[[AnyClient, tuple[object, ...], Arguments], Plan[Model]]
"""``(client, args, kwargs)`` of a call: raises for what is wrong with it, else gives its plan."""

RETRIEVE_RUN = Endpoint(
    "get",
    Operation(
        "poll", "/threads/{thread_id}/runs/{run_id}", names(RequestParams) | {"run_id", "thread_id"},
        ("run_id", "thread_id"), ("run_id", "thread_id", *REQUEST, "poll_interval_ms"),
    ),
    "Run",
    path="beta.threads.runs.retrieve",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a caller wants of the waiting: its terms, and to be told of each answer."""

    terms: Terms
    tell: Callable[[Model], Invoke] | None
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float | None:
        """The seconds that what starts the waiting may take, None for no end."""
        wait = WHOLE_SECONDS if self.terms.is_short else self.terms.max_wait
        return None if wait is None else self.began + wait - time.monotonic()

    def begun(self) -> Wanted:
        """The same, from now on: uploading is no waiting, and not cut."""
        return replace(self, began=time.monotonic())

    @classmethod
    def taken(cls, client: object, kwargs: Arguments) -> Wanted:
        """Takes the polling parameters out of ``kwargs``. Raises TypeError and ValueError for bad ones."""
        terms, on_poll = deadline(kwargs), kwargs.pop("on_poll", None)
        if on_poll is None or not _sdk.given(on_poll):
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
        return cls(terms, lambda thing: Invoke(partial(on_poll, thing)))


def deadline(kwargs: Arguments) -> Terms:
    """Takes how long is waited out of ``kwargs``. Raises TypeError and ValueError for what is no time."""
    asked = [kwargs.pop(name, None) for name in ("poll_interval_ms", "max_wait_seconds")]
    return Terms.checked(*(value if _sdk.given(value) else None for value in asked))


UNLIMITED = Wanted(Terms(), None)


@dataclass(frozen=True)
class Watch:
    """What is polled: how it is asked for, what it is called, and when it is over."""

    endpoint: Endpoint
    noun: str
    id_name: str
    pending: Callable[[Model], bool] = is_pending

    def plan(self, client: AnyClient, wanted: Wanted, kwargs: Arguments) -> Plan[Model]:
        """Polls the thing that ``kwargs`` name. What is wrong with them is said before the first effect."""
        headers = {"X_Stainless_Poll_Helper": "true"}
        if wanted.terms.interval_ms is not None:
            headers["X_Stainless_Custom_Poll_Interval"] = str(wanted.terms.interval_ms)
        request = self.endpoint.request((), kwargs, **headers)

        def ask(left: float | None) -> Invoke:
            # Retries are the plan's, which knows the deadline.
            options: Arguments = {"max_retries": 0}
            if left is not None:
                given = request.options.get("timeout", client.timeout)
                options["timeout"] = _sdk.capped(given, left)
                # A server that is silent meets the timeout first, which also ends the connection.
                left += _SLACK
            return Invoke(partial(self.endpoint.raw, client, request, **options), left, _read)

        plan = poll(
            Wait(wanted.terms, time.monotonic, wanted.began),
            ask=ask,
            tell=wanted.tell,
            pending=self.pending,
            retry=partial(_sdk.retry_seconds, client),
            # Releases before 1.3 let the transport's own errors out.
            failed=(openai.APIError, *_sdk.transport_errors()),
        )
        return self._named(plan, kwargs[self.id_name], wanted.terms)

    def _named(self, plan: Plan[Model], id: str, terms: Terms) -> Plan[Model]:
        try:
            thing = yield from plan
        except Expired as error:
            cause = error.cause
            if cause is not None and isinstance(cause, _sdk.transport_errors()):
                cause = broken(cause, _sdk.request_of(cause))
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


def _read(response: object) -> Received:
    """What a response holds. Raises for what is no object with a status."""
    raw = _sdk.response_of(response)
    try:
        received = Received(*_sdk.read(response))
    except _sdk.UNREADABLE as error:
        raise _unreadable(raw, str(error)) from error
    thing = received.value
    if not isinstance(thing, pydantic.BaseModel):
        raise _unreadable(raw, f"got {thing!r:.80}")
    status = getattr(thing, "status", None)
    if status is None and is_failure(_sdk.dump(thing)):
        said = failure(_sdk.dump(thing))
        raise reported(said["message"], raw.request, said)
    if not isinstance(status, (str, types.NoneType)):
        raise _unreadable(raw, f"expected a text as its 'status', got {status!r:.80}")
    return received


def _unreadable(raw: HttpResponse, why: str) -> MalformedEventError:
    return MalformedEventError(
        f"Expected an object of the API from {raw.request.url}, got {raw.content[:80]!r} ({why})",
        raw.request,
        event="",
        data=raw.content,
    )


def start(client: object, endpoint: Endpoint, request: Request, wanted: Wanted, *ids: str) -> Plan[Model]:
    """Starts what is polled then; ``ids`` are what has to be known of it."""
    sent = _sdk.request(client, endpoint.verb.upper(), request.path)
    return made_by(sent, partial(endpoint.send, client, request), wanted, *ids)


def made_by(sent: Model, make: Callable[[], Model], wanted: Wanted, *ids: str) -> Plan[Model]:
    """What a call makes, which has ``ids``; ``sent`` is its request. Raises for what is no such object."""
    try:
        made = yield Invoke(make, wanted.left())
    except WaitedTooLong:
        raise PollTimeoutError(
            f"{sent.url} was not answered in time. What it starts may have begun.",
            sent,
            id=None,
            status=None,
        ) from None
    except _sdk.UNREADABLE as error:
        said = f"The answer from {sent.url} is no object of the API: {error}"
        raise MalformedEventError(said, sent, event="", data=b"") from error
    for name in ids:
        value = getattr(made, name, None)
        if not (isinstance(value, str) and value):
            said = f"The answer from {sent.url} has no text as its {name!r}: {made!r:.200}"
            raise MalformedEventError(said, sent, event="", data=repr(made).encode())
    return made


RUN_WATCH = Watch(RETRIEVE_RUN, "Run", "run_id")


def started(client: object, helper: Helper) -> Method:
    """The method that a client gets for a helper, of the client's colour."""
    carry_out = drive.run_async if _sdk.is_async(client) else drive.run
    return lambda *args, **kwargs: carry_out(helper(client, args, kwargs))


def extended(client: object, helper: Helper, taken: frozenset[str], below: Method) -> Method:
    """``below``, and ours for a call with parameters that ``below`` does not take."""
    ours = started(client, helper)

    def call(*args: object, **kwargs: object) -> Model:
        return below(*args, **kwargs) if kwargs.keys() <= taken else ours(*args, **kwargs)

    return call


def polled(watch: Watch, client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``poll`` of anything: the ids are the caller's."""
    wanted = Wanted.taken(client, kwargs)
    operation = watch.endpoint.operation
    return watch.plan(client, wanted, operation.bind(args, kwargs))
