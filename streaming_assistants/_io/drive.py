"""Carries out plans (see ``_protocol/plan.py``): to their end, or yielding what they say and read.

One driver of each colour for each; a pair differs by ``async`` and ``await``, and by how several things are
done at once. ``invoking`` makes an Invoke of an effect that is no driver's own, Ask first of all.
"""

from __future__ import annotations

import contextvars
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar

import anyio

from streaming_assistants._protocol.plan import Invoke, Outcome, Read, Say, Sleep, Together, WaitedTooLong

from .halt import Halt

ResultT = TypeVar("ResultT")
Invoking: TypeAlias = Callable[[Any], Invoke]

_NOTHING = Outcome()


def _unknown(effect: object) -> Invoke:
    raise TypeError(f"expected an effect that can be carried out, got {effect!r}")


def run(
    plan: Generator[Any, Any, ResultT], do: Callable[[Any], Any] | None = None, outcome: Outcome = _NOTHING
) -> ResultT:
    """Carries out ``plan`` and gives what it ends with. Anything but an Exception leaves at once.

    ``do`` carries out what is asked for, where that is not what a driver can by itself. ``outcome`` is what
    came of the last effect of a plan that another has begun.
    """
    try:
        while True:
            effect = outcome.into(plan)
            if do is None:
                outcome = _carried_out(effect, _unknown)
                continue
            try:
                outcome = Outcome(do(effect))
            except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                outcome = Outcome(error=error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        outcome = _NOTHING  # an exception in it would hold this frame, which holds it
        plan.close()


async def run_async(
    plan: Generator[Any, Any, ResultT],
    do: Callable[[Any], Awaitable[Any]] | None = None,
    outcome: Outcome = _NOTHING,
) -> ResultT:
    """The async form of :func:`run`."""
    try:
        while True:
            effect = outcome.into(plan)
            if do is None:
                outcome = await _carried_out_async(effect, _unknown)
                continue
            try:
                outcome = Outcome(await do(effect))
            except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                outcome = Outcome(error=error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        outcome = _NOTHING  # an exception in it would hold this frame, which holds it
        plan.close()


def said(plan: Generator[Any, Any, None], invoking: Invoking, halt: Halt) -> Iterator[Any]:
    """Carries out ``plan`` and yields what it says and reads, until its end or until ``halt`` is called."""
    outcome = Outcome()
    try:
        while not halt.called:
            try:
                effect = outcome.into(plan)
            except StopIteration:
                return
            outcome = Outcome()
            if isinstance(effect, Say):
                yield effect.what
            elif isinstance(effect, Read):
                # Not in a function of its own: one generator more would be passed through by each event.
                try:
                    body = effect.read(effect.make())
                    halt.response = response = body.response
                    try:
                        if halt.called:
                            return
                        feed, reader = body.feed, body.reader
                        with body.errors():
                            for data in response.iter_bytes():
                                yield from feed(data)
                                if reader.done:
                                    break
                            yield from body.last()
                    finally:
                        response.close()
                    outcome = Outcome(body)
                except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                    outcome = Outcome(error=error)
            else:
                outcome = _carried_out(effect, invoking, halt)
    finally:
        outcome = Outcome()  # an exception in it would hold this frame, which holds it
        plan.close()


async def said_async(plan: Generator[Any, Any, None], invoking: Invoking, halt: Halt) -> AsyncIterator[Any]:
    """The async form of :func:`said`."""
    outcome = Outcome()
    try:
        while not halt.called:
            try:
                effect = outcome.into(plan)
            except StopIteration:
                return
            outcome = Outcome()
            if isinstance(effect, Say):
                yield effect.what
            elif isinstance(effect, Read):
                try:
                    body = effect.read(await _opened(effect, halt))
                    halt.response = response = body.response
                    try:
                        if halt.called:
                            return
                        feed, reader = body.feed, body.reader
                        with body.errors():
                            async for data in response.aiter_bytes():
                                for item in feed(data):
                                    yield item
                                if reader.done:
                                    break
                            for item in body.last():
                                yield item
                    finally:
                        await response.aclose()
                    outcome = Outcome(body)
                except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                    outcome = Outcome(error=error)
            else:
                outcome = await _carried_out_async(effect, invoking, halt)
    finally:
        outcome = Outcome()
        plan.close()


def _carried_out(effect: object, invoking: Invoking, halt: Halt | None = None) -> Outcome:
    try:
        if isinstance(effect, Sleep):
            _slept(effect.seconds, halt)
            return Outcome()
        if isinstance(effect, Together):
            return Outcome(_together(effect))
        call = effect if isinstance(effect, Invoke) else invoking(effect)
        return Outcome(_read(call, _made(call.make, call.within)))
    except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
        return Outcome(error=error)


async def _carried_out_async(effect: object, invoking: Invoking, halt: Halt | None = None) -> Outcome:
    if halt is not None:
        with anyio.CancelScope() as scope, halt.waking(scope.cancel):
            return await _carried_out_async(effect, invoking)
        return Outcome()  # nobody looks at it any more
    try:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return Outcome()
        if isinstance(effect, Together):
            return Outcome(await _together_async(effect))
        call = effect if isinstance(effect, Invoke) else invoking(effect)
        return Outcome(_read(call, await _made_async(call.make, call.within)))
    except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
        return Outcome(error=error)


def _slept(seconds: float, halt: Halt | None) -> None:
    if halt is None:
        time.sleep(seconds)
        return
    woken = threading.Event()
    with halt.waking(woken.set):
        woken.wait(seconds)


async def _opened(effect: Read, halt: Halt) -> Any:
    """What is opened; a task that calls for a halt does not wait for it."""
    made = effect.make()
    if not inspect.isawaitable(made):
        return made
    with anyio.CancelScope() as scope, halt.waking(scope.cancel):
        return await made
    raise _Halted


class _Halted(Exception):
    """What would be read was given up before it was there."""


def _read(call: Invoke, made: object) -> Any:
    return made if call.read is None else call.read(made)


def _made(make: Callable[[], object], within: float | None) -> Any:
    """What ``make()`` gives; raises WaitedTooLong where it does not within so many seconds.

    A timeout of the transport begins anew with every byte. A call that is given up goes on in its thread
    until the server or that timeout ends it: there is no way to its socket before the answer's headers.
    """
    if within is None:
        return make()
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001  (carried over to the caller's thread)
            future.set_exception(error)

    threading.Thread(target=partial(contextvars.copy_context().run, work), daemon=True).start()
    over = threading.Event()
    future.add_done_callback(lambda _: over.set())
    if not over.wait(max(within, 0)):
        raise WaitedTooLong
    return future.result()


async def _made_async(make: Callable[[], object], within: float | None) -> Any:
    """The async form of :func:`_made`, which cancels what it gives up."""
    if within is None:
        made = make()
        return await made if inspect.isawaitable(made) else made
    with anyio.move_on_after(within):
        return await _made_async(make, None)
    raise WaitedTooLong


def _together(effect: Together) -> list[Any]:
    pool = ThreadPoolExecutor(max_workers=effect.limit)
    futures = [pool.submit(make) for make in effect.makes]
    try:
        return [future.exception() or future.result() for future in futures]
    finally:
        # Not a `with` block, which would keep a KeyboardInterrupt until every call is over.
        pool.shutdown(wait=False, cancel_futures=True)


async def _together_async(effect: Together) -> list[Any]:
    made: list[Any] = [None] * len(effect.makes)
    limit = anyio.Semaphore(effect.limit)

    async def one(place: int, make: Callable[[], Any]) -> None:
        async with limit:
            try:
                made[place] = await make()
            except Exception as error:  # noqa: BLE001  (handed to the plan, which knows the others)
                made[place] = error

    async with anyio.create_task_group() as tasks:
        for place, make in enumerate(effect.makes):
            tasks.start_soon(one, place, make)
    return made
