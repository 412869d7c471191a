"""What both upstreams read out of a turn's stored items in the same way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from .._engine import objects
from .._engine.port import Json, Turn
from ._members import Fault

logger = logging.getLogger("streaming_assistants")

NO_OUTPUT = "(no output: the run ended before one was submitted)"
"""Stands for a missing output, since both upstreams refuse a history with an unanswered call."""


SEARCHES = "searches"
"""Where a step keeps what its searches were for."""


@dataclass(frozen=True)
class PastCall:
    """A call of an earlier round. ``arguments`` is JSON text and never empty; ``output`` is text."""

    id: str
    name: str
    arguments: str
    output: str


def past_calls(item: Json) -> Iterator[PastCall]:
    """The calls of a stored tool step, each as a function call with its output.

    A code_interpreter call becomes a call of a function by that name: neither upstream takes the step
    back in another shape, and prose in the assistant's name would teach the model to write such prose.
    A file_search call is left out: what it found is in the message that follows, and the model can
    search again.
    """
    for call in item["calls"]:
        kind = call.get("type")
        if kind == "function":
            function = call["function"]
            output = function.get("output")
            yield PastCall(
                call["id"],
                function["name"],
                function.get("arguments") or "{}",
                NO_OUTPUT if output is None else output,
            )
        elif kind == "code_interpreter":
            code = call["code_interpreter"]
            arguments = json.dumps({"code": code.get("input") or ""}, ensure_ascii=False)
            outputs = "\n".join(_past_output(output) for output in code.get("outputs") or ())
            yield PastCall(call["id"], kind, arguments, outputs or "(no output)")
        elif kind in ("file_search", "retrieval"):
            logger.debug("an earlier file_search call is not repeated to the model")
        else:
            raise Fault(f"An earlier tool call has the type {kind!r}, which this backend cannot repeat.")


def past_searches(item: Json) -> dict[str, Json]:
    """What the backend's own searches of a stored tool step were for, by the ids of their calls: ``query``,
    and for each result where it stands in its file (``places``)."""
    return dict((item.get("kept") or {}).get(SEARCHES) or {})


def _past_output(output: Json) -> str:
    if output.get("type") == "image":
        return f"(image file {output['image']['file_id']})"
    return str(output.get("logs") or "")


def plain_text(text: Json) -> str:
    """The value of a stored text, without the citation markers: the model never wrote those."""
    if isinstance(text, str):
        return text
    value: str = text.get("value") or ""
    marks = [mark for mark in text.get("annotations") or () if mark.get("type") == "file_citation"]
    for mark in sorted(marks, key=lambda mark: -int(mark.get("start_index") or 0)):
        start, end = mark.get("start_index"), mark.get("end_index")
        if start is not None and end is not None and value[start:end] == mark.get("text") != "":
            value = value[:start] + value[end:]
    return value


def past(turn: Turn) -> Iterator[tuple[str, Json]]:
    """The items, oldest first, each with what it is: ``user``'s message, what the ``assistant`` said as one
    text, or ``tool_calls``."""
    for item in turn.items:
        if item["kind"] == "tool_calls":
            yield "tool_calls", item
        elif item["kind"] != "message":
            raise Fault(f"The thread has an item of kind {item['kind']!r}, which this backend cannot send.")
        elif item["role"] == "user":
            yield "user", item
        elif said := spoken(item):
            yield "assistant", said


def spoken(message: Json) -> str:
    """What an assistant message says, as one text: the form of an earlier answer that every server takes.

    A refusal is text like any other here. An image that a tool made is named in words: no upstream takes
    an image in the assistant's name.
    """
    said = []
    for part in message["content"]:
        kind = part["type"]
        if kind == "text":
            said.append(plain_text(part["text"]))
        elif kind == "refusal":
            said.append(part["refusal"])
        elif kind == "image_file":
            said.append(f"(image file {part['image_file']['file_id']})")
        elif kind == "image_url":
            said.append(f"(image {part['image_url']['url'][:200]})")
        else:
            raise Fault(f"A message has a content part of type {kind!r}, which this backend cannot send.")
    return "\n".join(text for text in said if text)


def attached(turn: Turn, tool: str) -> list[str]:
    """Ids of the files attached to the turn's messages for ``tool``, each once, oldest first."""
    return objects.attached((item for item in turn.items if item["kind"] == "message"), tool)


def resources(turn: Turn, tool: str, name: str) -> list[str]:
    """``tool_resources[tool][name]`` of the assistant and then of the thread, each id once."""
    ids: list[str] = []
    for holder in (turn.assistant_tool_resources, turn.thread_tool_resources):
        ids += ((holder or {}).get(tool) or {}).get(name) or ()
    return list(dict.fromkeys(ids))


def has_tool(turn: Turn, kind: str) -> bool:
    return any(tool.get("type") == kind for tool in turn.tools)
