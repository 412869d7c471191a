"""What a server holds of a run: its steps and its messages, and how each has ended. Sans-IO."""

from __future__ import annotations

from typing import NamedTuple

from streaming_assistants._json import Json

Items = list[dict[str, Json]]

NEWEST = {"order": "desc", "limit": 100}
"""How a page is asked for: a server that ignores a ``run_id`` would answer with its thread's oldest items."""

ENDS: dict[str, dict[str, str]] = {
    "thread.run.step": {end: end for end in ("completed", "failed", "cancelled", "expired")},
    "thread.message": {
        "completed": "completed",
        **dict.fromkeys(("incomplete", "failed", "cancelled", "expired"), "incomplete"),
    },
}
"""The events that an item's status, else its run's, says that it ended with."""


class Owed(NamedTuple):
    """One event that the stream did not bring: its name, and its data as the server has it."""

    event: str
    data: dict[str, Json]


def items_of(page: Json, run_id: str | None) -> Items:
    """What a page lists of the run, oldest first."""
    data = page.get("data") if isinstance(page, dict) else None
    listed = [
        item
        for item in (data if isinstance(data, list) else ())
        if word(item, "id") is not None
        and item.get("run_id") in (None, run_id)
        and item.get("role") != "user"
    ]
    listed.reverse()
    return sorted(listed, key=age)


def age(item: dict[str, Json]) -> float:
    """When it was created, as far as it says so."""
    created = item.get("created_at")
    return created if isinstance(created, (int, float)) else 0


def untold(steps: Items, messages: Items, answered: frozenset[str] | None) -> tuple[Items, Items]:
    """Both without what an earlier stream told: what is older than the step whose calls are answered."""
    for place in range(len(steps) - 1, -1, -1):
        calls = inside(steps[place], "tool_calls")
        if isinstance(calls, list) and any(word(call, "id") in (answered or ()) for call in calls):
            break
    else:
        return steps, messages
    told = {word(inside(step, "message_creation"), "message_id") for step in steps[:place]}
    since = age(steps[place])
    return steps[place:], [item for item in messages if item["id"] not in told and age(item) >= since]


def word(value: Json, name: str) -> str | None:
    """What an object says under ``name``, if that is a text."""
    said = value.get(name) if isinstance(value, dict) else None
    return said if isinstance(said, str) else None


def inside(step: dict[str, Json], name: str) -> Json:
    """What the details of a step say under ``name``."""
    details = step.get("step_details")
    return details.get(name) if isinstance(details, dict) else None
