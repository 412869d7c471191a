"""The calls of a round under ``tool_handlers=``: who answers them, how they run, and how they fail."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pydantic

from tests.conformance.kit import Kit, equal, raises
from tests.conformance.registry import Group
from tests.conformance.tool_runs import (
    OSLO,
    ROME,
    call,
    polled_run,
    polls_calls,
    streams_calls,
    submitted,
    weather,
)
from tests.objects import RUN, THREAD

rounds = Group("tool calls")

# ---------------------------------------------------------------- handlers


@rounds.case()
async def a_mapping_of_handlers(t: Kit) -> None:
    """A function in a mapping gets the arguments as one dict, whatever is in it."""
    polls_calls(t, (call("any name", city="Rome", more=[1]),))
    await polled_run(t, {"any name": lambda arguments: f"{sorted(arguments)}"})
    equal(submitted(t), [{"call_1": "['city', 'more']"}])


@rounds.case()
async def a_tool_has_its_definition(t: Kit) -> None:
    """`function_tool` makes name, description and schema of a signature, and is a handler."""
    tool = t.of_library("function_tool")(weather)
    equal(
        tool.definition,
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather in a city.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "default": "c"}},
                    "required": ["city"],
                    "additionalProperties": False,
                },
            },
        },
    )
    equal(tool("Rome"), "18 c in Rome")
    polls_calls(t, (call(city="Rome", unit="f"),))
    await polled_run(t, [tool])
    equal(submitted(t), [{"call_1": "18 f in Rome"}])


@rounds.case(only="async")
async def a_handler_that_is_a_coroutine(t: Kit) -> None:
    """An `async def` handler is awaited, beside functions that run in threads."""

    async def later(city: str) -> str:
        return f"later in {city}"

    polls_calls(t, (ROME, call("later", "call_2", city="Oslo")))
    await polled_run(t, [weather, later])
    equal(submitted(t), [{"call_1": "18 c in Rome", "call_2": "later in Oslo"}])


@rounds.case(only="sync")
async def a_sync_client_and_a_coroutine(t: Kit) -> None:
    """A sync client refuses an `async def` handler with a TypeError that names it, before any request."""

    async def later(city: str) -> str:
        return city

    polls_calls(t, (ROME,))
    with raises(TypeError) as caught:
        await polled_run(t, [later])
    assert "later is declared with `async def`" in str(caught.error)
    equal(t.seen(), [])


# ---------------------------------------------------------------- a round


@rounds.case()
async def calls_side_by_side(t: Kit) -> None:
    """The calls of a round run side by side, with the caller's context variables, and go out in order."""
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    who.set("Ada")
    all_are_there = threading.Barrier(5, timeout=3)

    def meet(n: int) -> str:
        all_are_there.wait()
        return f"{who.get()} {n}"

    streams_calls(t, tuple(call("meet", f"call_{n}", n=n) for n in range(5)))
    await t.list(await t.raw(tool_handlers=[meet]))
    (outputs,) = submitted(t)
    equal(list(outputs.items()), [(f"call_{n}", f"Ada {n}") for n in range(5)])


@rounds.case()
async def calls_one_after_the_other(t: Kit) -> None:
    """Under `parallel_tool_calls=False` and `max_concurrent_calls=1` calls go one after the other."""
    under_way: list[int] = []
    most: list[int] = []

    def slow(n: int) -> str:
        under_way.append(n)
        threading.Event().wait(0.01)
        most.append(len(under_way))
        under_way.remove(n)
        return ""

    for params in ({"parallel_tool_calls": False}, {"max_concurrent_calls": 1}):
        streams_calls(t, tuple(call("slow", f"call_{n}", n=n) for n in range(3)))
        await t.list(await t.raw(tool_handlers=[slow], **params))
    equal(most, [1] * 6)


class Place(pydantic.BaseModel):
    city: str


@rounds.case()
async def outputs_as_text(t: Kit) -> None:
    """A str goes out as it is, None as the empty text, anything else as JSON."""
    given = {"a": "as it is", "b": None, "c": {"n": [1, None]}, "d": Place(city="Köln")}
    polls_calls(t, tuple(call(name, name) for name in given))
    await polled_run(t, {name: lambda _, value=value: value for name, value in given.items()})
    equal(submitted(t), [{"a": "as it is", "b": "", "c": '{"n":[1,null]}', "d": '{"city":"Köln"}'}])


# ---------------------------------------------------------------- failures


def _fails(city: str) -> Any:
    if city == "Rome":
        raise ZeroDivisionError("the password is 1234")
    return object()


@rounds.case()
async def a_call_that_fails(t: Kit) -> None:
    """The model gets a short text without internals, `on_tool_error` the exception and its stage."""
    polls_calls(t, (call(city="Rome"), call(id="call_2", city="Oslo"), call(id="call_3", town="Oslo")))
    told: list[Any] = []
    tool = t.of_library("function_tool")(_fails, name="weather")
    await polled_run(t, [tool], on_tool_error=told.append)
    equal([(each.call_id, each.stage) for each in told],
          [("call_1", "execution"), ("call_2", "output"), ("call_3", "arguments")])  # fmt: skip
    equal((type(told[0].error), told[0].tool_name, told[0].run_id, told[0].thread_id),
          (ZeroDivisionError, "weather", RUN, THREAD))  # fmt: skip
    (outputs,) = submitted(t)
    assert all(text.startswith("Error: ") for text in outputs.values()), outputs
    equal("1234" in str(outputs), False)


@rounds.case()
async def an_output_in_place_of_a_failure(t: Kit) -> None:
    """A text that `on_tool_error` returns is the output; an exception that it raises ends the loop."""
    streams_calls(t, (ROME,))
    handlers = {"weather": lambda _: 1 / 0}
    await t.list(await t.raw(tool_handlers=handlers, on_tool_error=lambda error: f"no {error.tool_name}"))
    equal(submitted(t), [{"call_1": "no weather"}])

    def give_up(error: Any) -> None:
        raise error.error

    with raises(ZeroDivisionError) as caught:
        await t.list(await t.raw(tool_handlers=handlers, on_tool_error=give_up))
    equal((caught.error.attempted, caught.error.completed), (("call_1",), ()))
    equal(len(submitted(t)), 1)


@rounds.case()
async def a_call_that_takes_too_long(t: Kit) -> None:
    """`tool_timeout=` leaves a call that is late: the model is told so, the loop goes on."""
    over = threading.Event()
    streams_calls(t, (call("hang"), OSLO))
    told: list[Any] = []
    try:
        await t.list(
            await t.raw(
                tool_handlers={"hang": lambda _: over.wait(4), "weather": lambda _: "warm"},
                tool_timeout=0.05,
                on_tool_error=told.append,
            )
        )
        equal(over.is_set(), False)
    finally:
        over.set()
    equal([type(each.error) for each in told], [TimeoutError])
    equal(list(submitted(t)[0].values()), ["Error: The function did not answer in time.", "warm"])
