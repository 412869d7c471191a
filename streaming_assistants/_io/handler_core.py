"""What handlers of both colours share: state, the answers about it, and what is asked of a subclass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol import callbacks
from streaming_assistants._protocol.callbacks import AsyncCallbacks, Callbacks
from streaming_assistants._protocol.dispatch import Dispatcher
from streaming_assistants._protocol.earlier import submitted
from streaming_assistants._protocol.models import MESSAGE_DELTA
from streaming_assistants._protocol.tool_calls import ToolOutput
from streaming_assistants._sdk.untyped import Method, Model
from streaming_assistants.errors import NoFinalObjectError

if TYPE_CHECKING:
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import Message, Run
    from openai.types.beta.threads.runs import RunStep

    SyncBase = openai.AssistantEventHandler
    AsyncBase = openai.AsyncAssistantEventHandler
else:
    SyncBase = _sdk.handler_base("AssistantEventHandler")
    AsyncBase = _sdk.handler_base("AsyncAssistantEventHandler")

HandlerT = TypeVar("HandlerT", bound=type)
FoundT = TypeVar("FoundT")


class Session:
    """What a handler holds while its stream lasts."""

    def __init__(self) -> None:
        self.stream: Model = None
        self.iterator: Any = None
        self.text_deltas: Model = None
        self.cited_text_deltas: Model = None
        self.event: Model = None
        self.dispatcher = Dispatcher()
        self.closed = False
        self.ended = False


class Core:
    """What handlers of both colours share: state, and the answers about it."""

    def _init(self, stream: Model) -> None:
        """Binds the handler to its stream: once, and only a handler whose callbacks can be called."""
        self._refuse_another()
        check_callbacks(self)
        self._session.stream = stream

    def _refuse_another(self) -> None:
        if self._session.stream is not None:
            raise RuntimeError(
                "A single event handler cannot be shared between multiple streams; "
                "construct a new event handler for each."
            )

    @property
    def _session(self) -> Session:
        # Made on first use: a subclass may forget super().__init__().
        session: Session | None = self.__dict__.get("_streaming_assistants")
        if session is None:
            session = self.__dict__["_streaming_assistants"] = Session()
        return session

    @property
    def _texts(self) -> Model:
        session = self._session
        if session.text_deltas is None:
            session.text_deltas = self.__text_deltas__()
        return session.text_deltas

    @property
    def _cited_texts(self) -> Model:
        session = self._session
        if session.cited_text_deltas is None:
            session.cited_text_deltas = self.__cited_text_deltas__()
        return session.cited_text_deltas

    @property
    def _iterator(self) -> Model:
        session = self._session
        if session.iterator is None:
            session.iterator = self.__stream__()
        elif running(session.iterator):
            raise _reads_already()
        return session.iterator

    def __text_deltas__(self) -> Model:
        raise NotImplementedError

    def __cited_text_deltas__(self) -> Model:
        raise NotImplementedError

    def __stream__(self) -> Model:
        raise NotImplementedError

    def _begin(self) -> tuple[Model, Dispatcher, dict[str, Method]]:
        """The stream, the dispatcher, and the callbacks that the handler overrides, bound."""
        session = self._session
        if session.stream is None:
            raise RuntimeError("Stream has not been started yet: iterate inside the `with` block.")
        calls = {name: getattr(self, name) for name in callbacks.NAMES if _overridden(self, name)}
        session.dispatcher.wants = frozenset(calls)
        session.dispatcher.answered = submitted(*_sdk.sent(session.stream.response))
        span = getattr(session.stream, "_span", None)  # the SDK's own streams have none
        if span is not None:
            span.on_tool_output = calls.get("on_tool_output")
        return session.stream, session.dispatcher, calls

    @property
    def tool_outputs(self) -> list[ToolOutput]:
        """Under ``tool_handlers=``: the outputs that were computed and not submitted, as a submit takes them.

        There are some where a run stopped at a call that nobody handles, or something broke the loop off.
        """
        return getattr(self._session.stream, "tool_outputs", [])

    @property
    def current_event(self) -> AssistantStreamEvent | None:
        """The event that is being handled, or None between two."""
        return self._session.event  # type: ignore[no-any-return]

    @property
    def current_run(self) -> Run | None:
        """The run as the server last told it, or None before it did."""
        return self._session.dispatcher.run  # type: ignore[no-any-return]

    @property
    def current_run_step_snapshot(self) -> RunStep | None:
        """The run step that is under way, as accumulated so far, or None."""
        step = self._session.dispatcher.step
        return None if step is None else step.snapshot()

    @property
    def current_message_snapshot(self) -> Message | None:
        """The message that streams or streamed last, as accumulated so far, or None."""
        message = self._session.dispatcher.message
        return None if message is None else message.snapshot()

    def _final_run(self) -> Run:
        return _found(self.current_run, "final run object")

    def _final_steps(self) -> list[RunStep]:
        return list(_found(self._session.dispatcher.step_snapshots(), "run steps").values())

    def _final_messages(self) -> list[Message]:
        return list(_found(self._session.dispatcher.message_snapshots(), "messages").values())


def check_callbacks(handler: object) -> None:
    """Refuses ``async def`` callbacks on a sync handler: nobody would await them. Raises TypeError."""
    if isinstance(handler, AsyncCallbacks):
        return
    wrong = [name for name in callbacks.NAMES if inspect.iscoroutinefunction(getattr(handler, name, None))]
    if wrong:
        raise TypeError(
            f"{type(handler).__name__} is a sync event handler, but {', '.join(wrong)} "
            f"{'is' if len(wrong) == 1 else 'are'} declared with `async def` and would never run; "
            "use `def`, or AsyncAssistantEventHandler with an AsyncOpenAI client."
        )


_DEFAULTS = frozenset(
    vars(base)[name]
    for base in (Callbacks, AsyncCallbacks, SyncBase, AsyncBase)
    for name in callbacks.NAMES
    if name in vars(base)
)


def _overridden(handler: object, name: str) -> bool:
    if name in vars(handler):
        return True
    return inspect.getattr_static(type(handler), name) not in _DEFAULTS


def is_timeout(error: Exception) -> bool:
    # asyncio's own TimeoutError is another class before Python 3.11
    timeouts = (openai.APITimeoutError, TimeoutError, asyncio.TimeoutError, *_sdk.timeout_errors())
    return isinstance(error, timeouts)


def running(iterator: object) -> bool:
    """Whether a generator of either colour is in the middle of a step."""
    return bool(getattr(iterator, "gi_running", False) or getattr(iterator, "ag_running", False))


def _reads_already() -> RuntimeError:
    return RuntimeError(
        "The stream is being read already, by the loop that made this callback or by somebody else; "
        "a callback finds the state so far in current_run, current_run_step_snapshot and "
        "current_message_snapshot."
    )


def _found(value: FoundT | None, what: str) -> FoundT:
    if not value:
        raise NoFinalObjectError(f"No {what} found: the stream ended without it.")
    return value


def texts(event: Model) -> Iterator[str]:
    if event.event == MESSAGE_DELTA:
        for delta in event.data.delta.content or ():
            if delta.type == "text" and delta.text and delta.text.value:
                yield delta.text.value


_STATE: dict[str, Callable[[Model], Model]] = {
    "stream": lambda h: h._session.stream,
    "current_run": lambda h: h.current_run,
    "current_run_step_id": lambda h: h._session.dispatcher.step_id,
    "current_message_snapshot": lambda h: h.current_message_snapshot,
    "message_snapshots": lambda h: h._session.dispatcher.message_snapshots(),
    "run_step_snapshots": lambda h: h._session.dispatcher.step_snapshots(),
}
"""What the SDK's handler keeps under names with two underscores."""

_CURRENT: dict[str, Callable[[Model], Model]] = {
    "_current_event": lambda h: h._session.event,
    "_current_message_content": lambda h: h._session.dispatcher.current_part()[1],
    "_current_message_content_index": lambda h: h._session.dispatcher.current_part()[0],
    "_current_tool_call": lambda h: h._session.dispatcher.current_call()[1],
    "_current_tool_call_index": lambda h: h._session.dispatcher.current_call()[0],
}
"""What it keeps under names with one."""


def answers_private_names(handler: HandlerT) -> HandlerT:
    """The SDK's handler offers nothing but private names for some of its state, and users read them."""
    for name, get in _STATE.items():
        setattr(handler, f"_{handler.__name__}__{name}", property(get))
    for name, get in _CURRENT.items():
        setattr(handler, name, property(get))
    return handler
