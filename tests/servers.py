"""Two servers of the field, as they answer: small, over loopback sockets, with a model of fixed words.

Astra keeps v1 and v2 apart, streams runs without an end and lists the runs of all threads. Of
open-assistant-api the times are in seconds and what is of one second is listed as it was stored.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from . import samples
from .loopback import Loopback, Reply, Request

WORDS = ("Otters ", "hold ", "hands.")
TEXT = "".join(WORDS)

Json = dict[str, Any]


class Fake:
    """What both have: routes, ids, and threads with their messages and runs."""

    def __init__(self, server: Loopback) -> None:
        self.requests = server.requests
        self.threads: dict[Any, Json] = {}
        self.messages: dict[Any, list[Json]] = {}
        self.runs: dict[Any, list[Json]] = {}
        self.now = 1700000000
        self._count = itertools.count(1)
        self._server = server
        self.on("POST", "/assistants", lambda request, key: self.made("assistant", request.json))
        self.on("POST", "/threads", self.create_thread)
        self.on("GET", "/threads/[^/]+", lambda request, key: Reply.json(self.threads[key]))
        self.on("POST", "/threads/[^/]+/messages", self.create_message)
        self.on("GET", "/threads/[^/]+/messages", self.list_messages)
        self.on("POST", "/threads/[^/]+/messages/[^/]+", self.update_message)
        self.on("POST", "/threads/[^/]+/runs", self.create_run)
        self.on("GET", "/threads/[^/]+/runs", self.list_runs)
        self.on("GET", "/threads/[^/]+/runs/[^/]+", self.retrieve_run)

    def on(self, method: str, path: str, answer: Callable[[Request, Any], Reply]) -> None:
        def answered(request: Request) -> Reply:
            try:
                return answer(request, self.key(request))
            except KeyError:
                return Reply.json({"detail": "not found"}, 404)

        self._server.on(method, path, answered)

    def key(self, request: Request, thread_id: str | None = None) -> Any:
        """Under what a thread is kept."""
        return thread_id or (request.path.split("/") + [""])[2]

    def id(self, kind: str) -> str:
        return f"{kind}_{next(self._count)}"

    def made(self, kind: str, values: Json) -> Reply:
        made = {"id": self.id(kind), "object": kind, "created_at": self.now, "metadata": {}, "tools": []}
        return Reply.json({**made, "model": "words", **(values or {})})

    def create_thread(self, request: Request, _: Any) -> Reply:
        thread = {"id": self.id("thread"), "object": "thread", "created_at": self.now, "metadata": {}}
        key = self.key(request, thread["id"])
        self.threads[key], self.messages[key], self.runs[key] = thread, [], []
        return Reply.json(thread)

    def message(self, key: Any, role: str, text: str, thread_id: str, **more: Any) -> Json:
        made = samples.message("completed", text, id=self.id("msg"), role=role, created_at=self.now)[1]
        made = {**made, "thread_id": thread_id, **more}
        self.messages[key].append(made)
        return made

    def create_message(self, request: Request, key: Any) -> Reply:
        said, thread_id = request.json, request.path.split("/")[2]
        kept = {"file_ids": said.get("file_ids", []), "run_id": None, "assistant_id": None}
        return Reply.json(self.message(key, said["role"], said["content"], thread_id, **kept))

    def update_message(self, request: Request, key: Any) -> Reply:
        found = next(each for each in self.messages[key] if request.path.endswith(each["id"]))
        found["content"][0]["text"]["value"] = request.json["content"]
        return Reply.json(found)

    def list_messages(self, request: Request, key: Any) -> Reply:
        return page(self.sorted(self.messages.get(key, [])), request)

    def sorted(self, listed: list[Json]) -> list[Json]:
        raise NotImplementedError

    def create_run(self, request: Request, key: Any) -> Reply:
        """A run that is over at once."""
        thread_id, kept = request.path.split("/")[2], {**samples.RUN, "status": "completed"}
        kept = {**kept, "id": self.id("run"), "thread_id": thread_id, "created_at": self.now}
        answer = self.message(key, "assistant", TEXT, thread_id, run_id=kept["id"])
        self.runs[key].append(kept)
        if request.json.get("stream"):
            return Reply.sse(self.streamed(kept, answer))
        return Reply.json({**kept, "status": "queued"})

    def streamed(self, run: Json, message: Json) -> Iterator[bytes]:
        raise NotImplementedError

    def list_runs(self, request: Request, key: Any) -> Reply:
        return page(self.sorted(self.runs[key]), request)

    def retrieve_run(self, request: Request, key: Any) -> Reply:
        run = next((each for each in self.runs[key] if request.path.endswith(each["id"])), None)
        return Reply.json({"detail": "Run not found"}, 404) if run is None else Reply.json(run)


def page(listed: list[Json], request: Request) -> Reply:
    kept = listed[: int(request.query.get("limit", ["20"])[0])]
    ends = {"first_id": kept[0]["id"], "last_id": kept[-1]["id"]} if kept else {}
    return Reply.json({"object": "list", "data": kept, "has_more": False, **ends})


def events(run: Json, message: Json) -> Iterator[samples.Event]:
    """What a run streams, up to its last delta."""
    for status in ("created", "queued", "in_progress"):
        yield f"thread.run.{status}", {**run, "status": "queued" if status == "created" else status}
    for change in ("created", "in_progress"):
        yield f"thread.message.{change}", {**message, "status": "in_progress", "content": []}
    for word in WORDS:
        yield samples.text(word, id=message["id"])


class Astra(Fake):
    """Messages stream under v1 only, of a thread that is unknown there as a stream that just ends."""

    def __init__(self, server: Loopback) -> None:
        super().__init__(server)
        self.on("GET", "/threads/[^/]+/runs/[^/]+/steps", lambda *_: Reply.json({"detail": "no"}, 501))
        self.on("POST", "/threads/[^/]+/runs/[^/]+/cancel", lambda *_: Reply.json({"detail": "no"}, 501))

    def key(self, request: Request, thread_id: str | None = None) -> Any:
        return request.headers.get("openai-beta", "assistants=v1"), super().key(request, thread_id)

    def sorted(self, listed: list[Json]) -> list[Json]:
        by_role = sorted(
            listed, key=lambda each: each.get("role", "")
        )  # of one second, the assistant's first
        return sorted(by_role, key=lambda each: each["created_at"], reverse=True)

    def list_messages(self, request: Request, key: Any) -> Reply:
        if key[0] != "assistants=v1" or "stream" not in request.query:
            return super().list_messages(request, key)
        newest = self.sorted(self.messages.get(key, []))[:1]
        return Reply.sse([self._chunk(newest[0], word) for word in WORDS] if newest else [])

    def _chunk(self, message: Json, word: str) -> bytes:
        kept = {name: message[name] for name in ("id", "created_at", "thread_id", "role", "assistant_id")}
        kept = {
            **kept,
            "object": "thread.message",
            "run_id": message["run_id"],
            "file_ids": [],
            "metadata": {},
        }
        data = {**kept, "content": [{"type": "text", "delta": {"value": word}}]}
        ends = {"first_id": message["id"], "last_id": message["id"]}
        return f"data: {json.dumps({'object': 'thread.message.delta', 'data': [data], **ends})}\n\n".encode()

    def list_runs(self, request: Request, key: Any) -> Reply:
        every = [run for (said, _), runs in self.runs.items() if said == key[0] for run in runs]
        return page(self.sorted(every), request)

    def streamed(self, run: Json, message: Json) -> Iterator[bytes]:
        yield samples.data_only(events(run, message), end=b"")


class OpenAssistantApi(Fake):
    """Lists are in the order of their seconds, and what is of one second is in the order of its making."""

    def sorted(self, listed: list[Json]) -> list[Json]:
        return sorted(listed, key=lambda each: each["created_at"], reverse=True)

    def streamed(self, run: Json, message: Json) -> Iterator[bytes]:
        told = list(events(run, message))
        told[3], told[5] = told[5], told[3]  # a delta before the message that it is a delta of
        told += [("thread.message.completed", message), ("thread.run.completed", run)]
        for name, data in told:
            timed = {**data, "created_at": run["created_at"] + 0.25} if "created_at" in data else data
            yield f"event: {name}\r\ndata: {json.dumps(timed)}\r\n\r\n".encode()
            yield b": ping - 2024-01-01 00:00:00.000000\r\n\r\n"
