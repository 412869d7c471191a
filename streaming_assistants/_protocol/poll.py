"""When to ask again, and when to stop: the plan behind every ``poll`` helper. Sans-IO.

The plan is a generator. It yields steps, made by the functions it is given, and is sent what came of
each; a request that failed is thrown in. Who carries the steps out may wait, block or await; here only
the clock that is passed in is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

import openai

from .dispatch import PENDING
from .waits import Terms, WaitedTooLong

GRACE_SECONDS = 3.0
"""How long after the start a 404 may mean that a server does not know yet what it just made."""

_FIRST_GRACE, _LONGEST_GRACE = 0.1, 1.0


class Pause(NamedTuple):
    """Asks for a pause, in seconds."""

    seconds: float


class Answer(NamedTuple):
    """What the server said: the object, the response's headers, and the request that was made."""

    thing: Any
    headers: Mapping[str, str]
    request: Any


class Expired(Exception):
    """The deadline passed; ``status`` is the last one that the server told, None for no answer."""

    def __init__(self, status: str | None, request: Any, cause: Exception | None) -> None:
        super().__init__(status)
        self.status = status
        self.request = request
        self.cause = cause


def _status(thing: Any) -> str | None:
    found = getattr(thing, "status", None)
    return found if isinstance(found, str) else None


def is_pending(thing: Any) -> bool:
    """Whether a run or a vector store's file goes on. A status that nobody knows is an end."""
    return _status(thing) in PENDING


def is_pending_batch(batch: Any) -> bool:
    """Whether a file batch goes on: its status says so, and only where it has none its counts."""
    status = _status(batch)
    if status is not None:
        return status in PENDING
    return bool(getattr(getattr(batch, "file_counts", None), "in_progress", 0))


Steps = Generator[Any, Any, Any]


def poll(
    terms: Terms,
    *,
    fetch: Callable[[float | None], Any],
    read: Callable[[Any], Answer],
    clock: Callable[[], float],
    tell: Callable[[Any], Any] | None = None,
    pending: Callable[[Any], bool] = is_pending,
    retry: Callable[[Exception, int], float | None] = lambda _error, _failures: None,
    failed: tuple[type[Exception], ...] = (openai.APIError,),
    since: float | None = None,
) -> Steps:
    """The plan: gives back the object that is pending no more.

    ``fetch(seconds left)`` makes the step that asks the server, and ``read`` makes an :class:`Answer` of
    what is sent for it; ``tell(thing)`` makes the step that shows an object to the caller;
    ``retry(error, failures before it)`` says how many seconds to wait before asking again, None for not
    at all; ``failed`` are the errors that a request may end with; ``since`` is when the wait began, by
    ``clock``, where that was before the first step. Raises :class:`Expired`, and the errors of requests
    that are not worth another try.
    """
    started = clock()
    ends = math.inf if terms.max_wait is None else (started if since is None else since) + terms.max_wait
    status: str | None = None
    request: Any = None
    cause: Exception | None = None
    failures, grace, known = 0, _FIRST_GRACE, False
    while True:
        left = ends - clock()
        if left <= 0:
            raise Expired(status, request, cause)
        try:
            answer = read((yield fetch(None if terms.max_wait is None else left)))
        except WaitedTooLong:
            raise Expired(status, request, cause) from None
        except failed as error:
            cause, request = error, getattr(error, "request", None) or request
            young = not known and clock() - started < GRACE_SECONDS
            if isinstance(error, openai.NotFoundError) and young:
                seconds, grace = grace, min(grace * 2, _LONGEST_GRACE)
            else:
                pause = retry(error, failures)
                failures += 1
                if pause is None and clock() < ends:
                    raise
                seconds = pause or 0.0
        else:
            cause, request, failures, known = None, answer.request, 0, True
            status = _status(answer.thing)
            if tell is not None:
                yield tell(answer.thing)
            if not pending(answer.thing):
                return answer.thing
            seconds = terms.seconds(answer.headers)
        yield Pause(max(0.0, min(seconds, ends - clock())))
