"""The event loop that a task is in: asyncio's, or trio's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any


def spawn(run: Callable[[], Awaitable[None]]) -> tuple[object, Callable[..., Any]]:
    """Starts a task that outlives its caller's scope: the task, and a way to call into its loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # The only other loop that httpx runs on.
        import trio  # type: ignore[import-not-found,unused-ignore]

        trio.lowlevel.spawn_system_task(run)
        return None, trio.lowlevel.current_trio_token().run_sync_soon
    return loop.create_task(run()), _soon(loop)  # type: ignore[arg-type]


def _soon(loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
    def call(function: Callable[..., Any], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is there to be told
            loop.call_soon_threadsafe(function, *arguments)

    return call


def nowhere(*_: object) -> None:
    """Before the job has started there is no loop to call into."""
