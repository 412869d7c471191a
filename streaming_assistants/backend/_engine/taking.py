"""A run that its driver has left behind, taken by another: it goes on between two turns, and a turn that was
broken is asked again. Sans-IO.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from . import lifecycle, objects, standing
from .claim_port import NOBODY
from .effects import Do, Event, Steps
from .held_run import HeldRun
from .keeper import Keeper
from .lifecycle import Stretch
from .past import BROKEN, broken
from .port import Json
from .shown import Shown, fuller, shown
from .store_port import Row, Transaction

ATTEMPTS = 3
"""How often a turn is asked of the upstream before its run fails."""

ENDED = "The process that drove the run ended before the run did."

_GONE = "The process that drove the run ended before the step did. The turn is asked again."


class Taken(NamedTuple):
    """What a run goes on from that was taken over, and whose it is; ``last`` is the number of its newest
    event."""

    stretch: Stretch
    project: str
    last: int


def take(tx: Transaction, keeper: Keeper, row: Row) -> Taken:
    """Makes a run that was left behind ours, whose row is locked."""
    run, thread = row["data"], tx.get("threads", row["thread_id"])
    assert thread is not None  # it would be gone with its thread
    assistant = tx.get("assistants", run["assistant_id"])
    turn = row["hidden"].get("turn") or {}
    # What is given back costs no attempt: nothing says that the turn would not end.
    lost = 0 if row["owner"] == NOBODY else 1
    turn = {"after": _began(tx, row), **turn, "attempts": turn.get("attempts", 1) + lost}
    hidden = {**row["hidden"], "turn": turn}
    claim = row["claim"] + 1
    keeper.claim(row["id"])
    tx.change("runs", row["id"], {}, row=row, owner=keeper.owner, claim=claim, hidden=hidden)
    told = None if assistant is None else assistant["data"]
    stretch = Stretch(run, run, hidden, thread["data"], told, claim, broken=True)
    return Taken(stretch, row["project"], tx.last_event(row["id"]))


def leave(keeper: Keeper, tx: Transaction) -> bool:
    """Takes over nothing more, and gives the runs back that are driven here where others live who take them:
    who drives them here finds that they are lost. Whether there were any. The last of those who take over
    ends what nobody drives."""
    if standing.others_drive(tx, keeper):
        tx.stop_driving(keeper.owner)
        return tx.give_back(keeper.owner)
    ours = tx.owner(keeper.owner)
    if ours is not None and ours["drives"]:
        error = {"code": "server_error", "message": ENDED}
        for row in tx.runs_of([NOBODY], lock=True):
            lifecycle.end_elsewhere(tx, keeper, row, "failed", {"last_error": error})
    tx.stop_driving(keeper.owner)
    return False


def taken_up(stretch: Stretch, held: HeldRun, keeper: Keeper) -> Steps[None]:
    """Closes what another has left open of the turn, before it is asked again."""
    if stretch.broken:
        yield Do(held.within(partial(mend, keeper, stretch)), says=True)


def refusal(stretch: Stretch) -> str | None:
    """Why a run that was taken over is not to be driven on; None when it is."""
    if not stretch.broken:
        return None
    if stretch.hidden.get(lifecycle.UPSTREAM_KEY) == "caller":
        return (
            "The process that drove the run ended before the run did, and nobody else has the key that it "
            "was asked with."
        )
    if stretch.hidden["turn"]["attempts"] > ATTEMPTS:
        return f"The process that drove the run ended before the run did, {ATTEMPTS} times in the same turn."
    return None


def mend(keeper: Keeper, stretch: Stretch, tx: Transaction) -> list[Event]:
    """Closes what the turn had open when it was broken, and keeps all of it from the model."""
    now = keeper.now()
    events: list[Event] = []
    run_id, began = stretch.run["id"], stretch.hidden["turn"]["after"]
    steps = [step for step in tx.all("steps", run_id=run_id) if step["seq"] > began and not broken(step)]
    opened = any(step["data"]["status"] == "in_progress" for step in steps)
    seen = shown(tx, run_id) if opened else Shown({}, {})
    for step in steps:
        made = step["data"]["step_details"].get("message_creation")
        message = None if made is None else tx.get("messages", made["message_id"], lock=True)
        if message is not None:
            told: Json = {}
            if message["data"]["status"] == "in_progress":
                told = {"status": "incomplete", "incomplete_at": now}
                told["incomplete_details"] = {"reason": "run_failed"}
                told["content"] = fuller(message["data"]["content"], seen.content.get(message["id"]))
            data = tx.change("messages", message["id"], told, row=message, hidden=_broken(message))
            if told:
                events.append(("thread.message.incomplete", data))
        told = {}
        if step["data"]["status"] == "in_progress":
            error = {"code": "server_error", "message": _GONE}
            told = {"status": "failed", "failed_at": now, "last_error": error, "usage": objects.nothing()}
            if made is None:
                calls = fuller(step["data"]["step_details"]["tool_calls"], seen.calls.get(step["id"]))
                told["step_details"] = {"type": "tool_calls", "tool_calls": calls}
        data = tx.change("steps", step["id"], told, row=step, hidden=_broken(step))
        if told:
            events.append(("thread.run.step.failed", data))
    return events


def _broken(row: Row) -> Json:
    return {**(row["hidden"] or {}), BROKEN: True}


def _began(tx: Transaction, row: Row) -> int:
    """Where the turn began of a run that has no note of it: after the last step that its client has answered,
    by its seq. 0 for the first turn."""
    if not row["hidden"].get("rounds"):
        return 0
    answered = [
        step["seq"]
        for step in tx.all("steps", run_id=row["id"])
        if step["data"]["status"] == "completed"
        and any(call["type"] == "function" for call in step["data"]["step_details"].get("tool_calls") or ())
    ]
    return max(answered, default=0)
