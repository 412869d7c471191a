"""Many streams at once: 1,000 async streams of one client over loopback sockets.

    python -m benchmarks.concurrency [--streams 1000] [--deltas 100] [--rounds 3]

The server is a process of its own, and each round of each client another. Events per second are of the
client's processor time, so of one core that does nothing else. Memory is what the client grew by between
"connected to nobody" and "all streams have had their first event". The first event is waited for by all
streams from the same moment on, the moment of the last request's sending included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .streaming import body

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


async def _serve(streams: int, deltas: int) -> None:
    """Sends each stream its first event at once, and the others when all streams are there."""
    frames = [frame + b"\n\n" for frame in body(deltas).split(b"\n\n") if frame]
    first, rest = _chunk(frames[0]), [_chunk(frame) for frame in frames[1:]]
    arrived = 0
    complete = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            if not length:
                writer.close()  # the request before the first, which is for nobody
                return
            await reader.readexactly(int(length))
            writer.write(_HEAD + first)
            await writer.drain()
            arrived += 1
            if arrived == streams:
                await asyncio.sleep(2)  # the client looks at its memory now
                complete.set()
            await complete.wait()
            for frame in rest:
                writer.write(frame)
                await writer.drain()
                await asyncio.sleep(0)  # every event is sent by itself, to all streams in turn
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=streams)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


async def _ask(port: int, streams: int, patched: bool) -> dict[str, float]:
    import openai

    client: Any = openai.AsyncOpenAI(
        api_key="unused", base_url=f"http://127.0.0.1:{port}", max_retries=0, timeout=600
    )
    if patched:
        from streaming_assistants import patch

        patch(client)
    firsts: list[float] = []
    all_there = asyncio.Event()
    events = 0
    memory = start = spent = 0.0

    async def one() -> None:
        nonlocal events, memory, spent
        began = time.perf_counter()
        stream = await client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True)
        mine = 0
        async for _ in stream:
            if not mine:
                firsts.append(time.perf_counter() - began)
                if len(firsts) == streams:
                    memory = _memory() - before
                    spent = time.process_time()
                    all_there.set()
                await all_there.wait()
            mine += 1
        events += mine

    with contextlib.suppress(openai.OpenAIError):  # what is made on first use
        await client.beta.threads.runs.retrieve("r", thread_id="t", timeout=0.01)
    before = _memory()
    start = time.process_time()
    await asyncio.gather(*(one() for _ in range(streams)))
    return {
        "events/s/core": (events - streams) / (time.process_time() - spent),
        "opening, ms": 1000 * (spent - start) / streams,
        "memory, kB": memory / streams / 1024,
        "first event, median ms": 1000 * statistics.median(firsts),
    }


def _memory() -> float:
    """Bytes that the process has resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _server(streams: int, deltas: int) -> Iterator[str]:
    command = [sys.executable, "-m", __spec__.name, "--serve"]
    options = ["--streams", str(streams), "--deltas", str(deltas)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(streams: int, deltas: int, rounds: int) -> dict[str, dict[str, float]]:
    """``{"ours": ..., "SDK": ...}``, the best of ``rounds`` of each, in turns; SDK where it can stream."""
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name in ("ours", "SDK"):
            with _server(streams, deltas) as port:
                done = subprocess.run(
                    [sys.executable, "-W", "ignore", "-m", __spec__.name, "--ask", port, "--who", name,
                     "--streams", str(streams)],
                    capture_output=True, text=True,
                )  # fmt: skip
            if done.returncode and name == "SDK":
                continue
            done.check_returncode()
            for what, value in json.loads(done.stdout).items():
                mine = found.setdefault(name, {})
                mine[what] = (max if what.startswith("events") else min)(value, mine.get(what, value))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--deltas", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--who", default="ours", help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options.streams, options.deltas))
        return
    if options.ask:
        warnings.simplefilter("ignore")
        print(json.dumps(asyncio.run(_ask(options.ask, options.streams, options.who == "ours"))))
        return
    found = measure(options.streams, options.deltas, options.rounds)
    print(f"{options.streams} streams at once, {options.deltas} text deltas each\n")
    print(f"{'':24}" + "".join(f"{name:>14}" for name in found))
    for what in found["ours"]:
        print(f"{what:24}" + "".join(f"{found[name][what]:14,.1f}" for name in found))


if __name__ == "__main__":
    main()
