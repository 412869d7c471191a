"""Whether a run goes on: who drives it, and until when. Sans-IO."""

from __future__ import annotations

from streaming_assistants._protocol.status import PENDING

from .keeper import Keeper
from .store_port import Row, Transaction

CANCEL_SECONDS = 5.0
"""How long a run's driver has to act on a cancel before another does it."""


class LeftBehind(Exception):
    """A request has met a run that somebody has to drive and nobody does: it is taken over first."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


def overdue(tx: Transaction, keeper: Keeper, row: Row) -> str | None:
    """The status in which a run has to end, now that its time is over, or that nobody is left who would
    cancel it; None when it goes on."""
    if not row["active"]:
        return None
    cancelling = row["data"]["status"] == "cancelling"
    if keeper.clock() >= row["expires_at"]:
        return "cancelled" if cancelling else "expired"
    return "cancelled" if cancelling and left_behind(tx, keeper, row) else None


def left_behind(tx: Transaction, keeper: Keeper, row: Row) -> bool:
    """Whether somebody has to drive the run and nobody does."""
    if not row["active"] or row["data"]["status"] not in PENDING:
        return False
    if row["owner"] == keeper.owner:
        return not keeper.drives(row["id"])
    return not keeper.lives(tx.owner(row["owner"]), keeper.clock())


def abandoned(tx: Transaction, keeper: Keeper) -> list[str]:
    """The owners of active runs who do not drive them any more."""
    now = keeper.clock()
    owners = [each.owner for each in tx.driven() if each.owner not in (None, keeper.owner)]
    return [owner for owner in owners if owner is not None and not keeper.lives(tx.owner(owner), now)]


def others_drive(tx: Transaction, keeper: Keeper) -> bool:
    """Whether somebody else lives who takes over what is left behind. Nobody else learns so, or that we do,
    until the transaction ends: of several who end at once one is the last."""
    now = keeper.clock()
    others = [owner for owner in tx.owners(lock=True) if owner["id"] != keeper.owner and owner["drives"]]
    return any(keeper.lives(owner, now) for owner in others)


def left_to_requests(tx: Transaction, keeper: Keeper, row: Row) -> bool:
    """Whether nobody drives the run, and nobody lives who takes it over unasked."""
    if not left_behind(tx, keeper, row):
        return False
    now = keeper.clock()
    return not any(owner["drives"] and keeper.lives(owner, now) for owner in tx.owners())


def late(tx: Transaction, keeper: Keeper) -> list[str]:
    """The runs that have to end, as :func:`overdue` says, by their time."""
    rows = tx.lapsed_runs(keeper.clock())
    return [row["id"] for row in rows if overdue(tx, keeper, row) is not None]


def quiet(tx: Transaction, keeper: Keeper, driving: int) -> bool:
    """Whether all active runs are driven and go on, as far as their owners and times tell. ``driving`` is how
    many are driven here. The status of a run is not looked at: one that is cancelled has a time to end at.
    """
    now = keeper.clock()
    for owner, runs, expires_at in tx.driven():
        if expires_at <= now + CANCEL_SECONDS:
            return False
        if owner == keeper.owner:
            driving -= runs
        elif owner is not None and not keeper.lives(tx.owner(owner), now):
            return False
    return not driving
