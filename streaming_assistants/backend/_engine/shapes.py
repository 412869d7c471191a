"""What a request body may hold, as the API reference has it."""

from __future__ import annotations

from . import run_params
from .checks import (
    Check,
    anything,
    array,
    boolean,
    choice,
    identifier,
    integer,
    metadata,
    one_of,
    shaped,
    tagged,
    text,
)

_FILE_IDS = array(text(), 10_000)
_DETAIL = choice("auto", "low", "high")

_FUNCTION = shaped(
    {"name": identifier(64), "description": text(), "parameters": anything, "strict": boolean}, "name"
)
_FILE_SEARCH = shaped({"max_num_results": integer(1, 50), "ranking_options": anything})
TOOL = tagged(
    {
        "code_interpreter": shaped({"type": text()}),
        "function": shaped({"type": text(), "function": _FUNCTION}, "function"),
        "file_search": shaped({"type": text(), "file_search": _FILE_SEARCH}),
        "retrieval": shaped({"type": text()}),  # the name of file_search before assistants=v2
    },
    old=("retrieval",),
)
_VECTOR_STORE = shaped({"file_ids": _FILE_IDS, "chunking_strategy": anything, "metadata": metadata})
_TOOL_RESOURCES = shaped(
    {
        "code_interpreter": shaped({"file_ids": array(text(), 20)}),
        "file_search": shaped(
            {"vector_store_ids": array(text(), 1), "vector_stores": array(_VECTOR_STORE, 1)}
        ),
    }
)
_CONTENT_PART = tagged(
    {
        "text": shaped({"type": text(), "text": text(256_000)}, "text"),
        "image_url": shaped(
            {"type": text(), "image_url": shaped({"url": text(), "detail": _DETAIL}, "url")}, "image_url"
        ),
        "image_file": shaped(
            {"type": text(), "image_file": shaped({"file_id": text(), "detail": _DETAIL}, "file_id")},
            "image_file",
        ),
    }
)
_ATTACHMENT = shaped(
    {
        "file_id": text(),
        "tools": array(
            tagged(
                {
                    "code_interpreter": shaped({"type": text()}),
                    "file_search": shaped({"type": text()}),
                }
            ),
            16,
        ),
    }
)
ASSISTANT: dict[str, Check] = {
    "name": text(256),
    "description": text(512),
    "instructions": text(256_000),
    "tools": array(TOOL, 128),
    "tool_resources": _TOOL_RESOURCES,
    "file_ids": _FILE_IDS,
    "metadata": metadata,
    **run_params.OF_ASSISTANT,
}
MESSAGE: dict[str, Check] = {
    "role": choice("user", "assistant"),
    "content": one_of(text(256_000), array(_CONTENT_PART, 10_000)),
    "attachments": array(_ATTACHMENT, 10_000),
    "file_ids": _FILE_IDS,
    "metadata": metadata,
}
_MESSAGES = array(shaped(MESSAGE, "role", "content"), 10_000)
THREAD: dict[str, Check] = {
    "messages": _MESSAGES,
    "tool_resources": _TOOL_RESOURCES,
    "metadata": metadata,
}
THREAD_UPDATE: dict[str, Check] = {"tool_resources": _TOOL_RESOURCES, "metadata": metadata}
RUN: dict[str, Check] = {
    "assistant_id": text(),
    "instructions": text(256_000),
    "additional_instructions": text(256_000),
    "additional_messages": _MESSAGES,
    "tools": array(TOOL, 128),
    "metadata": metadata,
    "stream": boolean,
    **run_params.OF_RUN,
}
THREAD_AND_RUN: dict[str, Check] = {
    **RUN,
    "thread": shaped(THREAD),
    "tool_resources": _TOOL_RESOURCES,
}
METADATA_UPDATE: dict[str, Check] = {"metadata": metadata}
TOOL_OUTPUTS: dict[str, Check] = {
    "tool_outputs": array(shaped({"tool_call_id": text(), "output": text()}, "tool_call_id"), 10_000),
    "stream": boolean,
}
