"""How the newest assistant message is followed on a server that does not stream it. Sans-IO.

The plan yields what to fetch and how long to wait, is sent the answers, and yields the growth of the
message's text as chunks, until the message's run ends.

- The run is asked for before the messages: what comes after a run that is over is the whole text.
- Followed is the newest message of the newest run; where that run has none and is over, the newest
  message with its own run. A later message of the same run follows when it comes, each chunk under its
  message's id. A message that no run wrote comes as one chunk.
- A thread whose newest message is the user's, without a run under way, has nothing to follow: an answer
  to an earlier question would be taken for one to this.
- What was yielded cannot be taken back: a text that changes or shrinks yields only what is longer than
  before. ``message`` is the server's text all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from streaming_assistants.wire.chunks import MessageChunk, growth

from .dispatch import PENDING
from .settle import Pause
from .waiting import HEADER, Waits

Json = dict[str, Any]

_PAGE = 20  # messages that one look brings: those that a run can write between two looks, and more


class Look(NamedTuple):
    """Asks for ``GET path``; is sent an Answer. ``optional``: a server without this path answers None."""

    path: str
    query: dict[str, Any]
    optional: bool = False


class Answer(NamedTuple):
    """The decoded JSON of an answer, and its headers (names in lower case)."""

    value: Json | None
    headers: Mapping[str, str]


Plan = Generator["Look | Pause | MessageChunk", Any, None]


class Follow:
    """One message being followed: ``message`` as the server last had it, ``status`` of its run."""

    def __init__(self, thread_id: str, run_id: str | None, waits: Waits) -> None:
        self.thread_id = thread_id
        self.run_id = run_id
        self.status: str | None = None
        self.message: Json | None = None
        self._path = f"/threads/{quote(thread_id, safe='')}"
        self._asked = run_id is not None  # the caller named the run
        self._named = self._asked  # the run is known to be the one, whatever was said in the thread since
        self._turned = False
        self._first: str | None = None  # the id of the first message that was followed
        self._yielded: dict[tuple[str, int], int] = {}  # how much of each text
        self._waits = waits

    def plan(self) -> Plan:
        """The plan. Raises WaitedTooLong."""
        while True:
            run, hints = yield from self._run()
            self.status = run.get("status") if run else None
            self._named = self._named or self.status in PENDING
            page: Answer = yield Look(f"{self._path}/messages", self._query())
            listed = _items(page)
            if self._turns_to(listed):
                continue
            for message in self._of_run(listed):
                yield from self._grown(message)
            if self._over():
                return
            yield Pause(self._waits.next(hints if HEADER in hints else page.headers))

    def _run(self) -> Generator[Look, Answer, tuple[Json | None, Mapping[str, str]]]:
        """The run to follow, or None where there is none, and the headers of the answer."""
        if self.run_id is not None:
            path = f"{self._path}/runs/{quote(self.run_id, safe='')}"
            answer = yield Look(path, {}, optional=not self._asked)
            return answer.value, answer.headers
        answer = yield Look(f"{self._path}/runs", {"order": "desc", "limit": 1}, optional=True)
        run = next(iter(_items(answer)), None)
        if run is not None:
            self.run_id = run.get("id")
        return run, answer.headers

    def _query(self) -> dict[str, Any]:
        query: dict[str, Any] = {"order": "desc", "limit": _PAGE}
        return {**query, "run_id": self.run_id} if self._asked else query

    def _of_run(self, listed: list[Json]) -> list[Json]:
        """The run's messages from the first followed one on, oldest first."""
        found: list[Json] = []
        is_answer = True  # nobody has spoken after it
        for message in listed:
            if message.get("role") != "assistant":
                is_answer = False
                continue
            run_id = message.get("run_id")
            if (is_answer or self._named) if run_id == self.run_id else (is_answer and run_id is None):
                found.append(message)
                if self._first is None or message["id"] == self._first:
                    break
        if found and self._first is None:
            self._first = found[0]["id"]
        return found[::-1]

    def _turns_to(self, listed: list[Json]) -> bool:
        """Whether the newest message is of another run than the newest, which is over; turns to that run."""
        newest = listed[0] if listed else {}
        run_id = newest.get("run_id")
        if self._named or self._turned or newest.get("role") != "assistant" or run_id in (None, self.run_id):
            return False
        self.run_id, self._turned = run_id, True
        return True

    def _grown(self, message: Json) -> Iterator[MessageChunk]:
        self.message = message
        for index, text in _texts(message):
            before = self._yielded.get((message["id"], index), 0)
            if len(text) > before:
                self._yielded[message["id"], index] = len(text)
                yield growth(message, index, text[before:])

    def _over(self) -> bool:
        if self.status is not None:
            return self.status not in PENDING
        # No run is known: what the message says of itself is all there is.
        return self.message is None or self.message.get("status") != "in_progress"


def _items(page: Answer) -> list[Json]:
    data = page.value.get("data") if page.value else None
    return [item for item in data or [] if isinstance(item, dict) and isinstance(item.get("id"), str)]


def _texts(message: Json) -> Iterator[tuple[int, str]]:
    for index, block in enumerate(message.get("content") or []):
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        value = text.get("value") if isinstance(text, dict) else text
        if isinstance(value, str):
            yield index, value
