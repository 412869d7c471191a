"""How a stream that just ended is settled: ask the server what became of the run. Sans-IO.

Some servers stop after the last delta (Astra always, a proxy now and then). The run went on; its end is
what the server holds. The plan yields what to fetch and how long to wait, is sent the answers, and
yields the events that the stream still owed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from streaming_assistants.wire import models

from .dispatch import PENDING

WAIT_SECONDS = 3.0
"""How long a run that is still pending is given to end, in all."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5


class Fetch(NamedTuple):
    """Asks for ``GET path``; is sent the decoded JSON, or None where the server has no such thing."""

    path: str
    query: dict[str, Any]


class Pause(NamedTuple):
    """Asks for a pause, in seconds."""

    seconds: float


class Owed(NamedTuple):
    """One event that the stream did not bring: its name, and its data as the server has it."""

    event: str
    data: dict[str, Any]


class Pending(Exception):
    """The run did not end in time; ``status`` is the last one that the server told, None for no answer."""

    def __init__(self, status: str | None) -> None:
        super().__init__(status)
        self.status = status


class Progress:
    """What a stream has said so far: which run it is of, and what of it is over.

    Fed with every event but deltas, so that the hot path costs nothing.
    """

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.thread_id: str | None = None
        self.status: str | None = None
        self.over: set[str] = set()  # ids of messages and steps whose end was streamed

    def at(self, path: str) -> None:
        """Takes the run's ids from the path that the stream was asked for, as far as it has them."""
        words = [word for word in path.split("/") if word]
        if "threads" in words:
            words = words[words.index("threads") :]
            self.thread_id = words[1] if len(words) > 2 else None
            self.run_id = words[3] if len(words) > 4 and words[2] == "runs" else None

    def see(self, event: Any) -> None:
        """Takes one event."""
        name, data = event.event, event.data
        thing, _, change = name.rpartition(".")
        if thing == "thread.run" and hasattr(data, "status"):
            self.run_id, self.status = data.id, data.status
            self.thread_id = getattr(data, "thread_id", None) or self.thread_id
        elif name == "thread.created":
            self.thread_id = getattr(data, "id", None)
        elif thing in ("thread.message", "thread.run.step") and hasattr(data, "id"):
            self.run_id = getattr(data, "run_id", None) or self.run_id
            self.thread_id = getattr(data, "thread_id", None) or self.thread_id
            if change not in ("created", "in_progress", "delta"):
                self.over.add(data.id)

    @property
    def ended(self) -> bool:
        """Whether a run event said how the run ended."""
        return self.status is not None and self.status not in PENDING


Plan = Generator["Fetch | Pause | Owed", Any, None]


def settle(progress: Progress) -> Plan:
    """The plan for a stream that ended before its run did. Raises Pending."""
    if progress.run_id is None or progress.thread_id is None:
        raise Pending(progress.status)
    thread = f"/threads/{quote(progress.thread_id, safe='')}"
    run_path = f"{thread}/runs/{quote(progress.run_id, safe='')}"
    waited, pause = 0.0, _FIRST_PAUSE
    while True:
        run = yield Fetch(run_path, {})
        status = run.get("status") if isinstance(run, dict) else None
        if status is not None and status not in PENDING:
            break
        if waited >= WAIT_SECONDS:
            raise Pending(status or progress.status)
        yield Pause(pause)
        waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)

    # The newest hundred: a server that ignores run_id would answer with the thread's oldest otherwise.
    newest = {"order": "desc", "limit": 100}
    steps = yield Fetch(f"{run_path}/steps", newest)
    messages = yield Fetch(f"{thread}/messages", {**newest, "run_id": progress.run_id})
    owed = [*_owed(steps, "thread.run.step", progress), *_owed(messages, "thread.message", progress)]
    # Steps and messages of one run, oldest first; sorted() keeps a step before what is as old as it.
    yield from sorted(owed, key=lambda item: item.data.get("created_at") or 0)
    event = f"thread.run.{status}"
    yield Owed(event if event in models.EVENTS else "thread.run.completed", run)


def _owed(page: Any, thing: str, progress: Progress) -> Iterator[Owed]:
    for item in reversed((page.get("data") if isinstance(page, dict) else None) or []):
        if not (isinstance(item, dict) and isinstance(item.get("id"), str)):
            continue
        of_run = item.get("run_id") in (None, progress.run_id) and item.get("role") != "user"
        event = f"{thing}.{item.get('status') or 'completed'}"
        if of_run and item["id"] not in progress.over and event in models.EVENTS:
            if event.endswith(".in_progress"):
                continue
            yield Owed(event, item)
