"""Runs whose driver is gone: another goes on with each, and nobody else writes into it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.port import (
    ContentDelta,
    Finished,
    Sleep,
    StepEnd,
    ToolCallDelta,
    Turn,
)
from streaming_assistants.backend.upstreams.echo import Echo

from .conftest import WEATHER, Api, text_of
from .databases import File, Postgres
from .processes import Elsewhere, Process

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]
Shared = File | Postgres

RESULT = "18 degrees"


def text(value: str) -> ContentDelta:
    return ContentDelta({"index": 0, "type": "text", "text": {"value": value}})


def call(id: str) -> ToolCallDelta:
    function = {"name": "get_weather", "arguments": "{}"}
    return ToolCallDelta({"index": 0, "id": id, "type": "function", "function": function})


class Stalls:
    """An upstream that says what it is given, and then nothing any more. Once its function has been called
    it says nothing at all."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = pieces

    def __call__(self, turn: Turn) -> Any:
        if not any(item["kind"] == "tool_calls" for item in turn.items):
            yield from self._pieces
        while True:
            yield Sleep(0.2)


class Answers:
    """An upstream that keeps its turns and says "ok"."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn) -> Any:
        self.turns.append(turn)
        yield text("ok")
        yield Finished()


def drive(here: Elsewhere, pieces: Any, submits: bool = False) -> None:
    """Begins a run that never ends by itself, and says when it has come as far as it comes."""
    upstream: Any = Stalls(*pieces, *([Finished()] if submits else []))
    LocalBackend(upstream, here.store).attach(here.client)
    assistant = here.post("/assistants", {"model": "m", "tools": [WEATHER]})
    thread = here.post("/threads", {"messages": [{"role": "user", "content": "Hello?"}]})
    path = f"/threads/{thread['id']}/runs"
    run = here.post(path, {"assistant_id": assistant["id"]})
    path += f"/{run['id']}"
    if submits:
        while here.get(path)["status"] != "requires_action":
            time.sleep(0.01)
        here.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": "c", "output": RESULT}]})
    kinds = (ContentDelta, ToolCallDelta)
    while not submits and _said(here, thread["id"], path) < sum(isinstance(each, kinds) for each in pieces):
        time.sleep(0.01)
    here.say(run)
    here.wait()


def _said(here: Elsewhere, thread_id: str, path: str) -> int:
    """How many messages and steps of calls it has said something of that is stored."""
    messages = here.get(f"/threads/{thread_id}/messages")["data"]
    steps = here.get(f"{path}/steps")["data"]
    calls = [step["step_details"].get("tool_calls") for step in steps]
    said = [each["role"] == "assistant" and bool(each["content"]) for each in messages]
    return sum(said) + sum(map(bool, calls))


async def killed(shared: Shared, *arguments: Any) -> Any:
    """A run whose process is gone."""
    process = Process(drive, shared.url, *arguments)
    run = await anyio.to_thread.run_sync(process.hear)
    process.kill()
    return run


def given(turn: Turn) -> list[Any]:
    """What a model is given: texts, and for calls their outputs."""
    said: list[Any] = []
    for item in turn.items:
        if item["kind"] == "message":
            said.append("".join(part["text"]["value"] for part in item["content"]))
        else:
            said.append([each["function"]["output"] for each in item["calls"]])
    return said


async def test_a_message_that_was_broken_stays_and_no_model_is_given_it(
    shared: Shared, make_api: MakeApi
) -> None:
    run = await killed(shared, [text("Half a")])
    upstream = Answers()
    api = make_api(upstream, shared.url)
    ended = await api.settled(await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))
    assert ended["status"] == "completed"
    messages = await api.messages(run["thread_id"])
    assert [text_of(each) for each in messages] == ["Hello?", "Half a", "ok"]
    assert messages[1]["status"] == "incomplete"
    assert messages[1]["incomplete_details"] == {"reason": "run_failed"}
    assert [step["status"] for step in await api.steps(run)] == ["failed", "completed"]
    body = {"assistant_id": run["assistant_id"]}
    await api.settled(await api.post(f"/threads/{run['thread_id']}/runs", body))
    assert [given(turn) for turn in upstream.turns] == [["Hello?"], ["Hello?", "ok"]]


async def test_calls_that_were_broken_are_never_required(shared: Shared, make_api: MakeApi) -> None:
    run = await killed(shared, [call("c")])
    upstream = Answers()
    api = make_api(upstream, shared.url)
    seen = await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    ended = await api.settled(seen)
    assert (ended["status"], ended["required_action"]) == ("completed", None)
    assert [step["status"] for step in await api.steps(run)] == ["failed", "completed"]
    assert [given(turn) for turn in upstream.turns] == [["Hello?"]]


async def test_outputs_that_are_in_are_not_asked_for_again(shared: Shared, make_api: MakeApi) -> None:
    run = await killed(shared, [text("Let me see."), call("c")], True)
    upstream = Answers()
    api = make_api(upstream, shared.url)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    again = {"tool_outputs": [{"tool_call_id": "c", "output": "other"}]}
    assert (await api.refused(f"{path}/submit_tool_outputs", again))["status"] == 400
    assert (await api.settled(await api.get(path)))["status"] == "completed"
    assert [given(turn) for turn in upstream.turns] == [["Hello?", "Let me see.", [RESULT]]]
    assert [step["status"] for step in await api.steps(run)] == ["completed"] * 3


SEARCH = {"index": 0, "id": "s", "type": "file_search", "file_search": {"results": []}}


async def test_a_search_that_was_whole_is_not_made_again(shared: Shared, make_api: MakeApi) -> None:
    whole = [text("Let me see."), ToolCallDelta(SEARCH), StepEnd(None)]
    run = await killed(shared, [*whole, text("I have")])
    upstream = Answers()
    api = make_api(upstream, shared.url)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    assert (await api.settled(await api.get(path)))["status"] == "completed"
    (turn,) = upstream.turns
    assert [item["kind"] for item in turn.items] == ["message", "message", "tool_calls"]
    statuses = ["completed", "completed", "failed", "completed"]
    assert [step["status"] for step in await api.steps(run)] == statuses


@pytest.mark.parametrize("met", ["by a new run", "by a message", "beside another run", "cancelling"])
async def test_who_meets_a_run_that_nobody_drives_takes_it_over(
    shared: Shared, make_api: MakeApi, met: str
) -> None:
    run = await killed(shared, [])
    api = make_api(Answers(), shared.url)
    path = f"/threads/{run['thread_id']}"
    if met == "by a new run":
        error = await api.refused(f"{path}/runs", {"assistant_id": run["assistant_id"]})
        assert "already has an active run" in error["message"]
    elif met == "by a message":
        error = await api.refused(f"{path}/messages", {"role": "user", "content": "And?"})
        assert "while a run" in error["message"]
    elif met == "beside another run":
        slow = make_api(Echo(delay=0.1), shared.url)
        await slow.run("one two three " * 10)
        with anyio.fail_after(20):
            while owner_of(shared, slow, run) != slow.backend._keeper.owner:
                await anyio.sleep(0.05)
    else:
        cancelled = await api.post(f"{path}/runs/{run['id']}/cancel")
        assert (await api.settled(cancelled))["status"] == "cancelled"
        return
    assert (await api.settled(run))["status"] == "completed"


def owner_of(shared: Shared, api: Api, run: Any) -> Any:
    with api.backend._store.read() as tx:
        row = tx.get("runs", run["id"])
    assert row is not None
    return row["owner"]


async def test_a_turn_that_is_broken_three_times_fails_its_run(shared: Shared, make_api: MakeApi) -> None:
    upstream = Stalls(text("Half a"))
    api = make_api(upstream, shared.url)
    run = await api.run("Hello?")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    for attempt in (1, 2, 3):
        with anyio.fail_after(20):
            while [text_of(each) for each in await api.messages(run["thread_id"])][attempt:] != ["Half a"]:
                await anyio.sleep(0.01)
        shared.execute("UPDATE runs SET owner = 'owner_gone'")
        assert (await api.get(path))["status"] == "in_progress"
    ended = await api.settled(run)
    assert ended["status"] == "failed"
    assert ended["last_error"]["code"] == "server_error"
    assert "3 times" in ended["last_error"]["message"]
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    await api.post(f"/threads/{run['thread_id']}/runs/{again['id']}/cancel")


def speak(here: Elsewhere) -> None:
    """Drives a run that says many words, and says how its stream has ended."""
    LocalBackend(Echo(delay=0.02), here.store, lease=1.0).attach(here.client)
    assistant = here.post("/assistants", {"model": "m"})
    thread = here.post("/threads", {"messages": [{"role": "user", "content": "word " * 500}]})
    path = f"/threads/{thread['id']}/runs"
    run = here.post(path, {"assistant_id": assistant["id"]})
    while not _said(here, thread["id"], f"{path}/{run['id']}"):
        time.sleep(0.01)
    here.say((run, os.getpid()))
    here.wait()  # stopped here, and gone on with
    time.sleep(0.5)  # in which it says on, if it may
    here.say(None)


class Gated:
    """An upstream that says two words, and the second one when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, turn: Turn) -> Any:
        yield text("One,")
        while not self.open.is_set():
            yield Sleep(0.05)
        yield text(" two.")
        yield Finished()


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be stopped there")
def _stop(pid: int, shared: Shared) -> None:
    """Stops a process between two transactions: within one it would hold the others up."""
    os.kill(pid, signal.SIGSTOP)
    while shared.held:
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)  # for the database to see what was under way


async def test_a_process_that_was_stopped_for_longer_than_its_lease_writes_no_more(
    shared: Shared, make_api: MakeApi
) -> None:
    process = Process(speak, shared.url)
    run, pid = await anyio.to_thread.run_sync(process.hear)
    await anyio.to_thread.run_sync(_stop, pid, shared)
    await anyio.sleep(1.2)
    upstream = Gated()
    api = make_api(upstream, shared.url)
    seen = await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    with anyio.fail_after(20):
        while len(await api.messages(run["thread_id"])) < 3:
            await anyio.sleep(0.02)
    broken = text_of((await api.messages(run["thread_id"]))[1])
    os.kill(pid, signal.SIGCONT)
    process.say(None)
    await anyio.to_thread.run_sync(process.hear)
    upstream.open.set()
    ended = await api.settled(seen)
    assert (ended["status"], ended["last_error"]) == ("completed", None)
    _, stopped, said = await api.messages(run["thread_id"])
    assert (text_of(stopped), stopped["status"]) == (broken, "incomplete")
    assert text_of(said) == "One, two."
    process.join()


async def test_no_two_take_one_run(shared: Shared, make_api: MakeApi) -> None:
    apis = [make_api(Stalls(), shared.url) for _ in range(4)]
    runs = [await apis[0].run("Hello?") for _ in range(40)]
    with anyio.fail_after(20):
        while len(apis[0].backend._jobs._runs) < len(runs):
            await anyio.sleep(0.01)
    shared.execute("UPDATE runs SET owner = 'owner_gone'")
    taken: list[str] = []
    start = threading.Barrier(len(apis))

    def take(api: Api) -> None:
        api.backend._jobs.stay_seen()
        start.wait()
        api.backend._jobs._takeover.runs(lambda work: taken.append(str(work.run_id)))

    async with anyio.create_task_group() as tasks:
        for api in apis:
            tasks.start_soon(anyio.to_thread.run_sync, take, api)
    assert len(set(taken)) == len(taken)
    with apis[0].backend._store.read() as tx:
        rows = [tx.get("runs", run["id"]) for run in runs]
    assert [row and row["claim"] for row in rows] == [2] * len(runs)
