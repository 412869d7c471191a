"""Servers that speak the protocol, each in its own way."""

from __future__ import annotations

from typing import Any

from tests.conformance.hello import says_hello
from tests.conformance.kit import Kit, equal, text_of
from tests.conformance.registry import Group
from tests.conformance.script import reply
from tests.framings import END, Event, crlf, enveloped, frames, tight, wire
from tests.objects import (
    MESSAGES,
    ONE_RUN,
    STEPS,
    call_delta,
    function,
    message,
    page,
    required,
    run,
    step,
    step_delta,
    text,
    tool_step,
)
from tests.recorder import dumped
from tests.samples import hello, opening, said

servers = Group("servers")


def _server_holds(t: Kit, status: str = "completed", content: str = "Hello") -> None:
    """What a GET shows after the stream, to a client that asks how the run ended."""
    t.answers("GET", ONE_RUN, reply(run(status)))
    t.answers("GET", STEPS, reply(page(step(status=status))))
    t.answers("GET", MESSAGES, reply(page(message(text(content)))))


@servers.case("data_only_events_have_no_name")
async def astra(t: Kit) -> None:
    """Astra: data-only frames that stop after the last message delta; the text and the run's end arrive."""
    _server_holds(t)
    story = [*opening(), *said("Hel", "lo")[:-2]]
    handler = await t.play(wire(story, enveloped))
    equal(handler.calls.texts("on_text_delta"), ["Hel", "lo"])
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.current_run.status, "completed")


@servers.case("data_only_events_have_no_name")
async def litellm(t: Kit) -> None:
    """LiteLLM proxy: data-only frames without nulls, ended by `data: [DONE]`."""
    story: list[Event] = [(name, data if name == "done" else _without_nulls(data)) for name, data in hello()]
    await says_hello(t, wire(story, enveloped))


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_nulls(value) for name, value in data.items() if value is not None}
    return data


def _open_assistant_api() -> bytes:
    """CRLF, pings, float timestamps, a call sent whole and again as a delta, no end but a misnamed event."""
    call = function("get_weather", '{"city":"Rome"}')
    restated = call_delta(id="call_1", function={"name": "get_weather", "arguments": '{"city":"Rome"}'})
    story: list[Event] = [
        ("thread.run.created", run("queued", created_at=1_700_000_000.25)),
        ("thread.run.in_progress", run("in_progress", created_at=1_700_000_000.25)),
        ("thread.run.step.created", tool_step(call, status="in_progress")),
        ("thread.run.step.delta", step_delta(restated)),
        ("thread.run.requires_action", run("requires_action", **required(call))),
        ("thread.run.completed", run("requires_action", **required(call))),
    ]
    pinged = (frame + b": ping - 2024-01-01 00:00:00\r\n\r\n" for frame in frames(story, crlf))
    return b"".join(pinged)


@servers.case("restated_calls_double")
async def open_assistant_api(t: Kit) -> None:
    """open-assistant-api: a tool call sent whole and then again as a delta is one call, not a doubled one."""
    _server_holds(t, "requires_action")
    handler = await t.play(_open_assistant_api())
    (step,) = await t.value(handler.get_final_run_steps())
    (call,) = step.step_details.tool_calls
    equal((call.function.name, call.function.arguments), ("get_weather", '{"city":"Rome"}'))


@servers.case()
async def a_run_is_in_the_state_of_its_status(t: Kit) -> None:
    """open-assistant-api: a `thread.run.completed` whose run requires action leaves the run
    requiring action.
    """
    _server_holds(t, "requires_action")
    handler = await t.play(_open_assistant_api())
    equal((await t.value(handler.get_final_run())).status, "requires_action")


@servers.case("missing_index_crashes")
async def dashscope(t: Kit) -> None:
    """DashScope: no space after the colon, deltas without an index, timestamps in milliseconds."""
    story: list[Event] = []
    for name, data in hello():
        if name == "thread.message.delta":
            (block,) = data["delta"]["content"]
            block = {key: value for key, value in block.items() if key != "index"}
            data = {**data, "delta": {"content": [block]}}
        elif name != "done":
            data = {**data, "created_at": 1_700_000_000_123}
        story.append((name, data))
    await says_hello(t, wire(story, tight))


@servers.case()
async def azure_content_filter_fields(t: Kit) -> None:
    """Azure: additional fields in events and deltas are carried along."""
    extra = {"content_filter_results": {"hate": {"filtered": False}}}
    story: list[Event] = [
        (name, {**data, **extra} if name == "thread.message.delta" else data) for name, data in hello()
    ]
    events = await t.read(wire(story))
    equal(text_of(events), "Hello")
    equal(events[7].data.content_filter_results, extra["content_filter_results"])


@servers.case()
async def the_last_event_says_completed_of_an_incomplete_run(t: Kit) -> None:
    """OpenAI: a `thread.run.completed` whose run is `incomplete` leaves the run incomplete."""
    cut = run("incomplete", incomplete_details={"reason": "max_prompt_tokens"})
    handler = await t.play(wire([*opening(), *said("Hel"), ("thread.run.completed", cut), END]))
    final = await t.value(handler.get_final_run())
    equal((final.status, dumped(final)["incomplete_details"]["reason"]), ("incomplete", "max_prompt_tokens"))
