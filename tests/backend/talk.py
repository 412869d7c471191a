"""What a turn is made of: the messages and calls of its thread, and its tools."""

from __future__ import annotations

from typing import Any

from streaming_assistants.backend._engine.port import Finished


def user(*parts: Any, attachments: Any = ()) -> dict[str, Any]:
    content = [text(part) if isinstance(part, str) else part for part in parts]
    return {"kind": "message", "role": "user", "content": content, "attachments": list(attachments)}


def assistant(*parts: Any) -> dict[str, Any]:
    return {**user(*parts), "role": "assistant"}


def text(value: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": list(annotations)}}


def image_url(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def image_file(file_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_file", "image_file": {"file_id": file_id, **more}}


def tool_calls(*calls: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "tool_calls", "calls": list(calls), **more}


def function_call(id: str, name: str, arguments: str, output: str | None) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments, "output": output}
    return {"id": id, "type": "function", "function": function}


def code_call(id: str, code: str, *outputs: Any) -> dict[str, Any]:
    value = {"input": code, "outputs": list(outputs)}
    return {"id": id, "type": "code_interpreter", "code_interpreter": value}


def function_tool(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def attachment(file_id: str, *tools: str) -> dict[str, Any]:
    return {"file_id": file_id, "tools": [{"type": tool} for tool in tools]}


WEATHER = function_tool("weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
FILE_SEARCH = {"type": "file_search"}
CODE_INTERPRETER = {"type": "code_interpreter"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
FINISHED = Finished(usage=USAGE)
