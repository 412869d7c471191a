"""The run that an execution drives, as long as it may: others cancel it, end it, or delete its thread."""

from __future__ import annotations

from collections.abc import Callable

from . import lifecycle
from .effects import Events, ResultT
from .port import Json
from .store_port import Row, Transaction


class Lost(Exception):
    """The run is no longer ours: it was ended or taken by somebody else, or its thread was deleted."""

    def __init__(self, events: Events, *, ended: bool) -> None:
        super().__init__()
        self.events = events  # what its reader is owed
        self.ended = ended  # and nobody goes on with it


class Stopped(Exception):
    """The run is ours to end with this status, and to do nothing else with."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class HeldRun:
    """Every write of the run's driver is made in a transaction in which this says that the run is ours: a
    process that was stopped for a while may go on when another drives the run."""

    def __init__(self, stretch: lifecycle.Stretch, keeper: lifecycle.Keeper) -> None:
        run = stretch.run
        self.id: str = run["id"]
        self.thread_id: str = run["thread_id"]
        self._known = run  # as it is stored, unless others have changed it
        self._keeper = keeper
        self._held = {"owner": keeper.owner, "claim": stretch.claim}
        self._expires_at = float(run["expires_at"])

    def row(self, tx: Transaction) -> Row:
        """The run to go on with. Raises :class:`Lost` or :class:`Stopped`."""
        row = self.row_to_end(tx)
        if row["data"]["status"] == "cancelling":
            raise Stopped("cancelled")
        if self._keeper.clock() >= self._expires_at:
            raise Stopped("expired")
        return row

    def row_to_end(self, tx: Transaction) -> Row:
        """The run, whatever has been asked of it. Raises :class:`Lost`."""
        row = tx.get("runs", self.id, lock=True)
        ours = row is not None and row["active"] and {each: row[each] for each in self._held} == self._held
        if row is None or not ours:
            raise self.lost(tx)
        return row

    def change(self, tx: Transaction, changes: Json, **columns: object) -> Json:
        """Puts changes over the run to go on with; the whole. It is read only where others have changed it.
        Raises :class:`Lost` or :class:`Stopped`."""
        data: Json = {**self._known, **changes}
        expired = self._keeper.clock() >= self._expires_at
        if expired or not tx.swap("runs", self._known, data, self._held, **columns):
            data = tx.change("runs", self.id, changes, row=self.row(tx), **columns)
        self._known = data
        return data

    def within(self, action: Callable[[Transaction], ResultT]) -> Callable[[Transaction], ResultT]:
        """The action, in a transaction in which the run is ours to go on with."""

        def held(tx: Transaction) -> ResultT:
            self.row(tx)
            return action(tx)

        return held

    def lost(self, tx: Transaction) -> Lost:
        row = tx.get("runs", self.id)
        ended = row is None or not row["active"]
        return Lost(lifecycle.farewell(tx, self.thread_id, self.id), ended=ended)
