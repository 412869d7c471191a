"""Objects of the Assistants API, complete as a server sends them; the interesting fields are arguments."""

from __future__ import annotations

from typing import Any

THREAD, RUN, ASSISTANT = "thread_1", "run_1", "asst_1"
RUNS = f"/threads/{THREAD}/runs"
ONE_RUN = f"{RUNS}/{RUN}"
MESSAGES = f"/threads/{THREAD}/messages"
STEPS = f"{ONE_RUN}/steps"
Json = dict[str, Any]


def thread(id: str = THREAD) -> Json:
    return {"id": id, "object": "thread", "created_at": 1_700_000_000, "metadata": {}, "tool_resources": {}}


def run(status: str = "completed", **fields: Any) -> Json:
    return {
        "id": RUN, "object": "thread.run", "created_at": 1_700_000_000, "assistant_id": ASSISTANT,
        "thread_id": THREAD, "status": status, "started_at": 1_700_000_001, "expires_at": None,
        "cancelled_at": None, "failed_at": None, "completed_at": None, "required_action": None,
        "last_error": None, "incomplete_details": None, "model": "gpt-4o", "instructions": "", "tools": [],
        "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "usage": None,
        "max_completion_tokens": None, "max_prompt_tokens": None, "parallel_tool_calls": True, "file_ids": [],
        "truncation_strategy": {"type": "auto", "last_messages": None}, "response_format": "auto",
        "tool_choice": "auto", **fields,
    }  # fmt: skip


def required(*calls: Json) -> Json:
    """The fields of a run that waits for the outputs of ``calls``."""
    return {
        "required_action": {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": list(calls)}}
    }


def text(value: str, annotations: list[Json] | None = None) -> Json:
    return {"type": "text", "text": {"value": value, "annotations": annotations or []}}


def image(file_id: str) -> Json:
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}


def message(*content: Json | str, id: str = "msg_1", status: str = "completed", **fields: Any) -> Json:
    """A message of these parts; a word by itself is a text."""
    parts = [text(part) if isinstance(part, str) else part for part in content]
    return {
        "id": id, "object": "thread.message", "created_at": 1_700_000_001, "thread_id": THREAD, "run_id": RUN,
        "assistant_id": ASSISTANT, "role": "assistant", "status": status, "content": parts,
        "incomplete_details": None, "incomplete_at": None, "completed_at": None, "attachments": [],
        "file_ids": [], "metadata": {}, **fields,
    }  # fmt: skip


def user(text: str = "Hi", **fields: Any) -> Json:
    return message(text, role="user", run_id=None, assistant_id=None, id="msg_user", **fields)


def message_delta(*content: Json, id: str = "msg_1") -> Json:
    return {"id": id, "object": "thread.message.delta", "delta": {"content": list(content)}}


def text_delta(value: str, index: int = 0, id: str = "msg_1", **fields: Any) -> Json:
    return message_delta({"index": index, "type": "text", "text": {"value": value, **fields}}, id=id)


def function(name: str, arguments: str, id: str = "call_1", output: str | None = None, **fields: Any) -> Json:
    call = {"name": name, "arguments": arguments, "output": output}
    return {"id": id, "type": "function", "function": call, **fields}


def code(input: str, outputs: list[Json] | None = None, id: str = "call_1", **fields: Any) -> Json:
    block = {"input": input, "outputs": outputs or []}
    return {"id": id, "type": "code_interpreter", "code_interpreter": block, **fields}


def step(details: Json | None = None, status: str = "completed", id: str = "step_1", **fields: Any) -> Json:
    details = details or {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    return {
        "id": id, "object": "thread.run.step", "created_at": 1_700_000_001, "run_id": RUN,
        "assistant_id": ASSISTANT, "thread_id": THREAD, "type": details["type"], "status": status,
        "cancelled_at": None, "completed_at": None, "expired_at": None, "expires_at": None, "failed_at": None,
        "last_error": None, "step_details": details, "usage": None, "metadata": {}, **fields,
    }  # fmt: skip


def tool_calls(*calls: Json) -> Json:
    return {"type": "tool_calls", "tool_calls": list(calls)}


def tool_step(*calls: Json, status: str = "completed", id: str = "step_1") -> Json:
    return step(tool_calls(*calls), status, id)


def step_delta(*calls: Json, id: str = "step_1") -> Json:
    return {"id": id, "object": "thread.run.step.delta", "delta": {"step_details": tool_calls(*calls)}}


def call_delta(index: int = 0, type: str = "function", **fields: Any) -> Json:
    return {"index": index, "type": type, **fields}


def assistant() -> Json:
    return {
        "id": ASSISTANT, "object": "assistant", "created_at": 1_700_000_000, "name": "A", "description": None,
        "model": "gpt-4o", "instructions": None, "tools": [], "metadata": {}, "temperature": 1.0,
        "top_p": 1.0, "response_format": "auto", "tool_resources": {},
    }  # fmt: skip


def page(*items: Json, more: bool = False) -> Json:
    ids = (
        {"first_id": items[0]["id"], "last_id": items[-1]["id"]}
        if items
        else {"first_id": None, "last_id": None}
    )
    return {"object": "list", "data": list(items), "has_more": more, **ids}


def vector_store(status: str = "completed", **fields: Any) -> Json:
    return {
        "id": "vs_1", "object": "vector_store", "created_at": 1_700_000_000, "name": "books",
        "usage_bytes": 1, "file_counts": counts(completed=1), "status": status,
        "last_active_at": 1_700_000_000, "metadata": {}, **fields,
    }  # fmt: skip


def counts(**fields: int) -> Json:
    zero = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0}
    return {**zero, **fields, "total": sum(fields.values())}


def store_file(status: str = "completed", id: str = "file_1") -> Json:
    return {
        "id": id, "object": "vector_store.file", "created_at": 1_700_000_000, "usage_bytes": 1,
        "vector_store_id": "vs_1", "status": status, "last_error": None,
    }  # fmt: skip


def batch(status: str = "completed", **counted: int) -> Json:
    return {
        "id": "vsfb_1", "object": "vector_store.files_batch", "created_at": 1_700_000_000,
        "vector_store_id": "vs_1", "status": status, "file_counts": counts(**counted),
    }  # fmt: skip


def uploaded(id: str = "file_1") -> Json:
    return {
        "id": id, "object": "file", "bytes": 1, "created_at": 1_700_000_000, "filename": "a.txt",
        "purpose": "assistants", "status": "processed",
    }  # fmt: skip


def deleted(id: str, kind: str) -> Json:
    return {"id": id, "object": kind, "deleted": True}
