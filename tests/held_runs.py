"""A server on which a run goes on whether or not anybody reads it: its streams can be cut anywhere."""

from __future__ import annotations

import copy
import email.utils
import json
from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from streaming_assistants import _sdk
from streaming_assistants._protocol.dispatch import Dispatcher
from streaming_assistants._protocol.events import EventReader

from . import objects
from .framings import DONE, Event, frame

Json = Any
Answered = tuple[int, dict[str, str], bytes, bool]
"""Status, headers, the body as far as it comes, and whether the connection breaks then."""

Held = tuple[Json, list[Json], list[Json]]

_JSON, _SSE = {"content-type": "application/json"}, {"content-type": "text/event-stream"}


class Story:
    """The events of one run, and what its server holds after each."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        first = next(data for name, data in events if name.startswith("thread.run"))
        self.run_id = first.get("run_id") or first["id"]
        self.thread_id = first["thread_id"]
        self.began = next(data["created_at"] for name, data in events if name.startswith("thread.run."))
        self._held: dict[int, Held] = {}
        self._begin()

    def _begin(self) -> None:
        self._at, self._grown, self._reader = 0, Dispatcher(), EventReader()
        self._run: Json = {
            "id": self.run_id, "thread_id": self.thread_id, "object": "thread.run", "status": "queued"
        }  # fmt: skip
        self._ended: dict[str, Json] = {}

    def held(self, at: int) -> Held:
        """The run, its steps and its messages after so many events."""
        if at not in self._held:
            if at < self._at:
                self._begin()
            for event in self.events[self._at : at]:
                self._take(*event)
            self._at = at
            steps, messages = (
                [self._ended.get(id) or _plain(_sdk.dump(item)) for id, item in snapshots.items()]
                for snapshots in (self._grown.step_snapshots(), self._grown.message_snapshots())
            )
            self._held[at] = self._run, steps, messages
        return self._held[at]

    def _take(self, name: str, data: Json) -> None:
        for event in self._reader.feed(frame((name, data))):
            for _ in self._grown.apply(event):
                pass
        if name.startswith("thread.run.") and not name.startswith("thread.run.step"):
            self._run = data
        elif name.rpartition(".")[2] not in ("created", "in_progress", "delta"):
            self._ended[data["id"]] = data


class HeldRun:
    """A run of which the server is at ``self.at``. ``numbered``: frames have their ``id:``.

    Each stream breaks after as many bytes as ``random`` says, ``cuts`` times in all; the run goes on with
    every request.
    """

    def __init__(self, story: Story, random: Random, *, numbered: bool, cuts: int = 1) -> None:
        self.story = story
        self.events = story.events
        self.numbered = numbered
        self.random = random
        self.cuts = cuts
        self.at = 0
        self.asked: list[str] = []
        self.run_id, self.thread_id = story.run_id, story.thread_id
        self._headers = {**_SSE, "date": email.utils.formatdate(story.began, usegmt=True)}

    def frames(self, start: int = 0) -> Iterator[bytes]:
        for number, event in enumerate(self.events[start:], start + 1):
            yield (b"id: %d\n" % number if self.numbered else b"") + frame(event)
        yield DONE

    def answer(self, method: str, url: str, headers: dict[str, str]) -> Answered:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {parts.path}" + (" stream" if query.get("stream") else ""))
        if method == "POST":
            return self._stream(0)
        last = parts.path.rsplit("/", 1)[-1]
        if last == self.run_id and query.get("stream") == "true" and self.numbered:
            assert headers["last-event-id"] == query["starting_after"]
            return self._stream(int(query["starting_after"]))
        if last == self.run_id:
            self.at = min(self.at + self.random.choice((0, 1, 5, 20, 80)), len(self.events))
            return self._json(self.story.held(self.at)[0])
        if last in ("steps", "messages"):
            return self._json(objects.page(*self.story.held(self.at)[1 if last == "steps" else 2][::-1]))
        if last == "runs":
            return self._json(objects.page(self.story.held(self.at)[0]))
        return 404, _JSON, b'{"error": {"message": "no such route"}}', False

    def _json(self, value: Json) -> Answered:
        return 200, _JSON, json.dumps(value).encode(), False

    def _stream(self, start: int) -> Answered:
        body = b"".join(self.frames(start))
        if not self.cuts:
            return 200, self._headers, body, False
        self.cuts -= 1
        cut = self.random.randrange(len(body))
        came = body[:cut].count(b"\n\n") + start
        self.at = min(max(self.at, came, 1) + self.random.choice((0, 0, 1, 3)), len(self.events))
        return 200, self._headers, body[:cut], True


def _plain(item: Json) -> Json:
    """Without what only deltas have."""
    item = copy.deepcopy(item)
    for call in (item.get("step_details") or {}).get("tool_calls") or ():
        call.pop("index", None)
    for block in item.get("content") or ():
        block.pop("index", None)
    return item


_DONE = ("on_text_done", "on_tool_call_done", "on_image_file_done", "on_message_done", "on_run_step_done")
_CREATED = (
    "on_text_created", "on_tool_call_created", "on_message_created", "on_run_step_created", "on_end",
)  # fmt: skip
NOTED = ("on_event", *_DONE, *_CREATED)


def told(log: list[tuple[Any, ...]]) -> Json:
    """What a handler was told, as far as it does not depend on how a text was cut into deltas."""
    texts: dict[str, str] = defaultdict(str)
    events: list[str] = []
    done: list[str] = []
    for name, *args in log:
        if name == "on_event":
            event = args[0]
            if event.event == "thread.message.delta":
                for part in event.data.delta.content or ():
                    if part.type == "text" and part.text is not None:
                        texts[f"{event.data.id} {part.index}"] += part.text.value or ""
            elif not event.event.endswith(".delta"):
                events.append(f"{event.event} {event.data.id}")
        elif name in _DONE:
            done.append(f"{name} {json.dumps(said(args[0]), sort_keys=True)}")
        elif name in _CREATED:
            done.append(name)
    return {"texts": dict(texts), "events": events, "done": sorted(done)}


def said(value: Any) -> Any:
    """What an object says, without what it leaves empty."""
    value = _sdk.dump(value) if hasattr(value, "to_dict") or hasattr(value, "dict") else value
    if isinstance(value, dict):
        return {name: said(inner) for name, inner in value.items() if inner is not None}
    return [said(inner) for inner in value] if isinstance(value, list) else value
