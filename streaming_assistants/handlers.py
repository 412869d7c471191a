"""The event handlers: callbacks, iteration and final objects over one streamed run.

They subclass the SDK's own handlers where it has them, so that ``isinstance`` and annotations hold. What
they do is decided by :class:`~streaming_assistants._protocol.dispatch.Dispatcher`; here callbacks are made.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, cast

from . import _sdk
from ._io.handler_core import (
    AsyncBase,
    Core,
    SyncBase,
    answers_private_names,
    check_callbacks,
    is_timeout,
    running,
    texts,
)
from ._protocol.callbacks import AsyncCallbacks, Callbacks

if TYPE_CHECKING:
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import Message, Run
    from openai.types.beta.threads.runs import RunStep


@answers_private_names
class AssistantEventHandler(Core, Callbacks, SyncBase):  # type: ignore[override]
    """Callbacks, iteration and final objects over one streamed run.

    Subclass it, override what you need (all is optional), and hand an instance to a ``.stream()`` helper
    as ``event_handler``. Iterate it for the events, or ``text_deltas`` for the text alone.
    """

    def __init__(self) -> None:
        # Not the SDK's __init__: its state is not used, and its private names are answered from ours.
        pass

    @property
    def text_deltas(self) -> Iterator[str]:  # type: ignore[override]
        """The text of the message deltas, as it arrives."""
        return self._texts  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[AssistantStreamEvent]:
        return self._iterator  # type: ignore[no-any-return]

    def __next__(self) -> AssistantStreamEvent:
        return next(self._iterator)  # type: ignore[no-any-return]

    def until_done(self) -> None:
        """Reads the stream to its end."""
        if not self._session.ended:  # on_end may ask for what is final, too
            for _ in self:
                pass

    def get_final_run(self) -> Run:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_run()

    def get_final_run_steps(self) -> list[RunStep]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_steps()

    def get_final_messages(self) -> list[Message]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_messages()

    def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat.

        A callback may call it, or another thread: the loop that reads then ends, and ``on_end`` fires
        there.
        """
        session = self._session
        session.closed = True
        if running(session.iterator):
            if session.event is None:  # else a callback is under way, and the loop ends after it
                _sdk.closer(session.stream)()
            return
        if session.iterator is not None:
            session.iterator.close()
        self._end()

    def _end(self) -> None:
        session = self._session
        if session.stream is None or session.ended:
            return
        session.ended = True
        try:
            _sdk.closer(session.stream)()
        finally:
            self.on_end()

    def __stream__(self) -> Iterator[AssistantStreamEvent]:
        session = self._session
        stream, dispatcher, calls = self._begin()
        args: Any
        try:
            for event in stream:
                session.event = event
                for name, args in dispatcher.apply(event):
                    calls[name](*args)
                # Nothing but the caller keeps a snapshot alive: its text can then grow in place.
                args = session.event = None
                yield event
                if session.closed:
                    break
        except Exception as error:
            if session.closed and session.event is None:
                return  # the SDK's streams raise where they are closed under a read
            if is_timeout(error):
                self.on_timeout()
            self.on_exception(error)
            raise
        finally:
            session.event = None
            self._end()

    def __text_deltas__(self) -> Iterator[str]:
        for event in self:
            yield from texts(event)


@answers_private_names
class AsyncAssistantEventHandler(Core, AsyncCallbacks, AsyncBase):  # type: ignore[override]
    """The async form of :class:`AssistantEventHandler`; callbacks may be ``async def`` or ``def``."""

    def __init__(self) -> None:
        # See AssistantEventHandler.__init__.
        pass

    @property
    def text_deltas(self) -> AsyncIterator[str]:  # type: ignore[override]
        """The text of the message deltas, as it arrives."""
        return self._texts  # type: ignore[no-any-return]

    def __aiter__(self) -> AsyncIterator[AssistantStreamEvent]:
        return self._iterator  # type: ignore[no-any-return]

    async def __anext__(self) -> AssistantStreamEvent:
        return await self._iterator.__anext__()  # type: ignore[no-any-return]

    async def until_done(self) -> None:
        """Reads the stream to its end."""
        if not self._session.ended:
            async for _ in self:
                pass

    async def get_final_run(self) -> Run:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_run()

    async def get_final_run_steps(self) -> list[RunStep]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_steps()

    async def get_final_messages(self) -> list[Message]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_messages()

    async def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat.

        A callback may call it, or another task: the loop that reads then ends, and ``on_end`` fires there.
        """
        session = self._session
        session.closed = True
        if running(session.iterator):
            if session.event is None:  # else a callback is under way, and the loop ends after it
                await _sdk.closer(session.stream)()
            return
        if session.iterator is not None:
            await session.iterator.aclose()
        await self._end()

    async def _end(self) -> None:
        session = self._session
        if session.stream is None or session.ended:
            return
        session.ended = True
        try:
            await _sdk.closer(session.stream)()
        finally:
            await _over(self.on_end())

    async def __stream__(self) -> AsyncIterator[AssistantStreamEvent]:
        session = self._session
        stream, dispatcher, calls = self._begin()
        args: Any
        try:
            async for event in stream:
                session.event = event
                for name, args in dispatcher.apply(event):
                    await _over(calls[name](*args))
                args = session.event = None
                yield event
                if session.closed:
                    break
        except Exception as error:
            if session.closed and session.event is None:
                return
            if is_timeout(error):
                await _over(self.on_timeout())
            await _over(self.on_exception(error))
            raise
        finally:
            session.event = None
            await self._end()

    async def __text_deltas__(self) -> AsyncIterator[str]:
        async for event in self:
            for text in texts(event):
                yield text


async def _over(result: object) -> None:
    """Awaits what an ``async def`` callback gave; a plain one is over already."""
    if result is not None and inspect.isawaitable(result):
        await result


def adopt(handler: object, *, is_async: bool) -> Any:
    """Makes any handler one of ours: a subclass of the SDK's own keeps its class as a base.

    None becomes a new handler. Raises TypeError for what is no handler of the client's colour.
    """
    ours = AsyncAssistantEventHandler if is_async else AssistantEventHandler
    if handler is None:
        return ours()
    if not isinstance(handler, ours):
        theirs = AsyncBase if is_async else SyncBase
        if theirs is object or not isinstance(handler, theirs):
            raise TypeError(
                f"event_handler: expected an instance of {ours.__name__}, as the client is "
                f"{'async' if is_async else 'sync'}, got {type(handler).__name__}"
            )
        # Not by assignment: its class may have an opinion on that.
        object.__setattr__(handler, "__class__", _adopted(type(handler), theirs, ours))
    check_callbacks(handler)
    return handler


class _Unannounced(SyncBase):
    """Keeps a class from its base's ``__init_subclass__``, which may want arguments or refuse it."""

    def __init_subclass__(cls) -> None: ...


class _AsyncUnannounced(AsyncBase):
    """The same for async handlers."""

    def __init_subclass__(cls) -> None: ...


def _adopted(found: Any, theirs: Any, ours: Any) -> type:
    """The class of an adopted handler: its own methods win over ours, and ours over the SDK's."""
    if found is theirs:
        return cast("type", ours)
    shield = _AsyncUnannounced if theirs is AsyncBase else _Unannounced
    # Its class knows the one that was made of it, for as long as that has handlers.
    for made in type.__subclasses__(found):
        if shield in made.__bases__:
            return made
    members = {"__module__": found.__module__, "__qualname__": found.__qualname__, "__slots__": ()}
    # type.__new__ itself: a metaclass would take it for a class that the program has written.
    bases: Any = (shield, found, ours)
    return cast("type", type.__new__(type(found), found.__name__, bases, members))
