"""What one backend takes over of others that are gone, and leaves to others when it goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from .._engine import standing
from .._engine.effects import Work
from .._engine.keeper import Keeper
from .._engine.observer import Observer
from .._engine.store_port import Store, StoreAway, StoreClosed, Transaction
from .._engine.taking import Taken, leave, take
from .._engine.transacting import transacted

logger = logging.getLogger("streaming_assistants")

_AT_ONCE = 32  # runs that are taken in one transaction: others take their share of many
_LEAVE_SECONDS = 2.0  # for the store to be told that runs are given back

Hands: TypeAlias = Callable[[Work], object]
"""Begin work, from any thread."""


class Takeover:
    """``work_of`` makes the work of a run, ``indexing`` that of the files that nobody indexes, where there
    are some."""

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        observer: Observer,
        work_of: Callable[[Taken], Work],
        indexing: Callable[[], Work | None],
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._observer = observer
        self._work_of = work_of
        self._indexing = indexing
        self._lock = threading.Lock()
        self._leaving = False
        self._index_at = 0.0

    def runs(self, hands: Hands, strays: Sequence[str] = ()) -> None:
        """Has the runs driven that nobody drives. ``strays`` are some that are ours, perhaps without a
        driver."""
        more = True
        while more:
            with self._store.read() as tx:
                if not strays and not standing.abandoned(tx, self._keeper):
                    return
            with self._lock:
                if self._leaving:
                    return
                taken, more = transacted(self._store, self._take_some)
                taken += transacted(self._store, partial(self._take, strays)) if strays else []
            strays = ()
            for work in self._works(taken):
                hands(work)

    def one(self, run_id: str) -> list[Work]:
        """The work of a run that nobody drives, as long as that is so. Raises StoreClosed where no more is
        taken over."""
        with self._lock:
            if self._leaving:
                raise StoreClosed
            taken = transacted(self._store, partial(self._take, [run_id]))
        return self._works(taken)

    def _take(self, run_ids: Sequence[str], tx: Transaction) -> list[Taken]:
        rows = [tx.get("runs", run_id, lock=True) for run_id in run_ids]
        return [
            take(tx, self._keeper, row)
            for row in rows
            if row is not None and standing.left_behind(tx, self._keeper, row)
        ]

    def _works(self, taken: Sequence[Taken]) -> list[Work]:
        for each in taken:
            self._observer.taken_over(each.stretch.run, each.project)
        return [self._work_of(each) for each in taken]

    def _take_some(self, tx: Transaction) -> tuple[list[Taken], bool]:
        """Runs that are ours now, and whether there are more to take."""
        rows = tx.runs_of(standing.abandoned(tx, self._keeper), _AT_ONCE, lock=True)
        return [take(tx, self._keeper, row) for row in rows], len(rows) == _AT_ONCE

    def files(self, hands: Hands) -> None:
        """Has the files indexed that nobody indexes."""
        now = time.monotonic()
        if now >= self._index_at:
            self._index_at = now + self._keeper.lease / 3
            work = self._indexing()
            if work is not None:
                hands(work)

    def leave(self, seeing: threading.Lock) -> None:
        """Takes nothing more, and gives the runs back that are driven here, where somebody lives who takes
        them. A store that is away is not waited for: they are taken then when their lease is over. While
        ``seeing`` is held somebody says that this backend lives."""
        leave = partial(self._leave, seeing)
        leaving = threading.Thread(target=leave, name="streaming_assistants end", daemon=True)
        try:
            leaving.start()
        except RuntimeError as error:  # the interpreter ends, or the system has no more threads
            logger.warning("The runs under way are not given back: %s", error)
        else:
            leaving.join(_LEAVE_SECONDS)

    def _leave(self, seeing: threading.Lock) -> None:
        try:
            with self._lock, seeing:  # or it might be said that others may give their runs to this one
                self._leaving = True
                given = transacted(self._store, partial(leave, self._keeper))
        except StoreClosed:
            return
        except StoreAway as error:
            logger.warning("The store is away, and the runs under way are not given back: %s", error)
            return
        if given:
            logger.info("The runs under way are given back: another goes on with them.")
