"""The echo upstream by itself: a conversation sent through by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streaming_assistants.backend._engine.port import (
    ContentDelta,
    Failed,
    Finished,
    Sleep,
    ToolCallDelta,
    Turn,
)
from streaming_assistants.backend.upstreams.echo import Echo, echo

from .conftest import WEATHER

pytestmark = pytest.mark.any_sdk


def turn(text: str, *more: Any, **fields: Any) -> Turn:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    message = {"kind": "message", "role": "user", "content": content, "attachments": []}
    given = {"model": "m", "instructions": None, "tools": [WEATHER], **fields}
    return Turn(run_id="run_1", thread_id="thread_1", items=[message, *more], **given)


def said(pieces: list[Any]) -> str:
    return "".join(piece.part["text"]["value"] for piece in pieces if isinstance(piece, ContentDelta))


def calls(pieces: list[Any]) -> list[tuple[str, str]]:
    found: list[list[str]] = []
    for piece in pieces:
        if isinstance(piece, ToolCallDelta):
            if piece.call["index"] == len(found):
                found.append([piece.call["function"]["name"], ""])
            found[piece.call["index"]][1] += piece.call["function"]["arguments"]
    return [(name, arguments) for name, arguments in found]


@pytest.mark.parametrize("text", ["one", "a b  c\n\nd", "  spaced out ", "naïve 🙂 \u2028 text", "{}"])
def test_it_says_the_words_again(text: str) -> None:
    pieces = list(echo(turn(text)))
    assert said(pieces) == text
    assert sum(isinstance(piece, ContentDelta) for piece in pieces) == max(1, len(text.split()))
    assert isinstance(pieces[-1], Finished)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('get_weather {"city": "Paris"}', [("get_weather", '{"city": "Paris"}')]),
        ("get_weather", [("get_weather", "{}")]),
        ('Please:\nget_weather {"a": {"b": [1]}}', [("get_weather", '{"a": {"b": [1]}}')]),
        (
            'get_weather {"a":1}\nget_weather {"b":2}',
            [("get_weather", '{"a":1}'), ("get_weather", '{"b":2}')],
        ),
        ("get_weather is a function", []),
        ('get_weather {"broken', []),
        ('unknown {"a": 1}', []),
    ],
)
def test_it_calls_functions_that_the_message_names(text: str, made: list[tuple[str, str]]) -> None:
    pieces = list(echo(turn(text)))
    assert calls(pieces) == made
    assert bool(said(pieces)) != bool(made)


def test_it_says_outputs_and_then_answers_the_next_message_afresh() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "42"}}
    step = {"kind": "tool_calls", "calls": [call]}
    assert said(list(echo(turn("get_weather", step)))) == "42"
    later = turn("x").items[0]
    assert said(list(echo(turn("get_weather", step, later)))) == "x"


def test_it_heeds_the_run() -> None:
    text = 'get_weather {"a":1}\nget_weather {"b":2}'
    assert len(calls(list(echo(turn(text, parallel_tool_calls=False))))) == 1
    assert calls(list(echo(turn(text, tool_choice="none")))) == []
    pieces = list(echo(turn("one two three", max_completion_tokens=2)))
    assert said(pieces) == "one two"
    assert pieces[-1] == Finished(
        "max_completion_tokens", {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    )


def test_it_does_what_it_is_told() -> None:
    assert list(echo(turn("echo:fail no luck"))) == [Failed("server_error", "no luck")]
    (limited,) = list(echo(turn("echo:rate_limit")))
    assert isinstance(limited, Failed)
    assert limited.code == "rate_limit_exceeded"
    assert next(iter(echo(turn("echo:stall 2.5")))) == Sleep(2.5)
    pieces = list(echo(turn("echo:fail late\nsome words first")))
    assert said(pieces) == "some words first"
    assert pieces[-1] == Failed("server_error", "late")
    with pytest.raises(RuntimeError, match="told to raise"):
        list(echo(turn("echo:raise")))


def test_options_hold_for_every_turn() -> None:
    assert list(Echo(command="fail always")(turn("hello")))[-1] == Failed("server_error", "always")
    assert list(Echo(command="limit 1")(turn("a b")))[-1].reason == "max_completion_tokens"
    assert Sleep(0.5) in list(Echo(delay=0.5)(turn("a b")))


def test_it_is_deterministic() -> None:
    text = "get_weather {}"
    assert list(echo(turn(text))) == list(echo(turn(text)))
