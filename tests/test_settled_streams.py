"""Streams that end too early, and those that say things twice: what is told, how often, and how whole."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streaming_assistants import IncompleteStreamError, _sdk

from .clients import Colour
from .loopback import Loopback, Reply
from .objects import function
from .samples import RUN, Event, call, calls, delta, message, run, sse, step, text

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"
ONE_RUN = f"{RUNS}/run_1"
ARGUMENTS = '{"city": "Paris", "days": [1, 2, 3], "unit": "celsius"}'
OUTPUTS = [{"tool_call_id": "call_0", "output": "warm"}]


def action(*calls: dict[str, Any]) -> dict[str, Any]:
    for entry in calls:
        entry["function"].pop("output", None)
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": list(calls)}}


def waiting(*calls: dict[str, Any]) -> dict[str, Any]:
    """The run that waits for the outputs of these calls."""
    return {**RUN, "status": "requires_action", "required_action": action(*calls)}


def holds(
    server: Loopback,
    held: dict[str, Any],
    *,
    steps: list[Event] | int = 404,
    messages: list[Event] | int = 404,
) -> None:
    """What the server answers about a run: a page, or the status of what it does not offer."""

    def reply(found: list[Event] | int) -> Reply:
        if isinstance(found, int):
            return Reply.json({"detail": "no"}, found)
        return Reply.json({"object": "list", "data": [data for _, data in reversed(found)]})

    server.on("GET", ONE_RUN, Reply.json(held))
    server.on("GET", f"{ONE_RUN}/steps", reply(steps))
    server.on("GET", "/threads/thread_1/messages", reply(messages))


async def told(colour: Colour, server: Loopback, events: list[Event], *, submit: bool = False) -> Any:
    """(every callback, the handler) of a stream of ``events`` that then just ends."""
    log: list[Any] = []
    handler = colour.logging_handler(log)
    client = colour.client(server.url, max_retries=2)
    if not submit:
        server.on("POST", RUNS, Reply.sse([sse(events, end=b"")]))
        return log, await colour.handled(client, handler)
    server.on("POST", f"{ONE_RUN}/submit_tool_outputs", Reply.sse([sse(events, end=b"")]))
    asked = client.beta.threads.runs.submit_tool_outputs_stream(
        run_id="run_1", thread_id="thread_1", tool_outputs=OUTPUTS, event_handler=handler
    )
    async with colour.entered(asked) as stream:
        await colour.of(stream.until_done())
    return log, stream


def of_calls(log: list[Any]) -> list[tuple[str, str, str]]:
    """(callback, call id, arguments) of each call that began or ended."""
    return [
        (name.removeprefix("on_tool_call_"), rest[-1].id, rest[-1].function.arguments)
        for name, *rest in log
        if name in ("on_tool_call_created", "on_tool_call_done")
    ]


def names(log: list[Any], *wanted: str) -> list[str]:
    return [entry[0] for entry in log if entry[0] in wanted]


# ---------------------------------------------------------------- what a server does not offer


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_what_a_server_does_not_offer_is_left_out(
    colour: Colour, server: Loopback, status: int
) -> None:
    holds(server, {**RUN, "status": "completed"}, steps=status, messages=[message("completed", "Hello")])
    started = time.monotonic()
    log, stream = await told(colour, server, [message("created"), text("Hel"), text("lo")])
    assert names(log, "on_text_done", "on_message_done", "on_end") == [
        "on_text_done",
        "on_message_done",
        "on_end",
    ]
    assert (await colour.of(stream.get_final_run())).status == "completed"
    ends = [entry[1].event for entry in log if entry[0] == "on_event"][-2:]
    assert ends == ["thread.message.completed", "thread.run.completed"]
    # a 501 is not tried again, whatever the client's retries
    assert [request.path for request in server.requests].count(f"{ONE_RUN}/steps") == 1
    assert time.monotonic() - started < 30


async def test_the_runs_end_is_told_where_nothing_else_is_offered(colour: Colour, server: Loopback) -> None:
    holds(server, {**RUN, "status": "completed"}, steps=405, messages=501)
    log, _ = await told(colour, server, [message("created"), text("Hello")])
    assert [entry[1].event for entry in log if entry[0] == "on_event"][2:] == ["thread.run.completed"]


async def test_a_run_that_cannot_be_asked_for_is_found_among_the_runs(
    colour: Colour, server: Loopback
) -> None:
    holds(server, RUN, messages=[message("completed", "Hello")])
    server.on("GET", ONE_RUN, Reply.json({"detail": "no"}, 405))
    others = {**RUN, "id": "run_8", "thread_id": "thread_8", "status": "failed"}
    server.on("GET", RUNS, Reply.json({"data": [others, {**RUN, "status": "completed"}]}))
    _, stream = await told(colour, server, [message("created"), text("Hello")])
    run = await colour.of(stream.get_final_run())
    assert (run.id, run.status) == ("run_1", "completed")


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(colour: Colour, server: Loopback) -> None:
    holds(server, {**RUN, "status": "completed"}, messages=[message("completed", "Hello")])
    page = Reply.json({"data": [step("completed")[1]]})
    busy = Reply.json({"error": {"message": "busy"}}, 503, retry_after="0")
    server.on("GET", f"{ONE_RUN}/steps", busy, page)
    log, _ = await told(colour, server, [message("created"), text("Hello")])
    assert names(log, "on_run_step_done") == ["on_run_step_done"]


# ---------------------------------------------------------------- calls that a run waits for

CUTS: dict[str, list[Event]] = {
    "before_the_step": [run("queued", "created")],
    "before_the_call": [run("queued", "created"), step("created"), step("in_progress")],
    "inside_the_arguments": [
        run("queued", "created"),
        step("created"),
        calls(call(0, "", "get_weather")),
        calls(call(0, ARGUMENTS[:9])),
    ],
    "inside_the_second_call": [
        step("created"),
        calls(call(0, ARGUMENTS, "get_weather")),
        calls(call(1, ARGUMENTS[:9], "get_news")),
    ],
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("steps", ["steps", 404, 501])
async def test_each_call_that_a_run_waits_for_is_told_once_and_whole(
    colour: Colour, server: Loopback, cut: str, steps: Any
) -> None:
    both = [function("get_weather", ARGUMENTS, "call_0"), function("get_news", ARGUMENTS, "call_1")]
    held = step("in_progress", *both)
    holds(server, waiting(*both), steps=[held] if steps == "steps" else steps, messages=[])
    log, stream = await told(colour, server, CUTS[cut])
    found = of_calls(log)
    assert sorted(entry[:2] for entry in found) == [
        ("created", "call_0"),
        ("created", "call_1"),
        ("done", "call_0"),
        ("done", "call_1"),
    ]
    assert {arguments for kind, _, arguments in found if kind == "done"} == {ARGUMENTS}
    assert names(log, "on_run_step_done") == []
    if steps == "steps" or cut != "before_the_step":
        (found_step,) = await colour.of(stream.get_final_run_steps())
        wanted = [(c["id"], c["function"]["arguments"]) for c in both]
        listed = found_step.step_details.tool_calls
        assert [(c.id, c.function.arguments) for c in listed] == wanted
        assert not any(hasattr(c, "index") for c in listed)
        assert names(log, "on_run_step_created") == ["on_run_step_created"]


async def test_calls_that_are_only_in_the_required_action_are_told(colour: Colour, server: Loopback) -> None:
    wanted = function("f", "{}", "call_0")
    log, _ = await told(colour, server, [run("queued"), ("thread.run.requires_action", waiting(wanted))])
    assert of_calls(log) == [("created", "call_0", "{}"), ("done", "call_0", "{}")]


async def test_calls_whose_step_comes_after_the_required_action_are_told_once(
    colour: Colour, server: Loopback
) -> None:
    wanted = function("f", "{}", "call_0")
    events = [
        ("thread.run.requires_action", waiting(wanted)),
        step("created"),
        calls(call(0, "{", "f", "call_0")),
    ]
    log, _ = await told(colour, server, [run("queued"), *events, run("requires_action")])
    assert of_calls(log) == [("created", "call_0", "{}"), ("done", "call_0", "{}")]


async def test_a_stream_that_names_no_run_says_where_to_look(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([b""]))
    with pytest.raises(IncompleteStreamError, match="list the runs of thread thread_1") as caught:
        await colour.handled(colour.client(server.url), colour.logging_handler([]))
    assert (caught.value.run_id, caught.value.thread_id) == (None, "thread_1")


# ---------------------------------------------------------------- a run that has ended


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        ("completed", ("thread.run.step.completed", "thread.message.completed")),
        ("failed", ("thread.run.step.failed", "thread.message.incomplete")),
        ("expired", ("thread.run.step.expired", "thread.message.incomplete")),
    ],
)
async def test_what_says_in_progress_in_a_run_that_has_ended_is_final(
    colour: Colour, server: Loopback, status: str, ends: tuple[str, str]
) -> None:
    whole = function("f", ARGUMENTS, "call_0")
    said = message("completed", "the whole text", status="in_progress", created_at=1700000002)
    holds(server, {**RUN, "status": status}, steps=[step("in_progress", whole)], messages=[said])
    log, stream = await told(
        colour, server, [step("created"), calls(call(0, "{", "f")), message("created"), text("the whole")]
    )
    assert of_calls(log)[-1] == ("done", "call_0", ARGUMENTS)
    assert [entry[1].value for entry in log if entry[0] == "on_text_done"] == ["the whole text"]
    assert names(log, "on_run_step_done", "on_message_done") == ["on_run_step_done", "on_message_done"]
    assert [entry[1].event for entry in log if entry[0] == "on_event"][-3:-1] == list(ends)
    (found,) = await colour.of(stream.get_final_messages())
    assert found.content[0].text.value == "the whole text"


async def test_a_message_that_says_in_progress_beside_a_required_action_is_final(
    colour: Colour, server: Loopback
) -> None:
    said = message("completed", "I shall look", status="in_progress", created_at=1700000000)
    wanted = function("f", "{}", "call_0")
    holds(server, waiting(wanted), steps=[step("in_progress", wanted)], messages=[said])
    log, _ = await told(colour, server, [message("created"), text("I sh")])
    assert [entry[1].value for entry in log if entry[0] == "on_text_done"] == ["I shall look"]


# ---------------------------------------------------------------- steps of earlier streams


async def test_calls_of_a_step_that_was_never_announced_are_told_in_a_run_of_its_own(
    colour: Colour, server: Loopback
) -> None:
    held = step("completed", function("f", ARGUMENTS, "call_0"))
    holds(server, {**RUN, "status": "completed"}, steps=[held], messages=[])
    log, _ = await told(colour, server, [run("in_progress")])
    assert of_calls(log) == [("created", "call_0", ARGUMENTS), ("done", "call_0", ARGUMENTS)]
    assert names(log, "on_run_step_done") == ["on_run_step_done"]


async def test_a_submit_stream_does_not_announce_the_calls_of_the_stream_before(
    colour: Colour, server: Loopback
) -> None:
    answered = step("completed", function("f", "{}", "call_0", output="warm"))
    late = calls({"index": 0, "id": "call_0", "type": "function", "function": {"output": "warm"}})
    events = [late, answered, late, message("created"), text("warm"), message("completed", "warm")]
    log, stream = await told(colour, server, [*events, run("completed")], submit=True)
    assert of_calls(log) == []
    assert names(log, "on_tool_call_delta", "on_run_step_done") == ["on_run_step_done"]
    (found,) = await colour.of(stream.get_final_run_steps())
    (listed,) = found.step_details.tool_calls
    assert (listed.function.output, hasattr(listed, "index")) == ("warm", False)


async def test_a_submit_stream_that_is_cut_tells_what_is_new_and_nothing_else(
    colour: Colour, server: Loopback
) -> None:
    def saying(message_id: str, **more: Any) -> Event:
        details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
        return step("completed", type="message_creation", step_details=details, **more)

    older = [
        step("completed", function("f", "{}", "call_x", output="1"), id="step_x", created_at=1),
        saying("msg_0", id="step_y", created_at=2),
    ]
    answered = step("completed", function("f", "{}", "call_0", output="warm"), created_at=2)
    wanted = function("g", ARGUMENTS, "call_1")
    steps = [*older, answered, step("in_progress", wanted, id="step_2", created_at=4)]
    messages = [
        message("completed", "before", id="msg_0", created_at=2),
        message("completed", "after", id="msg_1", created_at=3),
    ]
    holds(server, waiting(wanted), steps=steps, messages=messages)
    log, stream = await told(colour, server, [run("queued")], submit=True)
    assert of_calls(log) == [("created", "call_1", ARGUMENTS), ("done", "call_1", ARGUMENTS)]
    assert [entry[1].id for entry in log if entry[0] == "on_run_step_done"] == ["step_1"]
    assert [entry[1].id for entry in log if entry[0] == "on_message_done"] == ["msg_1"]
    assert [found.id for found in await colour.of(stream.get_final_run_steps())] == ["step_1", "step_2"]


# ---------------------------------------------------------------- said twice


async def test_a_delta_for_a_step_that_is_over_changes_nothing(colour: Colour, server: Loopback) -> None:
    whole = function("f", "{}", "call_0")
    again = calls({"index": 0, **whole})
    events = [
        step("created"),
        calls(call(0, "{}", "f")),
        step("completed", whole),
        again,
        calls(call(0, "{}")),
        step("completed", whole),
        run("completed"),
    ]
    log, stream = await told(colour, server, events)
    assert of_calls(log) == [("created", "call_0", "{}"), ("done", "call_0", "{}")]
    assert names(log, "on_tool_call_delta", "on_run_step_done") == ["on_run_step_done"]
    (found,) = await colour.of(stream.get_final_run_steps())
    (listed,) = found.step_details.tool_calls
    assert (listed.function.arguments, hasattr(listed, "index")) == ("{}", False)


async def test_a_call_that_comes_after_its_step_is_over_is_told(colour: Colour, server: Loopback) -> None:
    events = [step("created"), step("completed"), calls(call(0, "{}", "f")), run("completed")]
    log, stream = await told(colour, server, events)
    assert of_calls(log) == [("created", "call_0", "{}"), ("done", "call_0", "{}")]
    (found,) = await colour.of(stream.get_final_run_steps())
    assert [(c.id, hasattr(c, "index")) for c in found.step_details.tool_calls] == [("call_0", False)]


async def test_a_step_that_is_announced_twice_is_told_once(colour: Colour, server: Loopback) -> None:
    events = [
        step("created"),
        calls(call(0, "{", "f")),
        step("created"),
        calls(call(0, "}")),
        ("thread.run.requires_action", waiting(function("f", "{}", "call_0"))),
    ]
    log, _ = await told(colour, server, events)
    assert names(log, "on_run_step_created") == ["on_run_step_created"]
    assert of_calls(log) == [("created", "call_0", "{"), ("done", "call_0", "{}")]


async def test_a_text_delta_for_a_message_that_is_over_changes_nothing(
    colour: Colour, server: Loopback
) -> None:
    late = delta({"index": 0, "type": "text", "text": {"value": "lo"}})
    events = [
        message("created"),
        text("Hel"),
        message("completed", "Hello"),
        late,
        message("completed", "Hello"),
        run("completed"),
    ]
    log, stream = await told(colour, server, events)
    wanted = ["on_text_created", "on_text_delta", "on_text_done", "on_message_done"]
    assert names(log, *wanted) == wanted
    (found,) = await colour.of(stream.get_final_messages())
    assert found.content[0].text.value == "Hello"


# ---------------------------------------------------------------- characters that were cut in two


async def test_two_halves_that_meet_are_one_character(colour: Colour, server: Loopback) -> None:
    events = [
        step("created"),
        calls(call(0, '"\ud83d', "f")),
        calls(call(0, '\ude00"')),
        message("created"),
        text("one \ud83d"),
        text("\ude00 two \ud83d"),
        text("\ude00"),
        delta({"index": 1, "type": "refusal", "refusal": "\ud83d"}),
        delta({"index": 1, "type": "refusal", "refusal": "\ude00"}),
        run("completed"),
    ]
    log, stream = await told(colour, server, events)
    grown = [entry[2].value for entry in log if entry[0] == "on_text_delta"]
    assert grown == ["one \ud83d", "one \U0001f600 two \ud83d", "one \U0001f600 two \U0001f600"]
    shown = [entry[1].value for entry in log if entry[0] == "on_text_delta"]
    assert shown == ["one \ud83d", "\ude00 two \ud83d", "\ude00"]
    assert of_calls(log)[1] == ("done", "call_0", '"\U0001f600"')
    (found,) = await colour.of(stream.get_final_messages())
    assert [found.content[0].text.value, found.content[1].refusal] == [grown[-1], "\U0001f600"]


async def test_parts_nested_deep_grow_and_are_handed_out(colour: Colour, server: Loopback) -> None:
    deep: Any = {"input": "x"}
    for _ in range(499):
        deep = {"a": deep}
    part = {"index": 0, "type": "hologram", "hologram": deep}
    events = [step("created"), calls({"index": 0, "id": "call_1", "type": "hologram", "hologram": deep})] * 2
    log, stream = await told(
        colour, server, [*events, message("created"), delta(part), delta(part), run("completed")]
    )
    (found,) = await colour.of(stream.get_final_messages())
    inner = _sdk.dump(found.content[0])["hologram"]
    for _ in range(499):
        inner = inner["a"]
    assert inner == {"input": "xx"}
    assert names(log, "on_tool_call_created", "on_tool_call_done") == [
        "on_tool_call_created",
        "on_tool_call_done",
    ]
