"""A server whose run calls functions round by round, streamed and polled, and the ways to go through it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from streaming_assistants._io import resuming
from streaming_assistants._protocol import resume, tool_loop

from . import objects
from .clients import Colour
from .loopback import CUT, Loopback, Reply, Request
from .objects import MESSAGES, ONE_RUN, RUNS, STEPS, THREAD
from .samples import Event, call, calls, message, run, sse, step, text

TEXT = "It is warm."
SUBMIT = f"{ONE_RUN}/submit_tool_outputs"


def wanted(name: str, id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    """A call of a function, as a run waits for it."""
    return objects.function(name, json.dumps(arguments), id)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has nobody wait before a run is asked again."""
    monkeypatch.setattr(tool_loop, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(resume, "_FIRST_PAUSE", 0.001)
    for module in (resume, resuming):
        monkeypatch.setattr(module, "PATIENCE", (0.001,) * 10)


def get_weather(city: str, unit: str = "c") -> str:
    """The weather in a city."""
    return f"18 {unit} in {city}"


ROUNDS = (
    [wanted("get_weather", "call_1", city="Rome")],
    [wanted("get_weather", "call_2", city="Oslo"), wanted("get_weather", "call_3", city="Paris")],
)


class Hanging:
    """Functions that hang until :meth:`free`, and the news of what became of them."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()
        self.cancelled: list[str] = []

    def in_thread(self) -> str:
        self.begun.set()
        self.over.wait(10)
        return "too late"

    async def in_task(self) -> str:
        self.begun.set()
        try:
            await anyio.sleep(10)
        except BaseException:
            self.cancelled.append("task")
            raise
        return "too late"

    def free(self) -> None:
        """Ends those in threads; says that nobody has waited for that."""
        assert not self.over.is_set()
        self.over.set()


class ToolServer:
    """One run: ``rounds`` are the calls that it makes one after the other, and then it says :data:`TEXT`.

    ``breaks`` says of each submit how its connection breaks: "lost" on the way to the server, "taken" by it
    before it could answer, "cut" right after its headers; None for not at all. ``submits`` are the outputs
    that the server got, also those that it refused.
    """

    def __init__(self, server: Loopback, *rounds: list[dict[str, Any]], **fields: Any) -> None:
        self.rounds = list(rounds)
        self.breaks: list[str | None] = []
        self.submits: list[list[dict[str, str]]] = []
        self.fields = fields
        self.streams_calls = True
        self.end: dict[str, Any] = {}  # what is otherwise of the run when it is over
        self._server = server
        self._round = 0
        server.on("POST", RUNS, self._started)
        server.on("POST", "/threads/runs", self._started)
        server.on("GET", ONE_RUN, lambda _: Reply.json(self.run()))
        server.on("POST", SUBMIT, self._submitted)
        server.on("GET", STEPS, lambda _: Reply.json(objects.page(*reversed(self._steps()))))
        server.on("GET", MESSAGES, lambda _: Reply.json(objects.page(*self._messages())))

    def run(self) -> dict[str, Any]:
        """The run as it is."""
        if self._round < len(self.rounds):
            waits = objects.required(*self.rounds[self._round])
            return objects.run("requires_action", **{**waits, **self.fields})
        return objects.run(**{"status": "completed", **self.fields, **self.end})

    @property
    def asked(self) -> list[tuple[str, str]]:
        """(method, last word of the path) of each request."""
        return [(each.method, each.path.rpartition("/")[2]) for each in self._server.requests]

    def _started(self, request: Request) -> Any:
        if not request.json.get("stream"):
            return Reply.json(objects.run("queued"))
        return Reply.sse([sse([run("queued", "created"), run("in_progress"), *self._events()])])

    def _submitted(self, request: Request) -> Any:
        how = self.breaks.pop(0) if self.breaks else None
        if how == "lost":
            return CUT
        self.submits.append(request.json["tool_outputs"])
        waits = {each["id"] for each in self.rounds[self._round]} if self._round < len(self.rounds) else set()
        if {each["tool_call_id"] for each in self.submits[-1]} != waits:
            return Reply.json({"error": {"message": "not these outputs"}}, 400)
        answered = self._ended_step()
        self._round += 1
        if how == "taken":
            return CUT
        if not request.json.get("stream"):
            return Reply.json(objects.run("queued"))
        if how == "cut":
            return Reply.sse([CUT])
        return Reply.sse([sse([answered, run("in_progress"), *self._events()])])

    def _step_id(self, place: int | None = None) -> str:
        return f"step_{(self._round if place is None else place) + 1}"

    def _ended_step(self) -> Event:
        outputs = {each["tool_call_id"]: each["output"] for each in self.submits[-1]}
        answered = [
            objects.function(
                each["function"]["name"], each["function"]["arguments"], each["id"], outputs[each["id"]]
            )
            for each in self.rounds[self._round]
        ]
        return step("completed", *answered, id=self._step_id())

    def _events(self) -> list[Event]:
        now = self.run()
        last = (f"thread.run.{now['status']}", now)
        if self._round >= len(self.rounds):
            return [message("created"), text(TEXT), message("completed", TEXT), last]
        if not self.streams_calls:
            return [last]
        items = [
            call(place, each["function"]["arguments"], each["function"]["name"], each["id"])
            for place, each in enumerate(self.rounds[self._round])
        ]
        return [step("created", id=self._step_id()), calls(*items, id=self._step_id()), last]

    def _steps(self) -> list[dict[str, Any]]:
        done = [
            step("completed", *each, id=self._step_id(n))[1]
            for n, each in enumerate(self.rounds[: self._round])
        ]
        now = self.rounds[self._round : self._round + 1]
        return [*done, *(step("in_progress", *each, id=self._step_id())[1] for each in now)]

    def _messages(self) -> list[dict[str, Any]]:
        return [] if self._round < len(self.rounds) else [objects.message(TEXT, created_at=1_800_000_000)]


@dataclass
class Outcome:
    """What a way ended with."""

    run: Any
    tool_outputs: list[dict[str, str]]
    events: list[Any] = field(default_factory=list)
    stream: Any = None


STARTED = {"thread_id": THREAD, "assistant_id": objects.ASSISTANT}
ALONE = {"assistant_id": objects.ASSISTANT}
IDS = {"thread_id": THREAD, "run_id": objects.RUN}

POLLED: dict[str, Any] = {
    "poll": (("runs", "poll"), IDS),
    "create_and_poll": (("runs", "create_and_poll"), STARTED),
    "create_and_run_poll": (("threads", "create_and_run_poll"), ALONE),
    "submit_tool_outputs_and_poll": (("runs", "submit_tool_outputs_and_poll"), IDS),
}
CREATED: dict[str, Any] = {
    "create": (("runs", "create"), STARTED),
    "create_and_run": (("threads", "create_and_run"), ALONE),
    "submit_tool_outputs": (("runs", "submit_tool_outputs"), IDS),
}
MANAGED: dict[str, Any] = {
    "stream": (("runs", "stream"), STARTED),
    "create_and_stream": (("runs", "create_and_stream"), STARTED),
    "create_and_run_stream": (("threads", "create_and_run_stream"), ALONE),
    "submit_tool_outputs_stream": (("runs", "submit_tool_outputs_stream"), IDS),
}
EVERY = [*POLLED, *CREATED, *MANAGED]
USUAL = ["create_and_poll", "create", "stream"]
"""One way of each kind."""


def submits(way: str) -> bool:
    """Whether the way begins with outputs of the program's own."""
    return way.startswith("submit")


async def gone(colour: Colour, client: Any, way: str, server: ToolServer, **params: Any) -> Outcome:
    """Goes through the server's run by one of the ways, to its end. One that begins with a submit answers a
    round of its own first."""
    if submits(way):
        server.rounds.insert(0, [wanted("mine", "call_0")])
    (owner, method), ids = {**POLLED, **CREATED, **MANAGED}[way]
    threads = client.beta.threads
    call_of = getattr(threads if owner == "threads" else threads.runs, method)
    if submits(way):
        params = {"tool_outputs": [{"tool_call_id": "call_0", "output": "mine"}], **params}
    if way in POLLED:
        polled = await colour.of(call_of(**ids, **{"poll_interval_ms": 0, **params}))
        return Outcome(polled, getattr(polled, "tool_outputs", []))
    if way in CREATED:
        stream = await colour.of(call_of(**ids, stream=True, **params))
        events = await colour.list(stream)
        runs = [
            event.data
            for event in events
            if event.event.startswith("thread.run.") and ".step." not in event.event
        ]
        return Outcome(runs[-1], stream.tool_outputs, events, stream)
    async with colour.entered(call_of(**ids, **params)) as stream:
        events = await colour.list(stream)
    return Outcome(stream.current_run, stream.tool_outputs, events, stream)
