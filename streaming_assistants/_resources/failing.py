"""``raise_on_failure=`` and ``retries=``: what a call wants of a run that fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._protocol import failed_runs
from streaming_assistants._protocol.build import opened
from streaming_assistants._protocol.plan import Invoke, Plan, Received, Sleep
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpRequest, Model
from streaming_assistants.errors import RunFailedError

from .operations import Request, request_options, spoken

_ONCE = ("additional_messages", "thread", "tool_resources")
"""What a request puts into its thread: that is there by the time when another run is started."""


@dataclass(frozen=True)
class Failing:
    """Whether a run that fails raises, and how often another one is started in its place."""

    raises: bool = False
    retries: int = 0

    @classmethod
    def taken(cls, kwargs: Arguments) -> Failing:
        """Takes both out of ``kwargs``. Raises TypeError and ValueError for what is neither."""
        return cls(flag(kwargs, "raise_on_failure"), _count(kwargs, "retries"))


def flag(kwargs: Arguments, name: str, default: bool = False) -> bool:
    """Takes a switch out of ``kwargs``. Raises TypeError for what is none."""
    value = kwargs.pop(name, None)
    if value is None or not _sdk.given(value):
        return default
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, got {value!r:.80}")
    return value


def _count(kwargs: Arguments, name: str) -> int:
    value = kwargs.pop(name, None)
    if value is None or not _sdk.given(value):
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a whole number, got {value!r:.80}")
    if value < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value!r}")
    return value


def another(request: Request, thread_id: str) -> Request:
    """The request that starts a run once more, in the thread that the first one had."""
    body = {name: value for name, value in request.body.items() if name not in _ONCE}
    said = {name: value for name, value in request.said.items() if name not in _ONCE}
    path = f"/threads/{quote(thread_id, safe='')}/runs"
    headers = request.options["headers"]
    raw = _sdk.made_raw(headers)  # which is for the first answer
    options = {
        **request.options,
        "headers": {name: text for name, text in headers.items() if name not in raw},
    }
    return Request(path, body, options, {**said, "thread_id": thread_id})


def retry_seconds(tries: int) -> float:
    """How long to wait before another run is started: nobody tries in step with others."""
    return failed_runs.pause(tries) * (1 - random.random() / 4)


def failed(run: Model, request: HttpRequest) -> RunFailedError:
    """The error of a run that has failed."""
    last = getattr(run, "last_error", None)
    body: Any = _sdk.dump(last) if isinstance(last, pydantic.BaseModel) else last
    error = RunFailedError(failed_runs.why(run), request, run=run, body=body)
    if isinstance(error.incomplete_details, dict):  # of a release whose runs do not know them
        error.incomplete_details = opened(error.incomplete_details)
    return error


def ended(
    client: AnyClient,
    failing: Failing,
    request: Request,
    once: Callable[[Request], Plan[Model]],
    left: Callable[[], float | None],
    waited: list[Model],
) -> Plan[Model]:
    """The run of ``once(request)``, or of another try that did not fail in passing.

    ``waited`` holds a run that waited for outputs, after which none is tried.
    ``left`` are the seconds until the caller's deadline, None where there is none. Raises RunFailedError.
    """
    run = yield from once(request)
    for tries in range(1, failing.retries + 1):
        if waited or not failed_runs.may_pass(run) or (yield from _wrote(client, run, request.options)):
            break
        seconds = retry_seconds(tries)
        rest = left()
        if rest is not None and rest <= seconds:
            break
        yield Sleep(seconds)
        run = yield from once(another(request, run.thread_id))
    return checked(client, failing, run)


def checked(client: AnyClient, failing: Failing, run: Model) -> Model:
    """The run. Raises RunFailedError."""
    if failing.raises and failed_runs.has_failed(run):
        raise failed(run, _sdk.request(client, "GET", f"/threads/{run.thread_id}/runs/{run.id}"))
    return run


def _wrote(client: AnyClient, run: Model, options: Mapping[str, Any]) -> Plan[bool]:
    said = {"extra_headers": options.get("headers"), "timeout": options.get("timeout", client.timeout)}
    query = {"run_id": run.id, "order": "desc", "limit": 20}
    path = f"/threads/{quote(run.thread_id, safe='')}/messages"
    ask = partial(
        client.get, path, cast_to=_sdk.JSON_OBJECT, options=spoken(client, request_options(said, query, {}))
    )
    return failed_runs.wrote(Invoke(ask, read=lambda page: Received(page, {})), run.id)
