"""One round of tool calls: what is called, with what, and what the model gets of it. Sans-IO."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypedDict

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model
from streaming_assistants.tools import ToolError, ToolErrorStage

from .call_state import tool_call
from .outputs import written
from .plan import Invoke, Plan, Together, WaitedTooLong

log = logging.getLogger("streaming_assistants")

SetStage = Callable[[ToolErrorStage], None]


class ToolOutput(TypedDict):
    """The output of a call, as ``submit_tool_outputs`` takes it."""

    tool_call_id: str
    output: str


class Handler(Protocol):
    """What answers the calls of one function. ``awaits``: its calls wait as tasks do, and hold nobody up."""

    awaits: bool

    def call(self, arguments: dict[str, Json], set_stage: SetStage) -> object:
        """What the function gives, or an awaitable of that; says when it has taken the arguments."""
        ...


class Misused(TypeError):
    """A program does with a tool what cannot be; no model is to be told of it."""


@dataclass(frozen=True)
class Terms:
    """How calls are made, as a program wants it.

    ``on_error`` is ``on_tool_error=``; ``timeout`` in seconds; ``limit``: so many at once, None for all.
    """

    handlers: Mapping[str, Handler]
    on_error: Callable[[ToolError], object] | None = None
    timeout: float | None = None
    limit: int | None = None

    def one_by_one(self) -> Terms:
        return replace(self, limit=1)


class Call:
    """One call that a run waits for."""

    def __init__(self, said: dict[str, Json], run_id: str, thread_id: str, handler: Handler | None) -> None:
        function = said.get("function")
        self._function = function if isinstance(function, dict) else {}
        self.said = said
        self.id: str = said["id"]
        self.name = str(self._function.get("name"))
        self.handler = handler
        self.begun = False
        self.output: str | None = None
        self._run_id, self._thread_id = run_id, thread_id
        self._stage: ToolErrorStage = "arguments"

    def make(self) -> object:
        """Calls the function."""
        assert self.handler is not None  # others are not made
        self.begun = True
        return self.handler.call(_arguments(self._function.get("arguments")), self._set_stage)

    def _set_stage(self, stage: ToolErrorStage) -> None:
        self._stage = stage

    def read(self, given: object) -> None:
        """Takes what the function gave."""
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()
            raise Misused(f"{self.name}() gave an awaitable: a sync client cannot await it, AsyncOpenAI does")
        self._stage = "output"
        self.output = written(given)

    def failed(self, error: Exception) -> tuple[ToolError, str]:
        """What ``on_tool_error`` is told of an exception, and what the model is."""
        if isinstance(error, WaitedTooLong):
            cause: Exception = TimeoutError(f"{self.name}() was not through in time")
            words = "The function did not answer in time."
        else:
            cause, words = error, _WORDS[self._stage]
        faults = _sdk.faults(error) if self._stage == "arguments" else []
        if faults:
            words = f"{words[:-1]}: {', '.join(f'{where} ({kind})' for where, kind in faults[:5])}."
        told = ToolError(cause, self.name, self.id, self._run_id, self._thread_id, self._stage)
        return told, f"Error: {words}"

    def shown(self) -> Model:
        """The call as callbacks get it: an object of their own."""
        return tool_call(self.said)


_WORDS: dict[ToolErrorStage, str] = {
    "arguments": "The arguments are not valid.",
    "execution": "The function failed.",
    "output": "The function gave what cannot be sent.",
}


def _arguments(said: Json) -> dict[str, Json]:
    """The arguments of a call. Raises ValueError for what is no JSON object."""
    if isinstance(said, str):
        said = json.loads(said) if said.strip() else {}  # what some servers say for none
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise ValueError(f"expected a JSON object as arguments, got {said!r:.80}")
    return said


def carried_out(calls: list[Call], terms: Terms, tell: Callable[[Model, str], object] | None) -> Plan[None]:
    """Makes the calls that somebody handles; each has its output then.

    ``tell(tool_call, output)`` is the handler's callback. Raises what ``on_tool_error`` does, and Misused.
    """
    handled = [call for call in calls if call.handler is not None]
    makes = [
        Invoke(
            call.make, terms.timeout, call.read, aside=call.handler is not None and not call.handler.awaits
        )
        for call in handled
    ]
    if not makes:
        return
    results = yield Together(makes, terms.limit or len(makes))
    for call, result in zip(handled, results, strict=True):
        if isinstance(result, Misused):
            raise result
        if isinstance(result, Exception):
            yield from _failed(call, result, terms)
    for call in handled:
        if tell is not None and call.output is not None:
            yield Invoke(partial(tell, call.shown(), call.output), kept=True)


def _failed(call: Call, error: Exception, terms: Terms) -> Plan[None]:
    told, words = call.failed(error)
    if terms.on_error is None:
        log.warning("The call %s of %s failed (%s).", call.id, call.name, told.stage, exc_info=told.error)
        call.output = words
        return
    said = yield Invoke(partial(terms.on_error, told), kept=True)
    if inspect.isawaitable(said):
        if inspect.iscoroutine(said):
            said.close()
        raise Misused("on_tool_error gave an awaitable: a sync client cannot await it, AsyncOpenAI does")
    call.output = said if isinstance(said, str) else words
