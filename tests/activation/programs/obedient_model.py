"""A server of models whose one model does as the newest words tell it, on both APIs.

``NAME {"arguments": ...}`` has it call the function NAME, where it is offered; so does an output that says
so, and any other output is said. ``search: WORDS`` has it search the files, and say what it found.
``count`` has it say how many messages of the user it was given. Anything else is said back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.backend import fakes
from tests.loopback import Loopback, Reply, Request

FILE = "file-new"
PASSAGE = "The ferry to Skye leaves at nine."
_CALL = re.compile(r"\s*([\w-]+) *(\{.*\})\s*", re.DOTALL)


@dataclass
class Asked:
    """What both APIs ask: the newest words, who said them, and what is offered."""

    newest: str
    by_a_tool: bool
    of_the_user: int
    functions: list[str]
    searches: bool


@contextmanager
def serving() -> Iterator[Loopback]:
    with Loopback() as server:
        _serve_files(server)
        server.on("POST", ".*/chat/completions", _chat)
        server.on("POST", ".*/responses", _responses)
        yield server


def _serve_files(server: Loopback) -> None:
    """One file and one vector store, with whatever is put into them."""
    fakes.serve_files(server, PASSAGE.encode())
    file, store = "/v1/files/file-new", "/v1/vector_stores/vs_new"
    counts = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
    dated = {"created_at": fakes.CREATED, "vector_store_id": "vs_new", "status": "completed"}
    batch = {"id": "vsfb_1", "object": "vector_store.files_batch", **dated, "file_counts": counts}
    inside = fakes.vector_store_file(id=FILE)
    ends = {"first_id": FILE, "last_id": FILE, "has_more": False}
    answers = {
        "POST /v1/files": fakes.file_object(FILE, "assistants", "ferries.txt"),
        f"GET {file}": fakes.file_object(FILE, "assistants", "ferries.txt"),
        f"DELETE {file}": {"id": FILE, "object": "file", "deleted": True},
        f"GET {store}": fakes.vector_store(),
        f"DELETE {store}": {"id": "vs_new", "object": "vector_store.deleted", "deleted": True},
        f"GET {store}/files": {"object": "list", "data": [inside], **ends},
        f"POST {store}/files": inside,
        f"GET {store}/files/{FILE}": inside,
        f"POST {store}/file_batches": batch,
        f"GET {store}/file_batches/vsfb_1": batch,
    }
    for asked, answer in answers.items():
        server.on(*asked.split(), Reply.json(answer))


def _chat(request: Request) -> Reply:
    body = request.json
    messages = body["messages"]
    newest = messages[-1]
    offered = [tool["function"]["name"] for tool in body.get("tools") or []]
    asked = Asked(
        newest=_text(newest["content"]),
        by_a_tool=newest["role"] == "tool",
        of_the_user=sum(message["role"] == "user" for message in messages),
        functions=offered,
        searches="file_search" in offered,
    )
    called, said = _decided(asked)
    if called is not None:
        chunks = fakes.chat_call(called[0], *_pieces(called[1]), call_id=f"call_{len(messages)}")
    elif asked.searches and asked.by_a_tool and "【" in said:
        marker, _, rest = said.partition("【")[2].partition("】")
        chunks = fakes.chat_text(*_pieces(f"{rest.strip().partition(chr(10) * 2)[0]}【{marker}】"))
    else:
        chunks = fakes.chat_text(*_pieces(said))
    if body.get("stream"):
        return Reply.sse(fakes.chat_sse(chunks))
    return Reply.json(whole(chunks))


def _responses(request: Request) -> Reply:
    body = request.json
    given = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    newest = given[-1]
    tools = body.get("tools") or []
    by_a_tool = newest.get("type") == "function_call_output"
    asked = Asked(
        newest=_text(newest["output"] if by_a_tool else newest["content"]),
        by_a_tool=by_a_tool,
        of_the_user=sum(item.get("role") == "user" for item in given),
        functions=[tool["name"] for tool in tools if tool["type"] == "function"],
        searches=any(tool["type"] == "file_search" for tool in tools),
    )
    called, said = _decided(asked)
    script = fakes.ResponseScript()
    if called is not None and called[0] == "file_search":
        result = {**fakes.search_result(FILE, "ferries.txt"), "text": PASSAGE}
        mark = fakes.file_citation(len(PASSAGE), FILE, "ferries.txt")
        deltas = _pieces(PASSAGE)
        events = script.file_search([result]).text(*deltas, annotations=[(len(deltas), mark)]).completed()
    elif called is not None:
        events = script.call(called[0], *_pieces(called[1]), call_id=f"call_{len(given)}").completed()
    else:
        events = script.text(*_pieces(said)).completed()
    return Reply.sse(fakes.sse(events)) if body.get("stream") else Reply.json(events[-1]["response"])


def _decided(asked: Asked) -> tuple[tuple[str, str] | None, str]:
    """A call or words."""
    if asked.newest.startswith("search: ") and asked.searches and not asked.by_a_tool:
        return ("file_search", json.dumps({"query": asked.newest[8:]})), ""
    wanted = _CALL.fullmatch(asked.newest)
    if wanted is not None and wanted[1] in asked.functions:
        return (wanted[1], wanted[2]), ""
    return None, str(asked.of_the_user) if asked.newest == "count" else asked.newest


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _pieces(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)] or [""]


def whole(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """What chunks add up to: the answer to a request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    finish = "stop"
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        delta = choice["delta"]
        if delta.get("content"):
            message["content"] = (message["content"] or "") + delta["content"]
        for call in delta.get("tool_calls") or ():
            calls = message.setdefault("tool_calls", [])
            if call.get("id"):
                calls.append({"id": call["id"], "type": "function", "function": dict(call["function"])})
            else:
                calls[-1]["function"]["arguments"] += call["function"]["arguments"]
        finish = choice["finish_reason"] or finish
    names = ("id", "created", "model", "service_tier", "system_fingerprint")
    kept = {name: chunks[0][name] for name in names}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**kept, "object": "chat.completion", "choices": [choice], "usage": fakes.CHAT_USAGE}
