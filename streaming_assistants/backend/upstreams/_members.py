"""Typed reading of raw JSON, and the one way a conversation gives up."""

from __future__ import annotations

from typing import TypeVar

from .._engine.port import Failed, Json

T = TypeVar("T")


class Fault(Exception):
    """Ends the turn as failed; the conversation that catches it says so with :meth:`failed`."""

    def __init__(self, message: str, code: str = "server_error") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def failed(self) -> Failed:
        return Failed(self.code, self.message)


def member(value: Json, name: str, kind: type[T]) -> T:
    """``value[name]``, which must be a ``kind``; raises :class:`Fault` that says what came instead."""
    given = optional(value, name, kind)
    if given is None:
        raise Fault(f"The upstream sent a malformed event: {name!r} is missing or null.")
    return given


def optional(value: Json, name: str, kind: type[T]) -> T | None:
    """Like :func:`member`, but None where the member is missing or null."""
    if not isinstance(value, dict):
        raise Fault(f"The upstream sent a malformed event: expected an object, got {_name(value)}.")
    given = value.get(name)
    if given is None or (isinstance(given, kind) and not (kind is int and isinstance(given, bool))):
        return given
    raise Fault(f"The upstream sent a malformed event: {name!r} is {_name(given)}, not {kind.__name__}.")


def members(value: Json, name: str) -> list[Json]:
    """``value[name]`` as a list; empty where it is missing or null."""
    return optional(value, name, list) or []


def usage(value: Json, prompt: str, completion: str) -> Json:
    """The Assistants API's usage from an upstream's, whose names for the two counts are given."""
    if value is None:
        return None
    sent, received = optional(value, prompt, int) or 0, optional(value, completion, int) or 0
    total = optional(value, "total_tokens", int)
    counted: Json = {
        "prompt_tokens": sent,
        "completion_tokens": received,
        "total_tokens": sent + received if total is None else total,
    }
    for ours, theirs, name in (
        ("prompt_token_details", f"{prompt}_details", "cached_tokens"),
        ("completion_tokens_details", f"{completion}_details", "reasoning_tokens"),
    ):
        some = optional(optional(value, theirs, dict) or {}, name, int)
        if some:
            counted[ours] = {name: some}
    return counted


def _name(value: Json) -> str:
    return "null" if value is None else type(value).__name__
