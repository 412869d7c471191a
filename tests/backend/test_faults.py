"""PostgreSQL restarted under load, cut off, full, or replaced by another: what was answered holds, what was
not may be asked again, and nothing is made anew where the store was."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._store.database import Database

from .conftest import JSON, Api, text_of
from .databases import Postgres, Server, small_disk

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]


class Load:
    """Writers in threads, on two backends of one store: each adds messages to one thread and begins a run of
    its own now and then, until it is told to end."""

    def __init__(self, url: str, writers: int) -> None:
        self.answered: list[str] = []
        self.refused: list[openai.APIStatusError] = []
        self.broken: list[BaseException] = []
        self.runs: list[Any] = []
        self._over = threading.Event()
        self._backends = [LocalBackend("echo", url) for _ in range(2)]
        self._clients = [openai.OpenAI(api_key="unused", max_retries=8) for _ in self._backends]
        for backend, client in zip(self._backends, self._clients, strict=True):
            backend.attach(client)
        self.thread_id = self.post("/threads", {})["id"]
        self._assistant_id = self.post("/assistants", {"model": "m"})["id"]
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(writers)]

    def post(self, path: str, body: Any, number: int = 0) -> Any:
        return self._clients[number % 2].post(path, cast_to=JSON, body=body)

    def get(self, path: str) -> Any:
        return self._clients[0].get(path, cast_to=JSON)

    def _write(self, number: int) -> None:
        count = 0
        try:
            while not self._over.is_set():
                count += 1
                text = f"{number} {count}"
                try:
                    self.post(
                        f"/threads/{self.thread_id}/messages", {"role": "user", "content": text}, number
                    )
                    self.answered.append(text)
                    if count % 5 == 0:
                        thread = {"messages": [{"role": "user", "content": text}]}
                        asked = {"assistant_id": self._assistant_id, "thread": thread}
                        self.runs.append(self.post("/threads/runs", asked, number))
                except openai.APIStatusError as error:
                    self.refused.append(error)
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.broken.append(error)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def until(self, held: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not held():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def more(self, count: int) -> None:
        """Until so many more messages have been answered."""
        before = len(self.answered)
        self.until(lambda: len(self.answered) >= before + count or bool(self.broken))

    def end(self) -> None:
        """Has all end what they do."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def __exit__(self, *_: object) -> None:
        self.end()
        for backend, client in zip(self._backends, self._clients, strict=True):
            backend.close()
            client.close()

    def stored(self) -> list[str]:
        texts, after = list[str](), None
        while True:
            path = f"/threads/{self.thread_id}/messages?order=asc&limit=100"
            page = self.get(path + (f"&after={after}" if after else ""))
            texts += [text_of(message) for message in page["data"]]
            if not page["has_more"]:
                return texts
            after = page["last_id"]

    def holds(self, *, cut: bool) -> None:
        """What was answered is there, once and in its writer's order; what was refused is told with 503."""
        self.end()
        assert self.broken == []
        assert {error.status_code for error in self.refused} <= ({503} if cut else set())
        stored = self.stored()
        assert len(set(stored)) == len(stored)
        assert set(self.answered) <= set(stored)
        assert len(stored) <= len(self.answered) + len(self.refused)
        by_writer: dict[str, list[int]] = {}
        for text in stored:
            by_writer.setdefault(text.split()[0], []).append(int(text.split()[1]))
        assert all(counts == sorted(counts) for counts in by_writer.values())
        ended = [self._ended(f"/threads/{run['thread_id']}/runs/{run['id']}") for run in self.runs]
        assert set(ended) <= ({"completed", "failed"} if cut else {"completed"})
        assert "completed" in ended

    def _ended(self, path: str) -> str:
        """The status that a run has once it has ended."""
        ended: list[str] = []

        def seen() -> bool:
            status = self.get(path)["status"]
            ended.extend([status] if status in ("completed", "failed", "expired") else [])
            return bool(ended)

        self.until(seen)
        return ended[0]


def test_eight_writers_on_one_thread_lose_nothing(postgres: Postgres) -> None:
    with Load(postgres.url, 8) as load:
        load.more(80)
        load.holds(cut=False)


def test_connections_that_are_cut_lose_nothing(postgres: Postgres) -> None:
    with Load(postgres.url, 4) as load:
        for _ in range(3):
            load.more(10)
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        load.more(10)
        load.holds(cut=True)


def test_a_server_that_is_restarted_under_load_loses_nothing(
    postgres_server: Server, postgres: Postgres
) -> None:
    """It is away for about a second, in which the SDK asks again by itself."""
    if postgres_server.control is None:
        pytest.skip("only a server of our own is restarted")
    with Load(postgres.url, 4) as load:
        load.more(10)
        postgres_server.control("restart")
        load.more(10)
        load.holds(cut=True)


@contextmanager
def by_trigger(postgres: Postgres) -> Iterator[Callable[[], object]]:
    """No disk, but what PostgreSQL says of a full one, whenever a row is added."""
    postgres.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    for table in ("messages", "steps", "runs"):
        when = f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table}"
        postgres.execute(f"{when} FOR EACH ROW EXECUTE FUNCTION full_disk()")
    yield lambda: postgres.execute("DROP FUNCTION full_disk() CASCADE")


@contextmanager
def by_disk(postgres: Postgres, server: Server) -> Iterator[Callable[[], object]]:
    """A disk of 48 MB for the database, which is then filled to the last byte."""
    assert server.user is not None
    with small_disk(48, server.user) as (folder, resize):
        name = f"{postgres.name}_disk"
        server.admin(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        try:
            postgres.cut()
            server.admin(f"ALTER DATABASE {postgres.name} SET TABLESPACE {name}")
            with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(b"\0" * 4096)
            yield lambda: resize(96)
        finally:
            postgres.cut()
            server.admin(f"ALTER DATABASE {postgres.name} SET TABLESPACE pg_default")
            server.admin(f"DROP TABLESPACE {name}")


@pytest.mark.parametrize("how", ["a disk", "a trigger in its place"])
async def test_a_disk_that_is_full_is_waited_for(
    make_api: MakeApi, postgres: Postgres, postgres_server: Server, how: str
) -> None:
    if how == "a disk" and (postgres_server.control is None or os.name == "nt" or os.geteuid() != 0):
        pytest.skip("a file system of its own is mounted by root, for a server of our own")
    api = make_api("echo", postgres.url, client={"max_retries": 0})
    assistant_id, thread_id = await api.assistant(), await api.thread("hello")
    full = by_disk(postgres, postgres_server) if how == "a disk" else by_trigger(postgres)
    big = "x" * 200_000
    with full as make_room:
        with anyio.fail_after(20), pytest.raises(openai.APIStatusError) as refused:
            while True:  # what is free within the pages of its tables is used first
                await api.post(f"/threads/{thread_id}/messages", {"role": "user", "content": big})
        assert refused.value.status_code == 503
        assert "store is away" in refused.value.message
        assert refused.value.response.headers["retry-after"] == "1"
        assert (await api.get(f"/threads/{thread_id}"))["id"] == thread_id  # what is there is read
        make_room()
        run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
        assert (await api.settled(run))["status"] == "completed"
        await api.backend.aclose()


REPLACED = {
    "no store": ("template1", []),
    "another store": ("itself", ["UPDATE streaming_assistants SET store = 'another'"]),
    "an older state": ("itself", ["UPDATE streaming_assistants SET version = 1"]),
}


@pytest.mark.parametrize("what", REPLACED)
async def test_another_database_in_its_place_is_refused_and_left_alone(
    make_api: MakeApi, postgres: Postgres, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failover to a replica that is empty, or old: with words, and nothing is made under a running
    backend."""
    api = make_api("echo", postgres.url, client={"max_retries": 0})
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall 2\nHello")
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    await api.until(run, lambda run: run["status"] == "in_progress")
    by, statements = REPLACED[what]
    with postgres.replaced(*statements, by=by):
        before = postgres.count("pg_class WHERE relkind = 'r'")
        for method, path in (("get", f"/threads/{thread_id}"), ("post", "/threads")):
            refused = await api.refused(path, method=method)
            assert refused["status"] == 503
        await anyio.sleep(0.3)
        assert postgres.count("pg_class WHERE relkind = 'r'") == before
        if by == "itself":
            assert postgres.count("threads") == 1
        assert f"has {what}" in caplog.text
        assert "Nothing is made there while this process runs" in caplog.text
    assert (await api.settled(run))["status"] == "completed"
    assert (await api.get(f"/threads/{thread_id}"))["id"] == thread_id


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_hosts_whose_clocks_are_wrong_have_the_database_s_time(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    right, steady = time.time, time.monotonic
    with Database(postgres.url) as one:
        monkeypatch.setattr(time, "time", lambda: right() + ahead)
        monkeypatch.setattr(time, "monotonic", lambda: steady() + 2 * ahead)
        with Database(postgres.url) as other:
            there = other.clock()
            monkeypatch.undo()
            assert abs(one.clock() - there) < 60
