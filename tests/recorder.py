"""A handler that notes what it is told, of any SDK and in either colour.

calls = Calls()
handler = recorder(openai.AssistantEventHandler, calls.note)
...
calls.texts("on_text_done")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic


@dataclass(frozen=True)
class Call:
    """``live`` are the arguments themselves, ``args`` what they held at that moment."""

    name: str
    args: tuple[Any, ...]
    live: tuple[Any, ...]


class Calls(list[Call]):
    def note(self, name: str, *args: Any) -> None:
        self.append(Call(name, tuple(dumped(arg) for arg in args), args))

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


def recorder(
    base: type[Any],
    note: Callable[..., None],
    *,
    is_async: bool = False,
    then: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """An instance of a new subclass of ``base`` whose every callback is ``note(name, *arguments)``.

    ``then`` has what a callback does besides: ``def callback(self, *arguments)``.
    """
    names = [name for name in dir(base) if name.startswith("on_")]
    methods = {name: _callback(name, note, (then or {}).get(name), is_async) for name in names}
    return type("Recorder", (base,), methods)()


def _callback(name: str, note: Callable[..., None], then: Callable[..., Any] | None, is_async: bool) -> Any:
    def told(self: Any, *args: Any) -> None:
        note(name, *args)
        if then is not None:
            then(self, *args)

    async def atold(self: Any, *args: Any) -> None:
        told(self, *args)

    return atold if is_async else told
