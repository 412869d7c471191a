"""A turn that searches, as an upstream is given it that knows functions alone, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from .._engine.port import Json, Turn
from ._history import past_searches
from ._members import Fault
from ._passages import FUNCTION, Passages, earlier, searches

_FIRST_PLACE = 2  # of a conversation: two messages before it were the hosted API's own


def without_attachments(turn: Turn) -> Turn:
    """The turn without what its messages attach for file_search, which is in the thread's store."""
    return replace(turn, items=[_without_attachments(item) for item in turn.items])


def offered(turn: Turn, items: list[Json], passages: Passages, *, function: bool, again: bool) -> Turn:
    """The turn for the upstream; ``items`` are its conversation as steps and messages have it, grown by what
    the turn has said so far.

    With ``function`` the model has the function that it searches by, unless there is to be no search
    ``again``; without, it has the passages before the message that it answers.
    """
    name = function_name(turn)
    tools = []
    for tool in turn.tools:
        if tool.get("type") != "file_search":
            tools.append(tool)
        elif function and again:
            tools.append({"type": "function", "function": {"name": name, **FUNCTION}})
    choice = turn.tool_choice
    if chosen(turn):
        choice = {"type": "function", "function": {"name": name}} if function and again else None
    return replace(
        turn,
        items=list(_items(items, passages, name if function else None)),
        tools=tools,
        tool_choice=choice if tools or choice in ("auto", "none") else None,
        search=name if function and again else None,
    )


def chosen(turn: Turn) -> bool:
    """Whether the turn has to search."""
    choice = turn.tool_choice
    return isinstance(choice, dict) and choice.get("type") == "file_search"


def check(turn: Turn) -> None:
    """Raises :class:`Fault` for a choice that the run cannot make."""
    if chosen(turn) and not searches(turn):
        raise Fault("tool_choice asks for file_search, which is not among the run's tools.")


def function_name(turn: Turn) -> str:
    """What the function is called: file_search, unless the run has another of that name."""
    taken = {tool["function"]["name"] for tool in turn.tools if tool.get("type") == "function"}
    names = ["file_search", *(f"file_search_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def newest_user(items: list[Json]) -> int:
    """Where the message is that the turn answers; -1 where no user has said anything."""
    said = (place for place, item in enumerate(items) if item["kind"] == "message" and item["role"] == "user")
    return max(said, default=-1)


def words_of(message: Json) -> str:
    """The text of a message."""
    return "\n".join(part["text"]["value"] for part in message["content"] if part["type"] == "text").strip()


def _items(items: list[Json], passages: Passages, name: str | None) -> Iterator[Json]:
    newest = newest_user(items)
    before = dict(_before(items, newest, passages)) if name is None else {}
    for number, place, item in _placed(items):
        if item["kind"] == "message":
            item = _without_attachments(item)
            if number == newest and before:
                told = {"value": "\n\n".join(before.values()), "annotations": []}
                item = {**item, "content": [{"type": "text", "text": told}, *item["content"]]}
            yield item
            continue
        searched = past_searches(item)
        calls = []
        for rank, call in enumerate(item["calls"]):
            if call.get("type") != "file_search":
                calls.append(call)
            elif name is not None and call["id"] in searched:
                search, results = searched[call["id"]], _results(call)
                at = place + 1 + rank
                output = earlier(results) if number < newest else passages.found(at, results, search)
                calls.append(_as_function(call["id"], name, search["query"], output))
        if calls:
            yield {**item, "calls": calls}


def _before(items: list[Json], newest: int, passages: Passages) -> Iterator[tuple[int, str]]:
    """The passages that the turn's own searches have found, by the places of these."""
    for number, place, item in _placed(items):
        if item["kind"] == "message" or number < newest:
            continue
        searched = past_searches(item)
        for rank, call in enumerate(item["calls"]):
            if call.get("type") == "file_search":
                at = place + 1 + rank
                told = passages.before(at, _results(call), searched.get(call["id"]) or {})
                if told:
                    yield at, told


def _placed(items: list[Json]) -> Iterator[tuple[int, int, Json]]:
    """The items, each with its number and its place among all messages, as the hosted API counted them: a
    call is one, and what it gave another."""
    place = _FIRST_PLACE
    for number, item in enumerate(items):
        yield number, place, item
        place += 1 if item["kind"] == "message" else 1 + len(item["calls"])


def _results(call: Json) -> list[Json]:
    return (call.get("file_search") or {}).get("results") or []


def _as_function(id: str, name: str, query: str, output: str) -> Json:
    arguments = json.dumps({"query": query}, ensure_ascii=False)
    return {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": arguments, "output": output},
    }


def _without_attachments(item: Json) -> Json:
    """A file that is attached to be searched is not asked for by its id, by no tool."""
    if item["kind"] != "message" or not item.get("attachments"):
        return item
    left = [
        attachment
        for attachment in item["attachments"]
        if not any(use.get("type") == "file_search" for use in attachment.get("tools") or ())
    ]
    return {**item, "attachments": left}
