"""Each parameter of a run is checked, inherited, shown and told by its one declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from streaming_assistants.backend import ContentDelta, Conversation, Finished, Turn
from streaming_assistants.backend._engine.run_params import PARAMS, Param

from .conftest import Api

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

SET: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "temperature": 0.25,
    "top_p": 0.5,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "max_completion_tokens": 500,
    "max_prompt_tokens": 5000,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
}
WRONG: dict[str, Any] = {"parallel_tool_calls": "yes", "truncation_strategy": {"type": "some"}}
OF_TURN = [param.name for param in PARAMS if param.name in {field.name for field in fields(Turn)}]

each = pytest.mark.parametrize("param", PARAMS, ids=lambda param: param.name)


class Upstream:
    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn) -> Conversation:
        self.turns.append(turn)
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "Hello"}})
        yield Finished()


def test_every_parameter_has_a_value_here() -> None:
    assert list(SET) == [param.name for param in PARAMS]


@each
async def test_a_wrong_value_is_refused_wherever_the_parameter_is_taken(
    make_api: MakeApi, param: Param
) -> None:
    api = make_api(Upstream())
    wrong = {param.name: WRONG.get(param.name, -5)}
    thread = await api.thread("Hi")
    run = await api.refused(f"/threads/{thread}/runs", {"assistant_id": await api.assistant(), **wrong})
    assert (run["status"], run["param"].partition(".")[0]) == (400, param.name)
    assistant = await api.refused("/assistants", {"model": "gpt-4o", **wrong})
    assert (assistant["code"] == "unknown_parameter") is not param.inherited


@each
async def test_a_run_has_its_own_value_over_the_assistants(make_api: MakeApi, param: Param) -> None:
    upstream = Upstream()
    api = make_api(upstream)
    name, value = param.name, SET[param.name]
    assert (await api.settled(await api.run("Hi", **{name: value})))[name] == value
    if param.inherited:
        assistant = await api.get(f"/assistants/{await api.assistant(**{name: value})}")
        assert assistant[name] == value
        assert (await api.settled(await api.run("Hi", {name: value})))[name] == value
    told = [getattr(turn, name) for turn in upstream.turns if name in OF_TURN]
    assert told == [value] * len(told)


@each
async def test_what_nobody_sets_is_shown_by_its_default_and_told_to_nobody(
    make_api: MakeApi, param: Param
) -> None:
    upstream = Upstream()
    api = make_api(upstream)
    run = await api.settled(await api.run("Hi"))
    if param.name != "model":
        assert run[param.name] == param.default
        assert getattr(upstream.turns[0], param.name, None) is None
