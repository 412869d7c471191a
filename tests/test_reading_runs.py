"""``runs.retrieve(stream=True)`` and ``runs.resume``: the events of a run that somebody else has begun."""

from __future__ import annotations

import inspect
from random import Random
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants._io import resuming
from streaming_assistants._protocol import resume

from . import objects
from .clients import Colour
from .held_runs import HeldRun, told
from .loopback import CUT, Loopback, Reply
from .objects import MESSAGES, ONE_RUN, STEPS, function
from .samples import run, sse, text
from .test_resume import in_memory, long_run, noting

pytestmark = pytest.mark.anyio

CUTS = 12
"""How often the stream is cut on its way, in each way to ask for it."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two looks."""
    monkeypatch.setattr(resume, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(resume, "_LONGEST_PAUSE", 0.002)
    for module in (resume, resuming):
        monkeypatch.setattr(module, "PATIENCE", (0.001,) * 10)


def begun(*, numbered: bool, cuts: int = 0, seed: float = 0) -> HeldRun:
    """A run that has come to its end, whether or not anybody has read it."""
    held = HeldRun(long_run(), Random(seed), numbered=numbered, cuts=cuts)
    held.at = len(held.events)
    return held


async def retrieved(colour: Colour, client: Any, held: HeldRun, **options: Any) -> list[Any]:
    runs = client.beta.threads.runs
    stream = await colour.of(runs.retrieve(held.run_id, thread_id=held.thread_id, stream=True, **options))
    assert isinstance(stream, openai.AsyncStream if colour.is_async else openai.Stream)
    return await colour.list(stream)


def names(events: list[Any]) -> list[str]:
    return [event.event for event in events]


async def resumed(colour: Colour, client: Any, held: HeldRun, **options: Any) -> Any:
    """What a handler is told."""
    log: list[Any] = []
    asked = client.beta.threads.runs.resume(
        held.run_id, thread_id=held.thread_id, event_handler=noting(colour, log), **options
    )
    async with colour.entered(asked) as stream:
        await colour.of(stream.until_done())
    return told(log)


@pytest.mark.parametrize("after", [None, 0, 1, 7, -1])
async def test_the_events_after_a_number(colour: Colour, after: int | None) -> None:
    held = begun(numbered=True)
    after = len(held.events) if after == -1 else after
    options = {} if after is None else {"starting_after": after}
    events = await retrieved(colour, in_memory(colour, held), held, **options)
    assert names(events) == [name for name, _ in held.events[after or 0 :]]
    assert held.asked == [f"GET /v1/threads/{held.thread_id}/runs/{held.run_id} stream"]


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "polled"])
async def test_a_handler_sees_the_whole_run(colour: Colour, numbered: bool) -> None:
    wanted = await resumed(colour, in_memory(colour, begun(numbered=True)), begun(numbered=True))
    for seed in range(CUTS):
        held = begun(numbered=numbered, cuts=seed % 4, seed=seed)
        got = await resumed(colour, in_memory(colour, held), held)
        assert got["texts"] == wanted["texts"]
        assert sorted(got["events"]) == sorted(wanted["events"])
        assert got["done"] == wanted["done"]


async def test_a_stream_that_breaks_goes_on_where_that_is_wanted(colour: Colour) -> None:
    for seed in range(CUTS):
        held = begun(numbered=True, cuts=1 + seed % 3, seed=seed)
        events = await retrieved(colour, in_memory(colour, held), held, starting_after=5, resume=True)
        assert names(events) == [name for name, _ in held.events[5:]]
    held = begun(numbered=True, cuts=1, seed=1)
    with pytest.raises(openai.APIConnectionError):
        await retrieved(colour, in_memory(colour, held), held)


async def test_a_server_that_numbers_nothing_says_what_it_has(colour: Colour) -> None:
    held = begun(numbered=False)
    events = await retrieved(colour, in_memory(colour, held), held)
    told_of = [name for name, _ in held.events if not name.endswith(".delta")]
    assert sorted(name for name in names(events) if not name.endswith(".delta")) == sorted(told_of)
    with pytest.raises(sa.IncompleteStreamError, match=r"no events of run \w+ after number 3") as caught:
        await retrieved(colour, in_memory(colour, held), held, starting_after=3)
    assert caught.value.run_id == held.run_id
    with pytest.raises(sa.IncompleteStreamError, match="starting_after=0 tells"):
        await resumed(colour, in_memory(colour, held), held, starting_after=3)


async def test_a_stream_without_numbers_is_not_taken_for_one_with_them(
    colour: Colour, server: Loopback
) -> None:
    server.on("GET", ONE_RUN, Reply.sse([sse([run("in_progress"), text("Hel")])]))
    runs = colour.client(server.url).beta.threads.runs
    stream = await colour.of(runs.retrieve("run_1", thread_id="thread_1", stream=True, starting_after=2))
    with pytest.raises(sa.IncompleteStreamError, match="does not number them"):
        await colour.list(stream)


async def test_an_unknown_run_is_a_404(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json({"error": {"message": "No run found."}}, status=404))
    client = colour.client(server.url)
    with pytest.raises(openai.NotFoundError):
        await colour.of(client.beta.threads.runs.retrieve("run_1", thread_id="thread_1", stream=True))
    with pytest.raises(openai.NotFoundError):
        async with colour.entered(client.beta.threads.runs.resume("run_1", thread_id="thread_1")):
            pass


async def test_a_plain_retrieve_stays_the_sdks_own(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json(objects.run("completed")))
    runs = colour.client(server.url).beta.threads.runs
    for options in ({}, {"stream": False}):
        assert (await colour.of(runs.retrieve("run_1", thread_id="thread_1", **options))).id == "run_1"
    assert not any(request.query for request in server.requests)
    with pytest.raises(ValueError, match="starting_after= requires stream=True"):
        await colour.of(runs.retrieve("run_1", thread_id="thread_1", starting_after=3))


@pytest.mark.parametrize(("given", "error"), [("3", TypeError), (True, TypeError), (-1, ValueError)])
async def test_a_number_that_is_none(colour: Colour, given: Any, error: Any) -> None:
    runs = in_memory(colour, begun(numbered=True)).beta.threads.runs
    with pytest.raises(error, match="starting_after: expected"):
        await colour.of(runs.retrieve("run_1", thread_id="thread_1", stream=True, starting_after=given))
    with pytest.raises(error, match="starting_after: expected"):
        runs.resume("run_1", thread_id="thread_1", starting_after=given)
    with pytest.raises(TypeError, match="thread_id"):
        runs.resume("run_1")


async def test_the_functions_are_called_that_a_resumed_run_waits_for(
    colour: Colour, server: Loopback
) -> None:
    """A program that was killed between a call and its answer comes back, and answers it."""
    waits = run("requires_action", **objects.required(function("get_weather", '{"city": "Oslo"}')))
    server.on("GET", ONE_RUN, Reply.sse([numbered([run("in_progress"), waits])]))
    server.on("POST", f"{ONE_RUN}/submit_tool_outputs", Reply.sse([sse([run("completed")])]))
    called: list[dict[str, Any]] = []
    handlers = {"get_weather": lambda arguments: called.append(arguments) or "rain"}
    asked = colour.client(server.url).beta.threads.runs.resume(
        "run_1", thread_id="thread_1", tool_handlers=handlers
    )
    async with colour.entered(asked) as stream:
        assert (await colour.of(stream.get_final_run())).status == "completed"
    assert called == [{"city": "Oslo"}]


def numbered(events: list[Any]) -> bytes:
    frames = sse(events).decode().split("\n\n")
    return "\n\n".join(
        f"id: {number}\n{frame}" if "thread." in frame else frame for number, frame in enumerate(frames, 1)
    ).encode()


async def test_unpatching_takes_it_away(colour: Colour) -> None:
    client = in_memory(colour, begun(numbered=True))
    runs = client.beta.threads.runs
    assert "starting_after" in inspect.signature(runs.retrieve).parameters
    sa.unpatch(client)
    assert not hasattr(runs, "resume")
    assert "starting_after" not in inspect.signature(runs.retrieve).parameters


async def test_a_stream_that_just_ends_is_asked_for_again(colour: Colour, server: Loopback) -> None:
    """A worker that is told to end lets its readers go: they find another."""
    first = numbered([run("in_progress"), text("Hel")]).replace(b"event: done\ndata: [DONE]\n\n", b"")
    rest = b"id: 3\n" + sse([text("lo")], end=b"") + b"id: 4\n" + sse([run("completed")])
    server.on("GET", ONE_RUN, Reply.sse([first, CUT]), Reply.sse([rest]))
    server.on("GET", STEPS, Reply.json(objects.page())).on("GET", MESSAGES, Reply.json(objects.page()))
    asked = colour.client(server.url).beta.threads.runs.resume("run_1", thread_id="thread_1")
    async with colour.entered(asked) as stream:
        assert names(await colour.list(stream)) == [
            "thread.run.in_progress",
            "thread.message.delta",
            "thread.message.delta",
            "thread.run.completed",
        ]
    assert [request.headers["last-event-id"] for request in server.requests] == ["0", "2"]
