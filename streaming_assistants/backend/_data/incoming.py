"""An object of the API as it came from elsewhere, made a row: what it lacks is put in, what it holds stays.

Nulls are what dumps of the SDK put where the API says nothing; members of ``assistants=v1`` become those of
v2. What an export of ours knows besides stands in a member of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from streaming_assistants._protocol.status import PENDING

from .._engine import objects, run_params, vector_stores
from .._engine.file_counts import no_files
from .._engine.port import Json
from .documents import KINDS

OURS = "streaming_assistants"
"""The member of an exported object that holds what no client sees of it."""

LONGEST_ID = 64

_ID = re.compile(r"[^\x00-\x1f\x7f/\\]+")
_LARGEST = (1 << 63) - 1  # that a database counts bytes to
_LATEST = 1e15  # seconds

PARENTS = {
    "messages": ("threads", "thread_id"),
    "runs": ("threads", "thread_id"),
    "steps": ("runs", "run_id"),
    "store_files": ("vector_stores", "vector_store_id"),
    "file_batches": ("vector_stores", "vector_store_id"),
}
"""What an object is a part of, and the member that names it."""


class Incoming(NamedTuple):
    """An object that can be stored: ``id`` is the row's, ``parent`` what it is a part of, None for what
    stands alone, ``ours`` what an export of ours knows besides."""

    kind: str
    id: str
    created_at: float
    data: Json
    columns: Mapping[str, object]
    parent: str | None
    ours: Json


class Wrong(ValueError):
    """The object cannot be stored, as it says in words."""


def incoming(value: Json, now: int) -> Incoming:
    """The row of an object. Raises :class:`Wrong`."""
    kind = KINDS[value["object"]]
    id, created_at = value.get("id"), value.get("created_at")
    if not isinstance(id, str) or not id:
        raise Wrong(f"the {value['object']} has no id")
    if len(id) > LONGEST_ID:
        raise Wrong(f"the id {id[:LONGEST_ID]}... is longer than {LONGEST_ID} characters")
    if not _ID.fullmatch(id) or id in (".", ".."):
        raise Wrong(f"{id!r} is no id: it names a path, or is not all characters")
    if not _is_time(created_at):
        raise Wrong(f"{id} does not say when it was made (created_at)")
    data = {name: _whole(name, each) for name, each in value.items() if name != OURS}
    ours = value.get(OURS)
    if not _is_ours(ours):
        raise Wrong(f"what {id} has as {OURS!r} is not what an export writes")
    parent = None
    if kind in PARENTS:
        parent = _text(data, PARENTS[kind][1])
    try:
        if ours is None:
            data = _MADE[kind](data)
        if kind == "vector_stores":
            data = _usable(data, now)
        columns = _COLUMNS[kind](data)
        data = _at_rest(kind, data, now)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, Wrong):
            raise
        raise Wrong(
            f"{id} is no {value['object']} as the API has them ({type(error).__name__}: {error})"
        ) from None
    if ours is not None and "hidden" in ours:
        columns = {**columns, "hidden": ours["hidden"]}
    row_id = vector_stores.entry_id(data["vector_store_id"], id) if kind == "store_files" else id
    return Incoming(kind, row_id, created_at, data, columns, parent, ours or {})


def _whole(name: str, value: Json) -> Json:
    """Times are whole seconds, which a server may have fractions of."""
    return int(value) if type(value) is float and name.endswith("_at") else value


def implied_thread(thread_id: str, created_at: float) -> Json:
    """A thread of which only its messages are known."""
    return {**objects.thread({}, int(created_at)), "id": thread_id}


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LATEST


def _is_ours(value: Json) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not isinstance(value.get("hidden") or {}, dict):
        return False
    return all(isinstance(value.get(name) or "", str) for name in ("project", "after", "batch_id"))


def _size(data: Json, name: str) -> Json:
    """How many bytes something says that it has."""
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise Wrong(f"{data['id']} has {name} that are no number of bytes: {str(value)[:40]}")
    return data


def _expiry(data: Json) -> Json:
    """When something expires; None where it does not."""
    value = data["expires_at"]
    if value is not None and not _is_time(value):
        raise Wrong(f"{data['id']} expires at no time: {str(value)[:40]}")
    return value


def _text(data: Json, name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise Wrong(f"{data['id']} does not say which {name} it has")
    return value


def _over(defaults: Json, data: Json) -> Json:
    """``data`` with the defaults in the place of what it lacks or has as null; in the order of the data."""
    return {**data, **{name: value for name, value in defaults.items() if data.get(name) is None}}


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _tools(data: Json) -> list[Json]:
    return objects.tools_as_kept([_tool(tool) for tool in data.get("tools") or []])


def _tool(tool: Json) -> Json:
    """A tool as it was made. The schema of a function's parameters is its author's, with its nulls."""
    made = _without_nulls(tool)
    parameters = (tool.get("function") or {}).get("parameters")
    return {**made, "function": {**made["function"], "parameters": parameters}} if parameters else made


def _assistant(data: Json) -> Json:
    model = data.get("model")
    if not isinstance(model, str):
        raise Wrong(f"{data['id']} has no model")
    tools = _tools(data)
    resources = objects.resources_of(
        _without_nulls(data.get("tool_resources")), tools, data.pop("file_ids", None)
    )
    made: Json = {"name": None, "description": None, "instructions": None, "metadata": {}}
    return {
        **_over({**made, **run_params.of_assistant(data)}, data),
        "tools": tools,
        "tool_resources": resources,
    }


def _thread(data: Json) -> Json:
    return {
        **_over({"metadata": {}}, data),
        "tool_resources": _without_nulls(data.get("tool_resources") or {}),
    }


def _message(data: Json) -> Json:
    if data.get("role") not in ("user", "assistant"):
        raise Wrong(f"{data['id']} has the role {data.get('role')!r}")
    attachments, file_ids = data.get("attachments"), data.pop("file_ids", None)
    if attachments or file_ids:
        body = {
            "role": "user",
            "content": [],
            "attachments": _without_nulls(attachments),
            "file_ids": file_ids,
        }
        attachments = objects.message(body, data["thread_id"], 0)["attachments"]
    content = data.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    made = {**_MESSAGE, **data, "content": [_part(part) for part in parts], "attachments": attachments or []}
    made["metadata"] = data.get("metadata") or {}
    made["status"] = data.get("status") or "completed"
    if made["status"] == "completed" and made["completed_at"] is None:
        made["completed_at"] = data["created_at"]
    return made


_MESSAGE = dict.fromkeys(
    ("assistant_id", "run_id", "status", "incomplete_details", "incomplete_at", "completed_at")
)


def _part(part: Json) -> Json:
    if part["type"] != "text":
        return _without_nulls(part)
    text = part["text"] if isinstance(part["text"], dict) else {"value": part["text"]}
    marks = text.get("annotations")
    return {**part, "text": {"value": "", **text, "annotations": _without_nulls(marks) if marks else []}}


def _run(data: Json) -> Json:
    nothing = objects.run({}, {"id": None, "instructions": "", "tools": []}, data["thread_id"], 0)
    tools = _tools(data)
    data.pop("file_ids", None)
    made = {
        **nothing,
        "expires_at": None,
        **run_params.of_run({**data, "model": data.get("model") or ""}, {}),
    }
    return {**_over(made, data), "tools": tools}


def _step(data: Json) -> Json:
    details = data["step_details"]
    run = {"id": None, "assistant_id": None, "thread_id": None, "expires_at": None}
    made = {**objects.step(run, details, 0), "status": "completed"}
    if details["type"] == "tool_calls":
        calls = [{name: each for name, each in call.items() if name == call["type"] or each is not None}
                 for call in details.get("tool_calls") or []]  # fmt: skip
        details = {**details, "tool_calls": calls}
    return {**_over(made, data), "step_details": details}


def _file(data: Json) -> Json:
    made = objects.file(data.get("filename") or data["id"], 0, data.get("purpose") or "assistants", None, 0)
    kept = _over(made, data)
    if not isinstance(kept["filename"], str) or not isinstance(kept["purpose"], str):
        raise Wrong(f"{data['id']} has a filename or a purpose that is no text")
    return kept


def _store(data: Json) -> Json:
    made: Json = {
        "name": None, "description": None, "usage_bytes": 0, "file_counts": no_files(), "status": "completed",
        "expires_after": None, "expires_at": None, "last_active_at": data["created_at"], "metadata": {},
    }  # fmt: skip
    return _over(made, data)


def _usable(data: Json, now: int) -> Json:
    """A vector store whose time ran out on its way: coming here is a use of it."""
    over = data["expires_at"] is not None and data["expires_at"] <= now
    return vector_stores.renewed(data, now) if over and data["status"] != "expired" else data


def _store_file(data: Json) -> Json:
    strategy = _without_nulls(data.get("chunking_strategy"))
    kept = strategy if strategy and strategy["type"] == "static" else vector_stores.AUTO
    made: Json = {"status": "completed", "last_error": None, "usage_bytes": 0, "attributes": {}}
    return {**_over(made, data), "chunking_strategy": kept}


def _batch(data: Json) -> Json:
    return _over({"status": "completed", "file_counts": no_files()}, data)


_MADE: Mapping[str, Callable[[Json], Json]] = {
    "assistants": _assistant,
    "threads": _thread,
    "messages": _message,
    "runs": _run,
    "steps": _step,
    "stored_files": _file,
    "vector_stores": _store,
    "store_files": _store_file,
    "file_batches": _batch,
}
_COLUMNS: Mapping[str, Callable[[Json], dict[str, object]]] = {
    "assistants": lambda data: {},
    "threads": lambda data: {},
    "messages": lambda data: {"thread_id": data["thread_id"], "run_id": data["run_id"]},
    "runs": lambda data: {
        "thread_id": data["thread_id"], "active": False, "owner": None, "expires_at": 0.0,
        "hidden": {"include": False, "given": []},
    },
    "steps": lambda data: {"thread_id": _text(data, "thread_id"), "run_id": data["run_id"]},
    "stored_files": lambda data: {
        "purpose": data["purpose"], "expires_at": _expiry(_size(data, "bytes")),
    },
    "vector_stores": lambda data: {"expires_at": _expiry(_size(data, "usage_bytes"))},
    "store_files": lambda data: {
        "vector_store_id": data["vector_store_id"], "batch_id": None,
        "file_id": _size(data, "usage_bytes")["id"],
        "status": data["status"], "owner": None,
    },
    "file_batches": lambda data: {"vector_store_id": data["vector_store_id"]},
}  # fmt: skip


def _at_rest(kind: str, data: Json, now: int) -> Json:
    """What was under way elsewhere has its end here: nobody goes on with it."""
    status = data.get("status")
    if kind == "runs" and (status in PENDING or status == "requires_action"):
        usage = data.get("usage") or objects.NO_USAGE
        return {**data, "status": "expired", "expires_at": None, "required_action": None, "usage": usage}
    if status != "in_progress":
        return data
    if kind == "messages":
        reason = {"reason": "run_expired"}
        return {**data, "status": "incomplete", "incomplete_at": now, "incomplete_details": reason}
    if kind == "steps":
        return {
            **data,
            "status": "expired",
            "expired_at": now,
            "usage": data.get("usage") or objects.nothing(),
        }
    return data
