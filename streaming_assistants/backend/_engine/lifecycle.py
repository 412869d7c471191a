"""The life of a run as requests change it: begin, cancel, submit, and the end of a run left behind.

Every function works within the caller's transaction and answers with events, ``(name, object)`` pairs,
where a stream would show them.
"""

from __future__ import annotations

from typing import NamedTuple

from streaming_assistants._protocol.status import PENDING

from . import api_errors, event_log, objects, run_params
from .effects import Event
from .keeper import Keeper as Keeper
from .port import Json
from .shown import fuller, shown
from .standing import CANCEL_SECONDS, LeftBehind, left_behind, overdue
from .store_port import Row, Transaction

UPSTREAM_KEY = "upstream_key"
"""Of what is hidden of a run: ``caller`` where the upstream is asked with the caller's own key."""


class Stretch(NamedTuple):
    """What a run goes on from, until it waits for its client or ends: it is stored as ``in_progress`` by the
    request that has it go on, which answers with the run as it was ``queued``. ``claim`` is the number under
    which it is driven; ``broken`` says that another has driven it before, in the turn that is asked now."""

    queued: Json
    run: Json
    hidden: Json
    thread: Json
    assistant: Json | None  # which may have been deleted meanwhile
    claim: int = 1
    broken: bool = False

    @property
    def opening(self) -> list[Event]:
        return [("thread.run.queued", self.queued), ("thread.run.in_progress", self.run)]


def begin(
    tx: Transaction, keeper: Keeper, thread_id: str, body: Json, include: bool, *, callers_key: bool = False
) -> Stretch:
    """Stores a run and its additional messages. With ``callers_key`` nobody can drive it but who has the key
    of whoever asks for it."""
    thread = tx.get("threads", thread_id, lock=True)
    if thread is None:
        raise api_errors.missing("thread", thread_id)
    assistant = tx.get("assistants", body["assistant_id"])
    if assistant is None:
        raise api_errors.missing("assistant", body["assistant_id"])
    now = keeper.now()
    for message in body.get("additional_messages") or []:
        tx.add("messages", objects.message(message, thread_id, now), thread_id=thread_id)
    queued = objects.run(body, assistant["data"], thread_id, now)
    run = _started(queued, now)
    columns = {
        "thread_id": thread_id,
        "active": True,
        "owner": keeper.owner,
        "claim": 1,
        "expires_at": float(run["expires_at"]),
        "hidden": {
            "include": include,
            "given": run_params.given(body, (assistant["hidden"] or {}).get("given", ())),
            **({UPSTREAM_KEY: "caller"} if callers_key else {}),
        },
    }
    if not tx.add("runs", run, **columns):
        active = active_run(tx, keeper, thread_id)
        if active is not None:
            raise api_errors.busy_for_run(thread_id, active["id"])
        tx.add("runs", run, **columns)  # the other had been left behind, and is ended
    keeper.claim(run["id"])
    if not run["instructions"] and not _has_user_message(tx, thread_id):
        raise api_errors.nothing_to_answer()
    return Stretch(queued, run, columns["hidden"], thread["data"], assistant["data"])


def cancel(tx: Transaction, keeper: Keeper, row: Row) -> Json:
    """A run that is driven becomes ``cancelling``, for its driver to end; one that waits ends at once."""
    run = row["data"]
    if not row["active"] or run["status"] == "cancelling":
        raise api_errors.not_cancellable(run["status"])
    if run["status"] in PENDING:
        by = keeper.clock() + CANCEL_SECONDS
        columns = {"hidden": {**row["hidden"], "cancel_by": by}, "expires_at": min(by, row["expires_at"])}
        return tx.change("runs", run["id"], {"status": "cancelling"}, row=row, **columns)
    return end_elsewhere(tx, keeper, row, "cancelled")[-1][1]


def submit(
    tx: Transaction, keeper: Keeper, thread: Row, row: Row, outputs: Json
) -> tuple[Stretch, list[Event]]:
    """Puts the outputs into the waiting step and has the run go on; with the events of that."""
    run = row["data"]
    if run["status"] != "requires_action":
        raise api_errors.not_waiting(run["status"])
    expected = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
    got = [output["tool_call_id"] for output in outputs]
    if sorted(expected) != sorted(got):
        raise api_errors.wrong_outputs(expected, got)
    said = {output["tool_call_id"]: output.get("output") or "" for output in outputs}
    waiting = tx.newest("steps", run_id=run["id"])
    assert waiting is not None  # requires_action comes from a step
    calls = waiting["data"]["step_details"]["tool_calls"]
    for call in calls:
        if call["type"] == "function":
            call["function"]["output"] = said[call["id"]]
    hidden = row["hidden"]
    now = keeper.now()
    step = tx.change(
        "steps",
        waiting["id"],
        {
            "status": "completed",
            "completed_at": now,
            "step_details": {"type": "tool_calls", "tool_calls": calls},
            "usage": hidden.get("step_usage") or objects.nothing(),
        },
        row=waiting,
    )
    assistant = tx.get("assistants", run["assistant_id"])
    queued = {**run, "status": "queued", "required_action": None}
    keeper.claim(run["id"])
    hidden = {**hidden, "turn": {"after": waiting["seq"]}}
    columns = {"owner": keeper.owner, "claim": row["claim"] + 1, "hidden": hidden}
    run = tx.change("runs", run["id"], _started(queued, now), row=row, **columns)
    told = None if assistant is None else assistant["data"]
    stretch = Stretch(queued, run, hidden, thread["data"], told, columns["claim"])
    return stretch, [("thread.run.step.completed", step)]


def active_run(tx: Transaction, keeper: Keeper, thread_id: str) -> Row | None:
    """The thread's active run; one whose time is over is ended first. Raises :class:`LeftBehind`."""
    row = tx.newest("runs", thread_id=thread_id, active=True)
    if row is None:
        return None
    if (status := overdue(tx, keeper, row)) is not None:
        end_elsewhere(tx, keeper, row, status)
        return None
    if left_behind(tx, keeper, row):
        raise LeftBehind(row["id"])
    return row


_STEP_TIME = {"cancelled": "cancelled_at", "failed": "failed_at", "expired": "expired_at"}


def end(
    tx: Transaction,
    keeper: Keeper,
    row: Row,
    status: str,
    changes: Json | None = None,
    error: Json = None,
) -> list[Event]:
    """Ends a run as ``cancelled``, ``failed`` or ``expired``, with what it has open; the events of that.
    ``error`` is for its reader, after them."""
    now = keeper.now()
    run_id = row["id"]
    events: list[Event] = []
    if row["data"]["status"] == "cancelling":
        events.append(("thread.run.cancelling", row["data"]))
    for message in tx.all("messages", thread_id=row["thread_id"], run_id=run_id):
        if message["data"]["status"] == "in_progress":
            seen = shown(tx, run_id).content.get(message["id"])
            told = {
                "status": "incomplete",
                "incomplete_at": now,
                "incomplete_details": {"reason": f"run_{status}"},
                "content": fuller(message["data"]["content"], seen),
            }
            data = tx.change("messages", message["id"], told, row=message)
            events.append(("thread.message.incomplete", data))
    for step in tx.all("steps", run_id=run_id):
        if step["data"]["status"] == "in_progress":
            told = {"status": status, _STEP_TIME[status]: now, "usage": objects.nothing()}
            if status == "failed":
                told["last_error"] = (changes or {}).get("last_error")
            data = tx.change("steps", step["id"], told, row=step)
            events.append((f"thread.run.step.{status}", data))
    usage = row["hidden"].get("usage") or objects.NO_USAGE
    told = {"status": status, "expires_at": None, "required_action": None, "usage": usage}
    if status != "expired":
        told[_STEP_TIME[status]] = now
    told = {**told, **(changes or {})}
    hidden = row["hidden"] if error is None else {**row["hidden"], "error": error}
    run = tx.change("runs", run_id, told, row=row, active=False, owner=None, hidden=hidden)
    events.append((f"thread.run.{status}", run))
    return events if error is None else [*events, ("error", error)]


def end_elsewhere(
    tx: Transaction, keeper: Keeper, row: Row, status: str, changes: Json | None = None, error: Json = None
) -> list[Event]:
    """:func:`end` by others than the run's driver: its events go into the log by that."""
    events = end(tx, keeper, row, status, changes, error)
    event_log.keep(tx, keeper, row["id"], events)
    return events


def end_for_deleted_assistant(tx: Transaction, keeper: Keeper, assistant_id: str) -> list[str]:
    """Ends the runs that an assistant is deleted under; their ids."""
    ended = []
    for row in tx.active_runs():
        if row["data"]["assistant_id"] != assistant_id:
            continue
        locked = tx.get("runs", row["id"], lock=True)
        if locked is None or not locked["active"]:
            continue
        error = api_errors.deleted("assistant", assistant_id, row["id"])
        last_error = {"code": "server_error", "message": str(error)}
        end_elsewhere(tx, keeper, locked, "failed", {"last_error": last_error}, error.body)
        ended.append(row["id"])
    return ended


def farewell(tx: Transaction, thread_id: str, run_id: str) -> list[Event]:
    """What the readers of a run are owed that its log does not tell: that its thread was deleted."""
    if tx.get("runs", run_id) is not None:
        return []
    return [("error", api_errors.deleted("thread", thread_id, run_id).body)]


def _started(queued: Json, now: int) -> Json:
    return {**queued, "status": "in_progress", "started_at": now}


def _has_user_message(tx: Transaction, thread_id: str) -> bool:
    """Asks for the newest message first, which nearly always is a user's."""
    where, after, limit = {"thread_id": thread_id}, None, 1
    while True:
        page = tx.page("messages", where, limit=limit, ascending=False, after=after, before=None)
        if any(row["data"]["role"] == "user" for row in page.rows):
            return True
        if not page.more:
            return False
        after, limit = page.rows[-1]["seq"], 100
