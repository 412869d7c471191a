"""Carries out what a helper of several requests plans: one driver for each colour.

A helper is a generator that yields steps and is sent what came of each; an exception is thrown in. The
two drivers differ by ``async`` and ``await``, and by how they do several things at once.
"""

from __future__ import annotations

import contextvars
import inspect
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import anyio

from streaming_assistants._protocol.poll import Pause, Steps
from streaming_assistants._protocol.waits import WaitedTooLong


class Call(NamedTuple):
    """Asks for one call; what it gives is awaited where it can be.

    ``within``: the seconds that it may take in all, after which WaitedTooLong is thrown in.
    """

    make: Callable[[], Any]
    within: float | None = None


class Together(NamedTuple):
    """Asks for several calls, ``limit`` at a time; is sent what each gave or the exception it raised."""

    makes: Sequence[Callable[[], Any]]
    limit: int


def run(steps: Steps) -> Any:
    """Carries out ``steps`` and gives what they end with. Anything but an Exception leaves at once."""
    answer: Any = None
    error: Exception | None = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                elif isinstance(step, Together):
                    answer = _together(step)
                else:
                    answer = called(step.make, step.within)
            except Exception as raised:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                error = raised
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def called(make: Callable[[], Any], within: float | None) -> Any:
    """What ``make()`` gives; raises WaitedTooLong where it does not within so many seconds.

    A timeout of the transport begins anew with every byte. A call that is given up goes on in its thread
    until the server or that timeout ends it: there is no way to its socket before the answer's headers.
    """
    if within is None:
        return make()
    found: Future[Any] = Future()

    def work() -> None:
        try:
            found.set_result(make())
        except BaseException as error:  # noqa: BLE001  (carried over to the caller's thread)
            found.set_exception(error)

    threading.Thread(target=partial(contextvars.copy_context().run, work), daemon=True).start()
    over = threading.Event()
    found.add_done_callback(lambda _: over.set())
    if not over.wait(max(within, 0)):
        raise WaitedTooLong
    return found.result()


async def called_async(make: Callable[[], Any], within: float | None) -> Any:
    """The async form of :func:`called`, which cancels what it gives up."""
    if within is None:
        answer = make()
        return await answer if inspect.isawaitable(answer) else answer
    with anyio.move_on_after(within):
        return await called_async(make, None)
    raise WaitedTooLong


def _together(step: Together) -> list[Any]:
    pool = ThreadPoolExecutor(max_workers=step.limit)
    futures = [pool.submit(make) for make in step.makes]
    try:
        return [future.exception() or future.result() for future in futures]
    finally:
        # Not a `with` block, which would keep a KeyboardInterrupt until every call is over.
        pool.shutdown(wait=False, cancel_futures=True)


async def run_async(steps: Steps) -> Any:
    """The async form of :func:`run`."""
    answer: Any = None
    error: Exception | None = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                if isinstance(step, Pause):
                    await anyio.sleep(step.seconds)
                elif isinstance(step, Together):
                    answer = await _together_async(step)
                else:
                    answer = await called_async(step.make, step.within)
            except Exception as raised:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                error = raised
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


async def _together_async(step: Together) -> list[Any]:
    found: list[Any] = [None] * len(step.makes)
    limit = anyio.Semaphore(step.limit)

    async def one(place: int, make: Callable[[], Any]) -> None:
        async with limit:
            try:
                found[place] = await make()
            except Exception as error:  # noqa: BLE001  (handed to the plan, which knows the others)
                found[place] = error

    async with anyio.create_task_group() as tasks:
        for place, make in enumerate(step.makes):
            tasks.start_soon(one, place, make)
    return found
