"""Recorded streams, cut anywhere, on servers that then say how the run ended.

Nothing of a run is lost and nothing is told twice: each call, step, message and text that the server holds
reaches the handler once and whole, wherever the stream was cut. Every event boundary is cut without a
client, a sample of the cuts over real clients of both colours.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk
from streaming_assistants._protocol import callbacks
from streaming_assistants._protocol.dialects import kind_of
from streaming_assistants._protocol.dispatch import Dispatcher
from streaming_assistants._protocol.earlier import submitted
from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.plan import Ask, Received, Say
from streaming_assistants._protocol.settle import Progress, settle

from .clients import Colour, no_warnings
from .samples import recorded_streams

pytestmark = [pytest.mark.recordings, pytest.mark.anyio]

RECORDED = pytest.mark.parametrize("path", recorded_streams(), ids=lambda path: path.stem)
OUTCOMES = ("completed", "failed", "requires_action")
INSIDE = 20
Json = Any


class World:
    """What a server holds after a recorded stream: the run, its steps and messages, and what is expected."""

    def __init__(self, frames: list[tuple[str, Json]], outcome: str | None) -> None:
        self.run: Json = {}
        self.steps: dict[str, Json] = {}
        self.messages: dict[str, Json] = {}
        loose: dict[str, Json] = {}  # calls of steps that the recording does not end
        for name, data in frames:
            thing = name.rpartition(".")[0]
            if thing == "thread.run":
                self.run = data
                loose |= {call["id"]: call for call in required(data)}
            elif thing == "thread.run.step" and not name.endswith("delta"):
                self.steps[data["id"]] = data
            elif thing == "thread.message" and not name.endswith("delta"):
                self.messages[data["id"]] = data
        first = frames[0][1]
        self.answered = [call["id"] for call in calls_of(first)] if "step_details" in first else []
        ended = {call["id"] for step in self.steps.values() for call in calls_of(step)}
        open_steps = [step for step in self.steps.values() if step["status"] == "in_progress"]
        for step in open_steps:
            step["step_details"]["tool_calls"] = [call for id, call in loose.items() if id not in ended]
        if outcome is not None:
            self._end(outcome, open_steps)

    def _end(self, outcome: str, open_steps: list[Json]) -> None:
        self.run = {**self.run, "status": outcome, "required_action": None}
        if outcome == "requires_action":
            if not open_steps:
                open_steps = [self._another_step()]
            action: Json = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": []}}
            for step in open_steps:
                action["submit_tool_outputs"]["tool_calls"] += copy.deepcopy(calls_of(step))
            self.run["required_action"] = action
        elif outcome == "completed":
            for step in open_steps:
                step["status"] = "completed"
        else:  # a server that leaves what was under way as it was
            for item in [*list(self.steps.values())[-1:], *list(self.messages.values())[-1:]]:
                item["status"] = "in_progress"

    def _another_step(self) -> Json:
        function = {"name": "get_news", "arguments": json.dumps({"about": ["x" * 40] * 5})}
        call = {"id": "call_more", "type": "function", "function": function}
        step = {
            "id": "step_more",
            "object": "thread.run.step",
            "created_at": 1 + max([0, *(step["created_at"] for step in self.steps.values())]),
            "run_id": self.run["id"],
            "thread_id": self.run["thread_id"],
            "assistant_id": self.run["assistant_id"],
            "type": "tool_calls",
            "status": "in_progress",
            "step_details": {"type": "tool_calls", "tool_calls": [call]},
        }
        self.steps[step["id"]] = step
        return step

    @property
    def waits(self) -> list[str]:
        """The steps that go on because the run waits for outputs."""
        status = self.run["status"]
        steps = self.steps.values() if status == "requires_action" else ()
        return [step["id"] for step in steps if step["status"] == "in_progress"]

    @property
    def calls(self) -> dict[str, Json]:
        """The calls to tell: all but those that the request answers."""
        found = {call["id"]: call for step in self.steps.values() for call in calls_of(step)}
        return {id: call for id, call in found.items() if id not in self.answered}

    @property
    def request(self) -> tuple[str, bytes]:
        """Path and body of the request that the stream answers."""
        runs = f"/threads/{self.run['thread_id']}/runs"
        if not self.answered:
            return runs, b"{}"
        outputs = [{"tool_call_id": id, "output": "o"} for id in self.answered]
        return f"{runs}/{self.run['id']}/submit_tool_outputs", json.dumps({"tool_outputs": outputs}).encode()

    def answer(self, path: str) -> Json:
        """What the server answers to a GET of ``path``."""
        if path.endswith("/steps"):
            return {"object": "list", "data": list(self.steps.values())[::-1]}
        if path.endswith("/messages"):
            return {"object": "list", "data": list(self.messages.values())[::-1]}
        return self.run


def calls_of(step: Json) -> list[Json]:
    return step["step_details"].get("tool_calls") or []


def required(run: Json) -> list[Json]:
    action = run.get("required_action") or {}
    return (action.get(action.get("type")) or {}).get("tool_calls") or []


class Told:
    """What a handler was told, and how it is held against a world."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []

    def add(self, name: str, args: tuple[Any, ...]) -> None:
        self.log.append((name, args[-1] if args else None))

    def of(self, name: str) -> list[Any]:
        return [said for found, said in self.log if found == name]

    def check(self, world: World, run: Any, steps: Iterable[Any], messages: Iterable[Any]) -> None:
        calls = world.calls
        once = Counter(dict.fromkeys(calls, 1))
        assert Counter(call.id for call in self.of("on_tool_call_created")) == once
        assert Counter(call.id for call in self.of("on_tool_call_done")) == once
        for call in self.of("on_tool_call_done"):
            assert heart(_sdk.dump(call)) == heart(calls[call.id])
        over = set(world.steps) - set(world.waits)
        assert Counter(step.id for step in self.of("on_run_step_done")) == Counter(over)
        assert max(Counter(step.id for step in self.of("on_run_step_created")).values(), default=1) == 1
        assert set(world.waits) <= {step.id for step in self.of("on_run_step_created")}
        assert Counter(said.id for said in self.of("on_message_done")) == Counter(list(world.messages))
        assert max(Counter(said.id for said in self.of("on_message_created")).values(), default=1) == 1
        texts = Counter(text for message in world.messages.values() for text in texts_of(message))
        assert Counter(text.value for text in self.of("on_text_done")) == texts
        assert len(self.of("on_text_created")) == len(self.of("on_text_done"))
        assert (run.id, run.status) == (world.run["id"], world.run["status"])
        found = {step.id: [heart(call) for call in calls_of(_sdk.dump(step))] for step in steps}
        assert found == {id: [heart(call) for call in calls_of(step)] for id, step in world.steps.items()}
        assert {m.id: texts_of(_sdk.dump(m)) for m in messages} == {
            id: texts_of(message) for id, message in world.messages.items()
        }


def heart(call: Json) -> Json:
    """What a call is: its id, type and what it was called with."""
    details = call.get(call["type"]) or call
    assert "index" not in call or isinstance(call["index"], int)
    return call["id"], call["type"], [details.get(name) for name in ("name", "arguments", "input")]


def texts_of(message: Json) -> list[str]:
    return [part["text"]["value"] for part in message["content"] if part["type"] == "text"]


@cache
def frames_of(path: Path) -> list[tuple[str, Json]]:
    blocks = path.read_bytes().replace(b"\r", b"").strip().split(b"\n\n")
    found = []
    for block in blocks:
        lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        if lines[b"event"] != b"done":
            found.append((lines[b"event"].decode(), json.loads(lines[b"data"])))
    return found


def worlds(path: Path) -> list[World]:
    return [World(copy.deepcopy(frames_of(path)), outcome) for outcome in OUTCOMES]


class Listener:
    """A handler without a client: fed with events, and settled as a stream is that just ends."""

    def __init__(self, world: World) -> None:
        self.told = Told()
        # What grows is built for those who look; here only beginnings and ends are looked at.
        ends = [name for name in callbacks.NAMES if name.endswith(("_created", "_done"))]
        self.dispatcher = Dispatcher(frozenset(ends))
        self.dispatcher.answered = submitted(*world.request)
        self.progress = Progress()
        self.progress.at(*world.request)
        self._seen: list[Any] = []

    def take(self, event: Any) -> None:
        self._seen.append(event.data)
        if event.event != "thread.message.delta":
            self.progress.see(event)
        for name, args in self.dispatcher.apply(event):
            self.told.add(name, args)

    def fork(self) -> Listener:
        """One that was told the same so far. What the events hold never changes, and is not copied."""
        return copy.deepcopy(
            self, {id(one): one for one in (*self._seen, *(said for _, said in self.told.log))}
        )

    def settle(self, world: World) -> None:
        """Ends here, on a server that holds ``world``, and checks what was told in all."""
        answer: Any = None
        plan = settle(self.progress)
        while not self.progress.ended:
            step = plan.send(answer)
            answer = None
            if isinstance(step, Ask):
                answer = Received(world.answer(step.path), {})
            elif isinstance(step, Say):
                kind = kind_of(step.what.event)
                assert kind is not None
                self.take(kind.lenient(step.what.data))
        steps, messages = self.dispatcher.step_snapshots(), self.dispatcher.message_snapshots()
        self.told.check(world, self.dispatcher.run, steps.values(), messages.values())


@RECORDED
def test_a_stream_that_is_not_cut_is_told_once(path: Path) -> None:
    world = World(copy.deepcopy(frames_of(path)), None)
    listener = Listener(world)
    for event in EventReader().feed(path.read_bytes() + b"\n\n"):
        listener.take(event)
    assert listener.progress.ended
    listener.settle(world)


@RECORDED
def test_a_cut_at_any_event_loses_nothing_and_tells_nothing_twice(path: Path) -> None:
    events = list(EventReader().feed(path.read_bytes() + b"\n\n"))
    assert len(events) == len(frames_of(path))
    ended = worlds(path)
    listener = Listener(ended[0])
    for event in events:
        if listener.progress.run_id is not None:  # before that, there is nothing to ask the server for
            for world in ended:
                listener.fork().settle(world)
        listener.take(event)


def places(path: Path, count: int) -> list[int]:
    """Places inside the recording's frames that are the same in every test run."""
    body = path.read_bytes()
    end = body.rindex(b"event: thread.run.")
    return sorted(Random(path.name).sample(range(1, end), count))


@RECORDED
def test_a_cut_inside_an_event_loses_nothing_and_tells_nothing_twice(path: Path) -> None:
    body, ended = path.read_bytes(), worlds(path)
    for cut in places(path, INSIDE):
        reader, listener = EventReader(), Listener(ended[0])
        for event in (*reader.feed(body[:cut]), *reader.close()):
            listener.take(event)
        if listener.progress.run_id is not None:
            for world in ended:
                listener.fork().settle(world)


@RECORDED
async def test_a_cut_loses_nothing_and_tells_nothing_twice_over_a_client(colour: Colour, path: Path) -> None:
    body = path.read_bytes()
    boundary = body.index(b"\n\n", len(body) // 2) + 2
    for world in worlds(path):
        for cut in (boundary, places(path, INSIDE)[INSIDE // 3], places(path, INSIDE)[-2]):

            def answer(
                request: Any, world: World = world, cut: int = cut
            ) -> tuple[int, dict[str, str], bytes]:
                if request.method == "POST":
                    return 200, {"content-type": "text/event-stream"}, body[:cut]
                answered = json.dumps(world.answer(request.url.path)).encode()
                return 200, {"content-type": "application/json"}, answered

            log: list[Any] = []
            client = sa.patch(colour.client_answering(answer, "http://server.test"))
            handler = colour.logging_handler(log)
            runs, thread = client.beta.threads.runs, world.run["thread_id"]
            with no_warnings():
                if world.answered:
                    outputs = json.loads(world.request[1])["tool_outputs"]
                    asked = runs.submit_tool_outputs_stream(
                        run_id=world.run["id"], thread_id=thread, tool_outputs=outputs, event_handler=handler
                    )
                else:
                    asked = runs.stream(thread_id=thread, assistant_id="asst_1", event_handler=handler)
                async with colour.entered(asked) as stream:
                    await colour.of(stream.until_done())
            told = Told()
            for name, *args in log:
                told.add(name, tuple(args))
            found = [await colour.of(stream.get_final_run()), (), ()]
            if world.steps:
                found[1] = await colour.of(stream.get_final_run_steps())
            if world.messages:
                found[2] = await colour.of(stream.get_final_messages())
            told.check(world, *found)
            assert len(told.of("on_end")) == 1
