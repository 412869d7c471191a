"""Stores what the drivers of this process have said, for all runs at once, and what grows while they wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from .._engine.event_port import KEPT_SECONDS, Entry
from .._engine.store_port import Store, StoreAway, StoreClosed, Transaction
from .._engine.transacting import transacted
from .teller import Teller

logger = logging.getLogger("streaming_assistants")

_REST, _LONGER_REST = 3.0, 10.0
"""So many times as long as a transaction took is nothing stored after it: others have the store, too. It is
the longer one where a run says so much that nobody sees the difference."""
_MUCH = 16  # events of a run at once
_LONGEST_REST = 0.05  # seconds
_GROWTH_EVERY = 0.1  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # of a store that is away
_IDLE = 10.0  # seconds until the thread ends


class Scribe:
    """A thread that stores, as long as there is something."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[Teller, None] = {}  # those that have said something, in order
        self._growing: dict[Teller, float] = {}  # and when to look at those that grow
        self._thread: threading.Thread | None = None
        self._pause = 0.0
        self._sleeps = False
        self._drops = False
        self.closed = False

    def events_of(self, teller: Teller) -> None:
        with self._changed:
            self._waiting[teller] = None
            self._begin()

    def growth_of(self, teller: Teller) -> None:
        with self._changed:
            self._growing[teller] = time.monotonic() + _GROWTH_EVERY
            self._begin()

    def drop_old(self) -> None:
        """Has the events of runs dropped that ended long ago."""
        with self._changed:
            self._drops = True
            self._begin()

    def close(self) -> None:
        """Ends the thread; what is said from now on is not stored."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _begin(self) -> None:
        if self._sleeps:
            self._sleeps = False
            self._changed.notify_all()
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(
                target=self._go_on, name="streaming_assistants scribe", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError as error:  # the interpreter ends, or the system has no more threads
                self._thread = None
                logger.warning("What runs say is stored at their next transactions: %s", error)

    def _go_on(self) -> None:
        while True:
            with self._changed:
                if not self._work_comes():
                    self._thread = None
                    return
                tellers, self._waiting = list(self._waiting), {}
                drops, self._drops = self._drops, False
                now = time.monotonic()
                due = [teller for teller, at in self._growing.items() if at <= now]
                for teller in due:
                    del self._growing[teller]
            began, times = time.monotonic(), _REST
            try:
                if self._store_events(tellers) >= _MUCH:
                    times = _LONGER_REST
                while due:
                    self._look_at(due[-1])
                    due.pop()
                if drops:
                    transacted(self._store, self._drop, durable=False)
                self._pause = 0.0
            except StoreAway as error:
                with self._changed:
                    self._growing.update(dict.fromkeys(due, now + _GROWTH_EVERY))
                if not self._pause:
                    logger.warning("The store is away, and what runs say waits: %s", error)
                self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            except StoreClosed:
                self.close()
            except Exception:
                logger.exception("What runs said could not be stored.")
                self._pause = _LONGEST_PAUSE
            rest = min(times * (time.monotonic() - began), _LONGEST_REST)
            self._rest(max(rest, self._pause))

    def _drop(self, tx: Transaction) -> None:
        tx.drop_events(self._clock() - KEPT_SECONDS)

    def _work_comes(self) -> bool:
        """Waits for some; whether there is any."""
        until = time.monotonic() + _IDLE
        while not self.closed:
            now = time.monotonic()
            if self._waiting or self._drops or any(at <= now for at in self._growing.values()):
                return True
            if now >= until and not self._growing:
                return False
            self._sleeps = True
            self._changed.wait(max(0.0, min([until, *self._growing.values()]) - now))
            self._sleeps = False
        return False

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self.closed, max(0.0, until - time.monotonic()))

    def _store_events(self, tellers: Sequence[Teller]) -> int:
        """Stores what these have said; how many events of one run that was at most."""
        taken: dict[Teller, list[Entry]] = {}
        for teller in tellers:
            entries = teller.take()
            if entries:
                taken[teller] = entries
        if not taken:
            return 0
        failed = False
        held: Mapping[str, bool] = {}  # of those that are neither there: away, or others have the run's row
        try:
            held = self._stored(taken)
        except StoreClosed:
            raise
        except StoreAway as error:
            if error.doubtful:
                for teller in taken:
                    teller.doubt()
            raise
        except Exception:
            failed = len(taken) > 1  # by one of them
            if not failed:
                (teller,) = taken
                logger.exception("What run %s said could not be stored.", teller.run_id)
                held = {teller.run_id: False}
        finally:
            for teller, entries in taken.items():
                is_held = held.get(teller.run_id)
                teller.taken(entries, stored=bool(is_held))
                if is_held is False:
                    teller.on_lost()
                elif is_held is None:
                    self.events_of(teller)
        if failed:
            for teller in taken:
                self._store_events([teller])
        return max(map(len, taken.values()))

    def _stored(self, taken: Mapping[Teller, list[Entry]]) -> Mapping[str, bool]:
        """Which runs are driven by their tellers' claims; what these have said is stored."""

        def store(tx: Transaction) -> Mapping[str, bool]:
            held = tx.held({teller.run_id: teller.claim for teller in taken})
            kept = [teller for teller in taken if held.get(teller.run_id)]
            tx.add_events(
                [batch for teller in kept for batch in teller.batches(taken[teller], tx)], self._clock()
            )
            return held

        return transacted(self._store, store, durable=False)

    def _look_at(self, teller: Teller) -> None:
        """Stores what has grown, where the run's driver waits and does not do it."""
        growing = teller.growing
        if growing is None or teller.over:
            return
        wait = _GROWTH_EVERY
        if growing.unsaved and teller.at_work.acquire(blocking=False):
            began = time.monotonic()
            try:
                if growing.unsaved:
                    teller.done(growing.look, durable=False)
                    growing.looked()
            except (StoreAway, StoreClosed):
                raise
            except Exception:  # noqa: BLE001 - the driver looks for itself, and says what it is
                teller.looks = False
                teller.on_lost()
                return
            finally:
                teller.at_work.release()
            wait = max(wait, 10 * (time.monotonic() - began))
        if growing.unsaved:
            with self._changed:
                self._growing[teller] = time.monotonic() + wait
        else:
            teller.looks = False
