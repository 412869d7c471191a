"""``if_active=``: what a call does that posts to a thread while one of its runs is active."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from streaming_assistants import _sdk
from streaming_assistants._io import drive
from streaming_assistants._io.line import line
from streaming_assistants._protocol import busy
from streaming_assistants._protocol.plan import Invoke, Plan, Received, WaitedTooLong
from streaming_assistants._protocol.status import is_active
from streaming_assistants._protocol.waits import Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method, Model
from streaming_assistants.errors import PollTimeoutError

from .operations import checked_id, request_options, spoken
from .params import DeadlineParams, IfActiveParams, names
from .polling import REQUEST, RUN_WATCH, Wanted, deadline

PostedT = TypeVar("PostedT")

TAKES = names(IfActiveParams) | names(DeadlineParams)
_CHOICES = ("raise", "wait", "cancel")

ACTIVE_WATCH = replace(RUN_WATCH, pending=is_active)


def chosen(kwargs: Arguments) -> str | None:
    """Takes ``if_active`` out of ``kwargs``: "wait" or "cancel", else None. Raises ValueError for others."""
    choice = kwargs.pop("if_active", None)
    if choice is None or not _sdk.given(choice):
        return None
    if choice not in _CHOICES:
        raise ValueError(f"if_active: expected 'raise', 'wait' or 'cancel', got {choice!r}")
    return None if choice == "raise" else str(choice)


class Posting:
    """A call that posts to a thread once that is free. ``said`` are its arguments, by name.

    What a caller says for every request (headers, a timeout) is said in those that ask for runs, too.
    """

    def __init__(
        self,
        client: AnyClient,
        thread_id: object,
        said: Mapping[str, object],
        *,
        cancels: bool,
        wanted: Wanted,
    ) -> None:
        self._client = client
        self._thread_id = checked_id("thread_id", thread_id)
        self._path = f"/threads/{quote(self._thread_id, safe='')}/runs"
        self._cancels = cancels
        self._wanted = replace(wanted, tell=None)
        self._said = {name: said[name] for name in REQUEST if name in said and name != "extra_body"}
        headers: Any = self._said.get("extra_headers") or {}
        raw = _sdk.made_raw(headers)
        self._said["extra_headers"] = {name: text for name, text in headers.items() if name not in raw}

    def plan(self, make: Callable[[], Plan[PostedT]]) -> Plan[PostedT]:
        """Gives what ``make`` does, once nobody stands before this call and the thread is free.

        Raises PollTimeoutError.
        """
        wait = Wait(self._wanted.terms, time.monotonic, self._wanted.began)
        wait.begin()
        place = line(str(self._client.base_url), self._thread_id).join()
        try:
            waits = place.wait_async if _sdk.is_async(self._client) else place.wait
            came = yield Invoke(partial(waits, wait.left()))
            if not came:
                raise WaitedTooLong
            runs = busy.ThreadRuns(self._thread_id, self._newest(), self._over, self._cancel)
            return (yield from busy.post(make, runs, wait, cancels=self._cancels))
        except WaitedTooLong as error:
            raise self._late() from error
        finally:
            place.leave()

    def _newest(self) -> Invoke:
        options = self._options({"order": "desc", "limit": 20})
        ask = partial(self._client.get, self._path, cast_to=_sdk.JSON_OBJECT, options=options)
        return Invoke(ask, read=lambda page: Received(page, {}))

    def _over(self, run_id: str) -> Plan[Model]:
        ids = {"run_id": run_id, "thread_id": self._thread_id}
        try:
            return (yield from ACTIVE_WATCH.plan(self._client, self._wanted, {**ids, **self._said}))
        except PollTimeoutError as error:
            raise self._late(f", as run {error.id} is {error.status or 'not known'}", error) from error

    def _late(self, why: str = "", last: PollTimeoutError | None = None) -> PollTimeoutError:
        return PollTimeoutError(
            f"Thread {self._thread_id} was not free within {self._wanted.terms.max_wait:g} s{why}: "
            "nothing was posted",
            _sdk.request(self._client, "GET", self._path),
            id=None if last is None else last.id,
            status=None if last is None else last.status,
        )

    def _cancel(self, run_id: str) -> Invoke:
        path = f"{self._path}/{quote(run_id, safe='')}/cancel"
        options = self._options({})
        return Invoke(partial(self._client.post, path, cast_to=_sdk.JSON_OBJECT, options=options))

    def _options(self, query: Mapping[str, object]) -> Arguments:
        return spoken(self._client, request_options(self._said, query, {}))


def posting(client: object, below: Method) -> Method:
    """``below``, which posts to a thread, with ``if_active=`` and what goes with it."""
    carry_out = drive.run_async if _sdk.is_async(client) else drive.run

    def call(*args: object, **kwargs: object) -> Model:
        stream = kwargs.get("stream")
        if "if_active" not in kwargs or (stream and _sdk.given(stream)):
            return below(*args, **kwargs)  # a stream may begin again, and waits by itself
        choice, wanted = chosen(kwargs), Wanted(deadline(kwargs), None)
        thread_id = kwargs.get("thread_id", args[0] if args else None)
        if choice is None or thread_id is None:
            return below(*args, **kwargs)  # which says what is missing
        post = Posting(client, thread_id, kwargs, cancels=choice == "cancel", wanted=wanted)
        return carry_out(post.plan(lambda: one(partial(below, *args, **kwargs))))

    return call


def one(call: Callable[[], Model]) -> Plan[Model]:
    """The plan that is one call."""
    return (yield Invoke(call))
