"""``max_wait_seconds`` is a deadline for the whole call, also against a server that sends byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import streaming_assistants as sa

from .clients import Colour
from .polling_support import HELPERS, Helper
from .samples import RUN

pytestmark = pytest.mark.anyio

WAIT = 0.5


class Drip:
    """A server that answers every request at once up to ``fast`` bytes, then a byte every 0.2 s."""

    def __init__(self, thing: dict[str, Any], *, fast: int) -> None:
        body = json.dumps(thing).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self.answer, self._fast = head.encode() + body, fast if fast >= 0 else len(head)
        self.whole = 0  # answers that were sent to their end
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def _spawn(self, work: Any, *args: Any) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                self._spawn(self._serve, self._socket.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(self.answer[: self._fast])
            for place in range(self._fast, len(self.answer)):
                if self._over.wait(0.2):
                    return
                connection.sendall(self.answer[place : place + 1])
            self.whole += 1

    def close(self) -> None:
        self._over.set()
        self._socket.close()
        for thread in self._threads[1:]:
            thread.join(5)


@pytest.fixture(params=["body", "head"])
def fast(request: pytest.FixtureRequest) -> int:
    return -1 if request.param == "body" else 9


@contextlib.contextmanager
def dripping(thing: dict[str, Any], fast: int) -> Iterator[Drip]:
    server = Drip(thing, fast=fast)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("helper", [each for each in HELPERS if each.start is None], ids=str)
async def test_a_dripping_answer_ends_at_the_deadline(colour: Colour, helper: Helper, fast: int) -> None:
    with dripping({**helper.thing, "status": "completed"}, fast) as server:
        client = colour.client(server.url, max_retries=2)
        with pytest.raises(sa.PollTimeoutError) as caught:
            await colour.of(helper.call(client, max_wait_seconds=WAIT))
        assert server.whole == 0
    assert caught.value.id == helper.thing["id"]
    assert caught.value.status is None


@pytest.mark.parametrize(
    "helper",
    [each for each in HELPERS if each.start is not None and "upload" not in each.name],
    ids=str,
)
async def test_the_deadline_holds_for_what_starts_it_too(colour: Colour, helper: Helper, fast: int) -> None:
    with dripping({**helper.thing, "status": "in_progress"}, fast) as server:
        client = colour.client(server.url, max_retries=2)
        with pytest.raises(sa.PollTimeoutError, match="not answered in time") as caught:
            await colour.of(helper.call(client, max_wait_seconds=WAIT))
        assert server.whole == 0
    assert (caught.value.id, caught.value.status) == (None, None)


async def test_the_deadline_holds_while_a_message_is_followed(colour: Colour, fast: int) -> None:
    with dripping({**RUN, "object": "list", "data": []}, fast) as server:
        client = colour.client(server.url, max_retries=2)
        listing = client.beta.threads.messages.list
        with pytest.raises(sa.PollTimeoutError) as caught:
            async for _ in colour.each(listing("thread_1", stream=True, max_wait_seconds=WAIT)):
                pass
        assert server.whole == 0
    assert (caught.value.id, caught.value.status) == ("thread_1", None)


async def test_what_a_call_raises_within_its_time_comes_out(colour: Colour) -> None:
    with dripping({"id": 5, "thread_id": "thread_1"}, 100000) as server:
        client = colour.client(server.url)
        with pytest.raises(sa.MalformedEventError, match="'id'"):
            await colour.of(
                client.beta.threads.runs.create_and_poll(
                    thread_id="thread_1", assistant_id="asst_1", max_wait_seconds=5
                )
            )
