"""What requests for inference have besides the conversation: parameters as a run has them, and what a program
adds to every one with ``LocalBackend(upstream_options={...})``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from .._engine.port import AS_NAMED, Json, Open, Piece, Turn, Upstream
from ._rewriting import Rewritten

_OWN = ("model", "input", "messages", "stream")


def checked(options: Mapping[str, Json] | None) -> dict[str, Json]:
    """The members to add; those of ``extra_body``, as the SDK calls it, are members like the others.

    Raises ValueError for what the backend decides by itself.
    """
    members = dict(options or {})
    members.update(members.pop("extra_body", None) or {})
    for name in _OWN:
        if name in members:
            raise ValueError(f"upstream_options cannot set {name!r}: the backend sends its own.")
    return members


def as_named(turn: Turn) -> dict[str, Json]:
    """The parameters that a request has by the names that a turn has them by."""
    return {each.name: getattr(turn, each.name) for each in fields(turn) if each.metadata == AS_NAMED}


class _Added:
    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options = options

    def read(self, piece: Piece) -> Iterator[Piece]:
        yield replace(piece, body=added(piece.body, self._options)) if isinstance(piece, Open) else piece

    def end(self) -> tuple[()]:
        return ()


def with_options(upstream: Upstream, options: Mapping[str, Json]) -> Upstream:
    """The upstream, its requests for inference with the options over them."""
    return Rewritten(upstream, lambda: _Added(options)) if options else upstream


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
