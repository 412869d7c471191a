"""The log of a run: what its readers are told, each event with its number. Sans-IO.

The process that drives a run numbers what it says of it. Who ends a run instead of its driver adds to the log
within the transaction that ends it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from .effects import Event, Events
from .event_port import LARGEST_BATCH, Entry, EventBatch
from .port import Json
from .store_port import Row, Transaction

STOPS = frozenset(
    f"thread.run.{status}"
    for status in ("requires_action", "completed", "incomplete", "failed", "cancelled", "expired")
)
"""The events that a run's reader is told last, but for an error that explains one of them."""


class Reads(NamedTuple):
    """What of a run somebody reads: the events ``after`` a number. ``last`` is the newest one's, as far as
    the request knows; ``stopped``: none is to come. With ``one_stretch`` it ends where the run first waits
    for outputs or is over. ``instead`` is told where there is no log."""

    run_id: str
    thread_id: str
    after: int
    last: int
    stopped: bool = False
    one_stretch: bool = False
    instead: Sequence[Entry] | None = None


class Said(Protocol):
    """What the driver of a run in this process has said and not stored."""

    @property
    def last(self) -> int:
        """The number of its newest event, stored or not."""
        ...

    def hold(self) -> Sequence[Entry]:
        """What waits to be stored; from now on nothing is told that is not stored."""
        ...


_compact = json.JSONEncoder(separators=(",", ":")).encode  # made once: each event passes through it

_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long

_TEXT_PART = {"index", "type", "text"}


def compact(name: str, data: Json) -> str:
    """An event's object as JSON. ASCII throughout: SDKs before 1.16.2 cut a line at U+2028 and U+0085."""
    body = _text_delta(data) if name == "thread.message.delta" else None
    return _compact(data) if body is None else body


def _text_delta(data: Json) -> str | None:
    """The JSON of a delta that is one piece of text, as nearly all are; None for any other. Written piece by
    piece, that takes a third of the time."""
    content = data["delta"]["content"]
    part: Json = content[0] if len(content) == 1 else {"type": None}
    if part["type"] != "text" or part.keys() != _TEXT_PART or part["text"].keys() != {"value"}:
        return None
    return (
        f'{{"id":{_compact(data["id"])},"object":"thread.message.delta","delta":{{"content":[{{'
        f'"index":{part["index"]:d},"type":"text","text":{{"value":{_compact(part["text"]["value"])}}}}}]}}}}'
    )


def numbered(events: Events, last: int) -> list[Entry]:
    """The entries of events that follow the number ``last``."""
    return [
        _new(Entry, (number, name, compact(name, data)))
        for number, (name, data) in enumerate(events, last + 1)
    ]


def unnumbered(events: Events) -> list[Entry]:
    """The entries of what is told besides the log."""
    return [Entry(0, name, compact(name, data)) for name, data in events]


def batches(run_id: str, entries: Sequence[Entry]) -> list[EventBatch]:
    """Entries that follow each other as they are stored."""
    made = []
    for at in range(0, len(entries), LARGEST_BATCH):
        part = entries[at : at + LARGEST_BATCH]
        events = ",".join([f'["{entry.name}",{entry.body}]' for entry in part])
        made.append(EventBatch(run_id, part[0].number, part[-1].number, f"[{events}]"))
    return made


def entries_of(batch: EventBatch, after: int = 0) -> list[Entry]:
    """The entries of a batch whose numbers are beyond ``after``."""
    return [
        Entry(number, name, compact(name, data))
        for number, (name, data) in enumerate(json.loads(batch.events), batch.first)
        if number > after
    ]


def stops(entries: Iterable[Entry]) -> bool:
    """Whether the last of these is the end of what a reader is told for now."""
    last = None
    for entry in entries:
        if entry.name != "error":
            last = entry.name
    return last in STOPS


class Logs(Protocol):
    """What is known here of the runs that this process drives."""

    @property
    def said(self) -> Mapping[str, Said]: ...

    @property
    def clock(self) -> Callable[[], float]: ...


def keep(tx: Transaction, logs: Logs, run_id: str, events: Events, *, last: int | None = None) -> list[Entry]:
    """Stores what others than its driver tell of a run, within the transaction in which they change it; after
    what its driver has said, where that is known here. ``last`` is the number that they follow, where the
    caller knows it."""
    unsaved: list[Entry] = []
    if last is None:
        last = tx.last_event(run_id)
        said = logs.said.get(run_id)
        unsaved = [] if said is None else [entry for entry in said.hold() if entry.number > last]
        last += len(unsaved)
    entries = numbered(events, last)
    tx.add_events(batches(run_id, [*unsaved, *entries]), logs.clock())
    return entries


def last_of(tx: Transaction, logs: Logs, run_id: str) -> int:
    """The number of the newest event of a run that anybody may have been told."""
    said = logs.said.get(run_id)
    return max(tx.last_event(run_id), 0 if said is None else said.last)


def final_state(tx: Transaction, row: Row) -> list[Event]:
    """How a run stands that has no log any more, or never had: the ends of its steps and messages in their
    order, and its own."""
    where = {"thread_id": row["thread_id"], "run_id": row["id"]}
    steps = [("thread.run.step", each["data"]) for each in tx.all("steps", **where)]
    messages = [("thread.message", each["data"]) for each in tx.all("messages", **where)]
    # A step before the message that is as old as it.
    made = sorted([*steps, *messages], key=lambda one: one[1]["created_at"])
    events: list[Event] = [
        (f"{thing}.{data['status']}", data) for thing, data in made if data["status"] != "in_progress"
    ]
    events.append((f"thread.run.{row['data']['status']}", row["data"]))
    error = (row["hidden"] or {}).get("error")
    return events if error is None else [*events, ("error", error)]


class Unsaved:
    """What the driver of a run has said of it: numbered, and kept until it is stored. It is asked from any
    thread; only the run's driver says anything."""

    def __init__(self, last: int) -> None:
        self.last = last
        """The number of the newest event, stored or not."""
        self.entries: list[Entry] = []
        self.held = False
        """Whether somebody has stored what there was: then nothing is told before it is stored, too."""
        self._lock = threading.Lock()

    def say(self, events: Events) -> list[Entry]:
        """Numbers what is said; it waits to be stored."""
        with self._lock:
            entries = numbered(events, self.last)
            self.entries += entries
            self.last += len(entries)
            return entries

    def hold(self) -> Sequence[Entry]:
        with self._lock:
            self.held = True
            return list(self.entries)

    def waiting(self) -> list[Entry]:
        """What is to be stored now."""
        with self._lock:
            return list(self.entries)

    def stored(self, last: int) -> None:
        """All up to that number is stored, by the run's driver: it is its own still."""
        with self._lock:
            self.entries = [entry for entry in self.entries if entry.number > last]
            self.last = max(self.last, last)
            self.held = False
