"""When to ask again, and when to stop: the plan behind every ``poll`` helper. Sans-IO.

What is asked, and how a caller is told, is made by the functions that the plan is given; of time it knows
what its wait does.
"""

from __future__ import annotations

from collections.abc import Callable

import openai

from streaming_assistants._sdk.untyped import HttpRequest, Model

from .plan import Effect, Plan, Received, Sleep, WaitedTooLong
from .status import is_pending, status_of
from .waits import Wait

GRACE_SECONDS = 3.0
"""How long after the start a 404 may mean that a server does not know yet what it just made."""

_FIRST_GRACE, _LONGEST_GRACE = 0.1, 1.0


class Expired(Exception):
    """The deadline passed; ``status`` is the last one that the server told, None for no received."""

    def __init__(self, status: str | None, request: HttpRequest, cause: Exception | None) -> None:
        super().__init__(status)
        self.status = status
        self.request = request
        self.cause = cause


def poll(
    wait: Wait,
    *,
    ask: Callable[[float | None], Effect],
    tell: Callable[[Model], Effect] | None = None,
    pending: Callable[[Model], bool] = is_pending,
    retry: Callable[[Exception, int], float | None] = lambda _error, _failures: None,
    failed: tuple[type[Exception], ...] = (openai.APIError,),
) -> Plan[Model]:
    """The plan: gives back the object that is pending no more.

    ``ask(seconds left)`` makes the effect that asks the server, for which the plan is sent a
    :class:`Received`; ``tell(thing)`` makes the effect that shows an object to the caller;
    ``retry(error, failures before it)`` says how many seconds to wait before asking again, None for not
    at all; ``failed`` are the errors that a request may end with. Raises :class:`Expired`, and the errors
    of requests that are not worth another try.
    """
    wait.begin()
    started = wait.clock()
    status: str | None = None
    request: HttpRequest = None
    cause: Exception | None = None
    failures, grace, known = 0, _FIRST_GRACE, False
    while True:
        left = wait.left()
        if left is not None and left <= 0:
            raise Expired(status, request, cause)
        try:
            received: Received = yield ask(left)
        except WaitedTooLong:
            raise Expired(status, request, cause) from None
        except failed as error:
            cause, request = error, getattr(error, "request", None) or request
            young = not known and wait.clock() - started < GRACE_SECONDS
            if isinstance(error, openai.NotFoundError) and young:
                seconds, grace = grace, min(grace * 2, _LONGEST_GRACE)
            else:
                pause = retry(error, failures)
                failures += 1
                if pause is None and not wait.over:
                    raise
                seconds = pause or 0.0
        else:
            cause, request, failures, known = None, received.request, 0, True
            status = status_of(received.value)
            if tell is not None:
                yield tell(received.value)
            if not pending(received.value):
                return received.value
            seconds = wait.terms.seconds(received.headers)
        yield Sleep(wait.cut(seconds))
