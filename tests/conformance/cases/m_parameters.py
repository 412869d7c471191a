"""The parameters of the newest SDK, on every SDK."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit import Kit, equal
from tests.conformance.registry import Group
from tests.conformance.script import reply
from tests.framings import wire
from tests.objects import ONE_RUN, RUN, RUNS, THREAD, run
from tests.samples import hello

parameters = Group("run parameters")

GIVEN: dict[str, Any] = {
    "additional_instructions": "Be brief",
    "additional_messages": [{"role": "user", "content": "Hi"}],
    "instructions": "Be kind",
    "max_completion_tokens": 100,
    "max_prompt_tokens": 200,
    "metadata": {"k": "v"},
    "model": "gpt-4o",
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "temperature": 0.5,
    "tool_choice": "none",
    "tools": [{"type": "code_interpreter"}],
    "top_p": 0.5,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
}
INCLUDE = ["step_details.tool_calls[*].file_search.results[*].content"]
TARGET = {"thread_id": THREAD, "assistant_id": "asst_1"}


def _sent(t: Kit) -> dict[str, Any]:
    """The body of the one POST, without what every run's body holds."""
    (request,) = t.seen("POST")
    return {name: value for name, value in request["json"].items() if name not in ("assistant_id", "stream")}


def _one(name: str) -> None:
    async def body(t: Kit) -> None:
        t.answers("POST", RUNS, reply(run("queued")))
        await t.value(t.client().beta.threads.runs.create(**TARGET, **{name: GIVEN[name]}))
        equal(_sent(t), {name: GIVEN[name]})

    parameters.add(f"parameter-{name.replace('_', '-')}", f"`runs.create({name}=)` reaches the server.", body)


for _name in (
    "additional_instructions", "additional_messages", "max_completion_tokens", "parallel_tool_calls",
    "reasoning_effort", "temperature", "tool_choice", "top_p", "truncation_strategy",
):  # fmt: skip
    _one(_name)


@parameters.case()
async def parameter_include(t: Kit) -> None:
    """`runs.create(include=)` reaches the server, in the query."""
    t.answers("POST", RUNS, reply(run("queued")))
    await t.value(t.client().beta.threads.runs.create(**TARGET, include=INCLUDE))
    (request,) = t.seen("POST")
    equal(list(request["query"].values()), INCLUDE)
    assert list(request["query"]) in (["include"], ["include[]"]), request["query"]
    equal(_sent(t), {})


@parameters.case()
async def all_parameters_of_create_streamed(t: Kit) -> None:
    """`runs.create(stream=True)` takes every parameter of the newest SDK."""
    t.streams(wire(hello()))
    await t.list(await t.raw(**GIVEN))
    equal(_sent(t), GIVEN)


@parameters.case()
async def all_parameters_of_stream(t: Kit) -> None:
    """`runs.stream()` takes every parameter of the newest SDK."""
    t.streams(wire(hello()))
    async with t.entered(t.client().beta.threads.runs.stream(**TARGET, **GIVEN)) as stream:
        await t.value(stream.until_done())
    equal(_sent(t), GIVEN)


def _for_new_threads() -> dict[str, Any]:
    """What a run takes that starts with its thread."""
    apart = ("additional_instructions", "additional_messages", "reasoning_effort")
    return {
        **{name: value for name, value in GIVEN.items() if name not in apart},
        "thread": {"messages": [{"role": "user", "content": "Hi"}]},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    }


@parameters.case()
async def all_parameters_of_create_and_run(t: Kit) -> None:
    """`threads.create_and_run()` takes every parameter of the newest SDK."""
    t.answers("POST", "/threads/runs", reply(run("queued")))
    await t.value(t.client().beta.threads.create_and_run(assistant_id="asst_1", **_for_new_threads()))
    equal(_sent(t), _for_new_threads())


@parameters.case()
async def all_parameters_of_create_and_run_stream(t: Kit) -> None:
    """`threads.create_and_run_stream()` takes every parameter of the newest SDK."""
    t.streams(wire(hello()), path="/threads/runs")
    threads = t.client().beta.threads
    async with t.entered(
        threads.create_and_run_stream(assistant_id="asst_1", **_for_new_threads())
    ) as stream:
        await t.value(stream.until_done())
    equal(_sent(t), _for_new_threads())


@parameters.case()
async def all_parameters_of_create_and_poll(t: Kit) -> None:
    """`runs.create_and_poll()` takes every parameter of the newest SDK."""
    t.answers("POST", RUNS, reply(run("queued")))
    t.answers("GET", ONE_RUN, reply(run()))
    await t.value(t.client().beta.threads.runs.create_and_poll(**TARGET, **GIVEN))
    equal(_sent(t), GIVEN)


@parameters.case()
async def arguments_left_out_are_not_sent(t: Kit) -> None:
    """Parameters that are not given are not sent; `None` is."""
    t.streams(wire(hello()))
    await t.list(await t.raw(instructions=None))
    equal(_sent(t), {"instructions": None})


@parameters.case()
async def generators_as_arguments(t: Kit) -> None:
    """Iterables that are no lists, such as a generator of tool outputs, are sent as lists."""
    t.answers("POST", f"{ONE_RUN}/submit_tool_outputs", reply(run("queued")))
    outputs = [{"tool_call_id": "call_1", "output": "sunny"}]
    runs = t.client().beta.threads.runs
    await t.value(runs.submit_tool_outputs(RUN, thread_id=THREAD, tool_outputs=(one for one in outputs)))
    equal(_sent(t), {"tool_outputs": outputs})
