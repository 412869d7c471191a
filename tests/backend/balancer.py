"""Several servers of one store behind one address: each request goes to the next of them, nothing sticks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from .served import Command

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEPT = re.compile(rb"\r\n(connection|keep-alive): [^\r]*", re.IGNORECASE)


class Balancer:
    """A proxy that reads one request of a connection, hands it to the next server, and passes on what comes
    back until that closes. ``served`` are how many requests each of them has had."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._ports = [urlsplit(url).port or 80 for url in urls]
        self._turns = itertools.cycle(range(len(urls)))
        self.served = [0] * len(urls)
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._listening.set()
        async with server:
            await self._over.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = next(self._turns)
        self.served[turn] += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            there, far = await asyncio.open_connection("127.0.0.1", self._ports[turn])
            far.write(_KEPT.sub(b"", head[:-2]) + b"Connection: close\r\n\r\n")
            length = _LENGTH.search(head)

            async def sent() -> None:
                """Until the client leaves."""
                await _pass(reader, far, int(length[1]) if length else 0)
                await reader.read()

            tasks = [asyncio.create_task(each) for each in (sent(), _pass(there, writer))]
            _, under_way = await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
            for task in under_way:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            far.close()
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int = -1) -> None:
    """Passes on so many bytes, or all that come."""
    while length and (chunk := await reader.read(65536 if length < 0 else min(length, 65536))):
        length -= len(chunk) if length > 0 else 0
        writer.write(chunk)
        await writer.drain()


@contextlib.contextmanager
def balanced(store: str, *arguments: str, servers: int = 2, **environment: str) -> Iterator[Balancer]:
    """So many ``serve`` of one store, behind a balancer."""
    with contextlib.ExitStack() as stack:
        made = [
            stack.enter_context(Command("--store", store, *arguments, **environment)) for _ in range(servers)
        ]
        yield stack.enter_context(Balancer([each.url for each in made]))
