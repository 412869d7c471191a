"""``tool_handlers=`` at its edges: odd handlers, runs that end meanwhile, broken streams, other clients."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import openai
import pydantic
import pytest

from streaming_assistants import RunFailedError, ToolError, function_tool, patch, unpatch

from . import objects
from .clients import Colour
from .loopback import CUT, Loopback, Reply, Request
from .objects import ONE_RUN, RUNS
from .recorder import dumped
from .samples import run, sse
from .tool_server import ROUNDS, SUBMIT, TEXT, USUAL, ToolServer, get_weather, gone, hurry, wanted

pytestmark = pytest.mark.anyio

usual_way = pytest.mark.parametrize("way", USUAL)
streamed_way = pytest.mark.parametrize("way", ["create", "stream", "submit_tool_outputs_stream"])

ROME = {"tool_call_id": "call_1", "output": "18 c in Rome"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


# ---------------------------------------------------------------- odd handlers


@usual_way
@pytest.mark.parametrize("kind", [StopIteration, asyncio.CancelledError, RecursionError])
@pytest.mark.parametrize("declared", ["def", "async def"])
async def test_no_exception_of_a_function_is_taken_for_something_else(
    colour: Colour, server: Loopback, way: str, kind: type[BaseException], declared: str
) -> None:
    if not colour.is_async and (declared == "async def" or kind is asyncio.CancelledError):
        pytest.skip("there are no tasks")

    def raises(_: Any) -> None:
        raise kind

    async def raises_async(_: Any) -> None:
        raise kind

    told: list[ToolError] = []
    served = ToolServer(server, ROUNDS[0])
    handlers = {"get_weather": raises if declared == "def" else raises_async}
    client = colour.client(server.url)
    ended = await gone(colour, client, way, served, tool_handlers=handlers, on_tool_error=told.append)
    assert ended.run.status == "completed"
    assert [each.stage for each in told] == ["execution"]


@usual_way
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("colour", ["sync"], indirect=True)
async def test_what_ends_a_program_ends_the_loop(
    colour: Colour, server: Loopback, way: str, kind: type[BaseException]
) -> None:
    def leave(_: Any) -> None:
        raise kind

    served = ToolServer(server, ROUNDS[0])
    with pytest.raises(kind) as caught:
        await gone(colour, colour.client(server.url), way, served, tool_handlers={"get_weather": leave})
    assert caught.value.attempted == ("call_1",)  # type: ignore[attr-defined]
    assert served.submits == []


async def test_a_function_may_go_through_a_run_of_its_own(colour: Colour, server: Loopback) -> None:
    client = colour.client(server.url)
    own = [run("queued", "created", thread_id="thread_2"), run("completed", thread_id="thread_2")]
    server.on("POST", "/threads/thread_2/runs", Reply.sse([sse(own)]))
    asked = {"thread_id": "thread_2", "assistant_id": "asst_1", "tool_handlers": [get_weather]}

    def ask() -> str:
        with client.beta.threads.runs.stream(**asked) as stream:
            return str(stream.get_final_run().status)

    async def ask_async() -> str:
        async with client.beta.threads.runs.stream(**asked) as stream:
            return str((await stream.get_final_run()).status)

    served = ToolServer(server, [wanted("ask")])
    tool = function_tool(ask_async if colour.is_async else ask, name="ask")
    ended = await gone(colour, client, "stream", served, tool_handlers=[tool])
    assert served.submits == [[{"tool_call_id": "call_1", "output": "completed"}]]
    assert ended.run.status == "completed"


async def test_two_loops_of_one_client_go_side_by_side(colour: Colour, server: Loopback) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(city: str) -> str:
        both.wait()
        return city

    tool = function_tool(meet, name="get_weather")
    client = colour.client(server.url)
    with Loopback() as other:
        served = [
            ToolServer(each, *([wanted("get_weather", city=f"{place}{n}")] for n in range(3)))
            for place, each in enumerate((server, other))
        ]

        def loop(place: int) -> Any:
            url = (server, other)[place].url
            mine = client.with_options(base_url=url)
            return gone(colour, mine, "stream", served[place], tool_handlers=[tool])

        if colour.is_async:
            await asyncio.gather(loop(0), loop(1))
        else:
            await asyncio.gather(*(asyncio.to_thread(asyncio.run, loop(place)) for place in range(2)))
    for place, each in enumerate(served):
        assert [one[0]["output"] for one in each.submits] == [f"{place}{n}" for n in range(3)]


@usual_way
async def test_a_call_of_another_kind_is_left_to_the_program(
    colour: Colour, server: Loopback, way: str
) -> None:
    approval = {"id": "call_2", "type": "mcp", "server_label": "s"}
    nameless = {"id": "call_3", "type": "function", "function": {"arguments": "{}"}}
    served = ToolServer(server, [wanted("get_weather", city="Rome"), approval, nameless])
    served.streams_calls = False
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather])
    assert (ended.run.status, ended.tool_outputs) == ("requires_action", [ROME])


# ---------------------------------------------------------------- runs and servers


REFUSED = Reply.json({"error": {"message": "Runs in status 'expired' do not accept tool outputs."}}, 400)


def ending(server: Loopback, *statuses: str) -> Any:
    """A tool during which the run ends; it takes no outputs then."""

    def meanwhile(city: str) -> str:
        server.on("GET", ONE_RUN, *(Reply.json(objects.run(each)) for each in statuses))
        server.on("POST", SUBMIT, REFUSED)
        return get_weather(city)

    return function_tool(meanwhile, name="get_weather")


@usual_way
@pytest.mark.parametrize("resumes", [False, True])
@pytest.mark.parametrize("statuses", [("expired",), ("cancelling", "cancelled")])
async def test_a_run_that_ends_during_a_call_is_told_as_it_ended(
    colour: Colour, server: Loopback, way: str, statuses: tuple[str, ...], resumes: bool
) -> None:
    served = ToolServer(server, ROUNDS[0])
    tool = ending(server, *statuses)
    more = {"resume": True} if resumes and way != "create_and_poll" else {}
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[tool], **more)
    assert ended.run.status == statuses[-1]
    assert ended.tool_outputs == [ROME]


@usual_way
async def test_a_run_that_ends_during_a_call_has_failed(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, ROUNDS[0])
    tools = [ending(server, "expired")]
    client = colour.client(server.url)
    with pytest.raises(RunFailedError) as caught:
        await gone(colour, client, way, served, tool_handlers=tools, raise_on_failure=True)
    assert caught.value.run.status == "expired"


@usual_way
@pytest.mark.parametrize("failing", ["the submit's answer", "the next round's"])
async def test_a_run_that_was_given_outputs_is_not_started_anew(
    colour: Colour, server: Loopback, way: str, failing: str
) -> None:
    served = ToolServer(server, *(ROUNDS if failing == "the next round's" else ROUNDS[:1]))
    served.end = {"status": "failed", "last_error": {"code": "server_error", "message": "Sorry."}}
    client = colour.client(server.url)
    ended = await gone(colour, client, way, served, tool_handlers=[get_weather], retries=2)
    assert ended.run.status == "failed"
    assert [name for _, name in served.asked].count("runs") == 1


@usual_way
@pytest.mark.parametrize("resumes", [False, True])
async def test_outputs_that_are_refused_as_taken_before_are_no_error(
    colour: Colour, server: Loopback, way: str, resumes: bool
) -> None:
    served = ToolServer(server, ROUNDS[0])
    tries: list[Request] = []

    def answer(request: Request) -> Any:
        """The connection breaks before the server has taken them, and the second try comes too late."""
        tries.append(request)
        if len(tries) == 1:
            return CUT
        served._submitted(request)
        return REFUSED

    server.on("POST", SUBMIT, answer)
    more = {"resume": True} if resumes and way != "create_and_poll" else {}
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather], **more)
    assert (ended.run.status, ended.tool_outputs) == ("completed", [])
    assert len(tries) == 2


@pytest.mark.parametrize("way", ["create", "stream"])
async def test_where_no_run_can_be_asked_for_a_broken_submit_is_an_error(
    colour: Colour, server: Loopback, way: str
) -> None:
    served = ToolServer(server, ROUNDS[0])
    served.breaks = ["lost"]
    server.on("GET", ONE_RUN, Reply.json({"detail": "Method Not Allowed"}, 405))
    with pytest.raises(openai.APIConnectionError) as caught:
        await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather])
    assert caught.value.completed == ("call_1",)  # type: ignore[attr-defined]
    assert served.submits == []


@streamed_way
async def test_a_server_that_answers_a_submit_with_the_run_alone(
    colour: Colour, server: Loopback, way: str
) -> None:
    served = ToolServer(server, *ROUNDS)

    def plain(request: Request) -> Any:
        served._submitted(request)
        return Reply.json(served.run())

    server.on("POST", SUBMIT, plain)
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather])
    assert ended.run.status == "completed"
    said = [event.data for event in ended.events if event.event == "thread.message.completed"]
    assert [each.content[0].text.value for each in said] == [TEXT]


@streamed_way
@pytest.mark.parametrize("frames", [1, 3])
async def test_every_answer_breaks_and_one_stream_goes_on(
    colour: Colour, server: Loopback, way: str, frames: int
) -> None:
    served = ToolServer(server, *ROUNDS)

    def cut(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        def answered(request: Request) -> Any:
            body = b"".join(answer(request).body).split(b"\n\n")
            return Reply.sse([b"\n\n".join(body[:frames]) + b"\n\n", CUT])

        return answered

    server.on("POST", RUNS, cut(served._started)).on("POST", SUBMIT, cut(served._submitted))
    ran: list[str] = []
    log: list[Any] = []

    def get_weather(city: str) -> str:
        ran.append(city)
        return city

    params: dict[str, Any] = {"tool_handlers": [get_weather], "resume": True}
    if way != "create":
        params["event_handler"] = colour.logging_handler(log)
    ended = await gone(colour, colour.client(server.url), way, served, **params)
    assert ended.run.status == "completed"
    assert sorted(ran) == ["Oslo", "Paris", "Rome"]
    assert len(served.submits) == 2 + way.startswith("submit")
    if way == "create":
        return
    done = [rest[0].id for name, *rest in log if name == "on_tool_call_done"]
    assert sorted(done) == ["call_1", "call_2", "call_3"]
    assert [rest[0].value for name, *rest in log if name == "on_text_done"] == [TEXT]
    assert "".join(rest[0].value for name, *rest in log if name == "on_text_delta") == TEXT
    assert [name for name, *_ in log].count("on_end") == 1


# ---------------------------------------------------------------- clients


@usual_way
async def test_azure(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, *ROUNDS)
    options = {"base_url": server.url, "api_key": "x", "api_version": "2024-05-01-preview"}
    client = patch(colour.sdk_client(azure=True, **options))
    ended = await gone(colour, client, way, served, tool_handlers=[get_weather])
    assert ended.run.status == "completed"
    assert all(each.query["api-version"] == ["2024-05-01-preview"] for each in server.requests)


@usual_way
async def test_a_client_with_other_options(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, *ROUNDS)
    client = colour.client("http://127.0.0.1:1")
    client = client.with_options(base_url=server.url, default_headers={"x-tenant": "t1"})
    ended = await gone(colour, client, way, served, tool_handlers=[get_weather])
    assert ended.run.status == "completed"
    assert {each.headers["x-tenant"] for each in server.requests} == {"t1"}


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
async def test_the_module_has_the_loop_too(
    colour: Colour, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = ToolServer(server, *ROUNDS)
    monkeypatch.setattr(openai, "api_key", "x")
    monkeypatch.setattr(openai, "base_url", server.url)
    monkeypatch.setattr(openai, "http_client", None)  # the module keeps the one of its last client here
    openai._reset_client()
    patch(openai)
    try:
        ended = await gone(colour, openai, "stream", served, tool_handlers=[get_weather])
    finally:
        unpatch(openai)
        openai._load_client().close()
        openai._reset_client()
    assert ended.run.status == "completed"


async def test_a_streaming_response_makes_a_stream_that_goes_on(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, *ROUNDS)
    view = getattr(colour.client(server.url).beta.threads.runs, "with_streaming_response", None)
    if view is None:
        pytest.skip("this release has no such responses")
    asked = view.create(thread_id="thread_1", assistant_id="asst_1", stream=True, tool_handlers=[get_weather])
    async with colour.entered(asked) as response:
        events = await colour.list(await colour.of(response.parse()))
    assert events[-1].event == "thread.run.completed"
    assert len(served.submits) == 2


async def test_the_outputs_of_a_polled_run_are_beside_its_fields(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, [*ROUNDS[0], wanted("get_news", "call_2")])
    client = colour.client(server.url)
    polled = (await gone(colour, client, "create_and_poll", served, tool_handlers=[get_weather])).run
    if not pydantic.VERSION.startswith("1."):  # which counts all that an object holds among its fields
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert "tool_outputs" not in dumped(polled)
    for made in (copy.copy(polled), copy.deepcopy(polled), pickle.loads(pickle.dumps(polled))):
        assert made.tool_outputs == [ROME]
