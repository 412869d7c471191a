"""``tool_handlers=``: the functions of a run are called and their outputs submitted, until it ends."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime
import logging
import pickle
import threading
from typing import Any

import anyio
import openai
import pydantic
import pytest

from streaming_assistants import ToolError, ToolRoundsError, function_tool

from .clients import Colour
from .loopback import Loopback
from .tool_server import EVERY, POLLED, TEXT, USUAL, Hanging, ToolServer, get_weather, gone, hurry, wanted

pytestmark = pytest.mark.anyio

every_way = pytest.mark.parametrize("way", EVERY)
usual_way = pytest.mark.parametrize("way", USUAL)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def outputs_of(server: ToolServer) -> list[dict[str, str]]:
    """The outputs of the last submit, by call."""
    return [{each["tool_call_id"]: each["output"] for each in one} for one in server.submits]


# ---------------------------------------------------------------- rounds


@every_way
async def test_a_run_goes_through_all_its_rounds(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(
        server,
        [wanted("get_weather", "call_1", city="Rome")],
        [
            wanted("get_weather", "call_2", city="Paris", unit="f"),
            wanted("get_weather", "call_3", city="Oslo"),
        ],
    )
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=[get_weather])
    assert ended.run.status == "completed"
    assert ended.tool_outputs == []
    assert way not in POLLED or ended.run.tool_outputs == []
    assert outputs_of(served)[-2:] == [
        {"call_1": "18 c in Rome"},
        {"call_2": "18 f in Paris", "call_3": "18 c in Oslo"},
    ]


@every_way
async def test_without_handlers_a_run_stops_where_it_calls(
    colour: Colour, server: Loopback, way: str
) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    ended = await gone(colour, colour.client(server.url), way, served, tool_handlers=None)
    assert ended.run.status == "requires_action"
    assert len(served.submits) == way.startswith("submit")


@usual_way
async def test_outputs_are_submitted_once_and_in_the_order_of_the_calls(
    colour: Colour, server: Loopback, way: str
) -> None:
    second_is_over = threading.Event()

    def first() -> str:
        second_is_over.wait(10)
        return "1"

    def second() -> str:
        second_is_over.set()
        return "2"

    served = ToolServer(server, [wanted("first", "call_1"), wanted("second", "call_2")])
    await gone(colour, colour.client(server.url), way, served, tool_handlers=[first, second])
    assert served.submits == [
        [{"tool_call_id": "call_1", "output": "1"}, {"tool_call_id": "call_2", "output": "2"}]
    ]


@usual_way
@pytest.mark.parametrize("how", ["limit", "call", "run"])
async def test_calls_can_go_one_after_the_other(colour: Colour, server: Loopback, way: str, how: str) -> None:
    under_way: list[int] = []
    most: list[int] = []

    def slow() -> str:
        under_way.append(1)
        most.append(len(under_way))
        threading.Event().wait(0.02)
        under_way.pop()
        return ""

    params: dict[str, Any] = {
        "limit": {"max_concurrent_calls": 1},
        "call": {"parallel_tool_calls": False},
    }.get(how, {})
    fields = {"parallel_tool_calls": False} if how == "run" else {}
    served = ToolServer(server, [wanted("slow", f"call_{n}") for n in range(4)], **fields)
    await gone(colour, colour.client(server.url), way, served, tool_handlers=[slow], **params)
    assert max(most) == 1
    assert len(served.submits[0]) == 4


@usual_way
async def test_calls_of_a_round_go_side_by_side(colour: Colour, server: Loopback, way: str) -> None:
    everybody = threading.Barrier(5, timeout=10)

    def meet() -> str:
        everybody.wait()
        return "met"

    served = ToolServer(server, [wanted("meet", f"call_{n}") for n in range(5)])
    await gone(colour, colour.client(server.url), way, served, tool_handlers=[meet])
    assert [each["output"] for each in served.submits[0]] == ["met"] * 5


@pytest.mark.parametrize("colour", ["async"], indirect=True)
@usual_way
async def test_coroutines_and_functions_go_side_by_side(colour: Colour, server: Loopback, way: str) -> None:
    came = anyio.Event()
    told = threading.Event()

    async def waits() -> str:
        came.set()
        while not told.is_set():
            await anyio.sleep(0.001)
        return "task"

    async def follows() -> str:
        await came.wait()
        return "other"

    def tells() -> str:
        told.set()
        return "thread"

    served = ToolServer(
        server, [wanted("waits", "call_1"), wanted("tells", "call_2"), wanted("follows", "call_3")]
    )
    await gone(colour, colour.client(server.url), way, served, tool_handlers=[waits, tells, follows])
    assert [each["output"] for each in served.submits[0]] == ["task", "thread", "other"]


@usual_way
async def test_context_variables_are_carried(colour: Colour, server: Loopback, way: str) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")

    def ask() -> str:
        return who.get()

    async def ask_async() -> str:
        return who.get()

    who.set("Ada")
    handlers = {"ask": function_tool(ask), "other": function_tool(ask_async if colour.is_async else ask)}
    served = ToolServer(server, [wanted("ask", "call_1"), wanted("other", "call_2")])
    await gone(colour, colour.client(server.url), way, served, tool_handlers=handlers)
    assert [each["output"] for each in served.submits[0]] == ["Ada", "Ada"]


@usual_way
async def test_what_nobody_handles_ends_the_loop_and_the_rest_is_kept(
    colour: Colour, server: Loopback, way: str
) -> None:
    served = ToolServer(server, [wanted("get_weather", "call_1", city="Rome"), wanted("get_news", "call_2")])
    client = colour.client(server.url)
    ended = await gone(colour, client, way, served, tool_handlers=[get_weather])
    assert ended.run.status == "requires_action"
    assert ended.tool_outputs == [{"tool_call_id": "call_1", "output": "18 c in Rome"}]
    assert served.submits == []
    rest = [*ended.tool_outputs, {"tool_call_id": "call_2", "output": "none"}]
    run = await colour.of(
        client.beta.threads.runs.submit_tool_outputs_and_poll(
            thread_id="thread_1", run_id="run_1", tool_outputs=rest, poll_interval_ms=0
        )
    )
    assert run.status == "completed"


@usual_way
async def test_after_so_many_rounds_it_is_enough(colour: Colour, server: Loopback, way: str) -> None:
    ran: list[str] = []

    def again(n: int) -> str:
        ran.append(f"call_{n}")
        return str(n)

    served = ToolServer(server, *([wanted("again", f"call_{n}", n=n)] for n in range(5)))
    with pytest.raises(ToolRoundsError, match="after 2 submits") as caught:
        await gone(colour, colour.client(server.url), way, served, tool_handlers=[again], max_rounds=2)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.run_id, error.thread_id) == ("run_1", "thread_1")
    assert error.attempted == error.completed == ("call_0", "call_1") == tuple(ran)
    assert len(served.submits) == 2
    assert served.run()["status"] == "requires_action"


async def test_25_rounds_are_enough_unless_more_are_asked_for(colour: Colour, server: Loopback) -> None:
    rounds = [[wanted("get_weather", f"call_{n}", city="Rome")] for n in range(26)]
    client = colour.client(server.url)
    with pytest.raises(ToolRoundsError, match="after 25 submits"):
        await gone(colour, client, "poll", ToolServer(server, *rounds), tool_handlers=[get_weather])
    served = ToolServer(server, *rounds)
    ended = await gone(colour, client, "poll", served, tool_handlers=[get_weather], max_rounds=26)
    assert ended.run.status == "completed"


# ---------------------------------------------------------------- handlers


async def test_a_mapping_gives_a_function_its_arguments_as_one_dict(colour: Colour, server: Loopback) -> None:
    handlers = {"get_weather": lambda arguments: arguments["city"], "lookup": function_tool(get_weather)}
    served = ToolServer(
        server, [wanted("get_weather", "call_1", city="Rome", x=1), wanted("lookup", "call_2", city="Oslo")]
    )
    await gone(colour, colour.client(server.url), "create_and_poll", served, tool_handlers=handlers)
    assert outputs_of(served) == [{"call_1": "Rome", "call_2": "18 c in Oslo"}]


async def test_methods_are_called_on_their_object(colour: Colour, server: Loopback) -> None:
    class Station:
        def __init__(self, name: str) -> None:
            self.name = name

        @function_tool
        def measure(self, city: str) -> str:
            return f"{self.name}: {city}"

        def plain(self, city: str) -> str:
            return f"{self.name}, {city}"

    station = Station("S1")
    served = ToolServer(
        server, [wanted("measure", "call_1", city="Rome"), wanted("plain", "call_2", city="Oslo")]
    )
    handlers = [station.measure, station.plain]
    await gone(colour, colour.client(server.url), "create_and_poll", served, tool_handlers=handlers)
    assert outputs_of(served) == [{"call_1": "S1: Rome", "call_2": "S1, Oslo"}]
    with pytest.raises(TypeError, match="give that of an object"):
        await gone(
            colour, colour.client(server.url), "create_and_poll", served, tool_handlers=[Station.measure]
        )


@pytest.mark.parametrize("given", ["list", "mapping"])
@usual_way
async def test_the_sdks_own_tools_are_handlers(
    colour: Colour, server: Loopback, way: str, given: str
) -> None:
    agents = pytest.importorskip("openai.lib.beta.agents", reason="this release has no tools of its own")

    @agents.function_tool
    def twice(n: int) -> Any:
        return {"twice": 2 * n}

    @agents.function_tool
    async def thrice(n: int) -> str:
        return str(3 * n)

    def fails(n: int) -> str:
        raise ZeroDivisionError

    tools = [twice, agents.function_tool(fails), *([thrice] if colour.is_async else [])]
    handlers = tools if given == "list" else {each.name: each for each in tools}
    calls = [
        wanted("twice", "call_1", n=2), wanted("twice", "call_2", n="x"), wanted("fails", "call_3", n=1)
    ]  # fmt: skip
    more = [wanted("thrice", "call_4", n=2)] if colour.is_async else []
    told: list[ToolError] = []
    served = ToolServer(server, [*calls, *more])
    client = colour.client(server.url)
    await gone(colour, client, way, served, tool_handlers=handlers, on_tool_error=told.append)
    (outputs,) = outputs_of(served)
    assert (outputs["call_1"], outputs.get("call_4", "6")) == ('{"twice":4}', "6")
    assert [(each.call_id, each.stage) for each in told] == [("call_2", "arguments"), ("call_3", "execution")]
    if not colour.is_async:
        with pytest.raises(TypeError, match="thrice is declared with `async def`"):
            await gone(colour, client, way, served, tool_handlers=[thrice])


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
async def test_a_sync_client_takes_no_coroutines(colour: Colour, server: Loopback) -> None:
    async def wait() -> str:
        return ""

    served = ToolServer(server, [wanted("wait"), wanted("get_weather", "call_2", city="Rome")])
    client = colour.client(server.url)
    for handlers in ([wait], {"wait": wait}, [function_tool(wait)]):
        with pytest.raises(TypeError, match=r"wait is declared with `async def`.* AsyncOpenAI"):
            await gone(colour, client, "create_and_poll", served, tool_handlers=handlers)
    assert server.requests == []
    handlers = {"wait": lambda _: wait(), "get_weather": lambda _: ""}
    with pytest.raises(TypeError, match=r"wait\(\) gave an awaitable") as caught:
        await gone(colour, client, "create_and_poll", served, tool_handlers=handlers)
    assert caught.value.attempted == ("call_1", "call_2")  # type: ignore[attr-defined]
    assert served.submits == []


@pytest.mark.parametrize(
    ("params", "kind", "words"),
    [
        ({"tool_handlers": get_weather}, TypeError, "expected a list of functions or tools"),
        ({"tool_handlers": "get_weather"}, TypeError, "expected a list of functions or tools"),
        ({"tool_handlers": [3]}, TypeError, "expected a function or a tool, got 3"),
        ({"tool_handlers": {"f": 3}}, TypeError, "expected a function or a tool, got 3"),
        ({"tool_handlers": {3: get_weather}}, TypeError, "names of functions as keys, got 3"),
        ({"tool_handlers": [get_weather, get_weather]}, ValueError, "two handle 'get_weather'"),
        ({"tool_handlers": [lambda: 1]}, ValueError, "say another by name="),
        ({"tool_handlers": [print]}, TypeError, "is not given by name"),
        ({"max_rounds": 3, "tool_timeout": 2}, TypeError, "max_rounds, tool_timeout: expected only together"),
        ({"tool_handlers": [], "max_rounds": 0}, ValueError, "max_rounds: expected 1 or more"),
        ({"tool_handlers": [], "max_rounds": True}, TypeError, "max_rounds: expected a whole number"),
        ({"tool_handlers": [], "max_concurrent_calls": 0}, ValueError, "max_concurrent_calls"),
        ({"tool_handlers": [], "tool_timeout": 0}, ValueError, "tool_timeout: expected more than 0 seconds"),
        ({"tool_handlers": [], "tool_timeout": "1"}, TypeError, "tool_timeout: expected a number"),
        ({"tool_handlers": [], "on_tool_error": 1}, TypeError, "on_tool_error: expected a function"),
    ],
)
@usual_way
async def test_what_is_wrong_with_a_call_is_said_at_once(
    colour: Colour, server: Loopback, way: str, params: dict[str, Any], kind: Any, words: str
) -> None:
    served = ToolServer(server)
    with pytest.raises(kind, match=words):
        await gone(colour, colour.client(server.url), way, served, **params)
    assert server.requests == []


# ---------------------------------------------------------------- outputs and failures


class Place(pydantic.BaseModel):
    city: str
    since: datetime.date


@dataclasses.dataclass
class Point:
    x: int
    at: datetime.datetime


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("as it is", "as it is"),
        (None, ""),
        (3, "3"),
        (True, "true"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Place(city="Köln", since=datetime.date(2026, 1, 2)), '{"city":"Köln","since":"2026-01-02"}'),
        ([Point(1, datetime.datetime(2026, 1, 2, 3, 4))], '[{"x":1,"at":"2026-01-02T03:04:00"}]'),
        (
            {"places": (Place(city="Rom", since=datetime.date(2026, 1, 2)),)},
            '{"places":[{"city":"Rom","since":"2026-01-02"}]}',
        ),
        ({"a": 1}.keys(), '["a"]'),
    ],
)
async def test_outputs_become_text(colour: Colour, server: Loopback, given: object, text: str) -> None:
    served = ToolServer(server, [wanted("f")])
    client = colour.client(server.url)
    await gone(colour, client, "create_and_poll", served, tool_handlers={"f": lambda _: given})
    assert outputs_of(served) == [{"call_1": text}]


async def test_a_model_of_pydantic_1_beside_2_is_an_object(colour: Colour, server: Loopback) -> None:
    models = pytest.importorskip("pydantic.v1", reason="this pydantic has no other beside it")
    given = models.create_model("Old", city=(str, ...), days=(int, 1))(city="Rome")
    served = ToolServer(server, [wanted("f")])
    client = colour.client(server.url)
    await gone(colour, client, "create_and_poll", served, tool_handlers={"f": lambda _: given})
    assert outputs_of(served) == [{"call_1": '{"city":"Rome","days":1}'}]


def raises(secret: str = "") -> str:
    raise ZeroDivisionError("the password is 1234")


FAILURES: dict[str, tuple[Any, str, str, type[Exception]]] = {
    "no_json": ("{", "arguments", "Error: The arguments are not valid.", ValueError),
    "no_object": ("[1]", "arguments", "Error: The arguments are not valid.", ValueError),
    "wrong_type": ('{"city": [1]}', "arguments", "Error: The arguments are not valid: city (", ValueError),
    "too_many": (
        '{"city": "Rome", "x": 1}',
        "arguments",
        "Error: The arguments are not valid: x (",
        ValueError,
    ),
    "exception": ("{}", "execution", "Error: The function failed.", ZeroDivisionError),
    "no_output": ("{}", "output", "Error: The function gave what cannot be sent.", TypeError),
    "no_unicode": ("{}", "output", "Error: The function gave what cannot be sent.", ValueError),
    "no_number": ("{}", "output", "Error: The function gave what cannot be sent.", ValueError),
}


def handler_for(failure: str) -> Any:
    bad = {"no_output": object(), "no_unicode": "\ud83d", "no_number": float("nan")}
    if failure in bad:
        return function_tool(lambda: bad[failure], name="f")
    return function_tool(raises if failure == "exception" else get_weather, name="f")


@usual_way
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_call_that_fails_is_told_to_both(
    colour: Colour, server: Loopback, way: str, failure: str
) -> None:
    arguments, stage, words, kind = FAILURES[failure]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    served = ToolServer(server, [call, wanted("get_weather", "call_2", city="Rome")])
    told: list[ToolError] = []
    ended = await gone(
        colour,
        colour.client(server.url),
        way,
        served,
        tool_handlers=[handler_for(failure), get_weather],
        on_tool_error=told.append,
    )
    assert ended.run.status == "completed"
    first, second = outputs_of(served)[0].values()
    assert first.startswith(words)
    assert "1234" not in first
    assert second == "18 c in Rome"
    (error,) = told
    assert isinstance(error.error, kind)
    assert (error.tool_name, error.call_id, error.run_id, error.thread_id) == (
        "f",
        "call_1",
        "run_1",
        "thread_1",
    )
    assert error.stage == stage


async def test_no_arguments_at_all_are_an_empty_object(colour: Colour, server: Loopback) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    served = ToolServer(server, [call])
    tool = function_tool(lambda: "fine", name="f")
    await gone(colour, colour.client(server.url), "create_and_poll", served, tool_handlers=[tool])
    assert outputs_of(served) == [{"call_1": "fine"}]


@usual_way
async def test_a_text_of_on_tool_error_is_the_output(colour: Colour, server: Loopback, way: str) -> None:
    def excuse(error: ToolError) -> str:
        return f"{error.tool_name} is closed today"

    async def excuse_async(error: ToolError) -> str:
        return excuse(error)

    served = ToolServer(server, [wanted("raises")])
    on_error = excuse_async if colour.is_async else excuse
    client = colour.client(server.url)
    await gone(colour, client, way, served, tool_handlers=[raises], on_tool_error=on_error)
    assert outputs_of(served) == [{"call_1": "raises is closed today"}]


@usual_way
async def test_an_exception_of_on_tool_error_ends_the_loop(
    colour: Colour, server: Loopback, way: str
) -> None:
    def give_up(error: ToolError) -> None:
        raise error.error

    served = ToolServer(server, [wanted("get_weather", "call_1", city="Rome"), wanted("raises", "call_2")])
    with pytest.raises(ZeroDivisionError) as caught:
        await gone(
            colour,
            colour.client(server.url),
            way,
            served,
            tool_handlers=[get_weather, raises],
            on_tool_error=give_up,
        )
    error: Any = caught.value
    assert (error.attempted, error.completed) == (("call_1", "call_2"), ("call_1",))
    assert served.submits == []


async def test_what_nobody_is_told_of_is_logged(
    colour: Colour, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    served = ToolServer(server, [wanted("raises")])
    with caplog.at_level(logging.WARNING, "streaming_assistants"):
        await gone(colour, colour.client(server.url), "create_and_poll", served, tool_handlers=[raises])
    (record,) = caplog.records
    assert "call_1 of raises failed (execution)" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@usual_way
async def test_a_call_that_takes_too_long_is_left(colour: Colour, server: Loopback, way: str) -> None:
    hanging = Hanging()
    served = ToolServer(
        server,
        [wanted("hang", "call_1"), wanted("other", "call_2"), wanted("get_weather", "call_3", city="Rome")],
    )
    told: list[ToolError] = []
    hang = function_tool(hanging.in_thread, name="hang")
    other = function_tool(hanging.in_task if colour.is_async else hanging.in_thread, name="other")
    await gone(
        colour,
        colour.client(server.url),
        way,
        served,
        tool_handlers=[hang, other, get_weather],
        tool_timeout=0.05,
        on_tool_error=told.append,
    )
    hanging.free()
    late = "Error: The function did not answer in time."
    assert list(outputs_of(served)[0].values()) == [late, late, "18 c in Rome"]
    assert [(type(each.error), each.stage) for each in told] == [(TimeoutError, "execution")] * 2
    assert hanging.cancelled == ["task"] * colour.is_async


# ---------------------------------------------------------------- submits


@usual_way
@pytest.mark.parametrize("max_retries", [0, 2])
async def test_outputs_that_were_lost_are_sent_again(
    colour: Colour, server: Loopback, way: str, max_retries: int
) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    served.breaks = ["lost"]
    ran: list[int] = []
    client = colour.client(server.url, max_retries=max_retries)
    handlers = {"get_weather": lambda _: str(ran.append(1))}
    ended = await gone(colour, client, way, served, tool_handlers=handlers)
    assert ended.run.status == "completed"
    assert (len(served.submits), len(ran)) == (1, 1)
    asked = [each for each in served.asked if each[1] in ("run_1", "submit_tool_outputs")]
    at = asked.index(("POST", "submit_tool_outputs"))
    assert asked[at : at + 3] == [
        ("POST", "submit_tool_outputs"),
        ("GET", "run_1"),
        ("POST", "submit_tool_outputs"),
    ]


@usual_way
@pytest.mark.parametrize("how", ["taken", "cut"])
async def test_outputs_that_were_taken_are_not_sent_again(
    colour: Colour, server: Loopback, way: str, how: str
) -> None:
    served = ToolServer(
        server, [wanted("get_weather", city="Rome")], [wanted("get_weather", "call_2", city="Oslo")]
    )
    served.breaks = [how, how]
    ran: list[int] = []
    client = colour.client(server.url, max_retries=2)
    handlers = {"get_weather": lambda _: str(ran.append(1))}
    ended = await gone(colour, client, way, served, tool_handlers=handlers)
    assert ended.run.status == "completed"
    assert (len(served.submits), len(ran)) == (2, 2)


@usual_way
async def test_a_submit_that_is_refused_is_an_error(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    served.rounds[0].append(wanted("get_weather", "call_2", city="Oslo"))
    client = colour.client(server.url)

    def other_calls(_: Any) -> str:
        served.rounds[0] = [wanted("get_weather", "call_9", city="Rome")]
        return "x"

    with pytest.raises(openai.BadRequestError) as caught:
        await gone(colour, client, way, served, tool_handlers={"get_weather": other_calls})
    error: Any = caught.value
    assert error.attempted == error.completed == ("call_1", "call_2")
    assert len(served.submits) == 1


# ---------------------------------------------------------------- leaving


@pytest.mark.parametrize("colour", ["async"], indirect=True)
@usual_way
async def test_a_cancelled_task_leaves_at_once(colour: Colour, server: Loopback, way: str) -> None:
    hanging = Hanging()
    served = ToolServer(server, [wanted("hang", "call_1"), wanted("in_task", "call_2")])
    client = colour.client(server.url)
    handlers = [function_tool(hanging.in_thread, name="hang"), hanging.in_task]
    task = asyncio.create_task(gone(colour, client, way, served, tool_handlers=handlers))
    while not hanging.begun.is_set():
        await anyio.sleep(0.001)
    await anyio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert hanging.cancelled == ["task"]
    assert caught.value.attempted == ("call_1", "call_2")  # type: ignore[attr-defined]
    assert caught.value.completed == ()  # type: ignore[attr-defined]
    hanging.free()
    assert served.submits == []


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
@usual_way
async def test_an_interrupt_leaves_at_once(
    colour: Colour, server: Loopback, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import queue

    from streaming_assistants._io import together

    hanging = Hanging()

    class Interrupted(queue.SimpleQueue):  # type: ignore[type-arg]
        """As Ctrl-C does: it is raised in whoever waits."""

        def get(self, *_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setattr(together.queue, "SimpleQueue", Interrupted)
    served = ToolServer(server, [wanted("hang")])
    with pytest.raises(KeyboardInterrupt) as caught:
        await gone(
            colour,
            colour.client(server.url),
            way,
            served,
            tool_handlers={"hang": lambda _: hanging.in_thread()},
        )
    assert caught.value.completed == ()  # type: ignore[attr-defined]
    hanging.free()
    assert served.submits == []


# ---------------------------------------------------------------- poll helpers


@pytest.mark.parametrize("way", POLLED)
async def test_a_poll_helper_tells_of_every_round(colour: Colour, server: Loopback, way: str) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    told: list[str] = []
    client = colour.client(server.url)
    await gone(
        colour, client, way, served, tool_handlers=[get_weather], on_poll=lambda run: told.append(run.status)
    )
    assert told == ["requires_action", "completed"]


async def test_what_functions_take_is_no_waiting(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, [wanted("slow")])
    client = colour.client(server.url)

    def slow(_: Any) -> None:
        threading.Event().wait(1.2)

    ended = await gone(
        colour, client, "create_and_poll", served, tool_handlers={"slow": slow}, max_wait_seconds=1.1
    )
    assert ended.run.status == "completed"


async def test_the_final_text_is_there(colour: Colour, server: Loopback) -> None:
    served = ToolServer(server, [wanted("get_weather", city="Rome")])
    client = colour.client(server.url)
    await gone(colour, client, "create_and_poll", served, tool_handlers=[get_weather])
    (message,) = (await colour.of(client.beta.threads.messages.list("thread_1"))).data
    assert message.content[0].text.value == TEXT
