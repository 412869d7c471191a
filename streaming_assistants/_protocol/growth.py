"""What has to be merged into what was told to make it what a server holds: the inverse of merge. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .merge import GROWING, GROWING_LISTS
from .message_state import MessageState, OtherPart, TextPart
from .step_state import StepState

Part = dict[str, Json]

_AT_THE_END = frozenset({"output", "results"})
"""What a finished step brings, and no delta of it."""


def message_growth(told: MessageState | None, held: Part) -> Iterator[Part]:
    """The parts of deltas that a message has grown by, in order."""
    parts = {} if told is None else told.parts
    content = held.get("content")
    blocks = [block for block in (content if isinstance(content, list) else ()) if isinstance(block, dict)]
    for index, block in zip(_indexes(parts, len(blocks)), blocks, strict=True):
        part = parts.get(index)
        if part is None:
            yield {"index": index, **block}
        elif isinstance(part, TextPart):
            text = block.get("text")
            change = _text_growth(part.text(), text) if isinstance(text, dict) else None
            if change is not None:
                yield {"index": index, "type": "text", "text": change}
        elif isinstance(part, OtherPart) and part.type == block.get("type"):
            grown = difference(part.value, block)
            if grown:
                yield {"index": index, "type": part.type, **grown}


def _indexes(told: dict[int, TextPart | OtherPart], count: int) -> list[int]:
    """Where the blocks of a list were streamed: the indexes may skip some, which a list cannot."""
    streamed = sorted(told)
    indexes = list(range(count))
    if streamed and streamed[-1] >= count >= len(streamed):
        indexes[: len(streamed)] = streamed
    return indexes


def _text_growth(told: Model, held: Part) -> Part | None:
    change: Part = {}
    value, annotations = held.get("value"), held.get("annotations")
    if isinstance(value, str):
        change["value"] = rest(told.value, value)
    known = len(told.annotations)
    if isinstance(annotations, list) and len(annotations) > known:
        new = [item for item in annotations[known:] if isinstance(item, dict)]
        change["annotations"] = [{**item, "index": known + place} for place, item in enumerate(new)]
    return change if any(change.values()) else None


def rest(told: str, held: str) -> str:
    """What a text is longer by. What was told cannot be taken back: a text that changed only grows."""
    grown = held[len(told) :]
    last = held[len(told) - 1 : len(told)]
    if "\ud800" <= told[-1:] < "\udc00" and last > "\uffff":
        # The first half of a character was told, and the server holds the whole.
        half = last.encode("utf-16-le")[2:].decode("utf-16-le", "surrogatepass")
        return half + grown
    return grown


def step_growth(told: StepState | None, held: Part) -> Iterator[Part]:
    """The tool calls of deltas that a step has grown by, in order."""
    details = held.get("step_details")
    calls = details.get("tool_calls") if isinstance(details, dict) else None
    known = [] if told is None else [state.value for state in told.calls]
    for place, call in enumerate(calls if isinstance(calls, list) else ()):
        if not isinstance(call, dict):
            continue
        before = next((each for each in known if _same(each, call, place)), None)
        if before is None:
            yield {"index": place, **difference(None, call)}
        else:
            grown = difference(before, call)
            if grown:
                yield {"index": before["index"], "type": call.get("type"), **grown}


def _same(told: Part, held: Part, place: int) -> bool:
    if told.get("id") and held.get("id"):
        return bool(told["id"] == held["id"])
    return bool(told["index"] == place)


def difference(told: Part | None, held: Part) -> Part:
    """What ``held`` has besides ``told``; None for nothing that was told."""
    change: Part = {}
    for name, value in held.items():
        before = None if told is None else told.get(name)
        grown: Json = None if name in _AT_THE_END else value
        if (grown is None or grown == before) and told is not None:
            continue
        if isinstance(grown, dict):
            grown = difference(before if isinstance(before, dict) else None, value)
        elif isinstance(grown, str) and isinstance(before, str) and name in GROWING:
            grown = rest(before, grown)
        elif isinstance(grown, list) and name in GROWING_LISTS:
            grown = list(_items_growth(before if isinstance(before, list) else [], value))
        if grown or before is None:
            change[name] = grown
    return change


def _items_growth(told: list[Json], held: list[Json]) -> Iterator[Json]:
    for place, item in enumerate(held):
        if not isinstance(item, dict):
            continue
        before = told[place] if place < len(told) else None
        change = difference(before if isinstance(before, dict) else None, item)
        if change or before is None:
            yield {"type": item.get("type"), **change, "index": place}
