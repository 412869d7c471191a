"""How an object is shown: file search contents only where asked for, and v1's fields to v1 clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

from .._engine import objects
from .._engine.event_log import compact
from .._engine.event_port import Entry
from .._engine.port import Json


def answered(data: Json, *, include: bool, v1: bool) -> Json:
    """An object or a list of objects as a plain answer gives it."""
    if data.get("object") == "list":
        return {**data, "data": [answered(each, include=include, v1=v1) for each in data["data"]]}
    if data.get("object") == "thread.message" and data["status"] == "completed":
        # The hosted API told how a message came about in events only, and here of one that is not whole.
        data = {key: value for key, value in data.items() if key not in _MAKING}
    return shown(data, include=include, v1=v1)


def shown(data: Json, *, include: bool, v1: bool) -> Json:
    """An object or an event's data as the client receives it."""
    kind = data.get("object")
    if v1:
        data = _v1(data, kind)
    if kind in ("thread.run.step", "thread.run.step.delta"):
        return _step(data, include, v1)
    if kind in ("assistant", "thread") and "file_search" in data["tool_resources"]:
        # What else is in there are notes of what has to go, or has gone, into a thread's vector store.
        stores = data["tool_resources"]["file_search"].get("vector_store_ids") or []
        resources = {**data["tool_resources"], "file_search": {"vector_store_ids": stores}}
        return {**data, "tool_resources": resources}
    return data


_MAKING = frozenset({"status", "completed_at", "incomplete_at", "incomplete_details"})


def data_alone(name: str, data: Json) -> bytes:
    """The frame of an event that has no name."""
    return f"data: {compact(name, data)}\n\n".encode()


@cache  # for all who see runs so
def framer(*, include: bool, v1: bool) -> Callable[[Entry], bytes]:
    """Writes the frames of a run's events."""

    def frame(entry: Entry) -> bytes:
        number, name, body = entry
        if not _is_shown_as_kept(name, body, v1=v1):
            data = json.loads(body)
            if data.get("object") == "thread.run":
                data = {**data, "tool_resources": _in_events(data["tool_resources"])}
            body = compact(name, shown(data, include=include, v1=v1))
        if not number:
            return f"event: {name}\ndata: {body}\n\n".encode()
        return f"id: {number}\nevent: {name}\ndata: {body}\n\n".encode()

    return frame


def _is_shown_as_kept(name: str, body: str, *, v1: bool) -> bool:
    """Whether an event's object needs no look inside: nearly all are deltas."""
    if name.startswith("thread.run.step."):
        return '"file_search"' not in body
    if name.startswith("thread.message."):
        return not v1 or name.endswith(".delta")
    return name == "error"


END = b"event: done\ndata: [DONE]\n\n"
END_UNNAMED = b"data: [DONE]\n\n"


def _in_events(resources: Json) -> Json:
    # The hosted API showed this entry in every run of a stream and in no run of a plain answer.
    return {"code_interpreter": {"file_ids": []}, **resources}


def _step(step: Json, include: bool, v1: bool) -> Json:
    delta = step["object"].endswith("delta")
    details = step["delta"]["step_details"] if delta else step["step_details"]
    calls = details.get("tool_calls")
    if not calls or not any(call["type"] == "file_search" for call in calls):
        return step
    details = {**details, "tool_calls": [_call(call, include, v1) for call in calls]}
    if delta:
        return {**step, "delta": {**step["delta"], "step_details": details}}
    return {**step, "step_details": details}


def _call(call: Json, include: bool, v1: bool) -> Json:
    if call["type"] != "file_search":
        return call
    search = call.get("file_search") or {}
    if v1:
        return {**call, "type": "retrieval", "retrieval": {}}
    if include or not search.get("results"):
        return call
    results = [{key: value for key, value in each.items() if key != "content"} for each in search["results"]]
    return {**call, "file_search": {**search, "results": results}}


def _v1(data: Json, kind: str | None) -> Json:
    if kind in ("assistant", "thread.run"):
        files = objects.file_ids(data)
        tools = [{"type": "retrieval"} if tool["type"] == "file_search" else tool for tool in data["tools"]]
        return {**data, "tools": tools, "file_ids": files}
    if kind == "thread.message":
        files = [each["file_id"] for each in data["attachments"] if each.get("file_id")]
        return {**data, "file_ids": files, "content": [_with_quotes(part) for part in data["content"]]}
    return data


def _with_quotes(part: Json) -> Json:
    """A citation had to say what it quotes: without that, clients of v1 take its text for an image."""
    if part["type"] != "text" or not part["text"]["annotations"]:
        return part
    marks = [
        {**mark, "file_citation": {"quote": "", **mark["file_citation"]}} if "file_citation" in mark else mark
        for mark in part["text"]["annotations"]
    ]
    return {**part, "text": {**part["text"], "annotations": marks}}
