"""What two do at one moment: who drives a run and who reads it, who ends and who says that it lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.effects import Interrupted, Work
from streaming_assistants.backend._engine.event_port import Entry
from streaming_assistants.backend._engine.port import Sleep
from streaming_assistants.backend._jobs.asking import AsyncAsker
from streaming_assistants.backend._jobs.channel import Channel
from streaming_assistants.backend._jobs.job import AsyncJob
from streaming_assistants.backend._jobs.teller import Teller
from streaming_assistants.backend._store.database import Database

from .conftest import Api
from .databases import File, Postgres
from .processes import Process
from .test_run_events import check, read
from .test_takeover import Answers, drive, text

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]


async def test_a_reader_is_told_to_ask_again_where_nobody_takes_a_run_over_unasked(
    shared: File | Postgres, make_api: MakeApi
) -> None:
    process = Process(drive, shared.url, [text("Half a")])
    run = await anyio.to_thread.run_sync(process.hear)
    api = make_api(Answers(), shared.url)
    stream = await read(api, run)
    seen = await stream.until("thread.message.delta")
    process.kill()
    with anyio.fail_after(20), pytest.raises(Exception, match=r"broke|peer|incomplete"):
        await stream.until("nothing is called so")
    last = int(seen[-1][0])
    rest = await (await read(api, run, starting_after=last)).rest()
    check(rest, after=last)
    assert rest[-2][1] == "thread.run.completed"


async def test_a_run_that_is_interrupted_while_its_growth_is_stored_goes_on() -> None:
    said: list[Any] = []

    def steps() -> Any:
        with pytest.raises(Interrupted):
            yield Sleep(20)
        yield Sleep(0)
        return [("whole", None)]

    at_work = threading.Lock()
    at_work.acquire()
    store = Database("sqlite://")
    job = AsyncJob(Work(steps(), "thread_1", "run_1"), store, AsyncAsker(None), None)
    teller: Any = SimpleNamespace(at_work=at_work, finish=said.append)
    job.teller = teller
    job.start(lambda job: None)
    await anyio.sleep(0.05)
    assert at_work.acquire(blocking=False)  # by who stores what grows
    job.interrupt()
    await anyio.sleep(0.05)
    at_work.release()
    with anyio.fail_after(10):
        await job.finished.wait()
    assert said[0] == [("whole", None)]
    store.close()


def test_nobody_who_ends_is_said_to_take_runs_over(tmp_path: Path) -> None:
    class Slow(Database):
        held: threading.Event | None = None
        waits = threading.Event()

        @contextmanager
        def write(self, *, durable: bool = True) -> Iterator[Any]:
            held, self.held = self.held, None
            if held is not None:
                self.waits.set()
                held.wait(10)
            with super().write(durable=durable) as tx:
                yield tx

    store = Slow(tmp_path / "store.db")
    backend = LocalBackend("echo", store)
    jobs = backend._jobs
    jobs._hands = lambda work: None
    store.held = held = threading.Event()
    seeing = threading.Thread(target=jobs.stay_seen)
    seeing.start()
    assert store.waits.wait(10)
    threading.Timer(0.2, held.set).start()
    jobs.give_back()
    seeing.join(10)
    owner, deadline = backend._keeper.owner, time.monotonic() + 10
    while time.monotonic() < deadline:
        with store.read() as tx:
            row = tx.owner(owner)
        if row is not None and not row["drives"]:
            break
        time.sleep(0.01)
    else:
        pytest.fail("others would give their runs to a process that ends")
    backend.close()


def test_a_driver_that_is_late_does_not_end_the_next_one_s_readers() -> None:
    backend = LocalBackend("echo")
    channel = Channel("run_1", "thread_1", 0)
    work = Work((yield_nothing for yield_nothing in ()), "thread_1", "run_1")  # type: ignore[arg-type]
    saves: Any = SimpleNamespace(events_of=lambda teller: None, growth_of=lambda teller: None)
    made = [Teller(work, backend.store, backend._keeper, channel, saves, lambda: None) for _ in range(2)]
    made[0].finish([("error", {})])
    assert channel.driven
    assert channel.farewell is None
    made[1].finish([("error", {})])
    assert not channel.driven
    assert channel.farewell == [Entry(0, "error", "{}")]
    backend.close()
