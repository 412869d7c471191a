"""``tool_handlers=`` and what goes with it: from a call to the loop that it wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._protocol.tool_calls import Handler, SetStage, Terms
from streaming_assistants._protocol.tool_loop import ToolLoop
from streaming_assistants._protocol.waits import checked_seconds
from streaming_assistants._sdk.untyped import Arguments
from streaming_assistants.tools import FunctionTool, is_async_def

from .params import ToolParams, names

TOOLS = names(ToolParams)
_MAX_ROUNDS = 25


def taken(client: object, kwargs: Arguments) -> ToolLoop | None:
    """Takes the tool parameters out of ``kwargs``; None for a call without handlers.

    Raises TypeError and ValueError for what is wrong with them.
    """
    asked = _asked(kwargs)
    if not asked:
        return None
    if "tool_handlers" not in asked:
        raise TypeError(f"{', '.join(sorted(asked))}: expected only together with tool_handlers=")
    is_async = _sdk.is_async(client)
    on_error = asked.get("on_tool_error")
    if on_error is not None:
        _check_observer(on_error, is_async)
    limit = _count("max_concurrent_calls", asked.get("max_concurrent_calls"))
    if kwargs.get("parallel_tool_calls") is False:
        limit = 1
    terms = Terms(
        _handlers(asked["tool_handlers"], is_async),
        on_error,
        checked_seconds("tool_timeout", asked.get("tool_timeout")),
        limit,
    )
    return ToolLoop(terms, _count("max_rounds", asked.get("max_rounds")) or _MAX_ROUNDS)


def unstreamed(name: str, kwargs: Arguments, wishes: frozenset[str]) -> None:
    """Takes what is wished for and was left out of a call that makes one request. Raises ValueError for what
    was not."""
    asked = _asked(kwargs, wishes)
    if asked:
        said = ", ".join(f"{each}=" for each in sorted(asked))
        raise ValueError(f"{name}(): {said} requires stream=True, or a helper that polls the run")


def _asked(kwargs: Arguments, wishes: frozenset[str] = TOOLS) -> Arguments:
    asked = {name: kwargs.pop(name) for name in wishes & kwargs.keys()}
    # A switch that is off asks for nothing.
    off = {name for name, value in asked.items() if value is None or value is False or not _sdk.given(value)}
    return {name: value for name, value in asked.items() if name not in off}


def _check_observer(on_error: object, is_async: bool) -> None:
    if not callable(on_error):
        raise TypeError(f"on_tool_error: expected a function, got {on_error!r:.80}")
    if not is_async and is_async_def(on_error):
        raise TypeError(
            f"on_tool_error: expected a plain function, got the `async def` {on_error!r:.80}; a sync client "
            "cannot await it"
        )


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a whole number, got {value!r:.80}")
    if value < 1:
        raise ValueError(f"{name}: expected 1 or more, got {value!r}")
    return value


def _handlers(given: object, is_async: bool) -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    if isinstance(given, Mapping):
        for name, each in given.items():
            if not isinstance(name, str):
                raise TypeError(f"tool_handlers: expected names of functions as keys, got {name!r:.80}")
            handlers[name] = _tool(each) or _taking_one(each)
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        for each in given:
            name, handler = _named(each)
            if name in handlers:
                raise ValueError(f"tool_handlers: two handle {name!r}; give each a name of its own")
            handlers[name] = handler
    else:
        raise TypeError(
            "tool_handlers: expected a list of functions or tools, or a mapping from names to them, got "
            f"{given!r:.80} ({type(given).__name__})"
        )
    awaits = [] if is_async else [name for name, each in handlers.items() if each.awaits]
    if awaits:
        raise TypeError(
            f"tool_handlers: {', '.join(awaits)} {'is' if len(awaits) == 1 else 'are'} declared with "
            "`async def`, which a sync client cannot await; use `def`, or AsyncOpenAI"
        )
    return handlers


def _named(given: Any) -> tuple[str, Handler]:
    tool = _tool(given)
    if tool is not None:
        return given.name, tool
    if not callable(given):
        raise TypeError(f"tool_handlers: expected a function or a tool, got {given!r:.80}")
    made: FunctionTool[..., object] = FunctionTool(given)
    return made.name, _OurTool(made)


def _tool(given: Any) -> Handler | None:
    if isinstance(given, FunctionTool):
        return _OurTool(given)
    return _SdkTool(given) if _sdk.is_agent_tool(given) else None


def _taking_one(given: object) -> Handler:
    if not callable(given):
        raise TypeError(f"tool_handlers: expected a function or a tool, got {given!r:.80}")
    return _Taking(given)


class _OurTool:
    """A function that is called by keyword, with what its annotations make of the arguments."""

    def __init__(self, tool: FunctionTool[..., object]) -> None:
        self._arguments = tool._checked()
        self._tool = tool
        self.awaits = is_async_def(tool.__wrapped__)

    def call(self, arguments: dict[str, Json], set_stage: SetStage) -> object:
        validated = self._arguments.validated(arguments)
        set_stage("execution")
        return self._tool(**validated)


class _SdkTool:
    """A tool of the SDK's own."""

    def __init__(self, tool: object) -> None:
        self._tool = tool
        self.awaits = _sdk.tool_awaits(tool)

    def call(self, arguments: dict[str, Json], set_stage: SetStage) -> object:
        return _sdk.call_tool(self._tool, arguments, set_stage)


class _Taking:
    """A function that takes the arguments as one dict."""

    def __init__(self, function: Callable[[dict[str, Json]], object]) -> None:
        self._function = function
        self.awaits = is_async_def(function)

    def call(self, arguments: dict[str, Json], set_stage: SetStage) -> object:
        set_stage("execution")
        return self._function(arguments)
