"""Handlers: run steps and tool calls."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit import Kit, equal
from tests.conformance.registry import Group
from tests.framings import END, Event, wire
from tests.objects import (
    ONE_RUN,
    call_delta,
    code,
    function,
    required,
    run,
    step_delta,
    tool_step,
)
from tests.samples import called, closing, opening, said, weather

tools = Group("handlers: tools")
STARTED: Event = ("thread.run.step.created", tool_step(status="in_progress"))


def _steps(*deltas: dict[str, Any], final: dict[str, Any]) -> bytes:
    """A tool step made of these deltas that ends as ``final``."""
    story: list[Event] = [("thread.run.step.delta", step_delta(delta)) for delta in deltas]
    return wire([*opening(), STARTED, *story, ("thread.run.step.completed", final), *closing()])


def _ids(handler: Any, callback: str) -> list[str]:
    return [call.args[0]["id"] for call in handler.calls.of(callback)]


@tools.case("tool_call_done_fires_again")
async def callbacks_of_a_tool_step_in_order(t: Kit) -> None:
    """The callbacks of a tool step come in the SDK's order, each `done` once."""
    handler = await t.play(wire([*opening(), *called("f", '{"a":', "1}"), *closing()]))
    wanted = ["run_step_created", "tool_call_created", "run_step_delta", "tool_call_delta", "run_step_delta",
              "tool_call_delta", "run_step_delta", "tool_call_done", "run_step_done", "end"]  # fmt: skip
    equal(handler.calls.names(without=("on_event",)), wanted)


@tools.case("tool_call_done_fires_again")
async def tool_call_done_once(t: Kit) -> None:
    """`on_tool_call_done` comes once for a call whose step is completed before the run is."""
    handler = await t.play(wire([*opening(), *called("f", "{}"), *closing()]))
    equal(_ids(handler, "on_tool_call_done"), ["call_1"])


@tools.case()
async def tool_call_done_at_requires_action(t: Kit) -> None:
    """`on_tool_call_done` comes once, with the whole arguments, when the run stops at `requires_action`."""
    handler = await t.play(wire(weather()))
    (call,) = handler.calls.of("on_tool_call_done")
    equal((call.args[0]["id"], call.args[0]["function"]["arguments"]), ("call_1", '{"city":"Rome"}'))


@tools.case()
async def tool_call_snapshots_accumulate(t: Kit) -> None:
    """`on_tool_call_delta` gets the piece and the call so far."""
    handler = await t.play(wire(weather()))
    calls = handler.calls.of("on_tool_call_delta")
    equal([call.args[0]["function"]["arguments"] for call in calls], ['{"city":', '"Rome"}'])
    equal([call.args[1]["function"]["arguments"] for call in calls], ['{"city":', '{"city":"Rome"}'])
    equal(calls[-1].args[1]["function"]["name"], "get_weather")


@tools.case("tool_call_done_fires_again")
async def two_calls_in_one_step(t: Kit) -> None:
    """Two calls of one step are created once and done once each."""
    deltas = [
        call_delta(id="call_1", function={"name": "f", "arguments": ""}),
        call_delta(function={"arguments": "{}"}),
        call_delta(1, id="call_2", function={"name": "g", "arguments": ""}),
        call_delta(1, function={"arguments": "[]"}),
    ]
    handler = await t.play(
        _steps(*deltas, final=tool_step(function("f", "{}"), function("g", "[]", "call_2")))
    )
    equal(_ids(handler, "on_tool_call_created"), ["call_1", "call_2"])
    equal(_ids(handler, "on_tool_call_done"), ["call_1", "call_2"])


@tools.case("tool_call_done_fires_again")
async def two_interleaved_calls(t: Kit) -> None:
    """Two calls whose pieces come in turns are created once and done once each."""
    deltas = [
        call_delta(id="call_1", function={"name": "f", "arguments": ""}),
        call_delta(1, id="call_2", function={"name": "g", "arguments": ""}),
        call_delta(function={"arguments": "{}"}),
        call_delta(1, function={"arguments": "[]"}),
    ]
    handler = await t.play(
        _steps(*deltas, final=tool_step(function("f", "{}"), function("g", "[]", "call_2")))
    )
    equal(_ids(handler, "on_tool_call_created"), ["call_1", "call_2"])
    equal(sorted(_ids(handler, "on_tool_call_done")), ["call_1", "call_2"])


@tools.case("second_step_has_no_created")
async def a_second_step_at_index_0(t: Kit) -> None:
    """A second tool step, whose call is at index 0 again, gets its own created and done."""
    story = [*opening(), *called("f", "{}"), *called("g", "[]", id="call_2", step_id="step_2"), *closing()]
    handler = await t.play(wire(story))
    equal(_ids(handler, "on_tool_call_created"), ["call_1", "call_2"])
    equal(_ids(handler, "on_tool_call_done"), ["call_1", "call_2"])


@tools.case("tool_call_done_fires_again")
async def a_tool_step_before_a_message(t: Kit) -> None:
    """A tool step followed by a message: the call is done once and before the message."""
    handler = await t.play(wire([*opening(), *called("f", "{}"), *said("Hi", step_id="step_2"), *closing()]))
    done = [call.name for call in handler.calls.of("on_tool_call_done", "on_text_done")]
    equal(done, ["on_tool_call_done", "on_text_done"])


@tools.case("delta_without_created_crashes")
async def delta_without_created_step(t: Kit) -> None:
    """A step delta without its `thread.run.step.created` builds the step it belongs to."""
    story = [
        event for event in weather() if "step.created" not in event[0] and "step.in_progress" not in event[0]
    ]
    handler = await t.play(wire(story))
    equal(_ids(handler, "on_tool_call_created"), ["call_1"])
    (step,) = await t.value(handler.get_final_run_steps())
    equal(step.step_details.tool_calls[0].function.arguments, '{"city":"Rome"}')


@tools.case("restated_calls_double")
async def a_restated_call_is_not_doubled(t: Kit) -> None:
    """A delta that carries an id already known at its index restates that call; nothing is doubled."""
    again = call_delta(id="call_1", function={"name": "f", "arguments": '{"a":1}'})
    handler = await t.play(_steps(again, again, final=tool_step(function("f", '{"a":1}'))))
    last = handler.calls.of("on_run_step_delta")[-1].args[1]["step_details"]["tool_calls"][0]
    equal((last["id"], last["function"]["name"], last["function"]["arguments"]), ("call_1", "f", '{"a":1}'))


@tools.case()
async def code_accumulates(t: Kit) -> None:
    """A code interpreter's input is appended piece by piece."""
    deltas = [call_delta(id="call_1", type="code_interpreter", code_interpreter={"input": "", "outputs": []})]
    deltas += [call_delta(type="code_interpreter", code_interpreter={"input": part}) for part in ("1", "+1")]
    handler = await t.play(_steps(*deltas, final=tool_step(code("1+1"))))
    snapshots = [call.args[1]["code_interpreter"]["input"] for call in handler.calls.of("on_tool_call_delta")]
    equal(snapshots, ["1", "1+1"])


@tools.case()
async def logs_accumulate(t: Kit) -> None:
    """A code interpreter's logs are appended piece by piece, beside its images."""
    picture = {"index": 1, "type": "image", "image": {"file_id": "file_9"}}
    deltas = [
        call_delta(id="call_1", type="code_interpreter", code_interpreter={"input": "x", "outputs": []})
    ]
    deltas += [
        call_delta(type="code_interpreter", code_interpreter={"outputs": [output]})
        for output in (_logs("a"), _logs("b"), picture)
    ]
    handler = await t.play(_steps(*deltas, final=tool_step(code("x"))))
    outputs = handler.calls.of("on_tool_call_delta")[-1].args[1]["code_interpreter"]["outputs"]
    equal(outputs[0]["logs"], "ab")
    equal(outputs[1]["image"]["file_id"], "file_9")


def _logs(text: str) -> dict[str, Any]:
    return {"index": 0, "type": "logs", "logs": text}


@tools.case()
async def a_failed_step_is_done(t: Kit) -> None:
    """A step that fails, is cancelled or expires gives `on_run_step_done` with that status."""
    for status in ("failed", "cancelled", "expired"):
        story = [
            *opening(),
            STARTED,
            (f"thread.run.step.{status}", tool_step(status=status)),
            *closing(status),
        ]
        handler = await t.play(wire(story))
        equal([call.args[0]["status"] for call in handler.calls.of("on_run_step_done")], [status])


@tools.case()
async def current_run_step_snapshot(t: Kit) -> None:
    """`current_run_step_snapshot` holds the step so far while it streams."""
    seen: list[str] = []

    def on_tool_call_delta(handler: Any, delta: Any, snapshot: Any) -> None:
        step = handler.current_run_step_snapshot
        seen.append(step.step_details.tool_calls[0].function.arguments)

    await t.play(wire(weather()), on_tool_call_delta=on_tool_call_delta)
    equal(seen, ['{"city":', '{"city":"Rome"}'])


@tools.case()
async def file_search_results_arrive(t: Kit) -> None:
    """A file search call whose results come inside a delta has them in its snapshot."""
    result = {"file_id": "file_1", "file_name": "a.txt", "score": 0.5}
    first = call_delta(id="call_1", type="file_search", file_search={})
    then = call_delta(type="file_search", file_search={"results": [result]})
    final = tool_step({"id": "call_1", "type": "file_search", "file_search": {"results": [result]}})
    handler = await t.play(_steps(first, then, final=final))
    search = handler.calls.of("on_tool_call_delta")[-1].args[1]["file_search"]
    equal((search["results"][0]["file_id"], search["results"][0]["score"]), ("file_1", 0.5))


@tools.case("restated_fields_double")
async def a_restated_number_is_replaced(t: Kit) -> None:
    """A score that comes in two deltas is replaced and not added up."""

    def scored(score: float) -> dict[str, Any]:
        result = {"index": 0, "file_id": "file_1", "file_name": "a.txt", "score": score}
        return call_delta(id="call_1", type="file_search", file_search={"results": [result]})

    final = tool_step({"id": "call_1", "type": "file_search", "file_search": {}})
    handler = await t.play(_steps(scored(0.5), scored(0.5), final=final))
    search = handler.calls.of("on_run_step_delta")[-1].args[1]["step_details"]["tool_calls"][0]["file_search"]
    equal(search["results"][0]["score"], 0.5)


@tools.case()
async def step_deltas_reach_the_step(t: Kit) -> None:
    """`on_run_step_delta` gets the delta and the step so far."""
    handler = await t.play(wire(weather()))
    call = handler.calls.of("on_run_step_delta")[-1]
    equal(call.args[0]["step_details"]["tool_calls"][0]["function"]["arguments"], '"Rome"}')
    equal(call.args[1]["step_details"]["tool_calls"][0]["function"]["arguments"], '{"city":"Rome"}')


@tools.case("skipped_index_crashes")
async def a_call_index_that_skips(t: Kit) -> None:
    """A tool call whose index skips one is created, streamed and done like any other."""
    deltas = [
        call_delta(id="call_1", function={"name": "f", "arguments": "{}"}),
        call_delta(2, id="call_3", function={"name": "h", "arguments": ""}),
        call_delta(2, function={"arguments": "[]"}),
    ]
    handler = await t.play(
        _steps(*deltas, final=tool_step(function("f", "{}"), function("h", "[]", "call_3")))
    )
    equal(_ids(handler, "on_tool_call_created"), ["call_1", "call_3"])
    equal(_ids(handler, "on_tool_call_done"), ["call_1", "call_3"])


@tools.case("tool_call_done_fires_again")
async def a_call_that_arrives_whole(t: Kit) -> None:
    """A call in one delta, followed by the run's `requires_action`, is created once and done once."""
    whole = call_delta(id="call_1", function={"name": "f", "arguments": "{}"})
    story = [*opening(), STARTED, ("thread.run.step.delta", step_delta(whole))]
    ended = ("thread.run.requires_action", run("requires_action", **required(function("f", "{}"))))
    handler = await t.play(wire([*story, ended, END]))
    equal(_ids(handler, "on_tool_call_created") + _ids(handler, "on_tool_call_done"), ["call_1", "call_1"])


@tools.case()
async def outputs_submitted_from_a_callback(t: Kit) -> None:
    """A tool loop written with `on_event` and `submit_tool_outputs_stream` runs to the answer."""
    client = t.client()
    first = await t.play(wire(weather()), client=client)
    calls = first.current_run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "sunny"} for call in calls]
    t.streams(wire([*opening()[1:], *said("Sunny"), *closing()]), path=f"{ONE_RUN}/submit_tool_outputs")
    runs = client.beta.threads.runs
    async with t.entered(
        runs.submit_tool_outputs_stream(
            run_id="run_1", thread_id="thread_1", tool_outputs=outputs, event_handler=t.handler()
        )
    ) as stream:
        await t.value(stream.until_done())
    equal(stream.calls.texts("on_text_done"), ["Sunny"])
