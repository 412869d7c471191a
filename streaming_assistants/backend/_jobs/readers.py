"""Whoever reads a run: from its channel while they keep up, from the store where they do not."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator

import anyio

from streaming_assistants._io.loops import caller, in_thread

from .._engine.api_errors import ApiError
from .._engine.event_log import STOPS, Reads, entries_of, unnumbered
from .._engine.event_port import Entry
from .._engine.store_port import Store, StoreAway, StoreClosed
from .channel import Batch, Channel, Frame

_ROWS = 64
"""Batches that are read from the store at once."""


class Cut(ConnectionError):
    """The stream ends here, and not with its run: whoever reads may ask for the rest."""


class _Reader:
    """What a reader of either colour knows: it is given each event as ``frame`` writes it, and ``end`` behind
    them."""

    patience: float | None = None
    """How many seconds it waits for the next event before it raises TimeoutError."""

    def __init__(self, channel: Channel, reads: Reads, frame: Frame, end: bytes, store: Store) -> None:
        self.left = False
        self._channel = channel
        self._run_id = reads.run_id
        self._one_stretch = reads.one_stretch
        self._frame = frame
        self._end = end
        self._store = store
        self._after = reads.after
        self._over = False  # all but the end has been shown
        self._ended = False
        channel.join(self)

    def wake(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """The reader leaves; the run goes on. One that waits elsewhere wakes, and is told nothing more."""
        with self._channel.lock:
            self.left = True
        self._channel.leave(self)
        self.wake()

    def _has_news(self) -> bool:
        channel, after = self._channel, self._after
        return self.left or self._over or channel.last > after or channel.lags(after) or channel.ends(after)

    def _lags(self) -> bool:
        return self._channel.lags(self._after) and not (self.left or self._over)

    def _taken(self) -> bytes | None:
        """What there is, within the channel's lock; None when nothing more will come. Raises TimeoutError."""
        if self.left or self._ended:
            return None
        if self._channel.is_cut and not self._over:
            raise Cut(f"The stream of the run '{self._run_id}' was broken off.")
        if not self._over and (batches := self._channel.news(self._after)):
            return self._written(batches)
        if self._over or self._channel.ends(self._after):
            self._ended = True
            self._channel.leave(self)
            farewell = () if self._over else self._channel.farewell or ()
            return b"".join([*map(self._frame, farewell), self._end])
        raise self._late()

    def _late(self) -> TimeoutError:
        return TimeoutError(
            f"The run said nothing for {self.patience} seconds, as long as the request's timeout allows."
        )

    def _written(self, batches: list[Batch]) -> bytes:
        if self._one_stretch and any(batch.stops for batch in batches):
            return self._framed([entry for batch in batches for entry in batch.entries])
        first = batches[0]
        said = []
        if first.first <= self._after:
            said.append(self._framed(list(first.entries)))
            batches = batches[1:]
        frame = self._frame
        said += [batch.frames(frame) for batch in batches]
        if batches:
            self._after = batches[-1].last
        return b"".join(said)

    def _framed(self, entries: list[Entry]) -> bytes:
        """Those that were not shown, as far as the reader goes."""
        shown = []
        for entry in entries:
            if entry.number <= self._after:
                continue
            if self._over and entry.name != "error":
                break
            shown.append(self._frame(entry))
            self._after = entry.number
            self._over = self._over or (self._one_stretch and entry.name in STOPS)
        return b"".join(shown)

    def _stored(self) -> bytes:
        """What comes next, out of the store."""
        try:
            with self._store.read() as tx:
                batches = tx.events({self._run_id: self._after}, _ROWS)
        except (StoreAway, StoreClosed) as error:
            raise Cut(f"The stream of the run '{self._run_id}' was broken off: {error}") from error
        entries = [entry for batch in batches for entry in entries_of(batch, self._after)]
        if self._channel.stopped:  # what others have told since is for who asks again
            entries = [entry for entry in entries if entry.number <= self._channel.last]
        if not entries or entries[0].number != self._after + 1:
            self._over = True
            gone = f"Events of the run '{self._run_id}' are not kept any more."
            return b"".join(map(self._frame, unnumbered([("error", ApiError(410, gone).body)])))
        return self._framed(entries)


class Reader(_Reader):
    """For a sync client."""

    def __init__(self, channel: Channel, reads: Reads, frame: Frame, end: bytes, store: Store) -> None:
        self._woken = threading.Event()
        super().__init__(channel, reads, frame, end, store)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            yield chunk

    def wake(self) -> None:
        self._woken.set()

    def _next(self) -> bytes | None:
        lock = self._channel.lock
        while True:
            with lock:
                if self._has_news():
                    lags = self._lags()
                    if not lags:
                        return self._taken()
                    break
                self._woken.clear()
                self._channel.wait(self)
            came = self._woken.wait(self.patience)
            with lock:
                self._channel.go_on_reading(self)
                if not (came or self._has_news()):
                    raise self._late()
        return self._stored()


class AsyncReader(_Reader):
    """For an async client, within its event loop."""

    def __init__(self, channel: Channel, reads: Reads, frame: Frame, end: bytes, store: Store) -> None:
        self._woken = anyio.Event()
        self._call_soon: Callable[..., object] = caller()
        self._thread = threading.get_ident()
        super().__init__(channel, reads, frame, end, store)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._next()) is not None:
            yield chunk

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._woken.set()
            return
        try:
            self._call_soon(self._woken.set)
        except RuntimeError:  # its event loop has ended
            self.left = True

    async def _next(self) -> bytes | None:
        lock = self._channel.lock
        while True:
            with lock:
                if self._has_news():
                    lags = self._lags()
                    if not lags:
                        return self._taken()
                    break
                self._woken = anyio.Event()
                self._channel.wait(self)
            try:
                with anyio.move_on_after(self.patience):
                    await self._woken.wait()
            finally:
                with lock:
                    self._channel.go_on_reading(self)
            with lock:
                if not (self._woken.is_set() or self._has_news()):
                    raise self._late()
        if self._store.blocking:
            return await in_thread(self._stored, leavable=True)
        return self._stored()
