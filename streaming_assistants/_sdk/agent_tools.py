"""The SDK's own tools, of ``openai.lib.beta.agents``, where a release has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from .basemodels import JSON


def is_agent_tool(value: object) -> bool:
    """Whether it is a tool of the SDK: it has a name, and takes the arguments as one dict."""
    of_sdk = any(each.__module__.startswith("openai.") for each in type(value).__mro__)
    return of_sdk and callable(value) and isinstance(getattr(value, "name", None), str)


def awaits(tool: JSON) -> bool:
    """Whether its calls are known to give a coroutine."""
    return inspect.iscoroutinefunction(getattr(tool, "_handler", None))


def call_tool(tool: JSON, arguments: Mapping[str, JSON], set_stage: Callable[[JSON], None]) -> object:
    """What the tool gives, or an awaitable of that; ``set_stage`` is told where it is, if the SDK does."""
    staged = getattr(tool, "_call", None)
    # A subclass may have a way of its own to be called.
    own = getattr(type(tool).__call__, "__module__", "").startswith("openai.")
    if own and staged is not None and "set_stage" in inspect.signature(staged).parameters:
        made: object = staged(dict(arguments), set_stage)
        return made
    set_stage("execution")
    made = tool(dict(arguments))
    return made
