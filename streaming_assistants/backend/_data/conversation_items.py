"""A thread as the items of an OpenAI conversation, an assistant as the parameters of ``/responses``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .._engine import run_params
from .._engine.past import broken, lacks_output
from .._engine.port import Json, Turn
from .._engine.store_port import Row
from ..upstreams._responses_request import input_items, request

AT_ONCE = 20
"""Items that one request takes."""

MOST_PAIRS = 16

FileOf = Callable[[str], "str | None"]
"""The new id of a file, by the old one; None where there is no such file."""

_CALLS = ("function", "code_interpreter", "file_search", "retrieval")
_NOT_A_PARAMETER = ("input", "stream")


def thread_items(messages: Iterable[Row], steps: Iterable[Row], file_of: FileOf) -> Iterator[Json]:
    """The items of a thread, oldest first: what was said, with images and files, and what functions and code
    were called and gave, between them."""
    placed: list[tuple[tuple[int, int, int], Json]] = [
        ((row["seq"], 0, 0), row["data"]) for row in messages if not broken(row)
    ]
    placed += [
        ((row["after_message"], 1, row["seq"]), row["data"])
        for row in steps
        if row["data"]["type"] == "tool_calls"
        and row["data"]["status"] == "completed"
        and not (broken(row) or lacks_output(row["data"]))
    ]
    for _, data in sorted(placed, key=lambda each: each[0]):
        yield from _calls(data) if data["object"] == "thread.run.step" else _message(data, file_of)


def _calls(step: Json) -> Iterator[Json]:
    calls = [call for call in step["step_details"]["tool_calls"] if call.get("type") in _CALLS]
    return _as_input({"kind": "tool_calls", "calls": calls})


def _message(message: Json, file_of: FileOf) -> Iterator[Json]:
    role = message["role"]
    content = [_part(part, file_of) for part in message["content"]] if role == "user" else message["content"]
    said = {"kind": "message", "role": role, "content": content, "attachments": []}
    items = list(_as_input(said))
    ids = [file_of(each["file_id"]) for each in message["attachments"] or () if each.get("file_id")]
    files = [{"type": "input_file", "file_id": id} for id in ids if id is not None]
    if role == "user" and files:
        parts = items[0]["content"] if items else []
        yield {"type": "message", "role": "user", "content": [*parts, *files]}
        return
    yield from items


def _part(part: Json, file_of: FileOf) -> Json:
    """A part of a user's message; one that nobody takes is shown as the text that it is."""
    kind = part["type"]
    if kind == "image_file":
        image = part["image_file"]
        new = file_of(image["file_id"])
        if new is not None:
            return {**part, "image_file": {**image, "file_id": new}}
        return {"type": "text", "text": f"(image file {image['file_id']})"}
    if kind in ("text", "image_url"):
        return part
    return {"type": "text", "text": json.dumps(part, ensure_ascii=False)}


def _as_input(item: Json) -> Iterator[Json]:
    for each in input_items(Turn(run_id="", thread_id="", model="", instructions=None, items=[item])):
        yield {"type": "message", **each} if "role" in each else each


def files_of(messages: Iterable[Row]) -> Iterator[tuple[str, bool]]:
    """The files that a thread's users have shown or attached, and whether each is an image."""
    for row in messages:
        if row["data"]["role"] != "user":
            continue
        for part in row["data"]["content"]:
            if part["type"] == "image_file":
                yield part["image_file"]["file_id"], True
        for each in row["data"]["attachments"] or ():
            if each.get("file_id"):
                yield each["file_id"], False


def metadata_of(thread: Json) -> Mapping[str, str]:
    """A conversation's metadata: the thread's, and its id where there is room."""
    metadata: dict[str, str] = thread["metadata"] or {}
    return {**metadata, "thread_id": thread["id"]} if len(metadata) < MOST_PAIRS else metadata


def as_parameters(assistant: Json, given: Sequence[str]) -> Json:
    """An assistant as parameters of ``/responses``: all but ``input`` and ``conversation``. Vector stores and
    files of its tools keep their ids."""
    resources = assistant["tool_resources"]
    turn = Turn(
        run_id="",
        thread_id="",
        items=[],
        instructions=assistant["instructions"],
        tools=assistant["tools"],
        assistant_tool_resources=resources,
        **run_params.of_turn(assistant, given),
    )
    code = (resources.get("code_interpreter") or {}).get("file_ids") or []
    body = request(turn, [], {"type": "auto", **({"file_ids": code} if code else {})})
    made = {name: value for name, value in body.items() if name not in _NOT_A_PARAMETER}
    if assistant["instructions"]:
        made["instructions"] = assistant["instructions"]
    named = {"assistant_id": assistant["id"], "assistant_name": assistant["name"]}
    metadata = {**(assistant["metadata"] or {}), **{name: each for name, each in named.items() if each}}
    made["metadata"] = metadata if len(metadata) <= MOST_PAIRS else assistant["metadata"]
    return made


def batches(items: Sequence[Json]) -> Iterator[Sequence[Json]]:
    """The items in as few requests as they fit into."""
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))
