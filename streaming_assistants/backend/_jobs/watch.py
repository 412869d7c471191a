"""The work under way of one backend: started, watched over, and stopped."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping

from .._engine import lifecycle, standing
from .._engine.claim_port import RUNS
from .._engine.effects import Work
from .._engine.keeper import Keeper
from .._engine.observer import Observer
from .._engine.store_port import Store, StoreAway, StoreClosed
from . import owners
from .channels import Channels
from .job import AsyncJob, Job
from .takeover import Takeover

logger = logging.getLogger("streaming_assistants")

STOP_SECONDS = 5.0
"""How long the work that is stopped may take to end."""

_EVERY = 1.0  # seconds
_IDLE_ROUNDS = 10


class JobWatch:
    """A thread that looks after jobs, as long as there are some; with :meth:`drive_others`, always."""

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        place: str,
        observer: Observer,
        takeover: Takeover,
        channels: Channels,
    ) -> None:
        self._channels = channels
        self._store = store
        self._keeper = keeper
        self._place = place
        self._observer = observer
        self._takeover = takeover
        self._hands: Callable[[Work], object] | None = None
        self.all_ended: Callable[[], object] | None = None
        """Called when the last job ends, once all have been stopped."""
        self._runs: dict[str, Job | AsyncJob] = {}  # by their ids
        self._under_way: set[Job | AsyncJob] = set()  # those and the readers'
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._seeing = threading.Lock()
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
        if run_id is not None:
            job.teller = self._channels.drive(job.work, job.interrupt)
        if self._stopped.is_set():
            job.stop()
        job.begin = lambda work: self.start(job.another(work))
        job.start(self._ended)

    def drive_others(self, hands: Callable[[Work], object]) -> None:
        """From now on takes over the runs that nobody drives, and the files that nobody indexes; ``hands``
        begins the work. Others give their runs back when they end, as somebody is there who goes on."""
        with self._lock:
            self._hands = hands
            if self._thread is None:
                self._begin()
        self._seen_at = 0.0
        self._store.watch(RUNS, self._woken.set)
        self._woken.set()

    def take(self, run_id: str) -> list[Work]:
        """The work of a run that nobody drives, as long as that is so."""
        self.stay_seen()  # or the run would be taken for left behind again
        return self._takeover.one(run_id)

    def give_back(self) -> None:
        """Has others drive the runs that are driven here, where somebody lives who does that."""
        self._hands = None
        self._takeover.leave(self._seeing)

    def stop(self) -> list[Job | AsyncJob]:
        """Ends all work, what begins only now, too; waits for that of threads, some seconds at most. The
        jobs that were under way."""
        self._stopped.set()
        self._woken.set()
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

    def settle(self) -> None:
        """Ends the runs that nobody will end: those whose time is over, and those that their driver was to
        cancel and is gone."""
        with self._store.read() as tx:
            late = standing.late(tx, self._keeper)
        if late:
            self._end(late)

    def _end(self, run_ids: list[str]) -> None:
        ended = []
        with self._store.write() as tx:
            for run_id in run_ids:
                row = tx.get("runs", run_id, lock=True)
                status = None if row is None else standing.overdue(tx, self._keeper, row)
                if row is not None and status is not None:
                    ended.append((run_id, lifecycle.end_elsewhere(tx, self._keeper, row, status)))
        for run_id, events in ended:
            logger.info("Run %s was left behind and has ended: %s.", run_id, events[-1][0])
            self.wake(run_id)

    def wake(self, run_id: str) -> None:
        """Has a run's driver look at the store, and its readers told what others have told of it there."""
        self._channels.refresh(run_id)
        job = self._of(run_id)
        if job is not None:
            job.interrupt()

    def stay_seen(self) -> None:
        """Says that this backend lives, where others can see it and have not been told lately."""
        now = self._keeper.clock()
        lease = self._keeper.lease
        if not self._store.blocking or now - self._seen_at < lease / 4:
            return
        with self._seeing:
            drives = self._hands is not None
            with self._store.write() as tx:
                tx.seen(
                    self._keeper.owner, self._place, self._pid, self._began, now, lease=lease, drives=drives
                )
                tx.forget_unseen(now)
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
        """While runs are under way: says that this backend lives, ends what is overdue, takes over what
        others have left behind, and wakes the drivers of runs that another process has changed."""
        idle, away = 0, False
        while idle < _IDLE_ROUNDS and not self._stopped.is_set():
            self._woken.wait(min(_EVERY, self._keeper.lease / 4))
            self._woken.clear()
            if self._stopped.is_set():
                break
            with self._lock:
                runs = dict(self._runs)
                idle = 0 if self._under_way or self._hands is not None else idle + 1
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
        if self._hands is not None:
            self._takeover.files(self._hands)
        now = time.monotonic()
        if now < self._look_at:
            with self._store.read() as tx:
                if standing.quiet(tx, self._keeper, len(runs)):
                    return
        self._look_at = now + self._keeper.lease
        self.settle()
        with self._store.read() as tx:
            ours = tx.runs_of([self._keeper.owner])
        status = {row["id"]: row["data"]["status"] for row in ours}
        for run_id, job in runs.items():
            if status.get(run_id, "cancelling") == "cancelling":
                self._channels.refresh(run_id)
                job.interrupt()  # not one that has begun since: it would break off what nobody has ended
        hands = self._hands or next((job.begin_soon for job in under_way if not job.forsaken), None)
        if hands is not None:
            strays = [run_id for run_id in status if run_id not in runs]
            self._takeover.runs(hands, strays)
