"""What the driver of a run says, on its way into the store and to those who read it.

On a store that others can see, an event is shown once it is committed: what a crash loses nobody has seen. In
memory it is shown at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from streaming_assistants._io.loops import nowhere

from .._engine.effects import Events, Work
from .._engine.event_log import Unsaved, batches, numbered, unnumbered
from .._engine.event_port import Claim, Entry, EventBatch
from .._engine.keeper import Keeper
from .._engine.store_port import Store, StoreAway, Transaction
from .._engine.transacting import transacted
from .channel import Channel, ring

MOST_UNSAVED = 256
"""Events that wait at most in memory, where nothing else hurries them."""

_CEDE_EVERY = 0.002  # seconds


class Saves(Protocol):
    """Who stores what waits."""

    def events_of(self, teller: Teller) -> None:
        """There are some; they are stored soon."""

    def growth_of(self, teller: Teller) -> None:
        """Something grows, which is stored if the driver does not do it."""


class Teller:
    """``at_work`` is held by the run's driver but while it waits for something outside."""

    def __init__(
        self,
        work: Work,
        store: Store,
        keeper: Keeper,
        channel: Channel,
        saves: Saves,
        on_lost: Callable[[], object],
    ) -> None:
        assert work.run_id is not None
        self.run_id = work.run_id
        self.claim = Claim(keeper.owner, work.claim)
        self.growing = work.growing
        self.at_work = threading.Lock()
        self.at_work.acquire()
        self.on_lost = on_lost
        """Has the driver look at its run, which may not be its own any more."""
        self.over = False
        self.asked = False
        """Whether somebody is going to store what waits."""
        self.looks = False
        """Whether somebody is going to look whether something has grown."""
        self.unsaved = Unsaved(work.last)
        self._store = store
        self._in_memory = store.in_memory
        self._keeper = keeper
        self._channel = channel
        self._saves = saves
        self._saving = threading.Lock()  # one at a time stores what waits
        self._doubts = False  # whether something may be stored that was not said to be
        self._doubted: tuple[object, Events, int] | None = None  # whose, what it says, its last number
        self._cede_at = 0.0
        keeper.said[self.run_id] = self.unsaved
        channel.driver = self
        channel.go_on(work.begun[0].number - 1 if work.begun else work.last)
        ring(channel.publish(work.begun))

    def say(self, events: Events) -> bool:
        """Tells events; whether the caller lets others run now, who wait for them: a first event goes out at
        once, and a reader is never much behind, but the two do not change places at each event."""
        unsaved = self.unsaved
        entries = unsaved.say(events)
        if self._in_memory and not unsaved.held:
            woken = self._channel.publish(entries)
            if woken:
                ring(woken)
        if not self.asked and (not self._in_memory or len(unsaved.entries) >= MOST_UNSAVED):
            self.asked = True
            self._saves.events_of(self)
        if not self.looks and self.growing is not None:
            self.looks = True
            self._saves.growth_of(self)
        return self._cedes()

    def _cedes(self) -> bool:
        if not self._channel.idle:
            return False
        now = time.monotonic()
        if now < self._cede_at:
            return False
        self._cede_at = now + _CEDE_EVERY
        return True

    def done(self, action: Callable[[Transaction], Events], *, durable: bool, of: object = None) -> Events:
        """Carries out a transaction that says something, in which it is seen that the run is driven so still;
        what waits is stored with it. What the action answers. Where the store went away as it was being
        committed, it is done again under the same name ``of``, and not twice."""
        with self._saving:
            waiting = self.unsaved.waiting()
            told: list[tuple[Events, list[Entry]]] = []

            def tell(tx: Transaction) -> None:
                told[:] = [self._told(action, waiting, of, tx)]

            try:
                transacted(self._store, tell, durable=durable)
            except BaseException as error:
                if isinstance(error, StoreAway) and error.doubtful:
                    self.doubt()
                    if told and told[0][0]:
                        self._doubted = of, told[0][0], told[0][1][-1].number
                if waiting:
                    self._saves.events_of(self)
                raise
            ((events, entries),) = told
            if of is not None and entries:
                self._doubts, self._doubted = False, None
            self._stored(entries)
            return events

    def _told(
        self, action: Callable[[Transaction], Events], waiting: list[Entry], of: object, tx: Transaction
    ) -> tuple[Events, list[Entry]]:
        last, there = self.unsaved.last, 0
        if self._doubts:
            there = tx.last_event(self.run_id)
            last = max(last, there)
            if self._doubted is not None and of is not None and self._doubted[0] is of:
                _, events, number = self._doubted
                if there >= number and tx.held({self.run_id: self.claim}).get(self.run_id):
                    first = number - len(events)
                    return events, [*waiting, *numbered(events, first)]
        events = action(tx)
        entries = [*waiting, *numbered(events, last)]
        unstored = [entry for entry in entries if entry.number > there]
        if unstored:
            tx.add_events(batches(self.run_id, unstored), self._keeper.clock())
        return events, entries

    def doubt(self) -> None:
        """Something may be stored of what waits: the log is looked at from now on, before more is."""
        self._doubts = True

    def take(self) -> list[Entry]:
        """What waits, for somebody who stores it and says so by :meth:`taken`; nothing where somebody does it
        already."""
        self.asked = False  # what is said from now on may come too late
        if not self._saving.acquire(blocking=False):
            return []
        entries = self.unsaved.waiting()
        if not entries:
            self._saving.release()
        return entries

    def taken(self, entries: list[Entry], *, stored: bool) -> None:
        """What became of it."""
        try:
            if stored:
                self._stored(entries)
        finally:
            self._saving.release()

    def batches(self, entries: list[Entry], tx: Transaction) -> list[EventBatch]:
        """What is to be stored of it. Where something may be stored already, the log tells."""
        there = tx.last_event(self.run_id) if self._doubts else 0
        return batches(self.run_id, [entry for entry in entries if entry.number > there])

    def _stored(self, entries: list[Entry]) -> None:
        if entries:
            self.unsaved.stored(entries[-1].number)
            ring(self._channel.publish(entries))

    def finish(self, events: Events) -> None:
        """The driver is done: with ``events`` its readers are told these, unless they have been told an end;
        without, what others say of the run from now on is in the store."""
        if self.over:
            return
        self.over = True
        with suppress(KeyError):
            if self._keeper.said[self.run_id] is self.unsaved:
                del self._keeper.said[self.run_id]
        if self._channel.driver is not self:
            return  # another goes on with the run already
        self._channel.driver = None
        if events:
            ring(self._channel.conclude(unnumbered(events)))
        self.gone()

    gone: Callable[[], object] = staticmethod(nowhere)
    """Told that nobody here drives the run any more."""
