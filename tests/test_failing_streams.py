"""``raise_on_failure=`` and ``retries=`` of streams: the reader sees each run, and the last one counts."""

from __future__ import annotations

from typing import Any

import pytest

from streaming_assistants import RunFailedError
from streaming_assistants._resources import failing

from . import objects
from .clients import Colour
from .loopback import Loopback, Reply
from .objects import ONE_RUN, RUNS
from .samples import Event, message, run, sse, text, text_run, tool_run

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two runs."""
    monkeypatch.setattr(failing, "retry_seconds", lambda _: 0.0)
    monkeypatch.setattr("streaming_assistants._resources.manners.retry_seconds", lambda _: 0.0)


def fails(number: int, *before: Event, code: str = "server_error") -> list[Event]:
    error = {"code": code, "message": "Sorry."}
    return [
        run("queued", "created", id=f"run_{number}"),
        run("in_progress", id=f"run_{number}"),
        *before,
        run("failed", id=f"run_{number}", last_error=error),
    ]


def said(number: int, *words: str) -> list[Event]:
    return [
        (name, {**data, "id": f"run_{number}"} if name.startswith("thread.run.") else data)
        for name, data in text_run(*words)
    ]


def streams(client: Any, **more: Any) -> Any:
    return client.beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1", **more)


OPENS: dict[str, Any] = {
    "stream": streams,
    "create_and_run_stream": lambda client, **more: client.beta.threads.create_and_run_stream(
        assistant_id="asst_1", thread={"messages": [{"role": "user", "content": "Hi"}]}, **more
    ),
    "submit": lambda client, **more: client.beta.threads.runs.submit_tool_outputs_stream(
        run_id="run_1", thread_id="thread_1", tool_outputs=[], **more
    ),
}
PATHS = {"stream": RUNS, "create_and_run_stream": "/threads/runs", "submit": f"{ONE_RUN}/submit_tool_outputs"}


def bodies(server: Loopback) -> list[Any]:
    return [(r.path, r.json) for r in server.requests if r.method == "POST"]


# ---------------------------------------------------------------- raise_on_failure


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled", "incomplete"])
@pytest.mark.parametrize("opens", OPENS)
async def test_a_streamed_run_that_fails_raises_once_it_is_told(
    colour: Colour, server: Loopback, opens: str, status: str
) -> None:
    events = [run("queued", "created"), message("created"), text("Hel"), run(status)]
    server.on("POST", PATHS[opens], Reply.sse([sse(events)]))
    log: list[Any] = []
    manager = OPENS[opens](
        colour.client(server.url), raise_on_failure=True, event_handler=colour.logging_handler(log)
    )
    with pytest.raises(RunFailedError) as caught:
        async with colour.entered(manager) as stream:
            await colour.of(stream.until_done())
    assert caught.value.run.status == status
    assert [entry[1].event for entry in log if entry[0] == "on_event"] == [name for name, _ in events]
    assert [entry[0] for entry in log][-2:] == ["on_exception", "on_end"]
    assert (await colour.of(stream.get_final_run())).status == status  # which the handler has all the same


async def test_create_raises_at_the_end_of_its_stream(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1))]))
    stream = await colour.created(colour.client(server.url), raise_on_failure=True)
    seen = []
    with pytest.raises(RunFailedError, match=r"Run run_1 failed: server_error: Sorry\.") as caught:
        async for event in colour.each(stream):
            seen.append(event.event)  # noqa: PERF401  (an exception ends it)
    assert seen[-1] == "thread.run.failed"
    assert caught.value.request.url.path == RUNS


@pytest.mark.parametrize("events", [text_run("Hi"), tool_run("{}")], ids=["completed", "requires_action"])
async def test_a_streamed_run_that_has_not_failed_raises_nothing(
    colour: Colour, server: Loopback, events: list[Event]
) -> None:
    server.on("POST", RUNS, Reply.sse([sse(events)]))
    async with colour.entered(streams(colour.client(server.url), raise_on_failure=True)) as stream:
        await colour.of(stream.until_done())


async def test_a_settled_run_that_failed_raises_too(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("queued", "created")], end=b"")]))
    server.on("GET", ONE_RUN, Reply.json(objects.run("failed", last_error=None)))
    with pytest.raises(RunFailedError, match=r"Run run_1 failed\."):
        async with colour.entered(streams(colour.client(server.url), raise_on_failure=True)) as stream:
            await colour.of(stream.until_done())


async def test_leaving_at_the_last_event_raises_nothing(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1))]))
    async with colour.entered(streams(colour.client(server.url), raise_on_failure=True)) as stream:
        async for event in colour.each(stream):
            if event.event == "thread.run.failed":
                break


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize("opens", ["stream", "create_and_run_stream"])
async def test_the_reader_sees_the_failed_run_and_then_the_new_one(
    colour: Colour, server: Loopback, opens: str
) -> None:
    first, second, third = fails(1), fails(2, code="rate_limit_exceeded"), said(3, "Hel", "lo")
    begun = iter([Reply.sse([sse(events)]) for events in (first, second, third)])
    for path in (RUNS, "/threads/runs"):
        server.on("POST", path, lambda _: next(begun))
    log: list[Any] = []
    more: dict[str, Any] = {"instructions": "Be brief", "extra_headers": {"x-tenant": "t1"}}
    if opens == "stream":
        more["additional_messages"] = [{"role": "user", "content": "Hi"}]
    manager = OPENS[opens](
        colour.client(server.url), retries=2, event_handler=colour.logging_handler(log), **more
    )
    async with colour.entered(manager) as stream:
        await colour.of(stream.until_done())
    told = [entry[1].event for entry in log if entry[0] == "on_event"]
    assert told == [name for name, _ in [*first, *second, *third]]
    assert [entry[0] for entry in log].count("on_end") == 1
    final = await colour.of(stream.get_final_run())
    assert (final.id, final.status) == ("run_3", "completed")
    (message_,) = await colour.of(stream.get_final_messages())
    assert message_.content[0].text.value == "Hello"
    again = {"assistant_id": "asst_1", "instructions": "Be brief", "stream": True}
    assert bodies(server)[1:] == [(RUNS, again)] * 2  # what the first one put into the thread is there
    assert [request.headers["x-tenant"] for request in server.requests] == ["t1"] * 3


async def test_create_starts_a_failed_run_anew(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1))]), Reply.sse([sse(said(2, "Hi"))]))
    events = await colour.list(await colour.created(colour.client(server.url), retries=1))
    assert [event.event for event in events][-1] == "thread.run.completed"
    assert len(server.requests) == 2


async def test_after_so_many_runs_the_last_one_is_the_end(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, *(Reply.sse([sse(fails(number))]) for number in (1, 2, 3)))
    async with colour.entered(streams(colour.client(server.url), retries=1)) as stream:
        assert (await colour.of(stream.get_final_run())).id == "run_2"
    assert len(server.requests) == 2


async def test_only_the_last_run_raises(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1))]), Reply.sse([sse(fails(2))]))
    with pytest.raises(RunFailedError, match="run_2"):
        async with colour.entered(
            streams(colour.client(server.url), retries=1, raise_on_failure=True)
        ) as stream:
            await colour.of(stream.until_done())
    server.on("POST", RUNS, Reply.sse([sse(fails(1))]), Reply.sse([sse(said(2, "Hi"))]))
    async with colour.entered(streams(colour.client(server.url), retries=1, raise_on_failure=True)) as stream:
        await colour.of(stream.until_done())


SHOWN: dict[str, tuple[Event, ...]] = {
    "a delta": (message("created"), text("Hel")),
    "a delta of a message that nobody announced": (text("Hel"),),
    "a whole message": (message("completed", "Hello"),),
}


@pytest.mark.parametrize("shown", SHOWN)
async def test_a_run_that_has_shown_text_is_not_started_anew(
    colour: Colour, server: Loopback, shown: str
) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1, *SHOWN[shown]))]))
    async with colour.entered(streams(colour.client(server.url), retries=2)) as stream:
        assert (await colour.of(stream.get_final_run())).id == "run_1"
    assert len(server.requests) == 1


async def test_a_message_without_text_has_shown_nothing(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(fails(1, message("created")))]), Reply.sse([sse(said(2, "Hi"))]))
    async with colour.entered(streams(colour.client(server.url), retries=2)) as stream:
        assert (await colour.of(stream.get_final_run())).id == "run_2"


@pytest.mark.parametrize("status", ["expired", "cancelled", "incomplete", "invalid_prompt"])
async def test_a_run_that_would_end_so_again_is_not_started_anew(
    colour: Colour, server: Loopback, status: str
) -> None:
    events = fails(1, code=status) if status == "invalid_prompt" else [run("queued", "created"), run(status)]
    server.on("POST", RUNS, Reply.sse([sse(events)]))
    async with colour.entered(streams(colour.client(server.url), retries=2)) as stream:
        await colour.of(stream.until_done())
    assert len(server.requests) == 1


async def test_a_submit_starts_nothing_anew(colour: Colour, server: Loopback) -> None:
    with pytest.raises(TypeError, match="retries"):
        async with colour.entered(OPENS["submit"](colour.client(server.url), retries=1)):
            pass
    assert server.requests == []


async def test_a_new_run_waits_for_its_thread(colour: Colour, server: Loopback) -> None:
    """Somebody else's run may have begun while the first one failed."""
    other = objects.run("in_progress", id="run_9")
    begun = iter([Reply.sse([sse(fails(1))]), Reply.sse([sse(said(2, "Hi"))])])
    server.on("POST", RUNS, lambda _: next(begun))
    server.on("GET", RUNS, Reply.json(objects.page()), Reply.json(objects.page(other)))
    server.on(
        "GET",
        f"{RUNS}/run_9",
        Reply.json(other, openai_poll_after_ms="1"),
        Reply.json({**other, "status": "completed"}),
    )
    client = colour.client(server.url)
    async with colour.entered(streams(client, retries=1, if_active="wait")) as stream:
        assert (await colour.of(stream.get_final_run())).id == "run_2"
    asked = [f"{request.method} {request.path}" for request in server.requests]
    assert asked.index(f"GET {RUNS}/run_9") < len(asked) - 1
    assert asked[-1] == f"POST {RUNS}"


@pytest.mark.parametrize(
    "more", [{"resume": True}, {"cancel_on_close": True}, {"raise_on_failure": True}, {"retries": 1}], ids=str
)
async def test_what_is_for_streams_is_refused_without_one(
    colour: Colour, server: Loopback, more: dict[str, Any]
) -> None:
    runs = colour.client(server.url).beta.threads.runs
    with pytest.raises(ValueError, match="requires stream=True"):
        await colour.of(runs.create(thread_id="thread_1", assistant_id="asst_1", **more))
    assert server.requests == []


@pytest.mark.parametrize("name", ["resume", "cancel_on_close", "raise_on_failure"])
async def test_what_is_no_switch_is_refused(colour: Colour, server: Loopback, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: expected True or False, got 'yes'"):
        async with colour.entered(streams(colour.client(server.url), **{name: "yes"})):
            pass
    assert server.requests == []
