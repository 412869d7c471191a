"""What requests for inference have besides the conversation: parameters as a run has them, and what a program
adds to every one with ``LocalBackend(upstream_options={...})``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from .._engine.port import AS_NAMED, Json, Turn

_OWN = ("model", "input", "messages", "stream")


def checked(options: Mapping[str, Json] | None) -> dict[str, Json]:
    """The members to add; those of ``extra_body``, as the SDK calls it, are members like the others.

    Raises ValueError for what the backend decides by itself.
    """
    found = dict(options or {})
    found.update(found.pop("extra_body", None) or {})
    for name in _OWN:
        if name in found:
            raise ValueError(f"upstream_options cannot set {name!r}: the backend sends its own.")
    return found


def as_named(turn: Turn) -> dict[str, Json]:
    """The parameters that a request has by the names that a turn has them by."""
    return {each.name: getattr(turn, each.name) for each in fields(turn) if each.metadata == AS_NAMED}


def added(body: Json, options: Mapping[str, Json]) -> Json:
    """``body`` with the options over it: objects are merged, lists are joined, all else is replaced."""
    merged = dict(body)
    for name, value in options.items():
        there = merged.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            merged[name] = added(there, value)
        elif isinstance(value, list) and isinstance(there, list):
            merged[name] = [*there, *(entry for entry in value if entry not in there)]
        else:
            merged[name] = value
    return merged
