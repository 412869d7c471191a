"""What echo makes of messages to a run that searches."""

from __future__ import annotations

from typing import Any

import pytest

from streaming_assistants.backend._engine.port import Search
from streaming_assistants.backend.upstreams._local_search import LocalSearch
from streaming_assistants.backend.upstreams.echo import Echo

from . import talk
from .driving import Transcript, drive
from .test_local_search import FOODS, hit, searching

pytestmark = pytest.mark.any_sdk

QUOTE = f"{FOODS}【4:0†foods.txt】"


def say(
    *messages: str, found: Any = None, mode: Any = "function", echo: Any = None, **values: Any
) -> Transcript:
    items = [talk.user(message) if isinstance(message, str) else message for message in messages]
    wrapped = LocalSearch(echo or Echo(), mode)
    return drive(wrapped(searching(*items, **values)), (), lambda piece: [hit()] if found is None else found)


def queries(done: Transcript) -> list[str]:
    return [piece.query for piece in done.asked if isinstance(piece, Search)]


@pytest.mark.parametrize(
    ("message", "searched", "said"),
    [
        ("search: Filip's food", ["Filip's food"], QUOTE),
        ("What does Filip eat?", ["What does Filip eat?"], QUOTE),
        ("Hi.\n  search: one\nsearch:two\nsearch:", ["one", "two"], f"{QUOTE}\n{FOODS}【4:0†foods.txt】"),
        ("echo:limit 3\nsearch: food", ["food"], "The favorite food"),
        ("echo:limit 3\nOne two three four", [], "One two three"),
        ("echo:fail", [], ""),
    ],
)
def test_a_message_is_searched_for(message: str, searched: list[str], said: str) -> None:
    done = say(message)
    assert queries(done) == searched
    if len(searched) == 2:  # a step has two calls, and the second gave another message
        said = f"{QUOTE}\n{FOODS}【5:0†foods.txt】"
    assert done.text == said
    marks = [mark for message in done.messages for mark in message[0]["text"]["annotations"]]
    assert len(marks) == said.count("【")
    assert all(said[mark["start_index"] : mark["end_index"]] == mark["text"] for mark in marks)


def test_nothing_found() -> None:
    assert say("search: gold", found=[]).text == 'Nothing was found for "gold".'
    assert say("Any gold?", found=[]).text == "Any gold?"


def test_what_is_not_to_be_searched_is_not() -> None:
    assert say("search: food", tool_choice="none").text == "search: food"
    assert say("search: food", tools=[]).text == "search: food"
    refused = drive(Echo()(searching()))
    assert "file_search is not available" in refused.end.message


def test_functions_and_searches_of_a_message_are_called_at_once_in_their_order() -> None:
    tools = [talk.WEATHER, talk.FILE_SEARCH]
    message = 'weather {"city": "Rome"}\nsearch: food'
    done = say(message, tools=tools)
    (step,) = done.steps
    assert [call["type"] for call in step] == ["function", "file_search"]
    step[0]["function"]["output"] = "sunny"
    stored = talk.tool_calls(*step, kept=done.noted[-1].value)
    assert say(message, stored, tools=tools).text == f"sunny\n{FOODS}【5:0†foods.txt】"
    assert queries(say("weather", tools=tools)) == []


def test_choices_are_obeyed() -> None:
    tools = [talk.WEATHER, talk.FILE_SEARCH]
    done = say("Hello", tools=tools, tool_choice={"type": "file_search"})
    assert (queries(done), done.text) == (["Hello"], QUOTE)
    done = say("Hello", tool_choice="required")
    assert (queries(done), done.text) == (["Hello"], QUOTE)


def test_passages_that_come_before_the_message_are_quoted_too() -> None:
    done = say("What does Filip eat?", mode="always")
    assert (queries(done), done.text) == (["What does Filip eat?"], QUOTE)
    assert say("Hello", mode="always", found=[]).text == "Hello"


def test_a_file_whose_name_has_spaces_is_cited_though_echo_says_word_by_word() -> None:
    done = say("search: x", found=[hit("Text", name="my old notes.txt")])
    assert done.text == "Text【4:0†my old notes.txt】"
    assert len(done.messages[0][0]["text"]["annotations"]) == 1


def test_it_is_given_as_many_passages_as_the_hosted_models_were() -> None:
    passages = [hit("x" * 3000, start=number) for number in range(30)]
    (step,) = say("search: x", found=passages, model="echo").steps
    assert len(step[0]["file_search"]["results"]) == 20
