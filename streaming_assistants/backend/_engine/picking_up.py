"""An answer that goes on at the upstream's server though its driver is gone, picked up by the next: the turn
is not asked again. What it says is read from its beginning, and what its readers have is not said twice.
Sans-IO.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from .deltas import add_content, add_tool_call
from .effects import Do, Steps
from .held_run import HeldRun
from .keeper import Keeper
from .lifecycle import Stretch
from .past import broken
from .port import (
    Answering,
    ContentDelta,
    Failed,
    FileContent,
    Finished,
    Json,
    Kept,
    MessageEnd,
    Open,
    Piece,
    StepEnd,
    ThreadResources,
    ToolCallDelta,
)
from .shown import fuller, shown
from .store_port import Row, Transaction

logger = logging.getLogger("streaming_assistants")

ANSWERS = "answers"
"""Of what is hidden of a run's turn: what its requests are answered at, each a path and one that ends it."""


class Strayed(Exception):
    """What is read again is not what was said. The turn is asked anew."""


@dataclass
class Item:
    """A message or a tool step of the turn, with what its readers have seen: ``said`` is a message's content,
    or a step's calls."""

    step: Row
    message: Row | None
    said: list[Json]
    whole: bool


class Answers:
    """The upstream's answers to the requests of a turn. Those of a driver who is gone are opened again, in
    their order, in the place of requests for new ones."""

    def __init__(self, stretch: Stretch, held: HeldRun) -> None:
        self._held = held
        self._hidden = stretch.hidden
        known = (stretch.hidden.get("turn") or {}).get(ANSWERS) or []
        self._all: list[list[str]] = list(known)
        self._again = list(known) if stretch.broken else []
        self._items: list[Item] | None = None
        self._grown: list[Json] = []
        self.open: str | None = None
        """What ends the answer that is read now."""

    @property
    def to_pick_up(self) -> bool:
        return bool(self._again)

    @property
    def items(self) -> Sequence[Item]:
        """What the turn has said before it was broken."""
        return self._items or ()

    def read(self, stretch: Stretch, keeper: Keeper) -> Steps[None]:
        """Reads what the turn has said."""
        self._items = yield Do(self._held.within(partial(_items, stretch, keeper)))

    def forget(self, hidden: Json) -> Json:
        """What is hidden of the run, without the answers: the turn is asked anew."""
        self._all, self._again, self._items = [], [], None
        return {**hidden, "turn": {**(hidden.get("turn") or {}), ANSWERS: []}}

    def opened(self, piece: Open) -> Open:
        """What is opened in the place of a request."""
        self.open = None
        if not self._again:
            return piece
        path, self.open = self._again.pop(0)
        return Open("GET", path, None)

    def noted(self, piece: Answering, hidden: Json) -> Json:
        """What is hidden of the run, with a new answer."""
        self.open = piece.cancel
        if [piece.path, piece.cancel] not in self._all:
            self._all.append([piece.path, piece.cancel])
        return {**hidden, "turn": {**(hidden.get("turn") or {"after": 0}), ANSWERS: list(self._all)}}

    def unsaid(self, piece: Piece) -> Piece | None:
        """What of a piece has not been said yet; None for nothing. Raises Strayed."""
        if isinstance(piece, (Finished, Failed)):
            self.open = None
        if not self._items or not isinstance(piece, _SAID):
            return piece
        item = self._items[0]
        if isinstance(piece, ContentDelta):
            return self._grow("message", add_content, piece, piece.part, ContentDelta)
        if isinstance(piece, ToolCallDelta):
            return self._grow("tool_calls", add_tool_call, piece, piece.call, ToolCallDelta)
        if isinstance(piece, (MessageEnd, StepEnd, Finished)):
            return self._ended(item, piece)
        if isinstance(piece, Failed):
            self._items = None
            return piece
        return None if item.whole else piece

    def _ended(self, item: Item, piece: Piece) -> Piece | None:
        if self._grown != item.said:
            raise Strayed
        self._next()
        if not item.whole:
            self._items = None
            return piece
        if isinstance(piece, Finished):
            if self._items:
                raise Strayed
            return piece
        return None

    def _grow(
        self,
        kind: str,
        add: Callable[[list[Json], Json], Json],
        piece: Piece,
        delta: Json,
        make: Callable[[Json], Piece],
    ) -> Piece | None:
        assert self._items
        item = self._items[0]
        if self._grown and (item.step["data"]["type"] == "tool_calls") != (kind == "tool_calls"):
            self._ended(item, MessageEnd())  # one kind of step ends the other
            return self.unsaid(piece)
        if (item.step["data"]["type"] == "tool_calls") != (kind == "tool_calls"):
            raise Strayed
        before = copy.deepcopy(self._grown)
        add(self._grown, copy.deepcopy(delta))
        if _begins(self._grown, item.said):
            return None
        if item.whole or not _begins(before, item.said):
            raise Strayed
        self._items = None
        rest = _rest(delta, before, item.said)
        return None if rest is None else make(rest)

    def _next(self) -> None:
        assert self._items
        self._items.pop(0)
        self._grown = []


_SAID = (
    ContentDelta,
    ToolCallDelta,
    MessageEnd,
    StepEnd,
    Kept,
    ThreadResources,
    FileContent,
    Finished,
    Failed,
)


def _items(stretch: Stretch, keeper: Keeper, tx: Transaction) -> list[Item]:
    run_id, began = stretch.run["id"], stretch.hidden["turn"]["after"]
    seen = shown(tx, run_id)
    items = []
    for step in tx.all("steps", run_id=run_id):
        if step["seq"] <= began or broken(step):
            continue
        made = step["data"]["step_details"].get("message_creation")
        message = None if made is None else tx.get("messages", made["message_id"])
        whole = step["data"]["status"] != "in_progress"
        if made is not None:
            content = [] if message is None else message["data"]["content"]
            said = content if whole else fuller(content, seen.content.get(made["message_id"]))
        else:
            calls = step["data"]["step_details"]["tool_calls"]
            said = calls if whole else fuller(calls, seen.calls.get(step["id"]))
        items.append(Item(step, message, said, whole))
    return items


def _begins(grown: Json, said: Json) -> bool:
    """Whether what has grown is a beginning of what was said."""
    if isinstance(grown, str) and isinstance(said, str):
        return said.startswith(grown)
    if isinstance(grown, dict) and isinstance(said, dict):
        return all(key in said and _begins(value, said[key]) for key, value in grown.items())
    if isinstance(grown, list) and isinstance(said, list):
        return len(grown) <= len(said) and all(map(_begins, grown, said))
    return bool(grown == said) or grown is None


def _rest(delta: Json, before: list[Json], said: list[Json]) -> Json:
    """What a delta says beyond what was said; the delta that crosses from one to the other may hold both."""
    index = delta.get("index", len(before))
    if index >= len(said):
        return delta
    had = before[index] if index < len(before) else {}
    return _beyond(delta, had, said[index])


def _beyond(delta: Json, had: Json, said: Json) -> Json:
    rest = {}
    for name, value in delta.items():
        there, was = said.get(name), had.get(name)
        if name in ("value", "arguments", "input", "refusal") and isinstance(value, str):
            rest[name] = value[len(there or "") - len(was or "") :]
        elif isinstance(value, dict) and isinstance(there, dict):
            rest[name] = _beyond(value, was or {}, there)
        else:
            rest[name] = value
    return rest
