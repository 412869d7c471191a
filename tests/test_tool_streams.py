"""``tool_handlers=`` on streams: one handler and one iterator over all rounds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants import function_tool, patch

from . import objects
from .clients import Colour
from .loopback import Loopback, Reply
from .objects import ONE_RUN, RUNS
from .samples import run, sse, step, tool_run
from .tool_server import (
    CREATED,
    MANAGED,
    ROUNDS,
    SUBMIT,
    TEXT,
    Hanging,
    ToolServer,
    get_weather,
    gone,
    wanted,
)

pytestmark = pytest.mark.anyio


def story(stream_events: list[Any]) -> list[str]:
    return [event.event.removeprefix("thread.") for event in stream_events]


@pytest.mark.parametrize("way", [*CREATED, *MANAGED])
async def test_events_of_every_round_come_in_order(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, *ROUNDS)
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather])
    tools = ["run.step.created", "run.step.delta", "run.requires_action"]
    says = ["message.created", "message.delta", "message.completed", "run.completed"]
    begins = (
        ["run.step.completed", "run.in_progress"]
        if way.startswith("submit")
        else ["run.created", "run.in_progress"]
    )
    between = ["run.step.completed", "run.in_progress"]
    assert story(ended.events) == [*begins, *tools, *between, *tools, *between, *says]


async def handled(colour: Colour, server: Loopback, served: ToolServer, log: list[Any], **params: Any) -> Any:
    """The handler of a stream that was read to its end."""
    handler = colour.logging_handler(log)
    client = colour.client(server.url)
    asked = client.beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=handler, **params
    )
    async with colour.entered(asked) as stream:
        await colour.of(stream.until_done())
    return stream


def names(log: list[Any], *wanted: str) -> list[Any]:
    return [entry[0] for entry in log if entry[0] in wanted]


async def test_one_handler_is_told_of_all_rounds(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    stream = await handled(colour, server, ToolServer(server, *ROUNDS), log, tool_handlers=[get_weather])
    told = [
        (name, rest[0].id, *rest[1:])
        for name, *rest in log
        if name.startswith("on_tool_call_d") or name == "on_tool_output"
    ]
    assert told == [
        ("on_tool_call_done", "call_1"),
        ("on_tool_output", "call_1", "18 c in Rome"),
        ("on_tool_call_done", "call_2"),
        ("on_tool_call_done", "call_3"),
        ("on_tool_output", "call_2", "18 c in Oslo"),
        ("on_tool_output", "call_3", "18 c in Paris"),
    ]
    created = [rest[0].id for name, *rest in log if name == "on_tool_call_created"]
    assert created == ["call_1", "call_2", "call_3"]
    once = ("on_run_step_created", "on_run_step_done", "on_message_done", "on_text_done", "on_end")
    assert names(log, *once) == [
        *("on_run_step_created", "on_run_step_done") * 2,
        "on_text_done",
        "on_message_done",
        "on_end",
    ]
    assert log[-1] == ("on_end",)
    assert (await colour.of(stream.get_final_run())).status == "completed"
    steps = await colour.of(stream.get_final_run_steps())
    assert [(each.id, each.status) for each in steps] == [("step_1", "completed"), ("step_2", "completed")]
    assert [c.function.output for each in steps for c in each.step_details.tool_calls] == [
        "18 c in Rome",
        "18 c in Oslo",
        "18 c in Paris",
    ]
    (message,) = await colour.of(stream.get_final_messages())
    assert message.content[0].text.value == TEXT
    assert stream.tool_outputs == []


async def test_a_tool_call_that_a_callback_gets_is_whole(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await handled(colour, server, ToolServer(server, *ROUNDS), log, tool_handlers=[get_weather])
    call, output = next(rest for name, *rest in log if name == "on_tool_output")
    assert (call.type, call.function.name, call.function.arguments) == (
        "function",
        "get_weather",
        '{"city": "Rome"}',
    )
    assert output == "18 c in Rome"


async def test_on_tool_output_comes_before_the_submit(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    submitted: list[int] = []

    class Counts(colour.handler):  # type: ignore[name-defined,misc]
        def on_tool_output(self, *_: Any) -> None:
            submitted.append(len(served.submits))

    await gone(
        colour,
        colour.client(server.url),
        "stream",
        served,
        event_handler=Counts(),
        tool_handlers=[get_weather],
    )
    assert submitted == [0, 1, 1]


async def test_an_exception_of_on_tool_output_is_that_of_a_callback(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    told: list[Any] = []

    class Raises(colour.handler):  # type: ignore[name-defined,misc]
        def on_tool_output(self, *_: Any) -> None:
            raise ZeroDivisionError("mine")

        def on_exception(self, exception: Exception) -> None:
            told.append(exception)

        def on_end(self) -> None:
            told.append("end")

    handler = Raises()
    client = colour.client(server.url)
    with pytest.raises(ZeroDivisionError) as caught:
        await gone(colour, client, "stream", served, event_handler=handler, tool_handlers=[get_weather])
    assert told == [caught.value, "end"]
    assert handler.tool_outputs == [{"tool_call_id": "call_1", "output": "18 c in Rome"}]
    assert served.submits == []


async def test_outputs_are_there_until_the_server_has_them(colour: Colour, server: Loopback) -> None:
    seen: list[int] = []

    class Looks(colour.handler):  # type: ignore[name-defined,misc]
        def on_event(self, event: Any) -> None:
            seen.append(len(self.tool_outputs))

        def on_tool_output(self, *_: Any) -> None:
            seen.append(len(self.tool_outputs))

    served = ToolServer(server, ROUNDS[1])
    client = colour.client(server.url)
    await gone(colour, client, "stream", served, event_handler=Looks(), tool_handlers=[get_weather])
    assert seen == [0, 0, 0, 0, 0, 2, 2, *[0] * 6]


async def test_the_text_of_all_rounds_is_one(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    runs = colour.client(server.url).beta.threads.runs
    asked = runs.stream(thread_id="thread_1", assistant_id="asst_1", tool_handlers=[get_weather])
    async with colour.entered(asked) as stream:
        assert "".join(await colour.list(stream.text_deltas)) == TEXT
    assert len(served.submits) == 2


async def test_a_handler_of_the_sdks_own_class_will_do(colour: Colour, server: Loopback) -> None:
    base = getattr(openai, f"{'Async' * colour.is_async}AssistantEventHandler", None)
    if base is None:
        pytest.skip("this release has no handlers")
    log: list[Any] = []
    handler = colour.logging_handler(log, base=base)
    handler.on_tool_output = lambda call, output: log.append(("on_tool_output", call, output))
    served = ToolServer(server, *ROUNDS)
    client = colour.client(server.url)
    await gone(colour, client, "stream", served, event_handler=handler, tool_handlers=[get_weather])
    assert names(log, "on_tool_output", "on_end") == [*["on_tool_output"] * 3, "on_end"]


async def test_a_raw_response_makes_a_stream_that_goes_on(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    runs = colour.client(server.url).beta.threads.runs.with_raw_response
    raw = await colour.of(
        runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True, tool_handlers=[get_weather])
    )
    events = await colour.list(raw.parse())
    assert story(events)[-1] == "run.completed"
    assert len(served.submits) == 2


async def test_headers_and_timeouts_of_the_call_are_those_of_its_submits(
    colour: Colour, server: Loopback
) -> None:
    headers = {"X-Mine": "1", "Idempotency-Key": "of one request"}
    for way in ("stream", "create_and_poll"):
        server.requests.clear()
        served = ToolServer(server, *ROUNDS)
        client = colour.client(server.url)
        await gone(
            colour,
            client,
            way,
            served,
            tool_handlers=[get_weather],
            extra_headers=headers,
            extra_query={"v": "2"},
            extra_body={"once": True},
        )
        submits = [each for each in server.requests if each.path.endswith("submit_tool_outputs")]
        assert [each.headers.get("x-mine") for each in submits] == ["1", "1"]
        assert not any("idempotency-key" in each.headers or "once" in each.json for each in submits)
        assert all(each.query["v"] == ["2"] for each in submits)


# ---------------------------------------------------------------- servers


async def test_a_server_that_leaves_out_the_calls_is_asked_for_them(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, [wanted("get_weather", "call_0", city="Rome")])
    server.on("POST", RUNS, Reply.sse([sse(tool_run('{"city":', '"Rome"}'))]))
    ended = await gone(colour, colour.client(server.url), "stream", served, tool_handlers=[get_weather])
    assert ended.run.status == "completed"
    assert served.submits == [[{"tool_call_id": "call_0", "output": "18 c in Rome"}]]


async def test_a_server_that_streams_no_calls_has_them_answered(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    served.streams_calls = False
    log: list[Any] = []
    await handled(colour, server, served, log, tool_handlers=[get_weather])
    told = [rest[0].id for name, *rest in log if name == "on_tool_call_done"]
    assert told == ["call_1", "call_2", "call_3"]
    assert len(served.submits) == 2


async def test_a_server_that_says_done_and_not_what_it_waits_for_is_asked(
    colour: Colour, server: Loopback
) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    server.on("POST", RUNS, Reply.sse([sse([run("queued", "created"), run("in_progress"), step("created")])]))
    ended = await gone(colour, colour.client(server.url), "stream", served, tool_handlers=[get_weather])
    assert story(ended.events)[3] == "run.requires_action"
    assert ended.run.status == "completed"


async def test_a_stream_that_just_ends_is_settled_in_every_round(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    started, answered = served._started, served._submitted
    cut = {"content-type": "text/event-stream"}

    def ends(reply: Any) -> Any:
        (body,) = reply.body
        frames = body.split(b"\n\n")
        return Reply(200, cut, [b"\n\n".join(frames[:2]) + b"\n\n"])

    server.on("POST", RUNS, lambda request: ends(started(request)))
    server.on("POST", SUBMIT, lambda request: ends(answered(request)))
    log: list[Any] = []
    stream = await handled(colour, server, served, log, tool_handlers=[get_weather])
    told = [rest[0].id for name, *rest in log if name == "on_tool_call_done"]
    assert told == ["call_1", "call_2", "call_3"]
    assert names(log, "on_message_done", "on_end") == ["on_message_done", "on_end"]
    assert (await colour.of(stream.get_final_run())).status == "completed"
    assert len(served.submits) == 2


async def test_an_action_that_is_no_call_of_a_function_is_somebody_elses(
    colour: Colour, server: Loopback
) -> None:
    approval = {"id": "call_1", "type": "mcp", "server_label": "s"}
    action = {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [approval]}}
    waits = objects.run("requires_action", required_action=action)
    server.on("POST", RUNS, Reply.sse([sse([("thread.run.requires_action", waits)])]))
    server.on("GET", ONE_RUN, Reply.json(waits))
    client = colour.client(server.url)
    stream = await colour.created(client, tool_handlers=[get_weather])
    assert story(await colour.list(stream)) == ["run.requires_action"]
    assert stream.tool_outputs == []


# ---------------------------------------------------------------- leaving


async def test_leaving_before_the_calls_makes_none(colour: Colour, server: Loopback) -> None:
    ran: list[str] = []
    served = ToolServer(server, *ROUNDS)
    client = colour.client(server.url)
    stream = await colour.created(client, tool_handlers={"get_weather": lambda _: ran.append("x")})
    async for event in colour.each(stream):
        if event.event == "thread.run.requires_action":
            break
    await colour.of(stream.close())
    assert await colour.list(stream) == []
    assert (ran, served.submits) == ([], [])
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["thread", "task"])
async def test_closing_leaves_calls_that_are_under_way(colour: Colour, server: Loopback, kind: str) -> None:
    hanging = Hanging()
    served = ToolServer(server, [wanted("hang")])
    is_task = kind == "task" and colour.is_async
    tool = function_tool(hanging.in_task if is_task else hanging.in_thread, name="hang")
    stream = await colour.created(colour.client(server.url), tool_handlers=[tool])
    read = await colour.read_until_closed(stream, hanging.begun.is_set)
    hanging.free()
    assert story(read)[-1] == "run.requires_action"
    assert hanging.cancelled == ["task"] * is_task
    assert served.submits == []


async def test_a_callback_may_close_the_stream_between_two_rounds(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    told: list[str] = []

    class Closes(colour.handler):  # type: ignore[name-defined,misc]
        def on_tool_output(self, *_: Any) -> Any:
            told.append("output")
            return self.close()

        def on_end(self) -> None:
            told.append("end")

    client = colour.client(server.url)
    ended = await gone(colour, client, "stream", served, event_handler=Closes(), tool_handlers=[get_weather])
    assert told == ["output", "end"]
    assert story(ended.events)[-1] == "run.requires_action"
    assert served.submits == []


PROGRAM = """
import signal, sys, threading
from openai import OpenAI
from streaming_assistants import function_tool, patch

def hang() -> str:
    print("begun", flush=True)
    threading.Event().wait()

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may have it ignored
client = patch(OpenAI(api_key="x", base_url=sys.argv[1]))
try:
    runs = client.beta.threads.runs
    with runs.stream(thread_id="thread_1", assistant_id="asst_1", tool_handlers=[hang]) as stream:
        stream.until_done()
except KeyboardInterrupt as error:
    print(error.attempted, error.completed, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a process otherwise there")
@pytest.mark.parametrize("colour", ["sync"], indirect=True)
async def test_ctrl_c_ends_a_program_whose_function_hangs(
    colour: Colour, server: Loopback, tmp_path: Path
) -> None:
    served = ToolServer(server, [wanted("hang")])
    (tmp_path / "program.py").write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "program.py"), server.url, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with anyio.fail_after(60):  # a machine may be slow to import
        assert await process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"('call_1',) ()\n"
        assert await process.wait() == 0
    assert served.submits == []


# ---------------------------------------------------------------- where the SDK's own stays


async def test_a_client_that_is_not_repaired_has_the_loop_too(colour: Colour, server: Loopback) -> None:
    client = patch(colour.bare(server.url), repair=False)
    for way in ("stream", "create", "create_and_poll"):
        served = ToolServer(server, *ROUNDS)
        ended = await gone(colour, client, way, served, tool_handlers=[get_weather])
        assert ended.run.status == "completed"


@pytest.mark.parametrize("method", ["create", "submit_tool_outputs"])
async def test_handlers_want_a_stream(colour: Colour, server: Loopback, method: str) -> None:
    runs = colour.client(server.url).beta.threads.runs
    ids = (
        {"run_id": "run_1", "tool_outputs": []}
        if method == "submit_tool_outputs"
        else {"assistant_id": "asst_1"}
    )
    with pytest.raises(ValueError, match=r"tool_handlers= requires stream=True, or a helper"):
        await colour.of(getattr(runs, method)(thread_id="thread_1", **ids, tool_handlers=[get_weather]))
    assert server.requests == []
