"""A handler that notes what it is told, in either colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

CALLBACKS = (
    "on_event",
    "on_run_step_created",
    "on_run_step_delta",
    "on_run_step_done",
    "on_tool_call_created",
    "on_tool_call_delta",
    "on_tool_call_done",
    "on_message_created",
    "on_message_delta",
    "on_message_done",
    "on_text_created",
    "on_text_delta",
    "on_text_done",
    "on_image_file_done",
    "on_exception",
    "on_timeout",
    "on_end",
)


@dataclass(frozen=True)
class Call:
    """``live`` are the arguments themselves, ``args`` what they held at that moment."""

    name: str
    args: tuple[Any, ...]
    live: tuple[Any, ...]


class Calls(list[Call]):
    def of(self, *names: str) -> list[Call]:
        return [call for call in self if call.name in names]

    def count(self, name: str) -> int:  # type: ignore[override]
        return len(self.of(name))

    def names(self, *, without: tuple[str, ...] = ()) -> list[str]:
        return [call.name.removeprefix("on_") for call in self if call.name not in without]

    def texts(self, name: str, argument: int = 0) -> list[str]:
        """The ``value`` of a text that each such call was given."""
        return [call.args[argument]["value"] for call in self.of(name)]


def dumped(value: Any) -> Any:
    """What a model holds, as plain data, under pydantic 1 and 2."""
    if not isinstance(value, pydantic.BaseModel):
        return value
    # the SDK gives its models a `model_dump` under pydantic 1 too, which refuses `warnings=`
    return value.dict() if pydantic.VERSION.startswith("1.") else value.model_dump(warnings=False)


def new_handler(base: type[Any], is_async: bool, callbacks: Mapping[str, Callable[..., Any]]) -> Any:
    """An instance of a new subclass of ``base``; its ``calls`` list every callback."""
    calls = Calls()
    methods = {
        name: _callback(name, calls, callbacks.get(name), is_async)
        for name in CALLBACKS
        if hasattr(base, name)
    }
    handler = type("Recorder", (base,), methods)()
    handler.calls = calls
    return handler


def _callback(name: str, calls: Calls, then: Callable[..., Any] | None, is_async: bool) -> Any:
    def note(self: Any, *args: Any) -> None:
        calls.append(Call(name, tuple(dumped(arg) for arg in args), args))
        if then is not None:
            then(self, *args)

    async def anote(self: Any, *args: Any) -> None:
        note(self, *args)

    return anote if is_async else note
