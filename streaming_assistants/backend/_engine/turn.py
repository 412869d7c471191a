"""What the model is given: a run and its thread as a :class:`Turn`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import objects, run_params
from .port import Json, Turn
from .store_port import Row, Transaction


def turn_of(tx: Transaction, run: Json, hidden: Json, models: Mapping[str, str]) -> Turn:
    """The next inference of a run. ``models`` maps the run's model to the upstream's name for it."""
    thread = tx.get("threads", run["thread_id"])
    assistant = tx.get("assistants", run["assistant_id"])
    assert thread is not None  # runs go when their thread goes
    spent = hidden.get("usage") or {}
    resources = dict(assistant["data"]["tool_resources"]) if assistant else {}
    items = _items(tx, run)
    files = objects.searched_files(resources)
    if files:
        # An assistant has no vector store of its own to put them into; a thread has one.
        _attach(items, files)
        search = resources["file_search"]
        resources["file_search"] = {key: search[key] for key in search if key != "vector_stores"}
    given = run_params.of_turn(run, hidden.get("given") or ())
    return Turn(
        run_id=run["id"],
        thread_id=run["thread_id"],
        instructions=run["instructions"],
        items=items,
        tools=run["tools"],
        truncation=run["truncation_strategy"]["type"],
        assistant_tool_resources=resources,
        thread_tool_resources=thread["data"]["tool_resources"],
        **{
            **given,
            "model": models.get(run["model"], run["model"]),
            "tool_choice": _tool_choice(given["tool_choice"], hidden),
            "max_completion_tokens": _left(run["max_completion_tokens"], spent.get("completion_tokens")),
            "max_prompt_tokens": _left(run["max_prompt_tokens"], spent.get("prompt_tokens")),
        },
    )


def _left(limit: int | None, spent: int | None) -> int | None:
    return None if limit is None else limit - (spent or 0)


def _attach(items: list[Json], files: list[str]) -> None:
    for item in reversed(items):
        if item["kind"] == "message" and item["role"] == "user":
            item["attachments"] = [
                *item["attachments"],
                *({"file_id": id, "tools": [{"type": "file_search"}]} for id in files),
            ]
            return


def _tool_choice(choice: Json, hidden: Json) -> Json:
    # A choice that forces a call holds for the first turn only: else no run would ever end.
    forced = choice == "required" or isinstance(choice, dict)
    return None if forced and hidden.get("rounds") else choice


def _items(tx: Transaction, run: Json) -> list[Json]:
    messages = tx.all("messages", thread_id=run["thread_id"])
    steps = tx.all("steps", thread_id=run["thread_id"])
    keep_from = _first_kept(messages, run)
    placed: list[tuple[tuple[int, int, int], Json]] = []
    for row in messages:
        data = row["data"]
        if row["seq"] >= keep_from and data["content"]:
            item = {
                "kind": "message",
                "role": data["role"],
                "content": data["content"],
                "attachments": data["attachments"],
            }
            placed.append(((row["seq"], 0, 0), item))
    for row in steps:
        data = row["data"]
        own = row["run_id"] == run["id"]
        if data["type"] != "tool_calls" or data["status"] != "completed" or _lacks_output(data):
            continue  # a function call without its output would be refused by every upstream
        if own or row["after_message"] >= keep_from:
            item = {"kind": "tool_calls", "calls": data["step_details"]["tool_calls"]}
            if row["hidden"]:
                item["kept"] = row["hidden"]["kept"]
            placed.append(((row["after_message"], 1, row["seq"]), item))
    return [item for _, item in sorted(placed, key=lambda entry: entry[0])]


def _lacks_output(step: Json) -> bool:
    return any(
        call["type"] == "function" and call["function"].get("output") is None
        for call in step["step_details"]["tool_calls"]
    )


def _first_kept(messages: Sequence[Row], run: Json) -> int:
    """The seq of the oldest message that ``truncation_strategy`` leaves; the run's own always stay."""
    strategy = run["truncation_strategy"]
    if strategy["type"] != "last_messages" or strategy["last_messages"] is None:
        return 0
    earlier = [row["seq"] for row in messages if row["run_id"] != run["id"]]
    return int(earlier[-strategy["last_messages"] :][0]) if earlier else 0
