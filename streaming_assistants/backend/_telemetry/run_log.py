"""A line in the log where a run begins, and one where it ends."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from .._engine.effects import Events, Steps, Work
from .._engine.observer import Observer
from .._engine.port import Json
from .noting import noting

logger = logging.getLogger("streaming_assistants")

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class RunLog(Observer):
    """Writes at INFO: ids, status, seconds, tokens, and nothing that anybody has said. ``record.run`` holds
    the same by name. A run that waits for its client between two of its turns has one line at either end,
    as any other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def work(self, work: Work) -> Work:
        if work.run is None or not logger.isEnabledFor(logging.INFO):
            return work
        return replace(work, steps=self._told(work))

    def taken_over(self, run: Json, project: str) -> None:
        _write("was taken over", _named(run, project))

    def _told(self, work: Work) -> Steps[Events]:
        run, began = work.run, time.monotonic()
        first = run["started_at"] is None
        named = _named(run, work.project)
        if first:
            _write("began", named)

        def note(run: Json) -> None:
            if run["status"] in ENDED:
                # One that has waited for its client was begun at a whole second, as far as is known.
                took = time.monotonic() - began if first else max(0.0, self._clock() - run["created_at"])
                _write("ended", {**named, **_outcome(run, took)})

        return (yield from noting(work.steps, note))


def _named(run: Json, project: str | None) -> dict[str, Json]:
    named = {
        "run_id": run["id"],
        "thread_id": run["thread_id"],
        "assistant_id": run["assistant_id"],
        "model": run["model"],
    }
    return {**named, "project": project} if project else named


def _outcome(run: Json, took: float) -> dict[str, Json]:
    told = {"status": run["status"], "seconds": round(took, 3)}
    usage = run.get("usage") or {}
    told["prompt_tokens"] = usage.get("prompt_tokens", 0)
    told["completion_tokens"] = usage.get("completion_tokens", 0)
    if run.get("last_error"):
        told["error"] = run["last_error"]["code"]
    return told


def _write(what: str, told: dict[str, Json]) -> None:
    words = " ".join(f"{name}={_shown(value)}" for name, value in told.items())
    logger.info("Run %s: %s", what, words, extra={"run": {"event": what, **told}})


def _shown(value: Json) -> str:
    """A value of one word; a client names its model as it likes."""
    text = str(value)
    return text if text.isprintable() and text and " " not in text else json.dumps(text)
