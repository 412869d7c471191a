"""Two processes on one store, processes that die, and what another database is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._jobs import owners
from streaming_assistants.backend._store import schema
from streaming_assistants.backend._store.database import Database

from .conftest import JSON as J
from .conftest import WEATHER, Api, text_of
from .processes import Elsewhere, Process

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/assistants.db"


def busy(here: Elsewhere) -> None:
    """Starts a run that never ends by itself, says so, and stays."""
    assistant = here.post("/assistants", {"model": "m"})
    thread = here.post("/threads", {"messages": [{"role": "user", "content": "echo:stall"}]})
    run = here.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
    while here.get(f"/threads/{thread['id']}/runs/{run['id']}")["status"] != "in_progress":
        pass
    here.say((thread["id"], run["id"], assistant["id"]))
    here.wait()


async def test_a_run_whose_process_was_killed_goes_on_with_whoever_asks_for_it(
    make_api: MakeApi, store: str
) -> None:
    process = Process(busy, store)
    thread_id, run_id, assistant_id = process.hear()
    alive = make_api("echo", store)
    assert (await alive.get(f"/threads/{thread_id}/runs/{run_id}"))["status"] == "in_progress"
    await alive.aclose()

    process.kill()
    api = make_api("echo", store)
    run = await api.get(f"/threads/{thread_id}/runs/{run_id}")
    assert run["status"] == "in_progress"
    await api.post(f"/threads/{thread_id}/runs/{run_id}/cancel")
    assert (await api.settled(run))["status"] == "cancelled"  # by its driver, which is here now
    assert [text_of(message) for message in await api.messages(thread_id)] == ["echo:stall"]
    body = {
        "assistant_id": assistant_id,
        "additional_messages": [{"role": "user", "content": "still here?"}],
    }
    again = await api.settled(await api.post(f"/threads/{thread_id}/runs", body))
    assert again["status"] == "completed"


async def test_another_process_may_cancel_a_run(make_api: MakeApi, store: str) -> None:
    process = Process(busy, store)
    thread_id, run_id, _ = process.hear()
    api = make_api("echo", store)
    cancelled = await api.post(f"/threads/{thread_id}/runs/{run_id}/cancel")
    assert cancelled["status"] == "cancelling"
    assert (await api.settled(cancelled))["status"] == "cancelled"
    process.kill()


def call_a_tool(here: Elsewhere) -> None:
    assistant = here.post("/assistants", {"model": "m", "tools": [WEATHER]})
    thread = here.post("/threads", {"messages": [{"role": "user", "content": "get_weather"}]})
    run = here.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
    while run["status"] != "requires_action":
        run = here.get(f"/threads/{thread['id']}/runs/{run['id']}")
    here.say((thread["id"], run["id"]))


async def test_a_run_that_waits_for_outputs_outlives_its_process(make_api: MakeApi, store: str) -> None:
    process = Process(call_a_tool, store)
    thread_id, run_id = process.hear()
    process.join()
    api = make_api("echo", store)
    path = f"/threads/{thread_id}/runs/{run_id}"
    run = await api.get(path)
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]}
    ended = await api.settled(await api.post(f"{path}/submit_tool_outputs", outputs))
    assert ended["status"] == "completed"
    assert text_of((await api.messages(thread_id))[-1]) == "warm"


def write(here: Elsewhere, thread_id: str, process: str) -> None:
    def messages(number: int) -> None:
        for count in range(25):
            text = f"{process}-{number}-{count}"
            here.post(f"/threads/{thread_id}/messages", {"role": "user", "content": text})

    here.at_once(4, messages)


def test_eight_writers_in_two_processes_lose_nothing(store: str) -> None:
    with LocalBackend("echo", store) as backend:
        client = openai.OpenAI(api_key="unused")
        backend.attach(client)
        thread_id = str(client.post("/threads", cast_to=J)["id"])
    for process in [Process(write, store, thread_id, name) for name in "ab"]:
        process.hear()
        process.join()
    with Database(store) as database, database.read() as tx:
        texts = [text_of(row["data"]) for row in tx.all("messages", thread_id=thread_id)]
    client.close()
    assert sorted(texts) == sorted(f"{p}-{n}-{c}" for p in "ab" for n in range(4) for c in range(25))
    # Each writer's own messages are in the order in which it wrote them.
    for process_name in "ab":
        for number in range(4):
            prefix = f"{process_name}-{number}-"
            counts = [int(text.removeprefix(prefix)) for text in texts if text.startswith(prefix)]
            assert counts == list(range(25))


def add_a_thread(here: Elsewhere) -> None:
    here.say(here.post("/threads")["id"])


def test_processes_may_open_a_new_store_at_the_same_time(store: str) -> None:
    processes = [Process(add_a_thread, store) for _ in range(4)]
    ids = {process.hear() for process in processes}
    for process in processes:
        process.join()
    with Database(store) as database, database.read() as tx:
        assert {row["id"] for row in tx.all("threads")} == ids


def ask_eight_times_at_once(here: Elsewhere, thread_id: str, assistant_id: str) -> None:
    said: list[str] = []

    def begin(_: int) -> None:
        try:
            said.append(here.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})["status"])
        except openai.BadRequestError as error:
            said.append(error.message.split("already has ")[1].split(" run_")[0])

    here.at_once(8, begin)
    here.say(sorted(said))


def test_one_run_a_thread_however_many_ask_at_once(store: str) -> None:
    with LocalBackend("echo", store) as backend:
        client = openai.OpenAI(api_key="unused")
        backend.attach(client)
        made = {"messages": [{"role": "user", "content": "echo:stall"}]}
        thread_id = str(client.post("/threads", cast_to=J, body=made)["id"])
        assistant_id = str(client.post("/assistants", cast_to=J, body={"model": "m"})["id"])
        client.close()
    process = Process(ask_eight_times_at_once, store, thread_id, assistant_id)
    assert process.hear() == ["an active run"] * 7 + ["queued"]
    process.join()


async def test_closing_the_backend_ends_its_runs(make_api: MakeApi, store: str) -> None:
    api = make_api("echo", store)
    run = await api.until(await api.run("echo:stall"), lambda run: run["status"] == "in_progress")
    await api.aclose()
    with Database(store) as database, database.read() as tx:
        row = tx.get("runs", run["id"])
    assert row is not None
    assert row["data"]["status"] == "failed"
    assert row["data"]["last_error"]["message"] == "The process that drove the run ended before the run did."


def test_a_run_does_not_stay_open_when_its_event_loop_ends(store: str) -> None:
    import asyncio

    async def use() -> None:
        backend = LocalBackend("echo", store)
        async with openai.AsyncOpenAI(api_key="unused") as client:
            backend.attach(client)
            for text in ("echo:stall", "hello"):  # the second run's task never gets its first step
                body = {
                    "assistant_id": (await client.post("/assistants", cast_to=J, body={"model": "m"}))["id"],
                    "thread": {"messages": [{"role": "user", "content": text}]},
                }
                await client.post("/threads/runs", cast_to=J, body=body)

    asyncio.run(use())
    with Database(store) as database, database.read() as tx:
        ended = [row["data"]["status"] for row in tx.all("runs")]
        assert tx.active_runs() == []
    assert len(ended) == 2
    assert ended[0] == "failed"


def test_a_store_of_another_version_is_refused(store: str) -> None:
    with Database(store) as database, database.write() as tx:
        tx.connection.execute(schema.about.update().values(version=99))
    with pytest.raises(RuntimeError, match="schema version 99"):
        LocalBackend("echo", store)


def test_an_owner_is_dead_when_its_process_is_or_when_it_was_not_seen() -> None:
    place, me = owners.here(), os.getpid()
    began = owners.started(me)
    row: Any = {"place": place, "pid": me, "started": began, "seen_at": 100.0, "lease": 7.0}
    assert owners.lives(row, place, 107.0)
    assert not owners.lives(row, place, 107.1)
    assert not owners.lives(None, place, 100.0)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not owners.lives({**row, "pid": gone.pid}, place, 100.0)
    # On another machine only the lease tells.
    assert owners.lives({**row, "pid": gone.pid, "place": "elsewhere"}, place, 100.0)


def test_a_reused_pid_is_not_the_owner() -> None:
    place = owners.here()
    if not owners.started(os.getpid()):
        pytest.skip("this system does not tell when a process began")
    row: Any = {"place": place, "pid": os.getpid(), "started": "0", "seen_at": 100.0, "lease": 7.0}
    assert not owners.lives(row, place, 100.0)


def test_the_schema_is_one_for_postgresql_too() -> None:
    dialect = postgresql.dialect()
    written = [str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables]
    indexes = [index for table in schema.metadata.sorted_tables for index in table.indexes]
    written += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    sql = "\n".join(written)
    assert "seq BIGSERIAL NOT NULL" in sql
    assert "CREATE UNIQUE INDEX one_active_run_a_thread ON runs (thread_id) WHERE active" in sql
    assert "REFERENCES threads (id) ON DELETE CASCADE" in sql
    lock = schema.runs.select().with_for_update(key_share=True).compile(dialect=dialect)
    assert str(lock).endswith("FOR NO KEY UPDATE")


EXITS = """
import os, sys, threading, time
from streaming_assistants.backend._store.database import Database

for _ in range(5):
    child = os.fork()
    if not child:
        break
    if ended := os.waitpid(child, 0)[1]:
        sys.exit(f"a process ended by {ended}")
else:
    sys.exit()

store = Database("sqlite://")

def works_on():
    while True:
        with store.write() as tx:
            tx.active_runs()

for _ in range(8):
    threading.Thread(target=works_on, daemon=True).start()
time.sleep(0.1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_may_end_while_a_run_is_within_a_transaction() -> None:
    # A crash was likely and not certain: the connection was closed at exit, under the thread that used it.
    # So five of them, forked from one that has imported everything, as it is the import that takes long.
    done = subprocess.run([sys.executable, "-c", EXITS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
