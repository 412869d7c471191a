"""The event handlers: callbacks, iteration and final objects over one streamed run.

They subclass the SDK's own handlers where it has them, so that ``isinstance`` and annotations hold. What
they do is decided by :class:`~streaming_assistants.runs.dispatch.Dispatcher`; here callbacks are made.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import openai

from . import _sdk, callbacks
from .callbacks import AsyncCallbacks, Callbacks
from .errors import NoFinalObjectError
from .runs.dispatch import Dispatcher
from .streams import DELTA

if TYPE_CHECKING:

    class _SyncBase: ...

    class _AsyncBase: ...
else:
    _SyncBase = _sdk.handler_base("AssistantEventHandler")
    _AsyncBase = _sdk.handler_base("AsyncAssistantEventHandler")


class _Session:
    """What a handler holds while its stream lasts."""

    def __init__(self) -> None:
        self.stream: Any = None
        self.iterator: Any = None
        self.text_deltas: Any = None
        self.event: Any = None
        self.dispatcher = Dispatcher()
        self.closed = False
        self.ended = False


class _Core:
    """What handlers of both colours share: state, and the answers about it."""

    def _init(self, stream: Any) -> None:
        """Binds the handler to its stream: once, and only a handler whose callbacks can be called."""
        if self._session.stream is not None:
            raise RuntimeError(
                "A single event handler cannot be shared between multiple streams; "
                "construct a new event handler for each."
            )
        check_callbacks(self)
        self._session.stream = stream

    @property
    def _session(self) -> _Session:
        # Made on first use: a subclass may forget super().__init__().
        found: _Session | None = self.__dict__.get("_streaming_assistants")
        if found is None:
            found = self.__dict__["_streaming_assistants"] = _Session()
        return found

    def _begin(self) -> tuple[Any, Dispatcher, dict[str, Callable[..., Any]]]:
        """The stream, the dispatcher, and the callbacks that the handler overrides, bound."""
        session = self._session
        if session.stream is None:
            raise RuntimeError("Stream has not been started yet: iterate inside the `with` block.")
        calls = {name: getattr(self, name) for name in callbacks.NAMES if _overridden(self, name)}
        session.dispatcher.wants = frozenset(calls)
        return session.stream, session.dispatcher, calls

    @property
    def current_event(self) -> Any:
        """The event that is being handled, or None between two."""
        return self._session.event

    @property
    def current_run(self) -> Any:
        """The run as the server last told it, or None before it did."""
        return self._session.dispatcher.run

    @property
    def current_run_step_snapshot(self) -> Any:
        """The run step that is under way, as accumulated so far, or None."""
        step = self._session.dispatcher.step
        return None if step is None else step.snapshot()

    @property
    def current_message_snapshot(self) -> Any:
        """The message that streams or streamed last, as accumulated so far, or None."""
        message = self._session.dispatcher.message
        return None if message is None else message.snapshot()

    def _final_run(self) -> Any:
        return _found(self.current_run, "final run object")

    def _final_steps(self) -> list[Any]:
        return list(_found(self._session.dispatcher.step_snapshots(), "run steps").values())

    def _final_messages(self) -> list[Any]:
        return list(_found(self._session.dispatcher.message_snapshots(), "messages").values())


class AssistantEventHandler(_Core, Callbacks, _SyncBase):
    """Callbacks, iteration and final objects over one streamed run.

    Subclass it, override what you need (all is optional), and hand an instance to a ``.stream()`` helper
    as ``event_handler``. Iterate it for the events, or ``text_deltas`` for the text alone.
    """

    def __init__(self) -> None:
        # Not the SDK's __init__: its state is not used, and its private names are answered from ours.
        pass

    @property
    def text_deltas(self) -> Iterator[str]:
        """The text of the message deltas, as it arrives."""
        session = self._session
        if session.text_deltas is None:
            session.text_deltas = self.__text_deltas__()
        return session.text_deltas  # type: ignore[no-any-return]

    @property
    def _iterator(self) -> Iterator[Any]:
        session = self._session
        if session.iterator is None:
            session.iterator = self.__stream__()
        return session.iterator  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Any]:
        return self._iterator

    def __next__(self) -> Any:
        return next(self._iterator)

    def until_done(self) -> None:
        """Reads the stream to its end."""
        for _ in self:
            pass

    def get_final_run(self) -> Any:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_run()

    def get_final_run_steps(self) -> list[Any]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_steps()

    def get_final_messages(self) -> list[Any]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_messages()

    def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat."""
        session = self._session
        session.closed = True
        if session.iterator is not None and session.iterator.gi_running:
            return  # called from a callback: the loop ends after it
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

    def __stream__(self) -> Iterator[Any]:
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
            if _is_timeout(error):
                self.on_timeout()
            self.on_exception(error)
            raise
        finally:
            session.event = None
            self._end()

    def __text_deltas__(self) -> Iterator[str]:
        for event in self:
            yield from _texts(event)


class AsyncAssistantEventHandler(_Core, AsyncCallbacks, _AsyncBase):
    """The async form of :class:`AssistantEventHandler`; callbacks may be ``async def`` or ``def``."""

    def __init__(self) -> None:
        # See AssistantEventHandler.__init__.
        pass

    @property
    def text_deltas(self) -> AsyncIterator[str]:
        """The text of the message deltas, as it arrives."""
        session = self._session
        if session.text_deltas is None:
            session.text_deltas = self.__text_deltas__()
        return session.text_deltas  # type: ignore[no-any-return]

    @property
    def _iterator(self) -> AsyncIterator[Any]:
        session = self._session
        if session.iterator is None:
            session.iterator = self.__stream__()
        return session.iterator  # type: ignore[no-any-return]

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._iterator

    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()

    async def until_done(self) -> None:
        """Reads the stream to its end."""
        async for _ in self:
            pass

    async def get_final_run(self) -> Any:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_run()

    async def get_final_run_steps(self) -> list[Any]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_steps()

    async def get_final_messages(self) -> list[Any]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_messages()

    async def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat."""
        session = self._session
        session.closed = True
        if session.iterator is not None and session.iterator.ag_running:
            return  # called from a callback: the loop ends after it
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
            await _called(self.on_end())

    async def __stream__(self) -> AsyncIterator[Any]:
        session = self._session
        stream, dispatcher, calls = self._begin()
        args: Any
        try:
            async for event in stream:
                session.event = event
                for name, args in dispatcher.apply(event):
                    await _called(calls[name](*args))
                args = session.event = None
                yield event
                if session.closed:
                    break
        except Exception as error:
            if _is_timeout(error):
                await _called(self.on_timeout())
            await _called(self.on_exception(error))
            raise
        finally:
            session.event = None
            await self._end()

    async def __text_deltas__(self) -> AsyncIterator[str]:
        async for event in self:
            for text in _texts(event):
                yield text


def check_callbacks(handler: Any) -> None:
    """Refuses ``async def`` callbacks on a sync handler: nobody would await them. Raises TypeError."""
    if isinstance(handler, _AsyncBase if _AsyncBase is not object else AsyncAssistantEventHandler):
        return
    wrong = [name for name in callbacks.NAMES if inspect.iscoroutinefunction(getattr(handler, name, None))]
    if wrong:
        raise TypeError(
            f"{type(handler).__name__} is a sync event handler, but {', '.join(wrong)} "
            f"{'is' if len(wrong) == 1 else 'are'} declared with `async def` and would never run; "
            "use `def`, or AsyncAssistantEventHandler with an AsyncOpenAI client."
        )


def adopt(handler: Any, *, is_async: bool) -> Any:
    """Makes any handler one of ours: a subclass of the SDK's own keeps its class as a base.

    None becomes a new handler. Raises TypeError for what is no handler of the client's colour.
    """
    ours = AsyncAssistantEventHandler if is_async else AssistantEventHandler
    if handler is None:
        return ours()
    if not isinstance(handler, ours):
        theirs = _AsyncBase if is_async else _SyncBase
        if theirs is object or not isinstance(handler, theirs):
            raise TypeError(
                f"event_handler: expected an instance of {ours.__name__}, as the client is "
                f"{'async' if is_async else 'sync'}, got {type(handler).__name__}"
            )
        found = type(handler)
        # Its own methods win over ours, and ours over the SDK's.
        handler.__class__ = type(found.__name__, (found, ours), {"__module__": found.__module__})
    check_callbacks(handler)
    return handler


_DEFAULTS = frozenset(
    vars(base)[name]
    for base in (Callbacks, AsyncCallbacks, _SyncBase, _AsyncBase)
    for name in callbacks.NAMES
    if name in vars(base)
)


def _overridden(handler: Any, name: str) -> bool:
    if name in vars(handler):
        return True
    return inspect.getattr_static(type(handler), name) not in _DEFAULTS


def _is_timeout(error: Exception) -> bool:
    # asyncio's own TimeoutError is another class before Python 3.11
    timeouts = (openai.APITimeoutError, TimeoutError, asyncio.TimeoutError, *_sdk.timeout_errors())
    return isinstance(error, timeouts)


async def _called(result: Any) -> None:
    """Awaits what an ``async def`` callback gave; a plain one is over already."""
    if result is not None and inspect.isawaitable(result):
        await result


def _found(value: Any, what: str) -> Any:
    if not value:
        raise NoFinalObjectError(f"No {what} found: the stream ended without it.")
    return value


def _texts(event: Any) -> Iterator[str]:
    if event.event == DELTA:
        for delta in event.data.delta.content or ():
            if delta.type == "text" and delta.text and delta.text.value:
                yield delta.text.value


def _answer_private_names() -> None:
    """The SDK's handler offers nothing but private names for some of its state, and users read them."""
    private: dict[str, Callable[[Any], Any]] = {
        "stream": lambda h: h._session.stream,
        "current_run": lambda h: h.current_run,
        "current_run_step_id": lambda h: h._session.dispatcher.step_id,
        "current_message_snapshot": lambda h: h.current_message_snapshot,
        "message_snapshots": lambda h: h._session.dispatcher.message_snapshots(),
        "run_step_snapshots": lambda h: h._session.dispatcher.step_snapshots(),
    }
    protected: dict[str, Callable[[Any], Any]] = {
        "_current_event": lambda h: h._session.event,
        "_current_message_content": lambda h: h._session.dispatcher.current_part()[1],
        "_current_message_content_index": lambda h: h._session.dispatcher.current_part()[0],
        "_current_tool_call": lambda h: h._session.dispatcher.current_call()[1],
        "_current_tool_call_index": lambda h: h._session.dispatcher.current_call()[0],
    }
    for handler in (AssistantEventHandler, AsyncAssistantEventHandler):
        for name, get in private.items():
            setattr(handler, f"_{handler.__name__}__{name}", property(get))
        for name, get in protected.items():
            setattr(handler, name, property(get))


_answer_private_names()
