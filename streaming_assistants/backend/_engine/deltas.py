"""Puts deltas together: what a message or a tool call is once its pieces have come.

Each function changes its first argument, the list of whole entries, and answers with the delta as a
client should see it (the first of an entry carries the fields that the hosted API sent with it).
"""

from __future__ import annotations

import copy

from streaming_assistants._protocol.merge import grow, merge

from .port import Json


def add_content(content: list[Json], part: Json) -> Json:
    """One item of a ``thread.message.delta``'s content."""
    fresh, whole = _entry(content, part, {"type": part["type"]})
    if part["type"] == "text":
        text = dict(part.get("text") or {})
        if fresh:
            text = {"value": "", "annotations": [], **text}
            whole["text"] = {"value": "", "annotations": []}
        grow(whole["text"], "value", text.get("value") or "")
        for annotation in text.get("annotations") or []:
            kept = {key: value for key, value in annotation.items() if key != "index"}
            if kept.get("file_citation", {}).get("quote") == "":  # of deltas only, as the hosted API had it
                kept["file_citation"] = {"file_id": kept["file_citation"]["file_id"]}
            _put(whole["text"]["annotations"], annotation.get("index"), kept)
        return {**part, "text": text}
    _grow(whole, {key: value for key, value in part.items() if key not in ("index", "type")})
    return part


def add_tool_call(calls: list[Json], call: Json) -> Json:
    """One item of a ``thread.run.step.delta``'s tool calls."""
    kind = call["type"]
    fresh, whole = _entry(calls, call, {})
    if fresh:
        if kind == "function":
            given = call.get("function") or {}
            call = {**call, "function": {"name": None, "arguments": "", "output": None, **given}}
        elif kind == "code_interpreter":
            call = {**call, kind: {"input": "", "outputs": [], **(call.get(kind) or {})}}
    details = {key: value for key, value in call.items() if key != "index"}
    outputs = (details.get("code_interpreter") or {}).get("outputs")
    if outputs is not None:
        details["code_interpreter"] = {
            key: value for key, value in details["code_interpreter"].items() if key != "outputs"
        }
    _grow(whole, details)
    if outputs is not None:
        kept = whole["code_interpreter"].setdefault("outputs", [])
        for output in outputs:
            _, entry = _entry(kept, output, {})
            _grow(entry, {key: value for key, value in output.items() if key != "index"})
    return call


def _entry(entries: list[Json], delta: Json, new: Json) -> tuple[bool, Json]:
    """The entry at the delta's index, made when it is the next one."""
    index = delta.get("index", len(entries))
    if index < len(entries):
        return False, entries[index]
    if index > len(entries):
        raise ValueError(f"The upstream skipped an index: {index} after {len(entries)} entries.")
    entries.append(new)
    return True, new


def _put(entries: list[Json], index: int | None, value: Json) -> None:
    if index is not None and index < len(entries):
        entries[index] = value
    else:
        entries.append(value)


def _grow(whole: Json, delta: Json) -> None:
    """By the rules that the client's snapshots follow; a copy, for the delta is shown to the client."""
    merge(whole, copy.deepcopy(delta))
