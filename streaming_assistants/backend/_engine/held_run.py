"""The run that an execution drives, as long as it may: others cancel it, end it, or delete its thread."""

from __future__ import annotations

from . import lifecycle
from .effects import Events
from .port import Json
from .store_port import Row, Transaction


class Lost(Exception):
    """The run is no longer ours: it was ended by somebody else, or its thread was deleted."""

    def __init__(self, events: Events) -> None:
        super().__init__()
        self.events = events  # what its reader is owed


class Stopped(Exception):
    """The run is ours to end with this status, and to do nothing else with."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class HeldRun:
    def __init__(self, run: Json, keeper: lifecycle.Keeper) -> None:
        self.id: str = run["id"]
        self.thread_id: str = run["thread_id"]
        self._known = run  # as it is stored, unless others have changed it
        self._keeper = keeper
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
        if row is None or not row["active"] or row["owner"] != self._keeper.owner:
            raise self.lost(tx)
        return row

    def change(self, tx: Transaction, changes: Json, **columns: object) -> Json:
        """Puts changes over the run to go on with; the whole. It is read only where others have changed it.
        Raises :class:`Lost` or :class:`Stopped`."""
        data: Json = {**self._known, **changes}
        expired = self._keeper.clock() >= self._expires_at
        if expired or not tx.swap("runs", self._known, data, **columns):
            data = tx.change("runs", self.id, changes, row=self.row(tx), **columns)
        self._known = data
        return data

    def lost(self, tx: Transaction) -> Lost:
        return Lost(lifecycle.farewell(tx, self.thread_id, self.id))
