"""Calls that are made: within so many seconds, aside, side by side."""

from __future__ import annotations

import contextvars
import inspect
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from streaming_assistants._protocol.plan import Invoke, Together, WaitedTooLong

from .halt import Halt
from .loops import all_of, in_thread


def made(call: Invoke) -> Any:
    """What a call gives; raises WaitedTooLong where it does not in time.

    A timeout of the transport begins anew with every byte. A call that is given up goes on in its thread
    until the server or that timeout ends it: there is no way to its socket before the answer's headers.
    """
    if call.within is None:
        return _read(call, call.make())
    future: Future[Any] = Future()
    _aside(call.make, future)
    over = threading.Event()
    future.add_done_callback(lambda _: over.set())
    if not over.wait(max(call.within, 0)):
        raise WaitedTooLong
    return _read(call, future.result())


async def made_async(call: Invoke) -> Any:
    """The async form of :func:`made`, which cancels what it gives up, unless that is aside."""
    if call.within is None:
        given = await in_thread(call.make, leavable=True, limited=False) if call.aside else call.make()
        return _read(call, await given if inspect.isawaitable(given) else given)
    with anyio.move_on_after(call.within):
        return await made_async(replace(call, within=None))
    raise WaitedTooLong


def _read(call: Invoke, given: object) -> Any:
    return given if call.read is None else call.read(given)


def _aside(work: Callable[[], object], future: Future[Any]) -> None:
    """Does it in a thread of its own, which the end of a process does not wait for."""

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (carried over to whoever waits)
            future.set_exception(error)

    threading.Thread(target=partial(contextvars.copy_context().run, do), daemon=True).start()


def together(effect: Together, halt: Halt | None) -> list[Any]:
    """What each call gave, or the exception that it raised. A halt gives what there is by then."""
    results: list[Any] = [None] * len(effect.calls)
    ended: queue.SimpleQueue[tuple[int, Future[Any]] | None] = queue.SimpleQueue()
    waiting = list(enumerate(effect.calls))
    under_way: dict[int, float | None] = {}  # the time at which each is given up
    with (halt or Halt(None)).waking(lambda: ended.put(None)):
        while waiting or under_way:
            while waiting and len(under_way) < effect.limit:
                place, call = waiting.pop(0)
                under_way[place] = None if call.within is None else time.monotonic() + call.within
                _aside(call.make, _telling(ended, place))
            late = min((at for at in under_way.values() if at is not None), default=None)
            try:
                came = ended.get(timeout=None if late is None else max(late - time.monotonic(), 0))
            except queue.Empty:
                now = time.monotonic()
                for place in [place for place, at in under_way.items() if at is not None and at <= now]:
                    del under_way[place]
                    results[place] = WaitedTooLong()
                continue
            if came is None:
                break
            place, future = came
            if place in under_way:  # else it came too late
                del under_way[place]
                results[place] = _result(effect.calls[place], future)
    return results


def _telling(ended: queue.SimpleQueue[tuple[int, Future[Any]] | None], place: int) -> Future[Any]:
    future: Future[Any] = Future()
    future.add_done_callback(lambda over: ended.put((place, over)))
    return future


def _result(call: Invoke, future: Future[Any]) -> Any:
    try:
        return _read(call, future.result())
    except Exception as error:  # noqa: BLE001  (handed to the plan, which knows the others)
        return error


async def together_async(effect: Together) -> list[Any]:
    """The async form of :func:`together`: tasks, and threads for what is aside."""
    # Until it is over: a call that cancels itself ends without a word.
    results: list[Any] = [RuntimeError("The call was cancelled from within.") for _ in effect.calls]
    limit = anyio.Semaphore(effect.limit)

    async def one(place: int, call: Invoke) -> None:
        async with limit:
            try:
                results[place] = await made_async(call)
            except Exception as error:  # noqa: BLE001  (handed to the plan, which knows the others)
                results[place] = error

    await all_of([partial(one, place, call) for place, call in enumerate(effect.calls)])
    return results
