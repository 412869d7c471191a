"""``GET /threads/{id}/messages?stream=true``: the newest assistant's message while it grows.

Astra Assistants streamed runs this way before the API had streams of its own: frames of data alone, each
with the text that was added, until the run ends; then ``[DONE]``.
"""

from __future__ import annotations

from streaming_assistants.backend.engine.runs import PENDING, Keeper, overdue
from streaming_assistants.backend.engine.work import Do, Emit, Steps, Work
from streaming_assistants.backend.store import schema
from streaming_assistants.backend.store.transaction import Transaction
from streaming_assistants.backend.upstreams.base import Json, Sleep

_LOOK_EVERY = 0.05  # seconds


def growth(thread_id: str, keeper: Keeper) -> Work:
    return Work(_steps(thread_id, keeper))


def _steps(thread_id: str, keeper: Keeper) -> Steps:
    shown: dict[str, list[int]] = {}  # for each message how much of each of its text parts has been sent

    def look(tx: Transaction) -> tuple[bool, list[Json]]:
        run = tx.newest(schema.runs, thread_id=thread_id)
        goes_on = run is not None and run["data"]["status"] in PENDING and overdue(tx, keeper, run) is None
        if run is None:
            newest = tx.newest(schema.messages, thread_id=thread_id)
            messages = [] if newest is None else [newest["data"]]
        else:
            messages = [row["data"] for row in tx.all(schema.messages, thread_id=thread_id, run_id=run["id"])]
        return goes_on, messages

    while True:
        goes_on, messages = yield Do(look)
        for message in messages:
            page = _page(message, shown.setdefault(message["id"], []))
            if page is not None:
                yield Emit([("", page)])
        if not goes_on:
            return
        yield Sleep(_LOOK_EVERY)


def _page(message: Json, sent: list[int]) -> Json | None:
    """The frame for what a message has gained; None when it has gained nothing."""
    content = []
    for index, part in enumerate(message["content"]):
        if index == len(sent):
            sent.append(0)
        value = part["text"]["value"] if part["type"] == "text" else ""
        if len(value) > sent[index]:
            content.append({"type": "text", "delta": {"value": value[sent[index] :]}})
            sent[index] = len(value)
    if not content:
        return None
    return {
        "object": "thread.message.delta",
        "first_id": message["id"],
        "last_id": message["id"],
        "data": [
            {
                "id": message["id"],
                "object": "thread.message",
                "created_at": message["created_at"],
                "thread_id": message["thread_id"],
                "role": message["role"],
                "content": content,
                "assistant_id": message["assistant_id"],
                "run_id": message["run_id"],
                "file_ids": [entry["file_id"] for entry in message["attachments"]],
                "metadata": message["metadata"],
            }
        ],
    }
