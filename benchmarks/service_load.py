"""Clients of a service, many in one process and without an SDK: what they wait for is the service.

Each makes threads with a run that streams, one after the other, and reads it to its end.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from urllib.parse import urlsplit

_FIRST = b"event: thread.message.delta"
_DONE = b"event: done"


_TEXT = "The echo says these words one by one, as a model would say its own."


def measure(url: str, clients: int, seconds: float) -> dict[str, float]:
    """How many ``runs`` a second, and the time to the first token (``p50``, ``p99``, milliseconds)."""
    return asyncio.run(_measure(url, clients, seconds))


async def asked(url: str, path: str, body: object = None, method: str = "POST") -> bytes:
    """The body of an answer that does not stream."""
    reader, writer = await _sent(url, path, body, method)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def streamed(url: str, path: str, body: object = None, method: str = "POST") -> tuple[float, float]:
    """Seconds to the first token and to the end. Raises RuntimeError for a stream without one."""
    began = time.perf_counter()
    reader, writer = await _sent(url, path, body, method)
    first, tail = 0.0, b""
    while chunk := await reader.read(65536):
        tail = tail[-64:] + chunk
        if not first and _FIRST in tail:
            first = time.perf_counter() - began
        if _DONE in tail:
            break
    writer.close()
    if not first or _DONE not in tail:
        raise RuntimeError(f"{path} ended with {tail[-300:]!r}")
    return first, time.perf_counter() - began


async def _sent(
    url: str, path: str, body: object, method: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    there = urlsplit(url)
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    said = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {there.path}{path} HTTP/1.1\r\nHost: {there.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
    )
    writer.write(head.encode() + said)
    return reader, writer


async def _measure(url: str, clients: int, seconds: float) -> dict[str, float]:
    assistant = json.loads(await asked(url, "/assistants", {"model": "echo"}))["id"]
    thread = {"messages": [{"role": "user", "content": _TEXT}]}
    body = {"assistant_id": assistant, "thread": thread, "stream": True}
    firsts: list[float] = []

    async def client(until: float) -> None:
        while time.perf_counter() < until:
            firsts.append((await streamed(url, "/threads/runs", body))[0])

    await asyncio.gather(*(client(0.0) for _ in range(clients)))
    await asyncio.gather(*(client(time.perf_counter() + seconds / 4) for _ in range(clients)))  # to warm up
    firsts.clear()
    began = time.perf_counter()
    await asyncio.gather(*(client(began + seconds) for _ in range(clients)))
    took = time.perf_counter() - began
    ranked = [1000 * each for each in sorted(firsts)]
    return {
        "runs": len(ranked) / took,
        "p50": statistics.median(ranked),
        "p99": ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))],
    }
