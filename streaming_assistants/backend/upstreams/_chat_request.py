"""The body of POST /chat/completions for a turn.

Source of the shapes: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import re
from collections.abc import Generator

from .._engine.port import Json, Piece, Turn, UpstreamError
from . import _functions_only as functions_only
from ._files import data_url
from ._history import past, past_calls
from ._members import Fault
from ._options import as_named

_UNKNOWN = re.compile(r"unknown|unrecogni|unsupported|unexpected|not supported|not permitted|extra", re.I)


def check(turn: Turn) -> None:
    """Raises :class:`Fault` for what chat completions cannot do, before anything is sent."""
    functions_only.check(turn, "chat", "chat completions have no such tool")


def request(turn: Turn) -> Generator[Piece, Json, Json]:
    """The streamed request's body. Asks for the bytes of image files, since this API knows no file ids."""
    messages: list[Json] = []
    if turn.instructions:
        messages.append({"role": "system", "content": turn.instructions})
    for kind, item in past(turn):
        if kind == "tool_calls":
            _add_round(messages, item)
            continue
        content = item if kind == "assistant" else (yield from _content(item["content"]))
        if content:
            messages.append({"role": kind, "content": content})
    tools = [_function(tool["function"]) for tool in turn.tools]
    format = turn.response_format
    body = {
        "model": turn.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": tools or None,
        "tool_choice": turn.tool_choice if tools else None,
        "parallel_tool_calls": turn.parallel_tool_calls if tools else None,
        **as_named(turn),
        "response_format": None if format in (None, "auto", {"type": "text"}) else format,
        "reasoning_effort": turn.reasoning_effort,
        # Ollama and older servers know only this name and ignore the newer one without a word; OpenAI's
        # reasoning models refuse this one loudly, and `adapted` then sends the newer.
        "max_tokens": turn.max_completion_tokens,
    }
    return {name: value for name, value in body.items() if value is not None}


def adapted(body: Json, error: UpstreamError) -> Json | None:
    """The body without what the server just refused, or None if the refusal has another cause.

    Handles ``stream_options`` (older servers: then the run has no usage) and ``max_tokens``. The message
    decides: a request that is wrong in itself is not sent twice.
    """
    if error.status not in (400, 422):
        return None
    said = error.message
    if "max_tokens" in body and "max_tokens" in said and _UNKNOWN.search(said):
        newer = {name: value for name, value in body.items() if name != "max_tokens"}
        return {**newer, "max_completion_tokens": body["max_tokens"]}
    named = "stream_options" in said or "include_usage" in said
    other = any(name in said for name in body if name not in ("stream", "stream_options", "model"))
    if "stream_options" in body and (named or (_UNKNOWN.search(said) and not other)):
        return {name: value for name, value in body.items() if name != "stream_options"}
    return None


def _add_round(messages: list[Json], item: Json) -> None:
    calls = list(past_calls(item))
    if not calls:
        return
    made = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    last = messages[-1] if messages else {}
    if last.get("role") == "assistant" and "tool_calls" not in last:
        last["tool_calls"] = made  # text and calls came in one message, and templates want them in one
    else:
        # Null is what OpenAI sends, and what some servers refuse.
        messages.append({"role": "assistant", "content": "", "tool_calls": made})
    messages += [{"role": "tool", "tool_call_id": call.id, "content": call.output} for call in calls]


def _content(parts: list[Json]) -> Generator[Piece, Json, Json]:
    """A string where there is only text: many servers take nothing else."""
    content = []
    for part in parts:
        kind = part["type"]
        if kind == "text":
            text = part["text"]
            content.append({"type": "text", "text": text if isinstance(text, str) else text["value"]})
        elif kind in ("image_url", "image_file"):
            image = part[kind]
            url = image["url"] if kind == "image_url" else (yield from data_url(image["file_id"]))
            detail = {"detail": image["detail"]} if image.get("detail") not in (None, "auto") else {}
            content.append({"type": "image_url", "image_url": {"url": url, **detail}})
        else:
            raise Fault(f"A message has a content part of type {kind!r}, which this backend cannot send.")
    if all(part["type"] == "text" for part in content):
        return "\n".join(part["text"] for part in content)
    return content


def _function(function: Json) -> Json:
    known = {name: value for name, value in function.items() if value is not None}
    if known.get("strict") is False:  # the default, which every tool shows
        del known["strict"]
    known.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": known}
