"""Many streams at once: 1,000 async streams of one client over loopback sockets, and the floor beneath them.

    python -m benchmarks.concurrency [--streams 1000] [--events 100] [--rounds 3]

The server is a process of its own, and each round of each client another. ``transport`` is the floor: the
same client of httpx or httpx2 reads the same bytes with ``aiter_raw()`` and drops them. Events per second are
of the client's processor time, so of one core that does nothing else. Memory is what the client grew by
between "connected to nobody" and "all streams have had their first event". The first event is waited for by
all streams from the same moment on, the moment of the last request's sending included.
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
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from . import shapes

WHO = ("transport", "ours", "SDK")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def measure(who: str, streams: int, events: int = 100, shape: str = "text") -> dict[str, float]:
    """What one client does in one round, a process each for it and the server; {} where it cannot stream."""
    options = ["--streams", str(streams), "--events", str(events), "--shape", shape]
    command = [sys.executable, "-W", "ignore", "-m", __spec__.name, *options]
    with subprocess.Popen([*command, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            asked = [*command, "--ask", server.stdout.readline().strip(), "--who", who]
            done = subprocess.run(asked, stdout=subprocess.PIPE, text=True)
        finally:
            server.terminate()
    if done.returncode and who == "SDK":
        return {}
    done.check_returncode()
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


async def _serve(streams: int, frames: shapes.Frames) -> None:
    """Sends each stream its first event at once, and the others when all streams are there."""
    first, *rest = (b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames)
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
                await asyncio.sleep(max(0.5, streams / 500))  # the client looks at its memory now
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


async def _ask(who: str, port: int, streams: int, events: int) -> dict[str, float]:
    import openai

    from streaming_assistants import patch

    from . import memory  # imports the SDK, which the server does without

    url = f"http://127.0.0.1:{port}"
    transport = memory.transport()
    limits = transport.Limits(max_connections=None, max_keepalive_connections=100)
    http = transport.AsyncClient(limits=limits, timeout=600)
    client: Any = openai.AsyncOpenAI(
        api_key="unused", base_url=url, http_client=http, max_retries=0, timeout=600
    )
    if who == "ours":
        patch(client)

    async def chunks() -> AsyncIterator[object]:
        asked = http.build_request(
            "POST", f"{url}/threads/t/runs", json={"assistant_id": "a", "stream": True}
        )
        response = await http.send(asked, stream=True)
        return response.aiter_raw()  # type: ignore[no-any-return]

    async def typed() -> AsyncIterator[object]:
        stream = await client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True)
        return stream.__aiter__()  # type: ignore[no-any-return]

    asking = chunks if who == "transport" else typed
    firsts: list[float] = []
    all_there = asyncio.Event()
    grown = spent = 0.0

    async def one() -> None:
        nonlocal grown, spent
        began = time.perf_counter()
        reading = await asking()
        await anext(reading)
        firsts.append(time.perf_counter() - began)
        if len(firsts) == streams:
            grown = _memory() - before
            spent = time.process_time()
            all_there.set()
        await all_there.wait()
        async for _ in reading:
            pass

    with contextlib.suppress(openai.OpenAIError):  # what is made on first use
        await client.beta.threads.runs.retrieve("r", thread_id="t", timeout=0.01)
    before = _memory()
    start = time.process_time()
    await asyncio.gather(*(one() for _ in range(streams)))
    return {
        "events/s/core": streams * events / (time.process_time() - spent),
        "opening, ms": 1000 * (spent - start) / streams,
        "memory, kB": grown / streams / 1024,
        "first event, ms": 1000 * statistics.median(firsts),
    }


def _memory() -> float:
    """Bytes that the process has resident; 0 where there is no /proc to ask."""
    if not Path("/proc/self/statm").exists():
        return 0.0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--shape", choices=shapes.SHAPES, default="text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--who", choices=WHO, default="ours", help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    frames = shapes.frames(options.shape, options.events)
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options.streams, frames))
        return
    if options.ask:
        warnings.simplefilter("ignore")
        # Without the first one, which is there when the clock starts, and the end.
        events = len(shapes.data_lines(frames)) - 1
        print(json.dumps(asyncio.run(_ask(options.who, options.ask, options.streams, events))))
        return
    print(f"{options.streams} streams at once, {options.events} deltas each\n")
    print(f"{'':18}" + "".join(f"{who:>12}" for who in WHO))
    for _ in range(options.rounds):
        found = {who: measure(who, options.streams, options.events, options.shape) for who in WHO}
        for what in found["ours"]:
            cells = (found[who].get(what, float("nan")) for who in WHO)
            print(f"{what:18}" + "".join(f"{cell:12,.1f}" for cell in cells))


if __name__ == "__main__":
    main()
