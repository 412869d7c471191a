"""What the readers of a run have seen of its messages and steps, by its log. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from .deltas import add_content, add_tool_call
from .port import Json
from .store_port import Transaction

_BATCHES = 200  # that are read at once


class Shown(NamedTuple):
    """The contents of messages, and the calls of steps, by their ids."""

    content: Mapping[str, list[Json]]
    calls: Mapping[str, list[Json]]


def fuller(stored: list[Json], seen: list[Json] | None) -> list[Json]:
    """Which of the two holds more: one that grows is stored now and then, as are the events of that."""
    return stored if seen is None or len(json.dumps(seen)) < len(json.dumps(stored)) else seen


def shown(tx: Transaction, run_id: str) -> Shown:
    """What was stored of them as they grew may be less."""
    content: dict[str, list[Json]] = {}
    calls: dict[str, list[Json]] = {}
    after, more = 0, True
    while more:
        batches = tx.events({run_id: after}, _BATCHES)
        more = len(batches) == _BATCHES
        for batch in batches:
            after = batch.last
            for name, data in json.loads(batch.events):
                if name == "thread.message.delta":
                    for part in data["delta"]["content"]:
                        add_content(content.setdefault(data["id"], []), part)
                elif name == "thread.run.step.delta":
                    for call in data["delta"]["step_details"]["tool_calls"]:
                        add_tool_call(calls.setdefault(data["id"], []), call)
    return Shown(content, calls)
