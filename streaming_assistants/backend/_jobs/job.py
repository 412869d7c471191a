"""Drivers: they run :class:`Work`, one in a thread for sync clients, one in a task for async clients."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from streaming_assistants._io.loops import in_thread, nowhere, spawn
from streaming_assistants._protocol.plan import Outcome

from .._engine.effects import Abandoned, Changed, Do, Emit, Work
from .._engine.port import Json, Sleep, UpstreamError
from .._engine.store_port import Store, StoreClosed
from .asking import Asker, AsyncAsker
from .driver import Driver
from .feed import AsyncFeed, Events, Feed

logger = logging.getLogger("streaming_assistants")


class Job(Driver):
    """Work under way in a thread."""

    def __init__(self, work: Work, store: Store, asker: Asker, feed: Feed | None) -> None:
        super().__init__(work, store, feed)
        self._asker = asker
        self._feed = feed
        self._interrupted = threading.Event()
        self._woken = threading.Event()  # by a change of the thread, an interruption, a reader who leaves
        self._thread: threading.Thread | None = None
        self.finished = threading.Event()
        if feed is not None:
            feed.on_leave = self._woken.set

    def start(self, ended: Callable[[Job], None]) -> None:
        def run() -> None:
            try:
                self._drive()
            finally:
                ended(self)
                self.finished.set()

        name = f"streaming_assistants: {self.work.name}"
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the interpreter ends, or the system has no more threads
            logger.warning("%s is given up: %s", self.work.name, error)
            self.stop()
            run()

    def stop(self) -> None:
        """Ends the work, begun or not: its run fails. :meth:`wait` waits for that."""
        self._abandoned = True
        self.interrupt()

    def wait(self, seconds: float) -> None:
        """Until the work has ended, or so long."""
        if self._thread is not threading.current_thread():
            self.finished.wait(seconds)

    def interrupt(self) -> None:
        """Breaks off what the work waits for; from any thread."""
        self._interrupted.set()
        self._woken.set()
        if self._feed is not None:
            self._feed.hurry()
        self._asker.break_off()

    def conclude(self, events: Events) -> None:
        """Ends the reader's stream: the run was ended by other hands."""
        self._finish(events)

    def _drive(self) -> None:
        try:
            with self._ending(self._woken.set):
                outcome = Outcome()
                while (effect := self._next(outcome)) is not None:
                    try:
                        outcome = Outcome(self._do(effect))
                    except Exception as error:  # noqa: BLE001, PERF203 - it goes to the work, which asked
                        outcome = Outcome(error=error)
                if not self._broken_off:
                    self._asker.read_out()
        finally:
            self._asker.close()

    def _do(self, piece: Json) -> Json:
        if isinstance(piece, Emit):
            if piece.last:
                self._finish(piece.events)
            elif self._feed is not None:
                self._feed.put(piece.events)
            return None
        if isinstance(piece, Do):
            return self._done(piece)
        if isinstance(piece, Changed):
            self._woken.wait(piece.seconds)
            self._woken.clear()
            if self._abandoned:
                raise Abandoned
            return None
        if self._interrupted.is_set():
            raise self._interruption()
        if isinstance(piece, Sleep):
            if self._interrupted.wait(piece.seconds):
                raise self._interruption()
            return None
        try:
            return self._asker.ask(piece)
        except UpstreamError:
            if self._interrupted.is_set():
                raise self._interruption() from None
            raise

    def _interruption(self) -> Exception:
        self._interrupted.clear()
        return super()._interruption()


class AsyncJob(Driver):
    """Work under way in a task of an event loop."""

    def __init__(self, work: Work, store: Store, asker: AsyncAsker, feed: AsyncFeed | None) -> None:
        super().__init__(work, store, feed)
        self._asker = asker
        self._feed = feed
        self._interrupted = False
        self._scope: anyio.CancelScope | None = None
        self._call_soon: Callable[..., Any] = nowhere
        self._task: object = None
        self._woken = anyio.Event()
        self.finished = anyio.Event()
        if feed is not None:
            feed.on_leave = self._wake

    @property
    def forsaken(self) -> bool:
        """Whether its event loop was closed over it: nothing of it will ever run again."""
        return isinstance(self._task, asyncio.Task) and self._task.get_loop().is_closed()

    def give_up(self) -> None:
        """Ends the run of a job that is forsaken; from any thread."""
        self._abandon()
        self._ended(self)

    def start(self, ended: Callable[[AsyncJob], None]) -> None:
        self._ended = ended

        async def run() -> None:
            try:
                await self._drive()
            finally:
                ended(self)
                self.finished.set()

        self._task, self._call_soon = spawn(run)
        if self._abandoned:  # before it could be told
            self._interrupt()
        if isinstance(self._task, asyncio.Task):
            self._task.add_done_callback(lambda _: self._settle_unstarted(ended))

    def interrupt(self) -> None:
        """Breaks off what the work waits for; from any thread."""
        self._call_soon(self._interrupt)

    def stop(self) -> None:
        """Ends the work, begun or not: its run fails."""
        self._abandoned = True
        self.interrupt()

    def wait(self, seconds: float) -> None:
        """Does not wait, as the event loop may be the caller's."""

    def conclude(self, events: Events) -> None:
        """Ends the reader's stream: the run was ended by other hands. From any thread."""
        self._call_soon(self._finish, events)

    def _settle_unstarted(self, ended: Callable[[AsyncJob], None]) -> None:
        # A task that is cancelled before its first step runs nothing, not even its `finally`.
        if inspect.getgeneratorstate(self.work.steps) == inspect.GEN_CREATED:
            self._abandon()
            ended(self)
            self.finished.set()

    def _interrupt(self) -> None:
        self._interrupted = True
        self._wake()
        if self._feed is not None:
            self._feed.hurry()
        if self._scope is not None:
            self._scope.cancel()

    def _wake(self) -> None:
        self._woken.set()

    async def _drive(self) -> None:
        try:
            with self._ending(lambda: self._call_soon(self._wake)):
                outcome = Outcome()
                try:
                    while (effect := self._next(outcome)) is not None:
                        try:
                            outcome = Outcome(await self._do(effect))
                        except Exception as error:  # noqa: BLE001, PERF203 - it goes to the work, which asked
                            outcome = Outcome(error=error)
                    if not self._broken_off:
                        await self._asker.read_out()
                except anyio.get_cancelled_exc_class():
                    self._abandon()
                    raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._asker.aclose()

    async def _do(self, piece: Json) -> Json:
        if isinstance(piece, Emit):
            if piece.last:
                self._finish(piece.events)
            elif self._feed is not None:
                await self._feed.put(piece.events)
            return None
        if isinstance(piece, Do):
            if self._store.blocking:
                return await in_thread(partial(self._done, piece))
            return self._done(piece)
        if isinstance(piece, Changed):
            with anyio.move_on_after(piece.seconds):
                await self._woken.wait()
            self._woken = anyio.Event()
            if self._abandoned:
                raise Abandoned
            return None
        if not self._interrupted:
            with anyio.CancelScope() as self._scope:
                if isinstance(piece, Sleep):
                    await anyio.sleep(piece.seconds)
                    return None
                return await self._asker.ask(piece)
        self._scope = None
        self._interrupted = False
        raise self._interruption()

    def _abandon(self) -> None:
        """The event loop ends: the run is ended in the store, without waiting for anything."""
        steps = self.work.steps
        fresh = inspect.getgeneratorstate(steps) == inspect.GEN_CREATED
        trouble: Exception | None = None if fresh else Abandoned()
        answer: Json = None
        try:
            while True:
                piece = steps.send(answer) if trouble is None else steps.throw(trouble)
                answer = trouble = None
                if isinstance(piece, Do):
                    try:
                        answer = self._done(piece)
                    except Exception as error:  # noqa: BLE001 - it goes to the work, which asked
                        trouble = error
                elif isinstance(piece, Emit):
                    if self._feed is not None:
                        (self._feed.finish if piece.last else self._feed.push)(piece.events)
                    if fresh:
                        fresh, trouble = False, Abandoned()
                else:
                    trouble = Abandoned()
        except (StopIteration, Abandoned, StoreClosed):
            return
        except Exception:
            logger.exception("Run %s could not be ended with its event loop.", self.work.run_id)
