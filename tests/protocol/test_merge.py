"""How deltas merge: growing and replaced fields, indexed lists, restated calls."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants._protocol.merge import merge


def merged(*deltas: dict[str, Any], restated: bool = False) -> dict[str, Any]:
    base: dict[str, Any] = {}
    for delta in deltas:
        merge(base, copy.deepcopy(delta), restated=restated)
    return base


def test_text_grows_and_everything_else_is_replaced() -> None:
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{", "score": 1}}
    second = {"id": "a", "function": {"name": "f", "arguments": "}", "score": 2}}
    assert merged(first, second) == {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "score": 2},
    }


def test_a_restated_call_grows_nothing() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert merged(call, call, restated=True) == call


def test_null_takes_nothing_away() -> None:
    assert merged({"output": "4", "value": "a"}, {"output": None, "value": None, "new": None}) == {
        "output": "4",
        "value": "a",
        "new": None,
    }


def test_items_merge_by_index_wherever_they_start_and_whatever_they_skip() -> None:
    deltas = [{"items": [{"index": i, "logs": text}]} for i, text in ((4, "d"), (1, "a"), (4, "D"), (9, "z"))]
    assert merged(*deltas)["items"] == [
        {"index": 1, "logs": "a"},
        {"index": 4, "logs": "dD"},
        {"index": 9, "logs": "z"},
    ]


def test_items_without_an_index_are_in_their_places() -> None:
    assert merged({"items": [{"logs": "a"}, {"logs": "b"}]}, {"items": [{"index": 1, "logs": "c"}]})[
        "items"
    ] == [
        {"index": 0, "logs": "a"},
        {"index": 1, "logs": "bc"},
    ]


def test_a_list_of_something_else_is_replaced() -> None:
    assert merged({"items": [1, 2]}, {"items": [3]}) == {"items": [3]}


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3)), max_size=12))
def test_pieces_add_up_whatever_their_order(pieces: list[tuple[int, str]]) -> None:
    found = merged(*[{"calls": [{"index": i, "f": {"arguments": text}}]} for i, text in pieces])
    wanted = {i: "".join(text for j, text in pieces if j == i) for i, _ in pieces}
    assert {item["index"]: item["f"]["arguments"] for item in found.get("calls", [])} == wanted
