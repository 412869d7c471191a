"""The work under way of one backend: started, watched over, and stopped."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping

from .._engine import lifecycle
from .._engine.lifecycle import Keeper
from .._engine.observer import Observer
from .._engine.store_port import LEASE, Row, Store, StoreAway, StoreClosed
from . import owners
from .job import AsyncJob, Job

logger = logging.getLogger("streaming_assistants")

STOP_SECONDS = 5.0
"""How long the work that is stopped may take to end."""

_EVERY = 1.0  # seconds
_IDLE_ROUNDS = 10


class JobWatch:
    """A thread that looks after jobs, as long as there are some."""

    def __init__(self, store: Store, keeper: Keeper, place: str, observer: Observer) -> None:
        self._store = store
        self._keeper = keeper
        self._place = place
        self._observer = observer
        self.all_ended: Callable[[], object] | None = None
        """Called when the last job ends, once all have been stopped."""
        self._runs: dict[str, Job | AsyncJob] = {}  # by their ids
        self._under_way: set[Job | AsyncJob] = set()  # those and the readers'
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._seen_at = 0.0
        self._look_at = 0.0
        self._pid = os.getpid()
        self._began = owners.started(self._pid) or ""

    @property
    def under_way(self) -> bool:
        """Whether there is any work."""
        with self._lock:
            return bool(self._under_way)

    def start(self, job: Job | AsyncJob) -> None:
        job.work = self._observer.work(job.work)
        run_id = job.work.run_id
        with self._lock:
            self._under_way.add(job)
            if run_id is not None:
                self._runs[run_id] = job
                self._keeper.take_up(run_id)
            if self._thread is None:
                self._begin()
        if self._stopped.is_set():
            job.stop()
        job.begin = lambda work: self.start(job.another(work))
        job.start(self._ended)

    def stop(self) -> list[Job | AsyncJob]:
        """Ends all work, what begins only now, too; waits for that of threads, some seconds at most. The
        jobs that were under way."""
        self._stopped.set()
        deadline = time.monotonic() + STOP_SECONDS
        stopped: list[Job | AsyncJob] = []
        while True:
            with self._lock:
                jobs = [job for job in self._under_way if job not in stopped]
            if not jobs:
                return stopped
            for job in jobs:
                job.stop()
            for job in jobs:
                job.wait(max(0.0, deadline - time.monotonic()))
            stopped += jobs

    def settle(self) -> list[Row]:
        """Ends the runs that nobody will end: expired ones, and those of processes that are gone. The active
        runs, these among them."""
        with self._store.read() as tx:
            active = list(tx.active_runs())
            late = [row["id"] for row in active if lifecycle.overdue(tx, self._keeper, row)]
        if late:
            self._end(late)
        return active

    def _end(self, run_ids: list[str]) -> None:
        ended = []
        with self._store.write() as tx:
            for run_id in run_ids:
                row = tx.get("runs", run_id, lock=True)
                status = None if row is None else lifecycle.overdue(tx, self._keeper, row)
                if row is not None and status is not None:
                    ended.append((run_id, lifecycle.end(tx, self._keeper, row, status)))
        for run_id, events in ended:
            logger.info("Run %s was left behind and has ended: %s.", run_id, events[-1][0])
            job = self._of(run_id)
            if job is not None:
                job.conclude(events)
                job.interrupt()

    def wake(self, run_id: str) -> None:
        """Has a run's driver look at the store; its reader is told if the run has ended there."""
        job = self._of(run_id)
        if job is None:
            return
        try:
            with self._store.read() as tx:
                events = lifecycle.farewell(tx, job.work.thread_id, run_id)
        except StoreAway as error:
            logger.warning("The store is away; the driver of run %s will see: %s", run_id, error)
            events = []
        if events:
            job.conclude(events)
        job.interrupt()

    def stay_seen(self) -> None:
        """Says that this backend lives, where others can see it and have not been told lately."""
        now = self._keeper.clock()
        if self._store.blocking and now - self._seen_at >= LEASE / 4:
            with self._store.write() as tx:
                tx.forget_unseen(now - LEASE)
                tx.seen(self._keeper.owner, self._place, self._pid, self._began, now)
            self._seen_at = now

    def _of(self, run_id: str) -> Job | AsyncJob | None:
        with self._lock:
            return self._runs.get(run_id)

    def _ended(self, job: Job | AsyncJob) -> None:
        run_id = job.work.run_id
        with self._lock:
            self._under_way.discard(job)
            if run_id is not None and self._runs.get(run_id) is job:
                del self._runs[run_id]
                self._keeper.let_go(run_id)
            last = self._stopped.is_set() and not self._under_way
        if last and self.all_ended is not None:
            self.all_ended()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._go_on, name="streaming_assistants watch", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the interpreter ends, or the system has no more threads
            self._thread = None
            logger.warning("Nobody watches over the runs: %s", error)

    def _go_on(self) -> None:
        """While runs are under way: says that this backend lives, ends what is overdue, and wakes the
        drivers of runs that another process has changed."""
        idle, away = 0, False
        while idle < _IDLE_ROUNDS and not self._stopped.wait(_EVERY):
            with self._lock:
                runs = dict(self._runs)
                idle = 0 if self._under_way else idle + 1
            if idle:
                continue
            try:
                self.stay_seen()
                if away:
                    away = False  # the store is back: others say first that they live, and are judged then
                else:
                    self._look_after(runs)
            except StoreClosed:
                break
            except StoreAway as error:
                if not away:
                    logger.warning("The store is away: %s", error)
                away = True
            except Exception:
                logger.exception("The store could not be asked after the runs under way.")
        with self._lock:
            self._thread = None
            if self._under_way and not self._stopped.is_set():
                self._begin()

    def _look_after(self, runs: Mapping[str, Job | AsyncJob]) -> None:
        with self._lock:
            under_way = list(self._under_way)
        for job in under_way:
            if isinstance(job, AsyncJob) and job.forsaken:
                job.give_up()
        now = time.monotonic()
        if now < self._look_at:
            with self._store.read() as tx:
                if lifecycle.quiet(tx, self._keeper, len(runs)):
                    return
        self._look_at = now + LEASE
        active = {row["id"]: row for row in self.settle()}
        for run_id in runs:
            row = active.get(run_id)
            if row is None or row["data"]["status"] == "cancelling":
                self.wake(run_id)
