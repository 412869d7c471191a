"""What a run asks echo for: JSON that fits, a call of a function, or a tool that it has not got."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend._engine.port import ContentDelta, Failed, Finished, ToolCallDelta
from streaming_assistants.backend.upstreams._samples import Unfit, fits, sample
from streaming_assistants.backend.upstreams.echo import echo

from .conftest import WEATHER, Api, text_of
from .test_echo import calls, said, turn

pytestmark = pytest.mark.any_sdk

MakeApi = Callable[..., Api]

REPORT = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 5},
        "kind": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": "number", "minimum": 2.5, "maximum": 5},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "note": {"type": ["string", "null"]},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["title", "kind", "score", "tags", "note", "next"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "object", "properties": {"id": {"type": "integer", "exclusiveMinimum": 9}}}},
}
TREE = {"properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}
SCHEMAS: list[Any] = [
    REPORT,
    {},
    True,
    {"type": "object"},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "required": ["a"], "additionalProperties": {"type": "integer", "multipleOf": 7}},
    {"const": {"a": 1}},
    {"type": "integer", "minimum": 3, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "maximum": -4},
    {"type": "string", "minLength": 90},
    {"type": "string", "format": "date-time"},
    {"type": "string", "pattern": "^[0-9]{4}$"},
    {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"required": ["b"]}]},
    {"oneOf": [{"type": "null"}, {"type": "array", "prefixItems": [{"type": "boolean"}], "items": False}]},
    {"anyOf": [False, {"type": "string", "enum": ["only"]}]},
    {"$defs": {"n": TREE}, "$ref": "#/$defs/n"},
]


def as_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "report", "schema": schema, "strict": True}}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:40])
def test_a_schema_is_obeyed(schema: Any) -> None:
    pieces = list(echo(turn("what is up", response_format=as_schema(schema))))
    assert isinstance(pieces[-1], Finished), pieces
    assert fits(json.loads(said(pieces)), schema)


def test_what_fits_by_the_schemas_own_words() -> None:
    made = sample(REPORT, "what is up")
    assert made["title"] == "what "
    assert made["kind"] == "good"
    assert 2.5 <= made["score"] <= 5
    assert len(made["tags"]) == 2
    assert all(tag["id"] > 9 for tag in made["tags"])
    assert made["note"] == "what is up"
    while made["next"] is not None:  # it ends
        made = made["next"]
    assert fits(made, REPORT)
    for wrong in ({"score": 9}, {"kind": "fair"}, {"more": 1}, {"tags": []}, {"note": 1}):
        assert not fits({**made, **wrong}, REPORT)


NOTHING_FITS: list[Any] = [
    False,
    {"enum": []},
    {"$ref": "#/nowhere"},
    {"$ref": "#"},
    {"type": "string", "pattern": "^x{99}y$"},
    {"type": 3},
    [1],
]


@pytest.mark.parametrize("schema", NOTHING_FITS, ids=str)
def test_a_schema_that_nothing_simple_fits_fails_the_run(schema: Any) -> None:
    with pytest.raises(Unfit):
        sample(schema, "x")
    if schema:
        (failed,) = echo(turn("x", response_format=as_schema(schema)))
        assert isinstance(failed, Failed)
        assert "Echo cannot make JSON for the response_format" in failed.message


def test_a_message_that_fits_is_said_as_it_is() -> None:
    text = '{"title":  "mine", "kind": "bad", "score": 3, "tags": [{}, {}], "note": null, "next": null}'
    assert said(list(echo(turn(text, response_format=as_schema(REPORT))))) == text
    assert said(list(echo(turn("[1]", response_format={"type": "json_object"})))) == '{"text": "[1]"}'
    assert said(list(echo(turn('{"a": 1}', response_format={"type": "json_object"})))) == '{"a": 1}'
    for format in (None, "auto", {"type": "text"}):
        assert said(list(echo(turn("plain words", response_format=format)))) == "plain words"


FUNCTION = {"type": "function", "function": {"name": "score", "parameters": REPORT}}
NAMED = {"type": "function", "function": {"name": "score"}}


def test_a_call_is_made_where_one_is_required() -> None:
    ((name, arguments),) = calls(list(echo(turn("hello", tool_choice="required"))))
    assert (name, json.loads(arguments)) == ("get_weather", {"city": "hello"})
    ((name, arguments),) = calls(list(echo(turn("hello", tools=[WEATHER, FUNCTION], tool_choice=NAMED))))
    assert name == "score"
    assert fits(json.loads(arguments), REPORT)
    bare = {"type": "function", "function": {"name": "now"}}
    assert calls(list(echo(turn("hello", tools=[bare], tool_choice="required")))) == [("now", "{}")]


def test_calls_of_the_message_come_first() -> None:
    text = 'get_weather {"city": "Paris"}\nget_weather {"city": "Rome"}'
    assert len(calls(list(echo(turn(text, tool_choice="required"))))) == 2
    both = [WEATHER, FUNCTION]
    ((name, _),) = calls(list(echo(turn(text, tools=both, tool_choice=NAMED))))
    assert name == "score"
    mine = {"type": "function", "function": {"name": "get_weather"}}
    assert len(calls(list(echo(turn(text, tools=both, tool_choice=mine))))) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tools": [{"type": "file_search"}]}, 'The tool file_search is not available with upstream="echo"'),
        ({"tools": [{"type": "code_interpreter"}]}, "The tool code_interpreter is not available"),
        ({"tools": [], "tool_choice": "required"}, "no tool that can be called"),
        ({"tool_choice": NAMED}, "the function 'score', which this run cannot offer"),
    ],
    ids=str,
)
def test_what_it_cannot_do_fails_the_run(fields: Any, words: str) -> None:
    (failed,) = echo(turn("hello", **fields))
    assert isinstance(failed, Failed)
    assert words in failed.message


@pytest.mark.anyio
async def test_a_run_obeys(make_api: MakeApi) -> None:
    api = make_api("echo")
    tools: dict[str, Any] = {"tools": []}
    run = await api.settled(await api.run("hello", tools, response_format=as_schema(REPORT)))
    assert run["status"] == "completed"
    assert fits(json.loads(text_of((await api.messages(run["thread_id"]))[-1])), REPORT)

    run = await api.settled(await api.run("hello", tool_choice="required"))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "hello"}
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]}
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    ended = await api.settled(await api.post(path, outputs))
    assert text_of((await api.messages(ended["thread_id"]))[-1]) == "warm"

    run = await api.settled(await api.run("hello", tools=[{"type": "code_interpreter"}]))
    assert run["status"] == "failed"
    assert 'upstream="responses"' in run["last_error"]["message"]


def test_a_limit_cuts_json_as_it_cuts_words() -> None:
    pieces = list(echo(turn("hello", response_format=as_schema(REPORT), max_completion_tokens=2)))
    assert sum(isinstance(piece, (ContentDelta, ToolCallDelta)) for piece in pieces) == 2
    assert pieces[-1].reason == "max_completion_tokens"
