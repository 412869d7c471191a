"""How the newest assistant message is followed on a server that does not stream it. Sans-IO.

The plan says the growth of the message's text as chunks, until the message's run ends.

- The run is asked for before the messages: what comes after a run that is over is the whole text.
- Followed is the newest message of the newest run; where that run has none and is over, the newest
  message with its own run. A later message of the same run follows when it comes, each chunk under its
  message's id. A message that no run wrote comes as one chunk.
- A thread whose newest message is the user's, without a run under way, has nothing to follow: an answer
  to an earlier question would be taken for one to this. The newest message comes, and says by its
  ``role`` whose it is. A thread without messages is asked for itself: one that is unknown is an error.
- Lists are put in order by their items' times, and not by what was asked for. Some servers list the runs
  of every thread, and keep times in seconds: of one second, an answer is taken to follow its question.
- What was yielded cannot be taken back: a text that changes or shrinks yields only what is longer than
  before. ``message`` is the server's text all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from streaming_assistants._json import Json

from .chunks import growth
from .offered import offered
from .plan import Ask, Plan, Received, Say, Sleep
from .status import PENDING
from .waits import HEADER, Wait

Item = dict[str, Json]

_PAGE = 20  # messages that one look brings: those that a run can write between two looks, and more
_PAGES = 10  # that a search for a run goes through


class Follow:
    """One message being followed: ``message`` as the server last had it, ``status`` of its run."""

    def __init__(self, thread_id: str, run_id: str | None, wait: Wait) -> None:
        self.thread_id = thread_id
        self.run_id = run_id
        self.status: str | None = None
        self.message: Item | None = None
        self._path = f"/threads/{quote(thread_id, safe='')}"
        self._asked = run_id is not None  # the caller named the run
        self._named = self._asked  # the run is known to be the one, whatever was said in the thread since
        self._turned = False
        self._first: str | None = None  # the id of the first message that was followed
        self._yielded: dict[tuple[str, int], int] = {}  # how much of each text
        self.wait = wait

    def plan(self) -> Plan[None]:
        """The plan. Raises WaitedTooLong."""
        while True:
            run, hints = yield from self._run()
            self.status = text_of(run, "status")
            self._named = self._named or self.status in PENDING
            page: Received = yield self._ask("/messages", self._query())
            listed = _newest_first(_items(page))
            if self._turns_to(listed):
                continue
            for message in self._of_run(listed):
                yield from self._told(message)
            if self._over():
                break
            yield Sleep(self.wait.next(hints if HEADER in hints else page.headers))
        if self.message is None and listed and not self._asked:
            yield from self._told(listed[0])
        elif self.message is None and not self._asked:
            yield self._ask("")  # raises where there is no such thread
        if self.message is not None and not self._yielded:
            yield Say(growth(self.message, 0, ""))

    def _ask(self, path: str, query: Item | None = None) -> Ask:
        return Ask(f"{self._path}{path}", query or {}, within=self.wait.left())

    def _run(self) -> Plan[tuple[Item | None, Mapping[str, str]]]:
        """The run to follow, or None where there is none, and the headers of the answer."""
        if self.run_id is not None:
            ask = self._ask(f"/runs/{quote(self.run_id, safe='')}")
            run: Received = (yield ask) if self._asked else (yield from offered(ask))
            return run.value, run.headers
        after: dict[str, Json] = {}
        headers: Mapping[str, str] = {}
        for _ in range(_PAGES):
            query = {"order": "desc", "limit": _PAGE, **after}
            page = yield from offered(self._ask("/runs", query))
            listed, headers = _items(page), page.headers
            of_thread = [run for run in listed if run.get("thread_id") in (None, self.thread_id)]
            if of_thread:
                newest = _newest_first(of_thread)[0]
                self.run_id = newest["id"]
                return newest, headers
            # All of other threads: this one's may be on a later page, where there is one.
            if not listed or not (page.value or {}).get("has_more"):
                break
            after = {"after": listed[-1]["id"]}
        return None, headers

    def _query(self) -> dict[str, Json]:
        query: dict[str, Json] = {"order": "desc", "limit": _PAGE}
        return {**query, "run_id": self.run_id} if self._asked else query

    def _of_run(self, listed: list[Item]) -> list[Item]:
        """The run's messages from the first followed one on, oldest first."""
        newer: list[Item] = []
        spoken: Item | None = None  # the user's newest
        for message in listed:
            if message.get("role") != "assistant":
                spoken = spoken or message
                continue
            run_id = message.get("run_id")
            if run_id == self.run_id:
                is_answer = self._named or spoken is None or _same_second(spoken, message)
            else:
                is_answer = spoken is None and run_id is None
            if is_answer:
                newer.append(message)
                if self._first is None or message["id"] == self._first:
                    break
        if newer and self._first is None:
            self._first = newer[0]["id"]
        return newer[::-1]

    def _turns_to(self, listed: list[Item]) -> bool:
        """Whether the newest message is of another run than the newest, which is over; turns to that run."""
        newest = listed[0] if listed else {}
        run_id = text_of(newest, "run_id")
        if self._named or self._turned or newest.get("role") != "assistant" or run_id in (None, self.run_id):
            return False
        self.run_id, self._turned = run_id, True
        return True

    def _told(self, message: Item) -> Plan[None]:
        self.message = message
        for index, text in _texts(message):
            before = self._yielded.get((message["id"], index), 0)
            if len(text) > before:
                self._yielded[message["id"], index] = len(text)
                yield Say(growth(message, index, text[before:]))

    def _over(self) -> bool:
        if self.status is not None:
            return self.status not in PENDING
        # No run is known: what the message says of itself is all there is.
        return self.message is None or self.message.get("status") != "in_progress"


def _items(page: Received) -> list[Item]:
    data = page.value.get("data") if page.value else None
    listed = data if isinstance(data, list) else []
    return [item for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]


def text_of(thing: Item | None, name: str) -> str | None:
    """What an object says under ``name``, if it is a text."""
    value = thing.get(name) if thing else None
    return value if isinstance(value, str) else None


def _newest_first(listed: list[Item]) -> list[Item]:
    times = {item["id"]: _second(item) for item in listed}
    if None in times.values():
        return listed
    return sorted(listed, key=lambda item: times[item["id"]] or 0, reverse=True)  # stable, in reverse too


def _same_second(one: Item, other: Item) -> bool:
    return _second(one) is not None and _second(one) == _second(other)


def _second(item: Item) -> int | None:
    """When it was created; some servers say it in milliseconds, some now so and now so."""
    time = item.get("created_at")
    if not isinstance(time, (int, float)) or not math.isfinite(time):
        return None
    return int(time / 1000 if time > 1e11 else time)


def _texts(message: Item) -> Iterator[tuple[int, str]]:
    content = message.get("content")
    for index, block in enumerate(content if isinstance(content, list) else []):
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        value = text.get("value") if isinstance(text, dict) else text
        if isinstance(value, str):
            yield index, value
