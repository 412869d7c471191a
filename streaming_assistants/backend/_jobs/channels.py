"""The channels of one process: of the runs that it drives, and of those that it follows for its readers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from .._engine import api_errors, standing
from .._engine.effects import Work
from .._engine.event_log import Reads, entries_of, final_state, unnumbered
from .._engine.keeper import Keeper
from .._engine.store_port import HearsOthers, Store, StoreAway, StoreClosed
from .channel import Channel, Frame, ring
from .readers import AsyncReader, Reader
from .scribe import Scribe
from .teller import Teller

logger = logging.getLogger("streaming_assistants")

_POLL = 1.0  # seconds, behind the store's own word
_POLL_UNTOLD = 0.05  # of a store that does not tell what others do
_DROP_EVERY = 600.0  # seconds, of the events of runs that ended long ago
_AT_ONCE = 50  # runs that are asked for in one statement
_ROWS = 500  # batches of theirs
_IDLE = 10.0  # seconds until the thread ends

ReaderT = TypeVar("ReaderT", Reader, AsyncReader)


class Channels:
    """Of each run at most one. A thread reads the store for those whose run is driven elsewhere, as long as
    there are some."""

    def __init__(self, store: Store, keeper: Keeper) -> None:
        self._store = store
        self._keeper = keeper
        self._scribe = Scribe(store, keeper.clock)
        self._drop_at = time.monotonic() + _DROP_EVERY
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._followed: dict[Channel, Callable[[], None]] = {}  # with what ends that
        self._news = threading.Condition(threading.Lock())
        self._asked: dict[Channel, bool] = {}  # to refresh; and whether to look at the run, too
        self._thread: threading.Thread | None = None
        self._closed = False
        hears = store.in_memory or (isinstance(store, HearsOthers) and store.hears_others)
        self._poll = _POLL if hears else _POLL_UNTOLD

    def drive(self, work: Work, on_lost: Callable[[], object]) -> Teller:
        """What tells of a run that is driven here from now on."""
        assert work.run_id is not None
        channel = self._of(work.run_id, work.thread_id, work.last)
        self._unfollow(channel)
        if time.monotonic() >= self._drop_at:
            self._drop_at = time.monotonic() + _DROP_EVERY
            self._scribe.drop_old()
        teller = Teller(work, self._store, self._keeper, channel, self._scribe, on_lost)
        teller.gone = partial(self._left, channel)
        return teller

    def read(self, reads: Reads, frame: Frame, end: bytes, kind: type[ReaderT]) -> ReaderT:
        """A reader of a run, who is given frames."""
        if reads.stopped:
            channel = Channel(reads.run_id, reads.thread_id, reads.last, stopped=reads.instead is None)
            channel.conclude(reads.instead or ())
            return kind(channel, reads, frame, end, self._store)
        if reads.one_stretch:  # which begins here, and is driven in a moment
            channel = self._of(reads.run_id, reads.thread_id, reads.after)
            channel.go_on(reads.after)
            return kind(channel, reads, frame, end, self._store)
        channel = self._of(reads.run_id, reads.thread_id, reads.last)
        reader = kind(channel, reads, frame, end, self._store)
        if not channel.driven:
            over = channel.stopped and channel.last < reads.last
            if over or channel.is_cut or channel.farewell is not None:
                channel.go_on(channel.last)  # it was taken over or submitted to elsewhere
            if not channel.stopped:
                self._follow(channel)
        return reader

    def refresh(self, run_id: str) -> None:
        """Has what others have told of a run read, where somebody here reads it."""
        with self._lock:
            channel = self._channels.get(run_id)
        if channel is not None:
            self._ask(channel, look=True)

    def close(self) -> None:
        """Ends it; readers of runs that are driven elsewhere are broken off."""
        with self._lock:
            self._closed = True
            followed = list(self._followed)
        for channel in followed:
            ring(channel.cut())
            self._unfollow(channel)
        self._scribe.close()
        with self._news:
            self._news.notify_all()

    def _of(self, run_id: str, thread_id: str, last: int) -> Channel:
        with self._lock:
            if len(self._channels) > 2 * self._many:
                for id, each in list(self._channels.items()):
                    if not (each.driven or each.is_read):
                        del self._channels[id]
                self._many = max(len(self._channels), _AT_ONCE)
            channel = self._channels.get(run_id)
            if channel is None:
                channel = self._channels[run_id] = Channel(run_id, thread_id, last)
            return channel

    _many = _AT_ONCE

    def _left(self, channel: Channel) -> None:
        """The run's driver here is done with it."""
        if channel.is_read and not channel.stopped and channel.farewell is None:
            self._follow(channel)
        elif not channel.is_read:
            with self._lock:
                if self._channels.get(channel.run_id) is channel and not channel.is_read:
                    del self._channels[channel.run_id]

    def _follow(self, channel: Channel) -> None:
        with self._lock:
            if channel in self._followed:
                return
            if not self._closed:
                wake = partial(self._ask, channel)
                self._followed[channel] = self._store.watch(channel.run_id, wake)
        if self._closed:
            ring(channel.cut())
        else:
            self._ask(channel)

    def _unfollow(self, channel: Channel) -> None:
        with self._lock:
            stop = self._followed.pop(channel, None)
        if stop is not None:
            stop()

    def _ask(self, channel: Channel, *, look: bool = False) -> None:
        with self._news:
            self._asked[channel] = look or self._asked.get(channel, False)
            self._news.notify_all()
            if self._thread is None and not self._closed:
                name = "streaming_assistants follower"
                self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError as error:  # the interpreter ends, or the system has no more threads
                    self._thread = None
                    logger.warning("Nobody follows the runs of others: %s", error)

    def _go_on(self) -> None:
        now = time.monotonic()
        poll_at, look_at, ends_at, away = now + self._poll, now + _POLL, now + _IDLE, False
        while True:
            with self._news:
                self._news.wait_for(lambda: self._asked or self._closed, max(0.0, poll_at - time.monotonic()))
                now = time.monotonic()
                with self._lock:
                    followed = list(self._followed)
                if followed or self._asked:
                    ends_at = now + _IDLE
                if self._closed or now > ends_at:
                    self._thread = None
                    return
                asked, self._asked = self._asked, {}
            if now >= poll_at:
                poll_at, look = now + self._poll, now >= look_at
                look_at = now + _POLL if look else look_at
                asked = {channel: look or asked.get(channel, False) for channel in [*asked, *followed]}
            try:
                self._refresh(asked)
                away = False
            except StoreClosed:
                return
            except StoreAway as error:
                if not away:
                    logger.warning("The store is away, and its runs are not followed: %s", error)
                away = True
                time.sleep(0.1)
            except Exception:
                logger.exception("Runs could not be followed.")

    def _refresh(self, asked: dict[Channel, bool]) -> None:
        channels = list(asked)
        for at in range(0, len(channels), _AT_ONCE):
            part = {channel.run_id: channel for channel in channels[at : at + _AT_ONCE]}
            told: set[str] = set()
            more = True
            while more:
                with self._store.read() as tx:
                    batches = tx.events({id: channel.last for id, channel in part.items()}, _ROWS)
                more = len(batches) == _ROWS
                for batch in batches:
                    told.add(batch.run_id)
                    channel = part[batch.run_id]
                    ring(channel.publish(entries_of(batch, channel.last)))
            for id, channel in part.items():
                if asked[channel] and id not in told and not channel.stopped:
                    self._look_at(channel)
                if channel.stopped or channel.is_cut or channel.farewell is not None or not channel.is_read:
                    self._unfollow(channel)

    def _look_at(self, channel: Channel) -> None:
        """Sees whether a run of which nothing is told goes on at all."""
        with self._store.read() as tx:
            row = tx.get("runs", channel.run_id)
            if row is None:
                gone = api_errors.deleted("thread", channel.thread_id, channel.run_id)
                events = [("error", gone.body)]
            elif row["active"] and row["data"]["status"] != "requires_action":
                if standing.left_to_requests(tx, self._keeper, row):
                    ring(channel.cut(driven=False))  # who asks for the rest has it taken over
                return
            elif tx.last_event(channel.run_id) > channel.last:
                return  # told meanwhile
            else:  # by one who keeps no log
                events = final_state(tx, row)
        ring(channel.conclude(unnumbered(events)))
