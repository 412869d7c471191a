"""A server of POST /chat/completions on loopback, in a process of its own: what the backend asks."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MESSAGE = {"role": "user", "content": "Say some words."}

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def chat_server(words: int = 20, *, one_by_one: bool = False) -> Iterator[str]:
    """Its address. It says so many words after its first; ``one_by_one``: each in a write of its own, without
    a pause, else all of them at once, 5 ms after the first."""
    hear, say = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(say, words, one_by_one), daemon=True
    )
    process.start()
    try:
        yield f"http://127.0.0.1:{hear.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(say: Any, words: int, one_by_one: bool) -> None:
    first = _HEAD + _chunk({"role": "assistant", "content": ""}) + _chunk({"content": "word "})
    rest = [_chunk({"content": f"word{number} "}) for number in range(words)]
    end = _chunk({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(first)
                if one_by_one:
                    for word in rest:
                        writer.write(word)
                        await writer.drain()
                else:
                    await asyncio.sleep(0.005)  # a model, too, has its second token later than its first
                    writer.write(b"".join(rest))
                writer.write(end)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
        say.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_750_000_000, "model": "m"}
    data = f"data: {json.dumps({**body, 'choices': [choice]})}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)
