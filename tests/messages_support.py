"""What ``GET /threads/{id}/messages`` answers: streamed frames, and pages of objects."""

from __future__ import annotations

import json
from typing import Any

from . import samples

MESSAGES = "/threads/thread_1/messages"
RUNS = "/threads/thread_1/runs"
ONE_RUN = f"{RUNS}/run_1"


def frame(value: str, message: str = "msg_1", object: str = "thread.message.delta") -> bytes:
    """A frame as Astra's server writes it, byte for byte."""
    return (
        b'data: {"object":"%s","first_id":"%s","last_id":"%s","data":[{"id":"%s","object":"thread.message",'
        b'"created_at":1700000001,"thread_id":"thread_1","role":"assistant","content":[{"type":"text",'
        b'"delta":{"value":%s}}],"assistant_id":"asst_1","run_id":"run_1","file_ids":[],"metadata":{}}]}\n\n'
        % (object.encode(), *(3 * [message.encode()]), json.dumps(value).encode())
    )


def run(status: str, **more: Any) -> dict[str, Any]:
    return {**samples.RUN, "status": status, **more}


def message(*texts: str, status: str = "completed", **more: Any) -> dict[str, Any]:
    return samples.message(status, *texts, **more)[1]


def user(text: str = "Hi", **more: Any) -> dict[str, Any]:
    return message(text, role="user", run_id=None, assistant_id=None, id="msg_user", **more)


def page(*items: dict[str, Any], more: bool = False) -> dict[str, Any]:
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
    return {"object": "list", "data": list(items), "has_more": more, **ends}


def values(chunks: list[Any]) -> list[str]:
    """What the loop of the original shim prints."""
    return [chunk.data[0].content[0].delta.value for chunk in chunks]
