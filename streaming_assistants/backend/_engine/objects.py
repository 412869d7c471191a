"""The objects as a client sees them: what each is made of when new."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable

from . import run_params
from .api_types import Message, Step, StepDetails, Thread
from .port import Json

RUN_SECONDS = 600
"""How long a run may take before it expires."""

UPLOAD_SECONDS = 3600
"""How long the parts of an upload may take to come."""

NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}

HOSTED_TOOLS = ("file_search", "code_interpreter")
"""The tools that the API runs itself."""

RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
"""How file_search ranks where the tool does not say."""

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, separator: str = "_") -> str:
    return prefix + separator + "".join([_ALPHABET[byte % 62] for byte in secrets.token_bytes(24)])


def is_made(prefix: str, id: str) -> bool:
    """Whether an id is one of :func:`new_id`, of this backend or of another."""
    before, _, random = id.partition("_")
    return before == prefix and len(random) == 24 and set(random) <= set(_ALPHABET)


def assistant(body: Json, now: int) -> Json:
    tools = tools_as_kept(body.get("tools"))
    return {
        "id": new_id("asst"),
        "object": "assistant",
        "created_at": now,
        "name": body.get("name"),
        "description": body.get("description"),
        "instructions": body.get("instructions"),
        "tools": tools,
        **run_params.of_assistant(body),
        "tool_resources": resources_of(body.get("tool_resources"), tools, body.get("file_ids")),
        "metadata": body.get("metadata") or {},
    }


def thread(body: Json, now: int) -> Thread:
    return {
        "id": new_id("thread"),
        "object": "thread",
        "created_at": now,
        "metadata": body.get("metadata") or {},
        "tool_resources": body.get("tool_resources") or {},
    }


def message(body: Json, thread_id: str, now: int) -> Message:
    """A message that a client wrote."""
    content = body["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    attachments = list(body.get("attachments") or [])
    attachments += [
        {"file_id": id, "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}
        for id in body.get("file_ids") or []
    ]
    return {
        "id": new_id("msg"),
        "object": "thread.message",
        "created_at": now,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": now,
        "role": body["role"],
        "content": [_part(part) for part in parts],
        "attachments": attachments,
        "metadata": body.get("metadata") or {},
    }


def answer(run: Json, now: int) -> Message:
    """The assistant's message, when a run begins it."""
    return {
        **message({"role": "assistant", "content": []}, run["thread_id"], now),
        "assistant_id": run["assistant_id"],
        "run_id": run["id"],
        "status": "in_progress",
        "completed_at": None,
    }


def file(filename: str, size: int, purpose: str, expires_at: int | None, now: int) -> Json:
    return {
        "id": new_id("file", "-"),
        "object": "file",
        "bytes": size,
        "created_at": now,
        "expires_at": expires_at,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }


def upload(body: Json, now: int) -> Json:
    return {
        "id": new_id("upload"),
        "object": "upload",
        "bytes": body["bytes"],
        "created_at": now,
        "expires_at": now + UPLOAD_SECONDS,
        "filename": body["filename"],
        "purpose": body["purpose"],
        "status": "pending",
        "file": None,
    }


def run(body: Json, assistant: Json, thread_id: str, now: int) -> Json:
    """A queued run: the body's own values, else the assistant's."""
    instructions = assistant["instructions"] if body.get("instructions") is None else body["instructions"]
    more = body.get("additional_instructions")
    if more:
        instructions = f"{instructions}\n{more}" if instructions else more
    tools = assistant["tools"] if body.get("tools") is None else tools_as_kept(body["tools"])
    return {
        "id": new_id("run"),
        "object": "thread.run",
        "created_at": now,
        "assistant_id": assistant["id"],
        "thread_id": thread_id,
        "status": "queued",
        "started_at": None,
        "expires_at": now + RUN_SECONDS,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        **run_params.of_run(body, assistant),
        "instructions": instructions,
        "tools": tools,
        "tool_resources": {},
        "metadata": body.get("metadata") or {},
        "incomplete_details": None,
        "usage": None,
    }


def step(run: Json, details: StepDetails, now: int) -> Step:
    return {
        "id": new_id("step"),
        "object": "thread.run.step",
        "created_at": now,
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": run["expires_at"],
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
    }


def tools_as_kept(tools: Json) -> list[Json]:
    return [_tool(tool) for tool in tools or []]


def resources_of(given: Json, tools: Json, file_ids: Json = None) -> Json:
    """Tool resources with an empty entry for each tool that has one; ``file_ids`` is v1's list."""
    resources = {name: dict(value) for name, value in (given or {}).items() if value is not None}
    kinds = {tool["type"] for tool in tools}
    if "code_interpreter" in kinds:
        resources.setdefault("code_interpreter", {}).setdefault("file_ids", [])
    if "file_search" in kinds:
        resources.setdefault("file_search", {}).setdefault("vector_store_ids", [])
    if file_ids is not None:
        if "file_search" in kinds:
            resources["file_search"]["vector_stores"] = [{"file_ids": list(file_ids)}]
        if "file_search" not in kinds or "code_interpreter" in kinds:
            resources.setdefault("code_interpreter", {})["file_ids"] = list(file_ids)
    return resources


def changed(stored: Json, before: Json, after: Json) -> Json:
    """``stored`` with what changed from ``before`` to ``after``: what others have put there since stays."""
    merged = dict(stored or {})
    for key in {**(before or {}), **after}:
        old, new, there = (before or {}).get(key), after.get(key), merged.get(key)
        if new == old:
            continue
        if isinstance(new, dict):
            merged[key] = changed(there, old, new)
        elif isinstance(new, list) and isinstance(there, list):
            kept = [entry for entry in there if entry in new or entry not in (old or [])]
            merged[key] = [*kept, *(entry for entry in new if entry not in kept)]
        elif key in after:
            merged[key] = new
        elif there == old:
            del merged[key]
    return merged


def searched_files(resources: Json) -> list[str]:
    """The files that an assistant is to search and that no vector store of its own holds."""
    stores = (resources.get("file_search") or {}).get("vector_stores") or []
    return [id for store in stores for id in store.get("file_ids") or []]


def attached(messages: Iterable[Json], tool: str) -> list[str]:
    """Ids of the files that messages attach for a tool; each once, in their order."""
    ids = [
        attachment["file_id"]
        for message in messages
        for attachment in message.get("attachments") or []
        if attachment.get("file_id") and any(use.get("type") == tool for use in attachment.get("tools") or [])
    ]
    return list(dict.fromkeys(ids))


def file_ids(assistant: Json) -> list[str]:
    """v1's list of an assistant's files."""
    resources = assistant["tool_resources"]
    run = (resources.get("code_interpreter") or {}).get("file_ids") or []
    return list(dict.fromkeys([*run, *searched_files(resources)]))


def _tool(tool: Json) -> Json:
    if tool["type"] in ("retrieval", "file_search"):
        search = tool.get("file_search") or {}
        ranking = {**RANKING, "hybrid_search": None, **(search.get("ranking_options") or {})}
        return {"type": "file_search", "file_search": {**search, "ranking_options": ranking}}
    if tool["type"] == "function":
        return {**tool, "function": {"strict": False, **tool["function"]}}
    return tool


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": {"value": part["text"], "annotations": []}}
    kind = part["type"]
    return {"type": kind, kind: {"detail": "auto", **part[kind]}}


def usage(given: Json) -> Json:
    """A turn's usage with the details that the hosted API gave along; None stays None."""
    if given is None:
        return None
    return {
        **NO_USAGE,
        **given,
        "prompt_token_details": {"cached_tokens": 0, **(given.get("prompt_token_details") or {})},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            **(given.get("completion_tokens_details") or {}),
        },
    }


def nothing() -> Json:
    """The usage of what has used nothing, or nothing that was told."""
    return usage(NO_USAGE)


def add_usage(total: Json, more: Json) -> Json:
    """The sum of two usages, field by field; None counts for nothing."""
    if total is None or more is None:
        return more if total is None else total
    summed = dict(total)
    for key, value in more.items():
        old = summed.get(key)
        summed[key] = add_usage(old or {}, value) if isinstance(value, dict) else (old or 0) + value
    return summed
