"""Carries out plans (see ``_protocol/plan.py``): to their end, or yielding what they say and read.

One driver of each colour for each; a pair differs by ``async`` and ``await``, and by how several things are
done at once. ``invoking`` makes an Invoke of an effect that is no driver's own, Ask first of all.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

import anyio

from streaming_assistants import _sdk
from streaming_assistants._protocol.plan import Invoke, Outcome, Plan, Read, Say, Sleep, Together
from streaming_assistants._sdk.untyped import Model

from .body import drained
from .halt import Halt
from .loops import spawn
from .together import made, made_async, together, together_async

ResultT = TypeVar("ResultT")
Invoking: TypeAlias = Callable[[Any], Invoke]


class Farewell(Protocol):
    """Gives the plan for when nothing is read any more, None for nothing to do; ``left``: before its end."""

    def __call__(self, *, left: bool) -> Plan[None] | None: ...


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
    except BaseException as error:
        if do is None:
            _tell(plan, error)
        raise
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
    except BaseException as error:
        if do is None:
            _tell(plan, error)
        raise
    finally:
        outcome = _NOTHING  # an exception in it would hold this frame, which holds it
        plan.close()


def said(plan: Plan[None], invoking: Invoking, halt: Halt, farewell: Farewell) -> Iterator[Model]:
    """Carries out ``plan`` and yields what it says and reads, until its end or until ``halt`` is called.

    Then the plan that ``farewell`` gives is carried out, whoever leaves and why.
    """
    outcome, left = Outcome(), True
    try:
        while not halt.called:
            try:
                effect = outcome.into(plan)
            except StopIteration:
                left = False
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
                            for data in _sdk.chunks(response, response.iter_bytes):
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
    except BaseException as error:
        left = not isinstance(error, Exception)
        _tell(plan, error)
        raise
    finally:
        outcome = Outcome()
        plan.close()
        part(farewell(left=left))


async def said_async(
    plan: Plan[None], invoking: Invoking, halt: Halt, farewell: Farewell
) -> AsyncIterator[Model]:
    """The async form of :func:`said`."""
    outcome, left = Outcome(), True
    try:
        while not halt.called:
            try:
                effect = outcome.into(plan)
            except StopIteration:
                left = False
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
                            chunks = aiter(_sdk.chunks(response, response.aiter_bytes))
                            async for data in chunks:
                                for item in feed(data):
                                    yield item
                                if reader.done:
                                    break
                            for item in body.last():
                                yield item
                        if reader.done:
                            await drained(chunks)
                    finally:
                        await response.aclose()
                    outcome = Outcome(body)
                except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
                    outcome = Outcome(error=error)
            else:
                outcome = await _carried_out_async(effect, invoking, halt)
    except BaseException as error:
        left = not isinstance(error, Exception)
        _tell(plan, error)
        raise
    finally:
        outcome = Outcome()
        plan.close()
        await part_async(farewell(left=left))


def part(farewell: Plan[None] | None) -> None:
    """Carries out what is done at the end, where something is."""
    if farewell is not None:
        run(farewell)


async def part_async(farewell: Plan[None] | None) -> None:
    """The async form of :func:`part`: in a task of its own, which the cancellation that may be the reason
    does not reach. It is waited for, unless that is cancelled once more."""
    if farewell is None:
        return
    over = anyio.Event()
    errors: list[BaseException] = []

    async def work() -> None:
        try:
            await run_async(farewell)
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            errors.append(error)
        finally:
            over.set()

    spawn(work)
    with anyio.CancelScope(shield=True):
        await over.wait()
    if errors:
        raise errors[0]


def _tell(plan: Generator[Any, Any, Any], error: BaseException) -> None:
    """Lets a plan know what ends it. An Exception came out of it, or it had it thrown in."""
    if not isinstance(error, (Exception, GeneratorExit)):
        with contextlib.suppress(StopIteration):
            plan.throw(error)


def _carried_out(effect: object, invoking: Invoking, halt: Halt | None = None) -> Outcome:
    try:
        if isinstance(effect, Sleep):
            _slept(effect.seconds, halt)
            return Outcome()
        if isinstance(effect, Together):
            return Outcome(together(effect, halt))
        return Outcome(made(effect if isinstance(effect, Invoke) else invoking(effect)))
    except Exception as error:  # noqa: BLE001  (the plan decides; what it does not take comes out)
        return Outcome(error=error)


async def _carried_out_async(effect: object, invoking: Invoking, halt: Halt | None = None) -> Outcome:
    if halt is not None and not (isinstance(effect, Invoke) and effect.kept):
        with anyio.CancelScope() as scope, halt.waking(scope.cancel):
            return await _carried_out_async(effect, invoking)
        return Outcome()  # nobody looks at it any more
    try:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return Outcome()
        if isinstance(effect, Together):
            return Outcome(await together_async(effect))
        return Outcome(await made_async(effect if isinstance(effect, Invoke) else invoking(effect)))
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
