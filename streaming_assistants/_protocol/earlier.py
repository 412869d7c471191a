"""What an earlier stream of the same run has told, as the request for this one says it. Sans-IO."""

from __future__ import annotations

import json

from streaming_assistants._json import Json


def submitted(path: str, body: bytes) -> frozenset[str] | None:
    """The ids of the tool calls that a submit request answers; None for a request that begins a run."""
    if path.rstrip("/").rpartition("/")[2] != "submit_tool_outputs":
        return None
    try:
        sent = json.loads(body)
    except ValueError:
        sent = None
    # Outputs, and a newer server's approvals.
    lists = [value for value in sent.values() if isinstance(value, list)] if isinstance(sent, dict) else []
    items = [item for outputs in lists for item in outputs if isinstance(item, dict)]
    return frozenset(item["tool_call_id"] for item in items if isinstance(item.get("tool_call_id"), str))


def told_earlier(calls: list[dict[str, Json]], answered: frozenset[str] | None, *, announced: bool) -> bool:
    """Whether a step of these calls was told by an earlier stream; ``answered`` as :func:`submitted` says.

    It was where one of its calls is answered, or has its output. A step that this stream did not announce
    and whose calls have no ids is taken for told: a handler that runs a tool for each would run it twice.
    """
    if answered is None:
        return False
    if any(isinstance(call.get("id"), str) and call["id"] in answered for call in calls):
        return True
    if announced:
        return False
    return any(call.get("id") is None or _output(call) is not None for call in calls)


def _output(call: dict[str, Json]) -> Json:
    function = call.get("function")
    return function.get("output") if isinstance(function, dict) else None
