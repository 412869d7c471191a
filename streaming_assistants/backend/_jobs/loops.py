"""The event loop that a task is in: asyncio's, or trio's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any


def spawn(run: Callable[[], Awaitable[None]]) -> tuple[object, Callable[..., object]]:
    """Starts a task that outlives its caller's scope: the task, and a way to call into its loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # The only other loop that httpx runs on.
        import trio  # type: ignore[import-not-found,unused-ignore]

        trio.lowlevel.spawn_system_task(run)
        return None, caller()
    call_soon = caller()

    def tell(function: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is there to be told
            call_soon(function, *arguments)

    return loop.create_task(run()), tell  # type: ignore[arg-type]


def caller() -> Callable[..., object]:
    """A way to call into the loop that a task is in, from any thread. It raises RuntimeError once the loop
    has ended."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # type: ignore[import-not-found,unused-ignore]

        token: Any = trio.lowlevel.current_trio_token()
        return token.run_sync_soon  # type: ignore[no-any-return]


def nowhere(*_: object) -> None:
    """Before the job has started there is no loop to call into."""
