"""``resume=``: a stream whose connection breaks goes on, with nothing missing and nothing twice."""

from __future__ import annotations

import contextlib
import json
import time
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk
from streaming_assistants._io import resuming
from streaming_assistants._protocol import resume

from . import objects
from .clients import Colour
from .framings import Event
from .held_runs import NOTED, HeldRun, Story, said, told
from .loopback import CUT, Loopback, Reply, Request
from .objects import MESSAGES, ONE_RUN, RUNS, STEPS, function
from .samples import call, calls, message, recorded_streams, run, sse, step, text, writes

pytestmark = pytest.mark.anyio

CUTS = 500
"""How often streams are cut in each way: half of them in the recordings, half on a loopback server."""

WAYS = pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "polled"])


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two looks."""
    monkeypatch.setattr(resume, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(resume, "_LONGEST_PAUSE", 0.002)
    for module in (resume, resuming):
        monkeypatch.setattr(module, "PATIENCE", (0.001,) * 10)
    monkeypatch.setattr(resuming, "_LOOK_PAUSE", 0.001)


# ---------------------------------------------------------------- cut anywhere


@cache
def recorded(path: Path) -> Story:
    """A recording's events, each as often as it should have been sent."""
    events: dict[tuple[str, str], Event] = {}
    for number, block in enumerate(path.read_text().replace("\r", "").split("\n\n")):
        fields = dict(line.partition(":")[::2] for line in block.split("\n") if ":" in line)
        name, data = fields.get("event", "done").strip(), fields.get("data", "").strip()
        if name in ("done", "thread.created"):
            continue  # the run is asked for in a thread that there is
        value = json.loads(data)
        if name == "thread.run.completed":
            name = f"thread.run.{value['status']}"  # one server calls every end so
        events.setdefault((name, str(number) if name.endswith("delta") else value["id"]), (name, value))
    return Story(list(events.values()))


def writing(change: str) -> Event:
    name, data = writes(change, id="step_2")
    return name, {**data, "created_at": 1700000004}


def long_run() -> Story:
    """A run with everything in it, in pieces of a few characters."""
    arguments = json.dumps({"city": "Zürich", "days": [1, 2, 3]}, ensure_ascii=False)
    first, second = function("get_weather", arguments, "call_a"), function("get_news", "{}", "call_b")
    words = [f"word{number} 😀 " for number in range(40)]
    whole = "".join(words)
    said = message("completed", whole, created_at=1700000005)
    again = message("completed", "And more.", id="msg_2", created_at=1700000007)
    now = int(time.time())
    events = [
        run("queued", "created", created_at=now),
        run("queued", created_at=now),
        run("in_progress", started_at=now, created_at=now),
        step("created", created_at=1700000002),
        step("in_progress", created_at=1700000002),
        calls(call(0, "", "get_weather", "call_a")),
        *(calls(call(0, arguments[place : place + 3])) for place in range(0, len(arguments), 3)),
        calls(call(1, "", "get_news", "call_b")),
        calls(call(1, "{}")),
        step("completed", first, second, created_at=1700000002),
        *(writing("created"), ("thread.run.step.in_progress", writing("created")[1])),
        message("created", created_at=1700000005),
        ("thread.message.in_progress", message("created", created_at=1700000005)[1]),
        *(text(word) for word in words),
        said,
        (
            writes("completed", id="step_2")[0],
            {**writes("completed", id="step_2")[1], "created_at": 1700000004},
        ),
        message("created", id="msg_2", created_at=1700000007),
        ("thread.message.in_progress", message("created", id="msg_2", created_at=1700000007)[1]),
        text("And ", id="msg_2"),
        text("more.", id="msg_2"),
        again,
        run("completed", started_at=now, created_at=now),
    ]
    return Story(events)


def in_memory(colour: Colour, held: HeldRun) -> Any:
    """A client whose requests ``held`` answers, cut in a few chunks."""
    http = _sdk.own_transport()

    def answered(request: Any) -> Any:
        status, headers, body, breaks = held.answer(request.method, str(request.url), dict(request.headers))
        size = max(1, len(body) // 3)
        chunks = [body[place : place + size] for place in range(0, len(body), size)]

        def sync_body() -> Any:
            yield from chunks
            if breaks:
                raise http.ReadError("cut", request=request)

        async def async_body() -> Any:
            for chunk in sync_body():
                yield chunk

        content = async_body() if colour.is_async else sync_body()
        return http.Response(status, headers=headers, content=content, request=request)

    transport = http.MockTransport(answered)
    made = http.AsyncClient(transport=transport) if colour.is_async else http.Client(transport=transport)
    return sa.patch(colour.bare("http://held/v1", http_client=made))


def noting(colour: Colour, log: list[Any]) -> Any:
    """A handler with the callbacks that ``told`` looks at: snapshots for others would cost the most."""

    def callback(name: str) -> Any:
        return lambda _, *args: log.append((name, *args))

    return type("Notes", (colour.handler,), {name: callback(name) for name in NOTED})()


async def read(colour: Colour, client: Any, held: HeldRun) -> Any:
    """What a handler was told of the run, and the objects in the end."""
    log: list[Any] = []
    handler = noting(colour, log)
    runs, first = client.beta.threads.runs, held.events[0]
    if first[0].startswith("thread.run.step"):  # the answer to outputs
        outputs = [{"tool_call_id": c["id"]} for c in first[1]["step_details"]["tool_calls"]]
        asked = runs.submit_tool_outputs_stream(
            run_id=held.run_id,
            thread_id=held.thread_id,
            tool_outputs=outputs,
            event_handler=handler,
            resume=True,
        )
    else:
        asked = runs.stream(
            thread_id=held.thread_id,
            assistant_id=first[1]["assistant_id"],
            event_handler=handler,
            resume=True,
        )
    async with colour.entered(asked) as stream:
        await colour.of(stream.until_done())
    final = {"run": [said(await colour.of(stream.get_final_run()))]}
    for name in ("get_final_run_steps", "get_final_messages"):
        with contextlib.suppress(sa.NoFinalObjectError):
            final[name] = [said(item) for item in await colour.of(getattr(stream, name)())]
    return {**told(log), "final": final}


def same(got: Any, wanted: Any) -> None:
    assert got["texts"] == wanted["texts"]
    assert sorted(got["events"]) == sorted(wanted["events"])
    assert got["done"] == wanted["done"]
    assert got["final"] == wanted["final"]
    assert got["events"][-1] == wanted["events"][-1]


@WAYS
@pytest.mark.recordings
async def test_recordings_cut_anywhere(colour: Colour, numbered: bool) -> None:
    """Takes some seconds: a hundred and more streams are read to their ends."""
    paths = recorded_streams()
    random = Random(f"recordings {numbered} {colour.name}")
    wanted = {}
    for path in paths:
        held = HeldRun(recorded(path), random, numbered=numbered, cuts=0)
        wanted[path] = await read(colour, in_memory(colour, held), held)
    for number in range(CUTS // 4):
        path = random.choice(paths)
        seed = random.random()
        held = HeldRun(recorded(path), Random(seed), numbered=numbered, cuts=random.choice((1, 1, 2, 4)))
        try:
            same(await read(colour, in_memory(colour, held), held), wanted[path])
        except BaseException:
            print(f"{path.name}, {number=}, {seed=}: {held.asked}")  # noqa: T201
            raise


@WAYS
async def test_a_loopback_server_cut_anywhere(colour: Colour, server: Loopback, numbered: bool) -> None:
    """The same over sockets."""
    story = long_run()
    held = HeldRun(story, Random(0), numbered=numbered, cuts=0)

    def answer(request: Request) -> Reply:
        query = "&".join(f"{name}={value[-1]}" for name, value in request.query.items())
        status, headers, body, breaks = held.answer(
            request.method, f"{request.path}?{query}", request.headers
        )
        return Reply(status, headers, [body, *([CUT] if breaks else [])])

    server.on("GET", ".*", answer).on("POST", ".*", answer)
    client = colour.client(server.url)
    wanted = await read(colour, client, held)
    random = Random(f"loopback {numbered} {colour.name}")
    for number in range(CUTS // 4):
        seed = random.random()
        held = HeldRun(story, Random(seed), numbered=numbered, cuts=random.choice((1, 1, 2, 4)))
        try:
            same(await read(colour, client, held), wanted)
        except BaseException:
            print(f"{number=}, {seed=}: {held.asked}")  # noqa: T201
            raise


async def test_a_run_that_was_seen_to_go_on_is_not_queued_again(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("queued", "created"), run("in_progress")], end=b""), CUT]))
    server.on("GET", ONE_RUN, Reply.json(objects.run("completed", started_at=1700000001)))
    server.on("GET", STEPS, Reply.json(objects.page())).on("GET", MESSAGES, Reply.json(objects.page()))
    events = await colour.list(await colour.created(colour.client(server.url), resume=True))
    assert [event.event for event in events] == [
        "thread.run.created",
        "thread.run.in_progress",
        "thread.run.completed",
    ]


@pytest.mark.parametrize(
    "body",
    [[CUT], [b"event: thread.run.created\ndata: {", CUT], []],
    ids=["at once", "in the first event", "just ended"],
)
@pytest.mark.parametrize("method", ["create_and_run", "create_and_run_stream"])
async def test_a_run_that_nothing_names_is_said_to_exist_perhaps_and_not_started_again(
    colour: Colour, server: Loopback, method: str, body: list[Any]
) -> None:
    server.on("POST", "/threads/runs", Reply.sse(body))
    call = getattr(colour.client(server.url, max_retries=2).beta.threads, method)
    with pytest.raises(sa.IncompleteStreamError, match="may have been started all the same") as caught:
        if method == "create_and_run":
            await colour.list(await colour.of(call(assistant_id="asst_1", stream=True, resume=True)))
        else:
            async with colour.entered(call(assistant_id="asst_1", resume=True)) as stream:
                await colour.of(stream.until_done())
    assert (caught.value.run_id, caught.value.thread_id) == (None, None)
    assert isinstance(caught.value.__cause__, openai.APIConnectionError)
    assert [request.path for request in server.requests] == ["/threads/runs"]
