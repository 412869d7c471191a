"""How a stream's body is read and left: encodings, other transports, and the connection after the end."""

from __future__ import annotations

import gzip
import threading
import zlib
from typing import Any

import openai
import pytest

from streaming_assistants import _sdk

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .samples import frame, run, sse, text_run

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"


def own_address(stream: Any) -> Any:
    return stream.response.extensions["network_stream"].get_extra_info("client_addr")


@pytest.mark.parametrize(
    ("encoding", "encoded"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_a_body_is_read_as_it_is_encoded(
    colour: Colour, server: Loopback, encoding: str, encoded: Any
) -> None:
    body = encoded(sse(text_run("a")))
    pieces = [body[place : place + 20] for place in range(0, len(body), 20)]
    server.on("POST", RUNS, Reply.sse(pieces, content_encoding=encoding))
    stream = await colour.created(colour.client(server.url))
    assert len(await colour.list(stream)) == 7
    assert stream.response.is_stream_consumed
    assert stream.response.is_closed


async def test_a_body_that_is_read_is_not_read_again(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    stream = await colour.created(colour.client(server.url))
    await colour.next(stream)
    with pytest.raises(RuntimeError):  # the transport's StreamConsumed
        await colour.of(stream.response.aread() if colour.is_async else stream.response.read())


async def test_a_body_that_was_read_before_is_told_all_the_same(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    stream = await colour.created(colour.client(server.url))
    await colour.of(stream.response.aread() if colour.is_async else stream.response.read())
    assert len(await colour.list(stream)) == 7


async def test_a_response_of_another_class_is_asked_its_own_way(colour: Colour, server: Loopback) -> None:
    class Louder(_sdk.response_class()):  # type: ignore[misc]
        """Says in its own way what its bytes are, as a recorder or a cipher does."""

        def iter_bytes(self, chunk_size: int | None = None) -> Any:
            return (chunk.replace(b"quiet", b"LOUD!") for chunk in super().iter_bytes(chunk_size))

        async def aiter_bytes(self, chunk_size: int | None = None) -> Any:
            async for chunk in super().aiter_bytes(chunk_size):
                yield chunk.replace(b"quiet", b"LOUD!")

    server.on("POST", RUNS, Reply.sse([sse(text_run("quiet"))]))
    stream = await colour.created(colour.client(server.url))
    stream.response.__class__ = Louder
    texts = [
        event.data.delta.content[0].text.value
        for event in await colour.list(stream)
        if event.event == "thread.message.delta"
    ]
    assert texts == ["LOUD!"]


async def test_what_broke_a_body_knows_its_request(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([frame(run("in_progress")), CUT]))
    stream = await colour.created(colour.client(server.url))
    with pytest.raises(openai.APIConnectionError) as caught:
        await colour.list(stream)
    cause: Any = caught.value.__cause__
    assert cause.request is stream.response.request


async def test_a_task_that_reads_to_the_end_keeps_its_connection(server: Loopback) -> None:
    colour = Colour("async")
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    client = colour.client(server.url)
    addresses = set()
    for _ in range(3):
        stream = await colour.created(client)
        addresses.add(own_address(stream))
        assert len(await colour.list(stream)) == 7
    await colour.close()
    assert len(addresses) == 1


async def test_a_server_that_ends_its_stream_and_no_body_is_not_waited_for(
    colour: Colour, server: Loopback
) -> None:
    never = threading.Event()
    server.on("POST", RUNS, Reply.sse([sse(text_run("a")), never]))
    stream = await colour.created(colour.client(server.url, timeout=60))
    assert len(await colour.list(stream)) == 7
    assert stream.response.is_closed
    never.set()


async def test_a_server_that_breaks_off_after_the_end_has_said_all(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a")), CUT]))
    assert len(await colour.list(await colour.created(colour.client(server.url)))) == 7


async def test_what_a_server_sends_after_the_end_is_not_told(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a")), 0.02, sse(text_run("b"))]))
    assert len(await colour.list(await colour.created(colour.client(server.url)))) == 7
