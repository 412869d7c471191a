"""How a stream that just ended is settled: ask the server what became of the run. Sans-IO.

Some servers stop after the last delta (Astra always, a proxy now and then). The run went on; its end is
what the server holds: the plan asks for it, and says the events that the stream still owed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import openai

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .earlier import submitted
from .held import ENDS, NEWEST, Items, Owed, age, items_of, untold, word
from .offered import offered
from .plan import Ask, Plan, Say, Sleep
from .status import PENDING

WAIT_SECONDS = 3.0
"""How long a run that is still pending is given to end, in all."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5


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
        self.run: Model = None  # as the server last told it
        self.known: set[str] = set()  # ids of messages and steps that were streamed
        self.over: set[str] = set()  # ids of those whose end was streamed, too
        self.answered: frozenset[str] | None = None  # see earlier.submitted

    def at(self, path: str, body: bytes = b"") -> None:
        """Takes the request: the ids that its path has, and the tool calls that it answers."""
        self.answered = submitted(path, body)
        words = [word for word in path.split("/") if word]
        if "threads" in words:
            words = words[words.index("threads") :]
            self.thread_id = words[1] if len(words) > 2 else None
            self.run_id = words[3] if len(words) > 3 and words[2] == "runs" else None

    def see(self, event: Model) -> None:
        """Takes one event."""
        name, data = event.event, event.data
        thing, _, change = name.rpartition(".")
        if thing == "thread.run" and hasattr(data, "status"):
            self.run, self.run_id, self.status = data, data.id, data.status
            self.thread_id = _text(data, "thread_id") or self.thread_id
        elif name == "thread.created":
            self.thread_id = getattr(data, "id", None)
        elif thing in ("thread.message", "thread.run.step") and hasattr(data, "id"):
            self.run_id = _text(data, "run_id") or self.run_id
            self.thread_id = _text(data, "thread_id") or self.thread_id
            self.known.add(data.id)
            if change not in ("created", "in_progress", "delta"):
                self.over.add(data.id)

    @property
    def ended(self) -> bool:
        """Whether a run event said how the run ended."""
        return self.status is not None and self.status not in PENDING


def _text(data: Model, name: str) -> str | None:
    value = getattr(data, name, None)
    return value if isinstance(value, str) else None


def settle(
    progress: Progress, event: Callable[[Owed], Model] = lambda owed: owed, seconds: float = WAIT_SECONDS
) -> Plan[None]:
    """The plan for a stream that ended before its run did. Raises Pending, or the error of a request.

    It says what ``event`` makes of each event that is owed; a run that is still pending is given so many
    ``seconds``. What the server does not offer is left out: the run's end alone ends the stream.
    """
    if progress.run_id is None or progress.thread_id is None:
        raise Pending(progress.status)
    thread = f"/threads/{quote(progress.thread_id, safe='')}"
    run_path = f"{thread}/runs/{quote(progress.run_id, safe='')}"
    waited, pause = 0.0, _FIRST_PAUSE
    while True:
        run: Json = yield from _offered(run_path)
        if run is None:
            runs = items_of((yield from _offered(f"{thread}/runs", NEWEST)), None)
            run = next((item for item in runs if item["id"] == progress.run_id), None)
        status = word(run, "status")
        if status is not None and status not in PENDING:
            break
        if waited >= seconds:
            raise Pending(status or progress.status)
        yield Sleep(pause)
        waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)

    # The newest hundred: a server that ignores run_id would answer with the thread's oldest otherwise.
    listed = yield from _offered(f"{run_path}/steps", NEWEST)
    said = yield from _offered(f"{thread}/messages", {**NEWEST, "run_id": progress.run_id})
    steps, messages = untold(
        items_of(listed, progress.run_id), items_of(said, progress.run_id), progress.answered
    )
    owed = [
        *_owed("thread.run.step", steps, status, progress),
        *_owed("thread.message", messages, status, progress),
    ]
    # Steps and messages of one run, oldest first; sort() keeps a step before what is as old as it.
    owed.sort(key=lambda item: age(item.data))
    end = f"thread.run.{status}"
    owed.append(Owed(end if end in models.EVENTS else "thread.run.completed", run))
    for item in owed:
        yield Say(event(item))


def _offered(path: str, query: Mapping[str, Json] | None = None) -> Plan[Json]:
    """What the server has at ``path``; None where it does not offer such a thing.

    Asked first without the client's retries, which would spend their time on a 501.
    """
    try:
        return (yield from offered(Ask(path, query or {}, retries=0))).value
    except openai.APIError:
        return (yield from offered(Ask(path, query or {}))).value


def _owed(thing: str, items: Items, run_status: str, progress: Progress) -> Iterator[Owed]:
    ends = ENDS[thing]
    for item in items:
        status = word(item, "status") or "completed"
        if item["id"] in progress.over:
            continue
        if status in ends:
            yield Owed(f"{thing}.{ends[status]}", item)
        elif run_status == "requires_action" and thing == "thread.run.step":
            # The step that holds the calls goes on until they are answered.
            yield Owed(f"{thing}.{'in_progress' if item['id'] in progress.known else 'created'}", item)
        else:
            # A run that has ended has ended all that is its own, whatever that says of itself.
            yield Owed(f"{thing}.{ends.get(run_status, 'completed')}", item)
