"""How the body of a response is read to what it says, and left."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio

from streaming_assistants import _sdk

_PATIENCE = 0.1  # seconds; the SDK's own, too


async def drained(chunks: AsyncIterator[bytes]) -> None:
    """Reads what comes after the end that a server announced, if it comes at once.

    That is the end of the body as HTTP has it, nearly always: only a connection that has seen it serves
    another request, and a new one costs its next request some round trips.
    """
    with contextlib.suppress(*_sdk.transport_errors()), anyio.move_on_after(_PATIENCE):
        async for _ in chunks:
            await anyio.lowlevel.checkpoint()  # a body that is there and has no end does not wait
