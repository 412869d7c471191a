"""How a stream whose connection broke is followed to its run's end by polling. Sans-IO.

The plan asks again and again for the run and for what it has written, and says what is new: objects that
were never told, growth as deltas, and ends, each once. What was told is known from the events that passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

import openai

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .dispatch import Dispatcher
from .growth import message_growth, step_growth
from .held import ENDS, NEWEST, Items, Owed, age, inside, items_of, untold, word
from .numbers import Numbers
from .offered import offered
from .plan import Ask, Plan, Received, Say, Sleep
from .settle import Progress
from .status import PENDING

Item = dict[str, Json]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5  # between two looks at a run that goes on

PATIENCE = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0)
"""The seconds after each failure until the next try: a server may be away for about half a minute."""

_PAGES = 20  # of a hundred items each
_CLOCKS = 60.0  # seconds by which the clocks of a server may differ
_AGAIN = frozenset({408, 409, 429})


class Told:
    """What the reader of a stream has been told, of every run and in every answer; and how it is numbered."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.numbers = Numbers()
        self._growth = Dispatcher()
        self._told: set[tuple[str, str]] = set()  # (id, change) of every event but deltas

    def see(self, event: Model) -> None:
        """Takes one event, deltas too."""
        for _ in self._growth.apply(event):
            pass
        change = event.event.rpartition(".")[2]
        if change != "delta":
            self._told.add((getattr(event.data, "id", ""), change))

    @property
    def has_shown_text(self) -> bool:
        """Whether anything of a message was shown."""
        return any(state.parts or state.final is not None for state in self._growth.messages.values())

    def owed(self, run: Item, steps: Items, messages: Items) -> Iterator[Owed]:
        """The events by which the reader is told what a server holds and was not told yet, in order.

        What came of one is taken before the next is made.
        """
        status = word(run, "status") or ""
        yield from self._run_owed(run, status)
        answered = self.progress.answered
        steps, messages = untold(steps, messages, answered)
        held = [("thread.run.step", step) for step in steps]
        held += [("thread.message", message) for message in messages]
        for thing, item in sorted(held, key=lambda one: age(one[1])):  # a step before what is as old as it
            if item["id"] not in self.progress.over:
                is_told = thing == "thread.run.step" and _is_answer(item, answered)
                yield from self._item_owed(thing, item, status, is_told=is_told)
        if status not in PENDING:
            end = f"thread.run.{status}"
            yield Owed(end if end in models.EVENTS else "thread.run.completed", run)

    def _run_owed(self, run: Item, status: str) -> Iterator[Owed]:
        id = run["id"]
        young = {**run, "status": "queued", "started_at": None, **_UNENDED}
        # An earlier stream told of the run whose calls this one answers.
        # What a server leaves out at the beginning is not told once its run was seen to go on.
        told = {change for each, change in self._told if each == id}
        if not told and self.progress.answered is None:
            yield Owed("thread.run.created", young)
        if not told - {"created"}:
            yield Owed("thread.run.queued", young)
        has_begun = status == "in_progress" or (status != "queued" and run.get("started_at") is not None)
        if has_begun and (id, "in_progress") not in self._told:
            yield Owed("thread.run.in_progress", {**run, "status": "in_progress", **_UNENDED})
        elif status in PENDING and status != self.progress.status and f"thread.run.{status}" in models.EVENTS:
            yield Owed(f"thread.run.{status}", run)

    def _item_owed(self, thing: str, item: Item, run_status: str, *, is_told: bool) -> Iterator[Owed]:
        """``is_told``: an earlier stream told of the item, but for its end."""
        id, ends = item["id"], ENDS[thing]
        is_step = thing == "thread.run.step"
        if not is_told:
            young = _young_step(item) if is_step else _young_message(item)
            if id not in (self._growth.steps if is_step else self._growth.messages):
                yield Owed(f"{thing}.created", young)
            if (id, "created") in self._told and (id, "in_progress") not in self._told:
                yield Owed(f"{thing}.in_progress", young)
            yield from self._step_grown(item) if is_step else self._message_grown(item)
        status = word(item, "status")
        if status in ends:
            yield Owed(f"{thing}.{ends[status]}", item)
        elif run_status not in PENDING and not (is_step and run_status == "requires_action"):
            # A run that has ended has ended all that is its own, whatever that says of itself.
            yield Owed(f"{thing}.{ends.get(run_status, 'completed')}", item)

    def _message_grown(self, item: Item) -> Iterator[Owed]:
        for part in message_growth(self._growth.messages.get(item["id"]), item):
            yield Owed("thread.message.delta", _delta("thread.message.delta", item, {"content": [part]}))

    def _step_grown(self, item: Item) -> Iterator[Owed]:
        for call in step_growth(self._growth.steps.get(item["id"]), item):
            details = {"type": "tool_calls", "tool_calls": [call]}
            yield Owed(
                "thread.run.step.delta", _delta("thread.run.step.delta", item, {"step_details": details})
            )


_UNENDED = dict.fromkeys(
    (
        "completed_at",
        "failed_at",
        "cancelled_at",
        "last_error",
        "incomplete_details",
        "required_action",
        "usage",
    )
)


def _young_message(item: Item) -> Item:
    ends = dict.fromkeys(("completed_at", "incomplete_at", "incomplete_details"))
    return {**item, **ends, "status": "in_progress", "content": []}


def _young_step(item: Item) -> Item:
    ends = dict.fromkeys(("completed_at", "failed_at", "cancelled_at", "expired_at", "last_error", "usage"))
    young = {**item, **ends, "status": "in_progress"}
    if isinstance(inside(item, "tool_calls"), list):
        young["step_details"] = {**item["step_details"], "tool_calls": []}
    return young


def _delta(object: str, item: Item, delta: Item) -> Item:
    return {"id": item["id"], "object": object, "delta": delta}


def _is_answer(step: Item, answered: frozenset[str] | None) -> bool:
    calls = inside(step, "tool_calls")
    listed = calls if isinstance(calls, list) else ()
    return any(word(call, "id") in (answered or ()) for call in listed)


class Gone(Exception):
    """A server does not know a run any more, or never did."""


class Look(NamedTuple):
    """What a server holds of a run, asked for in this order: what is listed after the run is over is all."""

    run: Item | None
    steps: Items
    messages: Items


def follow(told: Told, event: Callable[[Owed], Model]) -> Plan[None]:
    """The plan: says what the reader has not been told, until the run's end. Raises the errors of requests.

    ``event`` makes an event of what is owed, and shows it to ``told``. What the server does not offer is left
    out, but for the run: Gone.
    """
    pause = _FIRST_PAUSE
    while True:
        look = yield from _look(told.progress)
        if look.run is None:
            raise Gone("the server does not have it")
        for owed in told.owed(look.run, look.steps, look.messages):
            yield Say(event(owed))
        if word(look.run, "status") not in PENDING:
            return
        yield Sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _look(progress: Progress) -> Plan[Look]:
    assert progress.thread_id is not None
    assert progress.run_id is not None
    thread = f"/threads/{quote(progress.thread_id, safe='')}"
    path = f"{thread}/runs/{quote(progress.run_id, safe='')}"
    run = (yield from patient(Ask(path, retries=0))).value
    if word(run, "status") is None:
        page = yield from patient(Ask(f"{thread}/runs", NEWEST, retries=0))
        run = next((one for one in items_of(page.value, None) if one["id"] == progress.run_id), None)
    steps = yield from _listed(f"{path}/steps", {}, progress.run_id)
    messages = yield from _listed(f"{thread}/messages", {"run_id": progress.run_id}, progress.run_id)
    return Look(run, steps, messages)


def _listed(path: str, query: Item, run_id: str) -> Plan[Items]:
    """All that is listed there of a run, oldest first."""
    listed: Items = []
    after: Item = {}
    for _ in range(_PAGES):
        page = (yield from patient(Ask(path, {**NEWEST, **query, **after}, retries=0))).value
        known = {item["id"] for item in listed}
        new = [item for item in items_of(page, run_id) if item["id"] not in known]
        listed = new + listed
        data = page.get("data") if isinstance(page, dict) else None
        last = word(data[-1], "id") if isinstance(data, list) and data else None
        if not new or last is None or not page.get("has_more"):
            break
        after = {"after": last}
    return sorted(listed, key=age)


def patient(ask: Ask) -> Plan[Received]:
    """What a server answers that may be away for a moment; a value of None where it does not offer it."""
    for pause in PATIENCE:
        try:
            return (yield from offered(ask))
        except (openai.APIError, *_sdk.transport_errors()) as error:
            if not passes(error):
                raise
        yield Sleep(pause)
    return (yield from offered(ask))


def passes(error: Exception) -> bool:
    """Whether a request that failed so may succeed a moment later."""
    status = getattr(error, "status_code", None)
    return not isinstance(status, int) or status >= 500 or status in _AGAIN


def begun_run(page: Json, progress: Progress, assistant_id: str | None, since: float) -> str | None:
    """The id of the run that a request began which was answered at ``since``, among a thread's newest."""
    for run in reversed(items_of(page, None)):
        of_thread = run.get("thread_id") in (None, progress.thread_id)
        of_assistant = assistant_id is None or run.get("assistant_id") in (None, assistant_id)
        if of_thread and of_assistant and age(run) >= since - _CLOCKS:
            return word(run, "id")
    return None
