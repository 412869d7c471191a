"""The event loop that a task is in: asyncio's, or trio's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from .spare_threads import spare_threads

T = TypeVar("T")


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


async def in_thread(work: Callable[[], T], *, leavable: bool = False, limited: bool = True) -> T:
    """What ``work`` gives, done in a thread. A cancelled task waits for it, or leaves it if ``leavable``.
    ``limited``: it counts among the threads that anyio allows, which wait for each other.

    The end of a process does not wait for the thread. It does for one of anyio's whose task is still pending
    when its event loop is closed: nobody ever stops that one.
    """
    call_soon = caller()
    came = anyio.Event()
    given: list[T] = []
    raised: list[BaseException] = []
    context = contextvars.copy_context()

    def do() -> None:
        try:
            given.append(context.run(work))
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            raised.append(error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            call_soon(came.set)

    limiter: Any = anyio.to_thread.current_default_thread_limiter() if limited else contextlib.nullcontext()
    async with limiter:
        spare_threads().do(do)
        with anyio.CancelScope(shield=not leavable):
            await came.wait()
    if raised:
        raise raised[0]
    return given[0]


async def all_of(works: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Does all of it, in a task each. Whatever ends the waiting cancels them, and waits for that alone."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        async with anyio.create_task_group() as group:
            for work in works:
                group.start_soon(work)
        return
    if not works:
        return
    # Not a group: that of anyio 3 forgets that its own task was cancelled.
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        await asyncio.wait(tasks)
    finally:
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        if late:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(late)
    for task in tasks:
        if not task.cancelled():
            task.result()


def nowhere(*_: object) -> None:
    """Before the job has started there is no loop to call into."""
