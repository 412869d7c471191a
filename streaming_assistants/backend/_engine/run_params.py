"""The parameters of a run, each declared once: its name, its check, its default, and whose it is.

A new one is an entry here, and a field of :class:`~.port.Turn` by the same name where an upstream is to see
it; a body is checked for it, and assistants and runs show it, without another word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from .checks import Check, anything, boolean, choice, integer, number, one_of, shaped, tagged, text
from .port import Json, Turn


@dataclass(frozen=True)
class Param:
    """``default`` is what an object shows where nobody has set the parameter; no upstream is told of it: a
    server has defaults of its own, and models that reason refuse some parameters whatever their value.
    With ``inherited`` an assistant has it, too, for the runs that have none of their own."""

    name: str
    check: Check
    default: Json = None
    inherited: bool = False

    def shown(self, *given: Json) -> Json:
        """The first of what was given; an object's missing members are the default's."""
        value = next((each for each in given if each is not None), self.default)
        return {**self.default, **value} if isinstance(self.default, dict) else value


PARAMS = (
    Param("model", text(256), inherited=True),
    Param("temperature", number(0, 2), 1.0, inherited=True),
    Param("top_p", number(0, 1), 1.0, inherited=True),
    Param("reasoning_effort", text(64), inherited=True),
    Param(
        "response_format",
        one_of(
            choice("auto"),
            tagged(
                {
                    "text": shaped({"type": text()}),
                    "json_object": shaped({"type": text()}),
                    "json_schema": shaped({"type": text(), "json_schema": anything}, "json_schema"),
                }
            ),
        ),
        "auto",
        inherited=True,
    ),
    Param(
        "tool_choice",
        one_of(
            choice("none", "auto", "required"),
            tagged(
                {
                    "function": shaped(
                        {"type": text(), "function": shaped({"name": text()}, "name")}, "function"
                    ),
                    "code_interpreter": shaped({"type": text()}),
                    "file_search": shaped({"type": text()}),
                }
            ),
        ),
        "auto",
    ),
    Param("parallel_tool_calls", boolean, True),
    Param("max_completion_tokens", integer(1)),
    Param("max_prompt_tokens", integer(1)),
    Param(
        "truncation_strategy",
        shaped({"type": choice("auto", "last_messages"), "last_messages": integer(1)}, "type"),
        {"type": "auto", "last_messages": None},
    ),
)

OF_RUN: dict[str, Check] = {param.name: param.check for param in PARAMS}
OF_ASSISTANT: dict[str, Check] = {param.name: param.check for param in PARAMS if param.inherited}

_OF_TURN = {field.name for field in fields(Turn)}


def of_assistant(body: Json) -> dict[str, Json]:
    """What an assistant shows."""
    return {param.name: param.shown(body.get(param.name)) for param in PARAMS if param.inherited}


def of_run(body: Json, assistant: Json) -> dict[str, Json]:
    """What a run shows: the body's own values over the assistant's."""
    return {
        param.name: param.shown(body.get(param.name), assistant.get(param.name) if param.inherited else None)
        for param in PARAMS
    }


def given(body: Json, inherited: Iterable[str] = ()) -> list[str]:
    """The names of parameters with a default that somebody has set, be it to that very value."""
    return [
        param.name
        for param in PARAMS
        if param.default is not None and (body.get(param.name) is not None or param.name in inherited)
    ]


def of_turn(run: Json, given: Iterable[str]) -> dict[str, Json]:
    """What a turn has by the same names, as it was set: None for a default that nobody set."""
    return {
        param.name: run.get(param.name)
        if param.default is None or param.name in given or run.get(param.name) != param.default
        else None
        for param in PARAMS
        if param.name in _OF_TURN
    }
