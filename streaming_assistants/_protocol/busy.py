"""How something is posted to a thread that may be busy: its active run is waited for, or cancelled. Sans-IO.

A thread takes no message and no run while one of its runs is active. The plan looks first, so that a server
is not asked for what it would refuse; whoever else posts to the thread may still come between the look and
the post, and what the server then refuses is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import openai

from streaming_assistants._json import Json

from .offered import offered
from .plan import Effect, Plan, Received, Sleep, WaitedTooLong
from .status import ACTIVE
from .waits import Wait

PostedT = TypeVar("PostedT")

_BUSY = re.compile(r"already has an active run(?: ([\w-]+))?|while a run(?: ([\w-]+))? is active")
"""The API's words for a thread that is busy; most servers name the run, as the API does."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0

REFUSALS = 12
"""How often a server may call a thread busy with a run that is over, before it is believed: about 10 s."""


@dataclass(frozen=True)
class ThreadRuns:
    """The runs of one thread: how the newest are asked for, and how one is waited for and cancelled."""

    thread_id: str
    newest: Effect
    over: Callable[[str], Plan[object]]
    cancel: Callable[[str], Effect]


def post(
    make: Callable[[], Plan[PostedT]], runs: ThreadRuns, wait: Wait, *, cancels: bool = False
) -> Plan[PostedT]:
    """The plan: gives what ``make`` does, made as often as the server finds the thread busy.

    Raises WaitedTooLong at the deadline of ``wait``, what ``runs.over`` raises at its own, and the errors of
    requests, that of a thread which stays busy with nothing among them.
    """
    run_id = yield from _active(runs)
    refusals, pause = 0, _FIRST_PAUSE
    while True:
        if run_id is not None:
            if cancels:
                yield from _cancelled(runs.cancel(run_id))
            yield from runs.over(run_id)
        try:
            return (yield from make())
        except openai.APIStatusError as error:
            said = _BUSY.search(str(error))
            if said is None or refusals == REFUSALS:
                raise
        named = said[1] or said[2] or (yield from _active(runs))
        if named != run_id:
            run_id, refusals, pause = named, 0, _FIRST_PAUSE
            if named is not None:
                continue  # another came first
        if wait.over:
            raise WaitedTooLong
        # The run is over, and the thread not free yet.
        yield Sleep(wait.cut(pause))
        refusals, pause = refusals + 1, min(pause * 2, _LONGEST_PAUSE)


def _active(runs: ThreadRuns) -> Plan[str | None]:
    """The id of the thread's active run; None for none, and where a server does not list runs."""
    page: Received = yield from offered(runs.newest)
    listed: Json = page.value.get("data") if isinstance(page.value, dict) else None
    for run in listed if isinstance(listed, list) else ():
        if (
            isinstance(run, dict)
            and run.get("thread_id") in (None, runs.thread_id)  # some servers list those of every thread
            and run.get("status") in ACTIVE
            and isinstance(run.get("id"), str)
        ):
            return run["id"]  # type: ignore[no-any-return]
    return None


def _cancelled(cancel: Effect) -> Plan[None]:
    try:
        yield cancel
    except openai.APIStatusError as error:
        # It has ended by now, or another cancels it: either way it is waited for.
        if error.status_code not in (400, 404, 409):
            raise
