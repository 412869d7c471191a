"""The body of POST /responses for a turn.

Source of the shapes: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from .._engine.objects import HOSTED_TOOLS
from .._engine.port import Json, Turn
from ._history import attached, has_tool, past, past_calls, resources
from ._members import Fault
from ._options import as_named
from ._output import kept_items

logger = logging.getLogger("streaming_assistants")

MINIMUM_OUTPUT_TOKENS = 16
"""POST /responses answers 400 to a smaller ``max_output_tokens``."""


def request(turn: Turn, vector_store_ids: list[str], container: Json) -> Json:
    """The streamed request's body, with the thread's vector stores and its code_interpreter's container.

    ``store`` stays at the account's default and items of earlier runs carry no ids, so the request refers
    to nothing that the upstream must still hold. ``truncation: auto`` is what the Assistants API did.
    """
    tools = list(_tools(turn, vector_store_ids, container))
    body: Json = {
        "model": turn.model,
        "input": list(input_items(turn)),
        "stream": True,
        "truncation": "auto",
        "tools": tools or None,
        "tool_choice": _tool_choice(turn.tool_choice, tools),
        "parallel_tool_calls": turn.parallel_tool_calls if tools else None,
        **as_named(turn),
        "reasoning": {"effort": turn.reasoning_effort} if turn.reasoning_effort else None,
        "text": _text(turn.response_format),
        "include": _include(tools) or None,
    }
    if turn.max_completion_tokens is not None:
        body["max_output_tokens"] = max(turn.max_completion_tokens, MINIMUM_OUTPUT_TOKENS)
    if turn.instructions:
        _instruct(body, turn.instructions)
    return {name: value for name, value in body.items() if value is not None}


def _instruct(body: Json, instructions: str) -> None:
    # JSON mode is refused unless the word is in the input; `instructions` do not count, though with the
    # Assistants API they did. A developer message has the same authority and counts.
    json_mode = (body["text"] or {}).get("format", {}).get("type") == "json_object"
    if json_mode and "json" not in str(body["input"]).lower():
        body["input"].insert(0, {"role": "developer", "content": instructions})
    else:
        body["instructions"] = instructions


def input_items(turn: Turn) -> Iterator[Json]:
    """The turn's items as those of /responses."""
    items = list(past(turn))
    latest = max((place for place, (kind, _) in enumerate(items) if kind == "user"), default=-1)
    for place, (kind, item) in enumerate(items):
        if kind == "tool_calls":
            # Reasoning matters within the round it belongs to; the API drops it from earlier ones.
            yield from _round(item, kept_items(item) if place > latest else [])
        elif kind == "assistant":
            yield {"type": "message", "role": "assistant", "content": item}
        elif item["content"]:
            yield {"role": "user", "content": [_part(part) for part in item["content"]]}


def _round(item: Json, kept: list[Json]) -> Iterator[Json]:
    calls = list(past_calls(item))
    outputs = [{"type": "function_call_output", "call_id": call.id, "output": call.output} for call in calls]
    ids = {call["id"] for call in item["calls"] if call.get("type") == "function"}
    if kept and ids == {one.get("call_id") for one in kept if one.get("type") == "function_call"}:
        yield from kept
        yield from (output for output in outputs if output["call_id"] in ids)
        return
    for call in calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
    yield from outputs


def _part(part: Json) -> Json:
    kind = part["type"]
    if kind == "text":
        text = part["text"]
        return {"type": "input_text", "text": text if isinstance(text, str) else text["value"]}
    if kind in ("image_url", "image_file"):
        image = part[kind]
        where = {"image_url": image["url"]} if kind == "image_url" else {"file_id": image["file_id"]}
        return {"type": "input_image", **where, "detail": image.get("detail") or "auto"}
    raise Fault(f"A message has a content part of type {kind!r}, which this backend cannot send.")


def _tools(turn: Turn, vector_store_ids: list[str], container: Json) -> Iterator[Json]:
    for tool in turn.tools:
        kind = tool.get("type")
        if kind == "function":
            yield _function(tool["function"])
        elif kind == "file_search":
            mine = resources(turn, "file_search", "vector_store_ids")
            stores = list(dict.fromkeys([*mine, *vector_store_ids]))
            if stores:
                yield _file_search(tool.get("file_search") or {}, stores)
            else:
                # The hosted API took the tool without a store and found nothing; /responses answers 400.
                logger.info("file_search has no vector store to search in this run, so it is not offered")
        elif kind == "code_interpreter":
            yield {"type": "code_interpreter", "container": container}
        else:
            raise Fault(f"The tool type {kind!r} is none of the Assistants API's.")
    for unused in HOSTED_TOOLS:
        if not has_tool(turn, unused) and attached(turn, unused):
            logger.warning("a message has files attached for %s, which this run does not have", unused)


def _function(function: Json) -> Json:
    tool = {
        "type": "function",
        "name": function["name"],
        "parameters": function.get("parameters") or {"type": "object", "properties": {}},
        "strict": bool(function.get("strict")),  # must be said: /responses takes a missing one as true
    }
    if function.get("description") is not None:
        tool["description"] = function["description"]
    return tool


def _file_search(options: Json, stores: list[str]) -> Json:
    tool: Json = {"type": "file_search", "vector_store_ids": stores}
    if options.get("max_num_results") is not None:
        tool["max_num_results"] = options["max_num_results"]
    ranking = options.get("ranking_options") or {}
    if ranking.get("score_threshold"):
        # The Assistants API's only named ranker, default_2024_08_21, does not exist here.
        tool["ranking_options"] = {"ranker": "auto", "score_threshold": ranking["score_threshold"]}
    return tool


def _tool_choice(choice: Json, tools: list[Json]) -> Json:
    if choice is None or (not tools and choice in ("auto", "none")):
        return None
    if isinstance(choice, str):
        if not tools:
            raise Fault(f"tool_choice is {choice!r}, but the run has no tool that can be called.")
        return choice
    kind = choice["type"]
    name = choice["function"]["name"] if kind == "function" else None
    if not any(tool["type"] == kind and name in (None, tool.get("name")) for tool in tools):
        wanted = f"the function {name!r}" if name else kind
        raise Fault(f"tool_choice asks for {wanted}, which this run cannot offer.")
    return {"type": kind, "name": name} if name else {"type": kind}


def _text(format: Json) -> Json:
    if format is None or format == "auto" or format["type"] == "text":
        return None
    if format["type"] == "json_object":
        return {"format": {"type": "json_object"}}
    if format["type"] == "json_schema":
        schema = {name: value for name, value in format["json_schema"].items() if value is not None}
        return {"format": {"type": "json_schema", **schema}}
    raise Fault(f"The response_format type {format['type']!r} is unknown.")


def _include(tools: list[Json]) -> list[str]:
    wanted = {
        "file_search": "file_search_call.results",
        "code_interpreter": "code_interpreter_call.outputs",
    }
    return [wanted[tool["type"]] for tool in tools if tool["type"] in wanted]
