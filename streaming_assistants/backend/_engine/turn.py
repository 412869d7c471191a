"""What the model is given: a run and its thread as a :class:`Turn`."""

from __future__ import annotations

from collections.abc import Mapping

from . import objects, run_params
from .lifecycle import Stretch
from .port import Json, Turn


def turn_of(stretch: Stretch, items: list[Json], models: Mapping[str, str]) -> Turn:
    """The next inference of a run. ``models`` maps the run's model to the upstream's name for it."""
    run, hidden = stretch.run, stretch.hidden
    spent = hidden.get("usage") or {}
    resources = dict(stretch.assistant["tool_resources"]) if stretch.assistant else {}
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
        thread_tool_resources=stretch.thread["tool_resources"],
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
    over = hidden.get("rounds") or (hidden.get("turn") or {}).get("after")
    return None if forced and over else choice
