"""Drivers: they run :class:`Work`, one in a thread for sync clients, one in a task for async clients."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio

from streaming_assistants._io.drive import run, run_async
from streaming_assistants._io.loops import in_thread, nowhere, spawn
from streaming_assistants._protocol.plan import Say

from .._engine.effects import Abandoned, Apart, Begin, Changed, Do, Events, Work, WorkEffect
from .._engine.port import Call, Next, Open, Sleep, UpstreamError
from .._engine.store_port import Store
from .asking import Asker, AsyncAsker
from .driver import Driver
from .feed import AsyncFeed, Feed

logger = logging.getLogger("streaming_assistants")


class Job(Driver):
    """Work under way in a thread."""

    forsaken = False

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
        def work() -> None:
            try:
                self._drive()
            finally:
                ended(self)
                self.finished.set()

        name = f"streaming_assistants: {self.work.name}"
        self._thread = threading.Thread(target=work, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the interpreter ends, or the system has no more threads
            logger.warning("%s is given up: %s", self.work.name, error)
            self.stop()
            work()

    def another(self, work: Work) -> Job:
        """Other work, for nobody who waits for it."""
        beside = self._asker.beside
        return Job(work, self._store, Asker(beside(work), beside), None)

    def begin_soon(self, work: Work) -> None:
        """Begins other work beside this; from any thread."""
        self.begin(work)

    def wait(self, seconds: float) -> None:
        """Until the work has ended, or so long."""
        if self._thread is not threading.current_thread():
            self.finished.wait(seconds)

    def interrupt(self) -> None:
        self._interrupted.set()
        self._woken.set()
        if self._feed is not None:
            self._feed.hurry()
        self._asker.break_off()

    def _drive(self) -> None:
        try:
            with self._ending(self._woken.set):
                self._finish(run(self.work.steps, self._do))
                if not self._broken_off:
                    self._asker.read_out()
        finally:
            self._asker.close()

    def _do(self, effect: WorkEffect) -> object:
        self._need_reader()
        if isinstance(effect, Say):
            self._say(effect.what)
            return None
        if isinstance(effect, Do):
            return self._done(effect)
        if isinstance(effect, Apart):
            if self._abandoned:
                raise Abandoned
            return effect.action()
        if isinstance(effect, Begin):
            return self.begin(effect.work)
        if isinstance(effect, Changed):
            self._woken.wait(effect.seconds)
            self._woken.clear()
            if self._abandoned:
                raise Abandoned
            return None
        if self._interrupted.is_set():
            raise self._interruption()
        with self._at_rest():
            return self._waited(effect)

    def _waited(self, effect: Sleep | Call | Open | Next) -> object:
        if isinstance(effect, Sleep):
            if self._interrupted.wait(effect.seconds):
                raise self._interruption()
            return None
        try:
            return self._asker.ask(effect)
        except UpstreamError:
            if self._interrupted.is_set():
                raise self._interruption() from None
            raise

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """While the work waits, others may store what has grown."""
        teller = self.teller
        if teller is None:
            yield
            return
        teller.at_work.release()
        try:
            yield
        finally:
            teller.at_work.acquire()

    def _say(self, events: Events) -> None:
        if self._feed is not None:
            self._feed.put(events)
        elif self.teller is not None and self.teller.say(events):
            time.sleep(0)  # a reader waits for the interpreter, too

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
        self._call_soon: Callable[..., object] = nowhere
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

        async def work() -> None:
            try:
                await self._drive()
            finally:
                ended(self)
                self.finished.set()

        self._task, self._call_soon = spawn(work)
        if self._abandoned:  # before it could be told
            self._interrupt()
        if isinstance(self._task, asyncio.Task):
            self._task.add_done_callback(lambda _: self._settle_unstarted())

    def another(self, work: Work) -> AsyncJob:
        """Other work, for nobody who waits for it."""
        beside = self._asker.beside
        return AsyncJob(work, self._store, AsyncAsker(beside(work), beside), None)

    def begin_soon(self, work: Work) -> None:
        """Begins other work beside this; from any thread."""

        async def begin() -> None:
            self.begin(work)

        self._call_soon(spawn, begin)

    def wait(self, seconds: float) -> None:
        """Does not wait, as the event loop may be the caller's."""

    def interrupt(self) -> None:
        self._call_soon(self._interrupt)

    def _settle_unstarted(self) -> None:
        # A task that is cancelled before its first step runs nothing, not even its `finally`.
        if not self._begun:
            self._abandon()
            self._ended(self)
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
        cancelled: list[BaseException] = []

        # Of the event loop's own class: which loop that is would else be asked for each event.
        self._new_scope = type(anyio.CancelScope())

        async def do(effect: WorkEffect) -> object:
            if cancelled:
                return self._do_at_once(effect)
            try:
                return await self._do(effect)
            except anyio.get_cancelled_exc_class() as error:
                cancelled.append(error)
                self._loop_ended = True
                raise Abandoned from error

        try:
            with self._ending(lambda: self._call_soon(self._wake)):
                self._finish(await run_async(self.work.steps, do))
                if not self._broken_off and not cancelled:
                    await self._asker.read_out()
        finally:
            with anyio.CancelScope(shield=True):
                await self._asker.aclose()
        if cancelled:
            raise cancelled[0]

    async def _do(self, effect: WorkEffect) -> object:
        self._need_reader()
        if isinstance(effect, Say):
            await self._say(effect.what)
            return None
        if isinstance(effect, Do):
            if self._store.blocking:
                return await in_thread(partial(self._done, effect))
            return self._done(effect)
        if isinstance(effect, Apart):
            if self._abandoned:
                raise Abandoned
            return await in_thread(effect.action, leavable=True)
        if isinstance(effect, Begin):
            return self.begin(effect.work)
        if isinstance(effect, Changed):
            with anyio.move_on_after(effect.seconds):
                await self._woken.wait()
            self._woken = anyio.Event()
            if self._abandoned:
                raise Abandoned
            return None
        if not self._interrupted:
            with self._new_scope() as self._scope:
                if self.teller is None:
                    return await self._waited(effect)
                self.teller.at_work.release()
                try:
                    return await self._waited(effect)
                finally:
                    if not self.teller.at_work.acquire(blocking=False):
                        with anyio.CancelScope(shield=True):  # it is broken off, perhaps
                            await in_thread(self.teller.at_work.acquire)
        self._scope = None
        self._interrupted = False
        raise self._interruption()

    async def _waited(self, effect: Sleep | Call | Open | Next) -> object:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return None
        return await self._asker.ask(effect)

    async def _say(self, events: Events) -> None:
        if self._feed is not None:
            await self._feed.put(events)
        elif self.teller is not None and self.teller.say(events):
            await anyio.sleep(0)  # an upstream that has a lot to say never waits by itself
