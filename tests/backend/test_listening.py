"""What one process commits to PostgreSQL wakes those who wait for it in others, on one connection of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from streaming_assistants.backend._http import streamed_messages
from streaming_assistants.backend._store import listening
from streaming_assistants.backend._store.database import Database

from .conftest import Api
from .databases import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]


@pytest.fixture
def here(postgres: Postgres) -> Iterator[Database]:
    with Database(postgres.url) as made:
        yield made


@pytest.fixture
def elsewhere(postgres: Postgres) -> Iterator[Database]:
    with Database(postgres.url) as made:
        yield made


def watched(store: Database, id: str) -> tuple[threading.Event, Callable[[], None]]:
    """Set by what happens from now on: whoever begins to listen is told to look, once."""
    woken = threading.Event()
    stop = store.watch(id, woken.set)
    listens = threading.Event()
    stop_waiting = store.watch("nothing", listens.set)
    if store._listener._thread is not None and not store.__dict__.get("listens"):
        assert listens.wait(20)
        store.__dict__["listens"] = True
    stop_waiting()
    woken.clear()
    return woken, stop


def add_thread(store: Database, *ids: str) -> None:
    with store.write() as tx:
        for id in ids:
            tx.add("threads", {"id": id})


def until(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def listening_connections(postgres: Postgres) -> int:
    return postgres.count("pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")


def test_who_waits_is_woken_by_other_processes(here: Database, elsewhere: Database) -> None:
    woken, stop = watched(here, "thread_1")
    other, _ = watched(here, "thread_2")
    add_thread(elsewhere, "thread_1")
    assert woken.wait(20)
    assert not other.is_set()
    woken.clear()
    stop()
    add_thread(elsewhere, "thread_2")
    assert other.wait(20)
    assert not woken.is_set()


def test_there_are_runs_that_nobody_drives(here: Database, elsewhere: Database) -> None:
    woken, _ = watched(here, "runs")
    with elsewhere.write(durable=False) as tx:
        tx.changed.add("runs")
    assert woken.wait(20)


def test_what_is_undone_wakes_nobody(here: Database, elsewhere: Database) -> None:
    woken, _ = watched(here, "thread_1")
    with pytest.raises(ZeroDivisionError), elsewhere.write() as tx:
        tx.add("threads", {"id": "thread_1"})
        raise ZeroDivisionError
    last, _ = watched(here, "thread_2")
    add_thread(elsewhere, "thread_2")
    assert last.wait(20)
    assert not woken.is_set()


def test_nobody_listens_who_does_not_wait_and_one_connection_does_for_all(
    here: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_IDLE", 0.05)
    add_thread(here, "thread_1")
    assert listening_connections(postgres) == 0
    stops = [watched(here, f"thread_{number}")[1] for number in range(3)]
    assert listening_connections(postgres) == 1
    for stop in stops:
        stop()
    until(lambda: listening_connections(postgres) == 0)
    here.__dict__["listens"] = False
    watched(here, "thread_1")
    assert listening_connections(postgres) == 1
    here.close()
    until(lambda: listening_connections(postgres) == 0)


def test_a_connection_that_is_cut_is_made_again_and_all_look(
    here: Database, elsewhere: Database, postgres: Postgres
) -> None:
    woken, _ = watched(here, "thread_1")
    postgres.cut()
    assert woken.wait(20)  # something may have been missed
    woken.clear()
    add_thread(elsewhere, "thread_1")
    assert woken.wait(20)


def test_a_transaction_may_change_more_threads_than_a_notice_holds(
    here: Database, elsewhere: Database
) -> None:
    ids = [f"thread_{number:024d}" for number in range(600)]
    first, _ = watched(here, ids[0])
    last, _ = watched(here, ids[-1])
    odd, _ = watched(here, "thread's")
    add_thread(elsewhere, "thread's", *ids)
    assert first.wait(20)
    assert last.wait(20)
    assert not odd.is_set()  # whoever waits for it looks by itself


def test_a_notice_is_shorter_than_the_server_takes() -> None:
    said = listening.notices("0" * 8, [f"thread_{number:024d}" for number in range(1_000)] + ["x'; --"])
    payloads = [each.partition("'")[2].rstrip("'") for each in said.split("; ")]
    assert max(map(len, payloads)) < 8_000
    assert len({id for each in payloads for id in each.split()[1:]}) == 1_000
    assert listening.notices("0" * 8, []) == ""


async def test_a_reader_of_another_process_s_run_need_not_ask(
    make_api: Callable[..., Api], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_messages, "_TOLD", 600.0)
    api, reader = make_api("echo", postgres.url), make_api("echo", postgres.url)
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall 1\nHello there")
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    with anyio.fail_after(20):
        stream: Any = await reader.open(f"/threads/{thread_id}/messages", None, "get", stream="true")
        pages = await stream.rest()
    text = "".join(part["delta"]["value"] for _, page in pages[:-1] for part in page["data"][0]["content"])
    assert text == (await api.messages(thread_id))[-1]["content"][0]["text"]["value"]
    assert (await api.settled(run))["status"] == "completed"
