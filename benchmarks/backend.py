"""What the built-in backend costs: time to the first token, events per second, many runs at once.

    python benchmarks/backend.py [--rounds 200] [--words 2000] [--runs 100]

Time to the first token is taken side by side with a direct call of the same upstream through the same
client, in turns, on a loopback server in a process of its own. Medians count; on a busy machine the fastest
tenth of each (p10) tells what an idle one would show. The aim is less than 5 ms added at the median with
the store in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

from streaming_assistants import patch
from streaming_assistants.backend import LocalBackend

WORDS = 20  # that the upstream says


def upstream(say: Any) -> None:
    """Answers every request with the chunks of a chat completion."""

    def chunk(delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        data = f"data: {json.dumps(body)}\n\n".encode()
        return b"%x\r\n%s\r\n" % (len(data), data)

    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first = head + chunk({"role": "assistant", "content": ""}) + chunk({"content": "word "})
    rest = chunk({"content": "word "}) * (WORDS - 1)
    rest += chunk({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:])
                    for line in request.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(length)
                writer.write(first)
                await asyncio.sleep(0.005)  # a model, too, has its second token later than its first
                writer.write(rest)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=512)
        say.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


MESSAGE = {"role": "user", "content": "Say some words."}


class Sync:
    """A client on a backend, and the same client's direct way to the upstream."""

    def __init__(self, url: str, backend: LocalBackend) -> None:
        self.client: Any = patch(openai.OpenAI(api_key="k", base_url=url, max_retries=0), backend=backend)
        self.assistant = self.client.beta.assistants.create(model="m").id

    def direct(self) -> float:
        start = time.perf_counter()
        stream = self.client.chat.completions.create(model="m", messages=[MESSAGE], stream=True)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        took = time.perf_counter() - start
        for _ in stream:
            pass
        return took

    def through(self) -> float:
        thread = self.client.beta.threads.create(messages=[MESSAGE]).id
        start = time.perf_counter()
        stream = self.client.beta.threads.runs.create(thread, assistant_id=self.assistant, stream=True)
        for event in stream:
            if event.event == "thread.message.delta":
                break
        took = time.perf_counter() - start
        for _ in stream:
            pass
        return took


class Async:
    def __init__(self, url: str, backend: LocalBackend) -> None:
        self.client: Any = patch(
            openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0), backend=backend
        )

    async def begin(self) -> None:
        self.assistant = (await self.client.beta.assistants.create(model="m")).id

    async def direct(self) -> float:
        start = time.perf_counter()
        stream = await self.client.chat.completions.create(model="m", messages=[MESSAGE], stream=True)
        took = 0.0
        async for chunk in stream:
            if not took and chunk.choices[0].delta.content:
                took = time.perf_counter() - start
        return took

    async def through(self) -> float:
        thread = (await self.client.beta.threads.create(messages=[MESSAGE])).id
        return await self.run(thread)

    async def run(self, thread: str) -> float:
        start = time.perf_counter()
        stream = await self.client.beta.threads.runs.create(thread, assistant_id=self.assistant, stream=True)
        took = 0.0
        async for event in stream:
            if not took and event.event == "thread.message.delta":
                took = time.perf_counter() - start
        return took


Pair = tuple[list[float], list[float]]


def sync_first_token(url: str, backend: LocalBackend, rounds: int) -> Pair:
    pair = Sync(url, backend)
    times: Pair = ([], [])
    for _ in range(rounds):
        times[0].append(pair.direct())
        times[1].append(pair.through())
    pair.client.close()
    return times


async def async_first_token(url: str, backend: LocalBackend, rounds: int) -> Pair:
    pair = Async(url, backend)
    await pair.begin()
    times: Pair = ([], [])
    for _ in range(rounds):
        times[0].append(await pair.direct())
        times[1].append(await pair.through())
    await pair.client.close()
    return times


async def at_once(url: str, backend: LocalBackend, runs: int) -> tuple[float, float]:
    """Seconds for so many direct calls at once, and for so many runs at once."""
    pair = Async(url, backend)
    await pair.begin()
    threads = [(await pair.client.beta.threads.create(messages=[MESSAGE])).id for _ in range(runs)]
    await asyncio.gather(*[pair.direct() for _ in range(runs)])  # opens the connections
    start = time.perf_counter()
    await asyncio.gather(*[pair.direct() for _ in range(runs)])
    between = time.perf_counter()
    await asyncio.gather(*[pair.run(thread) for thread in threads])
    end = time.perf_counter()
    await pair.client.close()
    return between - start, end - between


def events_per_second(words: int) -> float:
    """Of a client that streams what ``echo`` says."""
    with LocalBackend("echo") as backend:
        client: Any = patch(openai.OpenAI(api_key="k"), backend=backend)
        assistant = client.beta.assistants.create(model="m").id
        message = {"role": "user", "content": "word " * words}
        best = 0.0
        for _ in range(3):
            thread = client.beta.threads.create(messages=[message]).id
            start = time.perf_counter()
            count = sum(
                1 for _ in client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True)
            )
            best = max(best, count / (time.perf_counter() - start))
        client.close()
    return best


MESSAGES = (50, 5_000)


def long_threads(rounds: int) -> list[float]:
    """Milliseconds of processor time of a run on the last message, in threads of so many messages."""
    strategy = {"type": "last_messages", "last_messages": 1}
    with LocalBackend("echo") as backend:
        client: Any = patch(openai.OpenAI(api_key="k"), backend=backend)
        assistant = client.beta.assistants.create(model="m").id
        threads = []
        for length in MESSAGES:
            thread = client.beta.threads.create(messages=[MESSAGE] * 50).id
            for _ in range(length - 50):
                client.beta.threads.messages.create(thread, **MESSAGE)
            threads.append(thread)
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            for thread, taken in zip(threads, times, strict=True):
                start = time.process_time()
                given = {"assistant_id": assistant, "truncation_strategy": strategy}
                for _ in client.beta.threads.runs.create(thread, stream=True, **given):
                    pass
                taken.append(time.process_time() - start)
        client.close()
    return [min(each) * 1e3 for each in times]


def cost_of_a_run(store: str) -> tuple[int, int]:
    """The transactions that write and the statements of a text run, besides what begins and ends them."""
    from sqlalchemy import Engine, event

    writing, statements = [0], [0]

    def begun(connection: Any) -> None:
        writing[0] += bool(connection.get_execution_options().get("writes"))

    def executed(*_: Any) -> None:
        statements[0] += 1

    with LocalBackend("echo", store) as backend:
        client: Any = patch(openai.OpenAI(api_key="k"), backend=backend)
        assistant = client.beta.assistants.create(model="m").id
        thread = client.beta.threads.create(messages=[MESSAGE]).id
        event.listen(Engine, "begin", begun)
        event.listen(Engine, "before_cursor_execute", executed)
        for _ in client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True):
            pass
        event.remove(Engine, "begin", begun)
        event.remove(Engine, "before_cursor_execute", executed)
        client.close()
    return writing[0], statements[0]


async def watching(store: str, runs: int, seconds: float) -> float:
    """The share of a core that watching over so many stalled runs takes."""
    with LocalBackend("echo", store) as backend:
        client: Any = patch(openai.AsyncOpenAI(api_key="k"), backend=backend)
        assistant = (await client.beta.assistants.create(model="m")).id
        thread = {"messages": [{"role": "user", "content": "echo:stall"}]}
        for _ in range(runs):
            await client.beta.threads.create_and_run(assistant_id=assistant, thread=thread)
        await asyncio.sleep(2)
        cpu, start = time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        share = (time.process_time() - cpu) / (time.perf_counter() - start)
        await backend.aclose()
        await client.close()
    return share


def row(name: str, times: Pair) -> None:
    direct, through = (statistics.median(each) * 1e3 for each in times)
    undisturbed = [statistics.quantiles(each, n=10)[0] * 1e3 for each in times]
    print(
        f"{name:22}{through / direct:8.2f}x{through - direct:10.2f}{undisturbed[1] - undisturbed[0]:10.2f}"
        f"{direct:10.2f}{through:10.2f}"
    )


def with_store(store: str, job: Callable[[LocalBackend], Any]) -> Any:
    with LocalBackend("chat", store) as backend:
        return job(backend)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--words", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    hear, say = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=upstream, args=(say,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{hear.recv()}"

    print(f"openai {openai.__version__}, Python {platform.python_version()}\n")
    print(f"{'first token':22}{'ratio':>9}{'added ms':>10}{'(p10)':>10}{'direct':>10}{'backend':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("memory", "sqlite://"), ("file", f"sqlite:///{Path(folder) / 'b.db'}")):
            row(f"sync, {name}", with_store(store, lambda b: sync_first_token(url, b, options.rounds)))
            row(
                f"async, {name}",
                with_store(store, lambda b: asyncio.run(async_first_token(url, b, options.rounds))),
            )
    direct, through = with_store("sqlite://", lambda b: asyncio.run(at_once(url, b, options.runs)))
    print(f"\n{options.runs} async runs at once: {through / direct:.2f}x of as many direct calls", end=" ")
    print(f"({direct:.2f} s direct, {through:.2f} s through the backend)")
    print(f"echo: {events_per_second(options.words):,.0f} events/s")
    print("a text run: {} transactions that write, {} statements".format(*cost_of_a_run("sqlite://")))
    short, long = long_threads(10)
    print(
        f"a run with last_messages=1: {short:.2f} ms of processor time in a thread of {MESSAGES[0]} messages,"
    )
    print(f"  {long:.2f} ms in one of {MESSAGES[1]:,}")
    with tempfile.TemporaryDirectory() as folder:
        share = asyncio.run(watching(f"sqlite:///{Path(folder) / 'w.db'}", 1_000, 30))
    print(f"watching over 1,000 stalled runs: {share:.2%} of a core")
    server.terminate()


if __name__ == "__main__":
    main()
