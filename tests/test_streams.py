"""Streams on a real socket, both colours: what arrives, when, and what happens when it breaks."""

from __future__ import annotations

import gc
import gzip
import threading
from typing import Any

import anyio
import openai
import pydantic
import pytest

from streaming_assistants import IncompleteStreamError, MalformedEventError, StreamingAssistantsError, _sdk

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .samples import DIALECTS, RUN, data_only, frame, message, run, sse, step, text, text_run

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"
ONE_RUN = f"{RUNS}/run_1"


async def test_create_streams_typed_events(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("Hello", " world"))]))
    stream = await colour.created(colour.client(server.url))
    assert isinstance(stream, colour.stream)
    events = await colour.list(stream)
    assert [event.event for event in events] == [name for name, _ in text_run("Hello", " world")]
    (request,) = server.requests
    assert request.json == {"assistant_id": "asst_1", "stream": True}
    assert request.headers["openai-beta"] == "assistants=v2"
    assert request.headers["authorization"] == "Bearer test"


async def test_create_and_run_streams(colour: Colour, server: Loopback) -> None:
    server.on("POST", "/threads/runs", Reply.sse([sse(text_run("Hi"))]))
    client = colour.client(server.url)
    stream = await colour.of(
        client.beta.threads.create_and_run(
            assistant_id="asst_1",
            thread={"messages": ({"role": "user", "content": c} for c in "ab")},
            stream=True,
        )
    )
    assert len(await colour.list(stream)) == 7
    assert server.requests[0].json["thread"]["messages"][1] == {"role": "user", "content": "b"}


async def test_submit_tool_outputs_streams(colour: Colour, server: Loopback) -> None:
    server.on(
        "POST", f"{ONE_RUN}/submit_tool_outputs", Reply.sse([sse([step("completed"), run("completed")])])
    )
    client = colour.client(server.url)
    outputs = [{"tool_call_id": "call_1", "output": "warm"}]
    stream = await colour.of(
        client.beta.threads.runs.submit_tool_outputs(
            "run_1", thread_id="thread_1", tool_outputs=outputs, stream=True
        )
    )
    assert [event.event for event in await colour.list(stream)] == [
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert server.requests[0].json == {"tool_outputs": outputs, "stream": True}


@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}], ids=str)
async def test_without_stream_the_sdk_answers(colour: Colour, server: Loopback, stream: Any) -> None:
    server.on("POST", RUNS, Reply.json(RUN))
    client = colour.client(server.url)
    created = await colour.of(client.beta.threads.runs.create("thread_1", assistant_id="asst_1", **stream))
    assert (type(created).__name__, created.id) == ("Run", "run_1")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_over_a_socket(colour: Colour, server: Loopback, dialect: str) -> None:
    body = DIALECTS[dialect](text_run("Hello", " world"))
    server.on("POST", RUNS, Reply.sse([body[:150], body[150:151], body[151:]]))
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.event for event in events] == [name for name, _ in text_run("Hello", " world")]


async def test_no_event_waits_for_the_next_one(colour: Colour, server: Loopback) -> None:
    seen = threading.Event()
    rest = text_run("a")
    server.on("POST", RUNS, Reply.sse([frame(rest[0]), seen, sse(rest[1:])]))
    stream = await colour.created(colour.client(server.url))
    first = await colour.next(stream)
    seen.set()  # only now does the server send its second chunk
    assert first.event == "thread.run.created"
    assert len(await colour.list(stream)) == len(rest) - 1


async def test_iteration_goes_on_after_a_break(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a", "b"))]))
    stream = await colour.created(colour.client(server.url))
    async for event in colour.each(stream):
        assert event.event == "thread.run.created"
        break
    assert len(await colour.list(stream)) == 7


# ---------------------------------------------------------------- leaving early


def endless() -> Any:
    yield frame(run("in_progress"))
    while True:
        yield frame(text("more "))
        yield 0.005


async def hung_up(server: Loopback) -> bool:
    """Whether the server saw its client leave; waited for, never timed."""
    return await anyio.to_thread.run_sync(lambda: server.closed_early.acquire(timeout=10))


async def test_leaving_the_with_block_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse(endless()))
    async with colour.entered(await colour.created(colour.client(server.url))) as stream:
        async for _ in colour.each(stream):
            break
    assert stream.response.is_closed
    assert await hung_up(server)


async def test_dropping_the_stream_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse(endless()))
    client = colour.client(server.url)
    stream = await colour.created(client)
    response = stream.response
    await colour.next(stream)
    del stream
    gc.collect()
    await anyio.sleep(0)  # the async generator is closed by the event loop
    assert await hung_up(server)
    assert response.is_closed


async def test_an_exception_in_the_loop_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse(endless()))
    with pytest.raises(KeyError):
        async with colour.entered(await colour.created(colour.client(server.url))) as stream:
            async for _ in colour.each(stream):
                raise KeyError("mine")
    assert await hung_up(server)


@pytest.mark.parametrize("colour", ["async"], indirect=True)
async def test_cancelling_the_task_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse(endless()))
    stream = await colour.created(colour.client(server.url))

    async def read() -> None:
        async for _ in stream:
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert stream.response.is_closed
    assert await hung_up(server)


async def test_closing_twice_is_fine_and_ends_the_stream(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    stream = await colour.created(colour.client(server.url))
    await colour.list(stream)
    await colour.of(stream.close())
    await colour.of(stream.close())
    assert await colour.list(stream) == []


async def test_the_client_serves_the_next_call_after_every_kind_of_end(
    colour: Colour, server: Loopback
) -> None:
    broken = [frame(run("in_progress")), CUT]
    malformed = [b"event: thread.run.created\ndata: {\n\n"]
    server.on(
        "POST",
        RUNS,
        Reply.sse(endless()),
        Reply.sse(broken),
        Reply.sse(malformed),
        Reply.sse([sse(text_run("a"))]),
    )
    client = colour.client(server.url)
    async with colour.entered(await colour.created(client)) as stream:
        await colour.next(stream)
    for _ in range(2):
        with pytest.raises(openai.APIError):
            await colour.list(await colour.created(client))
    assert len(await colour.list(await colour.created(client))) == 7


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("framed", [sse, data_only])
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
async def test_an_error_event_raises_with_its_words(
    colour: Colour, server: Loopback, framed: Any, nested: bool
) -> None:
    said = {"message": "over quota", "code": "rate_limit_exceeded", "type": "server_error", "param": None}
    data = {"error": said} if nested else said
    server.on("POST", RUNS, Reply.sse([framed([run("in_progress"), ("error", data)])]))
    stream = await colour.created(colour.client(server.url))
    with pytest.raises(openai.APIError) as caught:
        await colour.list(stream)
    error = caught.value
    assert (error.message, error.code, error.type) == ("over quota", "rate_limit_exceeded", "server_error")
    assert error.body == said
    assert stream.response.is_closed


async def test_a_broken_connection_is_the_sdks_error_and_the_transports(
    colour: Colour, server: Loopback
) -> None:
    server.on("POST", RUNS, Reply.sse([frame(run("in_progress")), CUT]))
    stream = await colour.created(colour.client(server.url))
    with pytest.raises(openai.APIConnectionError) as caught:
        await colour.list(stream)
    assert isinstance(caught.value, _sdk.transport_errors())
    assert isinstance(caught.value.__cause__, _sdk.transport_errors())
    assert not isinstance(caught.value, openai.APITimeoutError)
    assert str(caught.value.request.url).endswith(RUNS)


async def test_a_body_that_cannot_be_decompressed_is_a_connection_error(
    colour: Colour, server: Loopback
) -> None:
    server.on("POST", RUNS, Reply.sse([b"not what gzip writes"], content_encoding="gzip"))
    with pytest.raises(openai.APIConnectionError) as caught:
        await colour.list(await colour.created(colour.client(server.url)))
    assert isinstance(caught.value, _sdk.transport_errors())


async def test_a_compressed_stream_is_read(colour: Colour, server: Loopback) -> None:
    body = gzip.compress(sse(text_run("a")))
    server.on("POST", RUNS, Reply.sse([body[:50], body[50:]], content_encoding="gzip"))
    assert len(await colour.list(await colour.created(colour.client(server.url)))) == 7


async def test_a_stall_is_a_timeout_by_every_name(colour: Colour, server: Loopback) -> None:
    stalled = threading.Event()
    server.on("POST", RUNS, Reply.sse([frame(run("in_progress")), stalled]))
    stream = await colour.created(colour.client(server.url, timeout=0.3))
    with pytest.raises(openai.APITimeoutError) as caught:
        await colour.list(stream)
    stalled.set()
    assert isinstance(caught.value, _sdk.timeout_errors())


@pytest.mark.parametrize(
    "body",
    [
        b"event: thread.run.created\ndata: {oops\n\n",
        b'event: thread.run.created\ndata: {"id": "\xff"}\n\n',
        b"event: thread.run.created\ndata: 17\n\n",
        b"event: thread.run.created\ndata: {}\n\n",
    ],
    ids=["json", "utf8", "scalar", "fields"],
)
async def test_a_malformed_frame_is_an_error_of_both_families(
    colour: Colour, server: Loopback, body: bytes
) -> None:
    server.on("POST", RUNS, Reply.sse([frame(text("kept")), body]))
    stream = await colour.created(colour.client(server.url))
    assert (await colour.next(stream)).event == "thread.message.delta"
    with pytest.raises(MalformedEventError, match="expected") as caught:
        await colour.list(stream)
    assert isinstance(caught.value, openai.APIError)
    assert isinstance(caught.value, StreamingAssistantsError)
    assert caught.value.event == "thread.run.created"
    assert caught.value.body in body
    assert stream.response.is_closed


@pytest.mark.parametrize(
    ("status", "error"), [(400, openai.BadRequestError), (401, openai.AuthenticationError)]
)
async def test_a_refused_request_raises_as_the_sdk_does(
    colour: Colour, server: Loopback, status: int, error: type[Exception]
) -> None:
    server.on("POST", RUNS, Reply.json({"error": {"message": "no"}}, status))
    with pytest.raises(error, match="no"):
        await colour.created(colour.client(server.url))


async def test_retries_are_the_sdks(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.json({}, 500, retry_after_ms="1"), Reply.sse([sse(text_run("a"))]))
    client = colour.client(server.url, max_retries=1)
    assert len(await colour.list(await colour.created(client))) == 7
    assert len(server.requests) == 2


# ---------------------------------------------------------------- streams that just end


def holds(server: Loopback, *runs: Any, steps: Any = (), messages: Any = ()) -> None:
    """Makes the server hold a run (in these states, one after the other), its steps and messages."""
    server.on("GET", ONE_RUN, *[Reply.json({**RUN, "status": status}) for status in runs])
    server.on("GET", f"{ONE_RUN}/steps", Reply.json({"object": "list", "data": [data for _, data in steps]}))
    server.on(
        "GET",
        "/threads/thread_1/messages",
        Reply.json({"object": "list", "data": [data for _, data in messages]}),
    )


async def test_a_stream_that_just_ends_is_settled_by_asking_the_server(
    colour: Colour, server: Loopback
) -> None:
    started = [run("in_progress"), message("created"), text("Hel"), text("lo")]
    server.on("POST", RUNS, Reply.sse([data_only(started, end=b"")]))
    mine = message("completed", "user's", id="msg_0", role="user")
    holds(server, "completed", steps=[step("completed")], messages=[message("completed", "Hello"), mine])
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.event for event in events[4:]] == [
        "thread.run.step.completed",
        "thread.message.completed",
        "thread.run.completed",
    ]
    assert events[5].data.content[0].text.value == "Hello"
    assert [r.headers["openai-beta"] for r in server.requests] == ["assistants=v2"] * 4


async def test_what_was_streamed_to_its_end_is_not_brought_again(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress"), message("completed", "Hi")], end=b"")]))
    holds(server, "completed", messages=[message("completed", "Hi")])
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.event for event in events] == [
        "thread.run.in_progress",
        "thread.message.completed",
        "thread.run.completed",
    ]


async def test_settling_waits_shortly_for_a_run_that_is_about_to_end(
    colour: Colour, server: Loopback
) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress")], end=b"")]))
    holds(server, "in_progress", "in_progress", "requires_action")
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert events[-1].event == "thread.run.requires_action"


async def test_a_submit_stream_that_brings_nothing_knows_its_run_by_its_path(
    colour: Colour, server: Loopback
) -> None:
    server.on("POST", f"{ONE_RUN}/submit_tool_outputs", Reply.sse([b": ping\n\n"]))
    holds(server, "failed")
    runs = colour.client(server.url).beta.threads.runs
    stream = await colour.of(
        runs.submit_tool_outputs("run_1", thread_id="thread_1", tool_outputs=[], stream=True)
    )
    assert [event.event for event in await colour.list(stream)] == ["thread.run.failed"]


async def test_a_run_that_stays_pending_is_an_error_with_its_id(
    colour: Colour, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_assistants._protocol.settle.WAIT_SECONDS", 0.2)
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress")], end=b"")]))
    holds(server, "in_progress")
    stream = await colour.created(colour.client(server.url))
    with pytest.raises(IncompleteStreamError, match="run_1 is in_progress; poll") as caught:
        await colour.list(stream)
    error = caught.value
    assert (error.run_id, error.thread_id, error.status) == ("run_1", "thread_1", "in_progress")
    assert isinstance(error, openai.APIConnectionError)


async def test_a_server_that_cannot_be_asked_is_an_error_with_the_runs_id(
    colour: Colour, server: Loopback
) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress")], end=b"")]))
    server.on("GET", ONE_RUN, Reply.json({"error": {"message": "down"}}, 500))
    stream = await colour.created(colour.client(server.url))
    with pytest.raises(IncompleteStreamError, match="asking the server for run run_1 failed") as caught:
        await colour.list(stream)
    assert caught.value.run_id == "run_1"
    assert isinstance(caught.value.__cause__, openai.InternalServerError)


@pytest.mark.parametrize("body", [b"{oops", b"<p>busy</p>"], ids=["json", "html"])
async def test_an_answer_about_the_run_that_makes_no_sense_is_an_error_with_its_id(
    colour: Colour, server: Loopback, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_assistants._protocol.settle.WAIT_SECONDS", 0.1)
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress")], end=b"")]))
    kind = "application/json" if body == b"{oops" else "text/html"
    server.on("GET", ONE_RUN, Reply(200, {"content-type": kind}, [body]))
    with pytest.raises(IncompleteStreamError, match="run_1") as caught:
        await colour.list(await colour.created(colour.client(server.url)))
    assert caught.value.run_id == "run_1"


async def test_what_is_no_object_in_a_page_is_passed_over(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("in_progress")], end=b"")]))
    holds(server, "completed")
    server.on("GET", f"{ONE_RUN}/steps", Reply.json({"data": [None, {"status": "completed"}, "x"]}))
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.event for event in events] == ["thread.run.in_progress", "thread.run.completed"]


async def test_an_answer_that_is_no_stream_says_so(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.json(RUN))
    with pytest.raises(IncompleteStreamError, match="application/json"):
        await colour.list(await colour.created(colour.client(server.url)))


async def test_a_terminal_event_is_an_end_without_done(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse([run("requires_action", "completed")], end=b"")]))
    events = await colour.list(await colour.created(colour.client(server.url)))
    assert [event.data.status for event in events] == ["requires_action"]
    assert len(server.requests) == 1


# ---------------------------------------------------------------- calls


LATER = {
    "include": ["step_details.tool_calls[*].file_search.results[*].content"],
    "additional_instructions": "short",
    "additional_messages": [{"role": "user", "content": "hi"}],
    "instructions": None,
    "max_completion_tokens": 10,
    "max_prompt_tokens": 300,
    "metadata": {"a": "b"},
    "model": "gpt-4o",
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "temperature": 0.5,
    "tool_choice": "auto",
    "tools": [{"type": "file_search"}],
    "top_p": 0.9,
    "truncation_strategy": {"type": "last_messages", "last_messages": 2},
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
async def test_every_parameter_of_the_newest_sdk(colour: Colour, server: Loopback, streamed: bool) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]) if streamed else Reply.json(RUN))
    client = colour.client(server.url)
    await colour.of(
        client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=streamed, **LATER)
    )
    (request,) = server.requests
    sent = {**request.json, "include": next(iter(request.query.values()))}
    assert sent.pop("stream", False) is streamed
    assert sent == {"assistant_id": "asst_1", **LATER}


async def test_a_name_that_no_sdk_knows_is_a_type_error(colour: Colour, server: Loopback) -> None:
    runs = colour.client(server.url).beta.threads.runs
    for asked in ({"stream": True}, {}):
        with pytest.raises(TypeError, match="unexpected keyword argument 'temprature'"):
            await colour.of(runs.create("thread_1", assistant_id="asst_1", temprature=1, **asked))
    with pytest.raises(TypeError, match="temprature"):
        runs.stream(thread_id="thread_1", assistant_id="asst_1", temprature=1)
    assert server.requests == []


async def test_bad_calls_fail_before_any_request(colour: Colour, server: Loopback) -> None:
    runs = colour.client(server.url).beta.threads.runs
    with pytest.raises(ValueError, match="Expected a non-empty value for `thread_id`"):
        await colour.of(runs.create("", assistant_id="asst_1", stream=True))
    with pytest.raises(TypeError, match="Expected a string for `thread_id` but received 5"):
        runs.stream(thread_id=5, assistant_id="asst_1")
    with pytest.raises(TypeError, match="'assistant_id'"):
        await colour.of(runs.create("thread_1", stream=True))
    with pytest.raises(TypeError, match="multiple values for argument 'thread_id'"):
        await colour.of(runs.create("thread_1", thread_id="thread_1", assistant_id="a", stream=True))
    with pytest.raises(TypeError, match="positional"):
        await colour.of(runs.create("thread_1", "asst_1", stream=True))
    assert server.requests == []


async def test_what_the_caller_gives_wins(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    stream = await colour.created(
        colour.client(server.url),
        extra_headers={"openai-beta": "assistants=v1", "X-Mine": "1"},
        extra_query={"q": "2"},
        extra_body={"model": "mine", "own": True},
        timeout=3,
        model="theirs",
    )
    await colour.list(stream)
    (request,) = server.requests
    assert (request.headers["openai-beta"], request.headers["x-mine"]) == ("assistants=v1", "1")
    assert request.query == {"q": ["2"]}
    assert (request.json["model"], request.json["own"]) == ("mine", True)


async def test_a_timeout_of_none_waits_for_ever(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([frame(run("in_progress")), 0.3, sse(text_run("a"))]))
    client = colour.client(server.url, timeout=0.1)
    assert len(await colour.list(await colour.created(client, timeout=None))) == 8
    with pytest.raises(openai.APITimeoutError):
        await colour.list(await colour.created(client))


async def test_models_are_sent_under_the_names_of_the_api(colour: Colour, server: Loopback) -> None:
    class Format(pydantic.BaseModel):
        schema_: dict[str, str] = pydantic.Field(alias="schema")

    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    given = Format(schema={"type": "object"})
    await colour.list(await colour.created(colour.client(server.url), response_format={"json_schema": given}))
    assert server.requests[0].json["response_format"] == {"json_schema": {"schema": {"type": "object"}}}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
async def test_a_body_that_cannot_be_added_to_is_a_type_error(
    colour: Colour, server: Loopback, streamed: bool
) -> None:
    runs = colour.client(server.url).beta.threads.runs
    with pytest.raises(TypeError):
        asked = {"stream": streamed, "extra_body": [1], "reasoning_effort": "low"}
        await colour.of(runs.create("thread_1", assistant_id="asst_1", **asked))
    assert server.requests == []


async def test_an_id_is_one_part_of_the_path(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.sse([sse(text_run("a"))]))
    runs = colour.client(server.url).beta.threads.runs
    await colour.list(await colour.of(runs.create("a/../b?c", assistant_id="asst_1", stream=True)))
    assert server.requests[0].path == "/threads/a%2F..%2Fb%3Fc/runs"
