"""Errors that a server reports in a stream, or in place of one, whatever their shape. Sans-IO."""

from __future__ import annotations

import json

from streaming_assistants._json import Json

UNSAID = "An error occurred during streaming"

_WORDS = ("message", "detail", "msg", "error_description")


def is_failure(value: Json) -> bool:
    """Whether a JSON value that is no event reports an error."""
    if not isinstance(value, dict) or isinstance(value.get("id"), str):
        return False
    if value.get("error") or value.get("errors") or value.get("object") == "error":
        return True
    return any(value.get(name) for name in _WORDS)


def failure(value: Json) -> dict[str, Json]:
    """The body of an error, with its words as ``message``; everything else in it stays as it came."""
    if isinstance(value, dict) and value.get("error"):
        inner = value["error"]
        if not isinstance(inner, dict):
            inner = {**{name: said for name, said in value.items() if name != "error"}, "message": inner}
        value = inner
    if not isinstance(value, dict):
        value = {} if value is None else {"message": value}
    said = next((value[name] for name in _WORDS if value.get(name)), None)
    if said is None:
        rest = {name: member for name, member in value.items() if member not in (None, "")}
        words = f"{UNSAID}: {json.dumps(rest)}" if rest else UNSAID
    else:
        words = said if isinstance(said, str) else json.dumps(said)
    return {**value, "message": words}
