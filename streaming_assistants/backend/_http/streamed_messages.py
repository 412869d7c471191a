"""``GET /threads/{id}/messages?stream=true``: the newest assistant's message while it grows.

Astra Assistants streamed runs this way before the API had streams of its own: frames of data alone, each
with the text that was added, until the run ends; then ``[DONE]``.
"""

from __future__ import annotations

from streaming_assistants._protocol.plan import Say
from streaming_assistants._protocol.status import PENDING

from .._engine import api_errors
from .._engine.effects import Changed, Do, Events, Steps, Work
from .._engine.keeper import Keeper
from .._engine.port import Json
from .._engine.standing import overdue
from .._engine.store_port import Transaction

# Seconds between two looks at what nobody tells of: a run that another process drives, the same where the
# store tells of it but may fail to, and a run of this process that another one has ended.
_ELSEWHERE, _TOLD, _HERE = 0.2, 1.0, 5.0


def streamed_messages(thread_id: str, keeper: Keeper, project: str, *, hears_others: bool = False) -> Work:
    """``hears_others`` says whether the store tells of what other processes commit."""
    steps = _steps(thread_id, keeper, _TOLD if hears_others else _ELSEWHERE)
    return Work(steps, thread_id, project=project)


def _steps(thread_id: str, keeper: Keeper, elsewhere: float) -> Steps[Events]:
    shown: dict[str, list[int]] = {}  # for each message how much of each of its text parts has been sent

    def look(tx: Transaction) -> tuple[float | None, list[Json]]:
        """After how many seconds to look again, unless something changes; and the messages."""
        run = tx.newest("runs", thread_id=thread_id)
        again = None
        if run is not None and run["data"]["status"] in PENDING and overdue(tx, keeper, run) is None:
            again = _HERE if run["owner"] == keeper.owner else elsewhere
        if tx.get("threads", thread_id) is None:
            raise api_errors.missing("thread", thread_id)
        if run is None:
            newest = tx.newest("messages", thread_id=thread_id)
            messages = [] if newest is None else [newest["data"]]
        else:
            messages = [row["data"] for row in tx.all("messages", thread_id=thread_id, run_id=run["id"])]
        return again, messages

    while True:
        try:
            again, messages = yield Do(look, writes=False)
        except api_errors.ApiError as error:
            return [("", error.body)]
        for message in messages:
            page = _page(message, shown.setdefault(message["id"], []))
            if page is not None:
                yield Say([("", page)])
        if again is None:
            return ()
        yield Changed(again)


def _page(message: Json, sent: list[int]) -> Json | None:
    """The frame for what a message has gained; None when it has gained nothing."""
    content = []
    for index, part in enumerate(message["content"]):
        if index == len(sent):
            sent.append(0)
        value = part["text"]["value"] if part["type"] == "text" else ""
        if len(value) > sent[index]:
            content.append({"index": index, "type": "text", "delta": {"value": value[sent[index] :]}})
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
