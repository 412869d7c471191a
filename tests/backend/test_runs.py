"""The life of a run: its states, its tools, its events, and who else may touch its thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from streaming_assistants.backend.upstreams.echo import Echo

from .conftest import WEATHER, Api, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_store]
MakeApi = Callable[..., Api]


async def test_a_run_goes_on_in_the_background(api: Api) -> None:
    run = await api.run("How are you?")
    assert (run["status"], run["started_at"], run["completed_at"]) == ("queued", None, None)
    ended = await api.settled(run)
    assert (ended["status"], ended["id"], ended["expires_at"]) == ("completed", run["id"], None)
    assert ended["usage"]["total_tokens"] == 6
    user, assistant = await api.messages(run["thread_id"])
    assert text_of(assistant) == text_of(user) == "How are you?"
    assert (assistant["run_id"], assistant["assistant_id"]) == (run["id"], run["assistant_id"])
    (step,) = await api.steps(run)
    assert step["step_details"]["message_creation"]["message_id"] == assistant["id"]
    assert step["usage"]["total_tokens"] == 6


async def test_polling_sees_progress(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.05))
    run = await api.run("one two three four five six seven eight nine ten")
    await api.until(run, lambda run: run["status"] == "in_progress")
    with anyio.fail_after(20):
        while True:
            messages = await api.messages(run["thread_id"], run_id=run["id"])
            if messages and messages[0]["content"]:
                break
            await anyio.sleep(0.01)
    assert messages[0]["status"] == "in_progress"
    assert "one two three four five six seven eight nine ten".startswith(text_of(messages[0]))
    assert (await api.settled(run))["status"] == "completed"


async def test_a_text_stream_adds_up(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("To be or not to be")
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    names = [name for name, _ in events]
    assert names[:3] == ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    assert events[-1] == ("done", "[DONE]")
    deltas = [data for name, data in events if name == "thread.message.delta"]
    said = "".join(delta["delta"]["content"][0]["text"]["value"] for delta in deltas)
    completed = next(data for name, data in events if name == "thread.message.completed")
    assert said == text_of(completed) == "To be or not to be"
    listed = (await api.messages(thread_id))[1]
    assert {key: completed[key] for key in listed} == listed


async def test_create_thread_and_run_streams_the_thread_first(api: Api) -> None:
    body = {"assistant_id": await api.assistant(), "thread": {"messages": [{"role": "user", "content": "x"}]}}
    events = await api.stream("/threads/runs", body)
    assert [name for name, _ in events[:2]] == ["thread.created", "thread.run.created"]
    assert events[0][1]["id"] == events[1][1]["thread_id"]
    run = await api.post("/threads/runs", body)
    assert (await api.settled(run))["status"] == "completed"


ARGUMENTS = {
    "city": 'Zürich "old" town\n🏙️',
    "days": [1, {"deep": {"er": None}}],
    "quote": "it's \\ fine",
}


async def test_a_function_call_waits_for_its_output_and_goes_on(api: Api) -> None:
    run = await api.settled(await api.run(f"get_weather {json.dumps(ARGUMENTS)}"))
    assert run["status"] == "requires_action"
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS
    output = 'warm, "sunny"\n🌞 \u2028 end'
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": output}]}
    back = await api.post(f"{path}/submit_tool_outputs", outputs)
    assert (back["id"], back["status"], back["required_action"]) == (run["id"], "queued", None)
    ended = await api.settled(back)
    assert ended["status"] == "completed"
    assert text_of((await api.messages(run["thread_id"]))[-1]).split() == output.split()
    tools, message = await api.steps(run)
    assert tools["step_details"]["tool_calls"][0]["function"]["output"] == output
    assert (tools["status"], message["type"]) == ("completed", "message_creation")
    spent = [step["usage"]["total_tokens"] for step in (tools, message)]
    assert ended["usage"]["total_tokens"] == sum(spent)


async def test_a_call_without_arguments(api: Api) -> None:
    run = await api.settled(await api.run("get_weather"))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"]["arguments"] == "{}"


async def test_parallel_calls_are_one_step_and_one_submit(api: Api) -> None:
    run = await api.settled(await api.run('get_weather {"city": "Rome"}\nget_weather {"city": "Oslo"}'))
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert len(calls) == len({call["id"] for call in calls}) == 2
    assert len(await api.steps(run)) == 1
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    one = {"tool_outputs": [{"tool_call_id": calls[0]["id"], "output": "a"}]}
    error = await api.refused(path, one)
    ids = [call["id"] for call in calls]
    assert error["message"] == f"Expected tool outputs for call_ids {ids}, got {ids[:1]}"
    both = {"tool_outputs": [{"tool_call_id": id, "output": id[-4:]} for id in reversed(ids)]}
    ended = await api.settled(await api.post(path, both))
    assert ended["status"] == "completed"
    said = text_of((await api.messages(run["thread_id"]))[-1])
    assert said.split() == [id[-4:] for id in ids]


async def test_a_submit_stream_starts_at_the_step(api: Api) -> None:
    run = await api.settled(await api.run("get_weather {}"))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    events = await api.stream(path, {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]})
    assert [name for name, _ in events[:3]] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert events[-2][0] == "thread.run.completed"


async def test_several_rounds_are_one_run(make_api: MakeApi) -> None:
    from streaming_assistants.backend._engine.port import ContentDelta, Finished, ToolCallDelta

    turns: list[Any] = []

    def upstream(turn: Any) -> Any:
        turns.append(turn)
        rounds = sum(item["kind"] == "tool_calls" for item in turn.items)
        usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
        if rounds < 3:
            function = {"name": "get_weather", "arguments": "{}"}
            yield ToolCallDelta(
                {"index": 0, "id": f"call_{rounds}", "type": "function", "function": function}
            )
        else:
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": "done"}})
        yield Finished(None, usage)

    api = make_api(upstream)
    run = await api.run("go", tool_choice="required")
    for number in range(3):
        run = await api.settled(run)
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        outputs = [{"tool_call_id": f"call_{number}", "output": str(number)}]
        run = await api.post(path, {"tool_outputs": outputs})
    ended = await api.settled(run)
    assert (ended["status"], ended["usage"]["total_tokens"]) == ("completed", 12)
    assert [step["type"] for step in await api.steps(run)] == ["tool_calls"] * 3 + ["message_creation"]
    assert [turn.tool_choice for turn in turns] == ["required", None, None, None]
    outputs = [item["calls"][0]["function"]["output"] for item in turns[3].items[1:]]
    assert outputs == ["0", "1", "2"]


STATES = [
    ("echo:fail the disk is full", "failed", {"code": "server_error", "message": "the disk is full"}, None),
    ("echo:rate_limit slow down", "failed", {"code": "rate_limit_exceeded", "message": "slow down"}, None),
    ("echo:limit 2\none two three four", "incomplete", None, {"reason": "max_completion_tokens"}),
    ("echo:filter\nsome words", "incomplete", None, {"reason": "content_filter"}),
]


@pytest.mark.parametrize(("text", "status", "last_error", "details"), STATES)
async def test_a_run_ends_as_it_has_to(
    api: Api, text: str, status: str, last_error: Any, details: Any
) -> None:
    run = await api.settled(await api.run(text))
    assert (run["status"], run["last_error"], run["incomplete_details"]) == (status, last_error, details)
    assert run["expires_at"] is None
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    assert (await api.settled(again))["id"] != run["id"]


async def test_an_upstream_that_raises_fails_the_run(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    run = await api.settled(await api.run("echo:raise oh no"))
    assert run["status"] == "failed"
    assert run["last_error"]["message"] == "The upstream raised RuntimeError: oh no"
    assert api.backend  # whose log this is
    assert [record.name for record in caplog.records if record.exc_info] == ["streaming_assistants"]


async def test_a_message_that_is_cut_is_incomplete(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:limit 2\none two three")
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    names = [name for name, _ in events]
    assert names[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
        "done",
    ]
    message = (await api.messages(thread_id))[-1]
    assert (text_of(message), message["incomplete_details"]) == ("one two", {"reason": "max_tokens"})


async def test_max_completion_tokens_holds_over_all_rounds(api: Api) -> None:
    run = await api.run('get_weather {"city": "Paris"}', max_completion_tokens=4)
    run = await api.settled(run)
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    outputs = [{"tool_call_id": call["id"], "output": "one two three four"}]
    run = await api.settled(await api.post(path, {"tool_outputs": outputs}))
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "one two"


async def test_a_busy_thread_takes_no_run_and_no_message(api: Api) -> None:
    run = await api.until(await api.run("echo:stall"), lambda run: run["status"] == "in_progress")
    thread_id = run["thread_id"]
    error = await api.refused(f"/threads/{thread_id}/runs", {"assistant_id": run["assistant_id"]})
    assert (error["status"], error["message"]) == (
        400,
        f"Thread {thread_id} already has an active run {run['id']}.",
    )
    error = await api.refused(f"/threads/{thread_id}/messages", {"role": "user", "content": "x"})
    assert error["message"] == f"Can't add messages to {thread_id} while a run {run['id']} is active."
    error = await api.refused(
        f"/threads/{thread_id}/runs/{run['id']}/submit_tool_outputs", {"tool_outputs": []}
    )
    assert error["message"] == 'Runs in status "in_progress" do not accept tool outputs.'


async def test_a_run_needs_something_to_answer(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread()
    error = await api.refused(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert error["code"] == "invalid_thread"
    assert error["message"] == (
        "Run creation requires a Thread with a user message or an assistant with instructions."
    )


async def test_cancel_breaks_a_stalled_run_off(api: Api) -> None:
    run = await api.until(await api.run("echo:stall"), lambda run: run["status"] == "in_progress")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    assert (await api.post(f"{path}/cancel"))["status"] == "cancelling"
    ended = await api.settled(await api.get(path))
    assert ended["status"] == "cancelled"
    assert ended["cancelled_at"] is not None
    error = await api.refused(f"{path}/cancel")
    assert (error["status"], error["message"]) == (400, "Cannot cancel run with status 'cancelled'.")


async def test_cancel_of_a_run_that_waits_for_outputs(api: Api) -> None:
    run = await api.settled(await api.run("get_weather"))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    assert (await api.post(f"{path}/cancel"))["status"] == "cancelled"
    (step,) = await api.steps(run)
    assert step["status"] == "cancelled"
    error = await api.refused(f"{path}/submit_tool_outputs", {"tool_outputs": []})
    assert error["message"] == 'Runs in status "cancelled" do not accept tool outputs.'
    run = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    assert (await api.settled(run))["status"] == "requires_action"


async def test_cancel_of_a_run_that_has_ended(api: Api) -> None:
    run = await api.settled(await api.run("hello"))
    error = await api.refused(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert error["message"] == "Cannot cancel run with status 'completed'."


async def test_a_cancelled_stream_says_so(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.05))
    assistant_id, thread_id = await api.assistant(), await api.thread("word " * 400)
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    while (event := await events.next()) is not None and event[0] != "thread.message.delta":
        run = event[1]
    await api.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel")
    names = [name for name, _ in await events.rest() if name != "thread.message.delta"]
    assert names == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    message = (await api.messages(thread_id))[-1]
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_cancelled"})
    assert text_of(message).startswith("word")


async def test_who_stops_reading_does_not_stop_the_run(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.005))
    assistant_id, thread_id = await api.assistant(), await api.thread("word " * 20)
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    _, run = await events.next() or ("", None)
    await events.close()
    ended = await api.settled(run)
    assert ended["status"] == "completed"
    assert text_of((await api.messages(thread_id))[-1]).split() == ["word"] * 20


async def test_a_reader_that_never_reads_does_not_hold_the_run_up_once_it_is_dropped(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("word " * 2000)
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    _, run = await events.next() or ("", None)
    del events
    assert (await api.settled(run))["status"] == "completed"


async def test_a_run_expires_after_ten_minutes(make_api: MakeApi) -> None:
    now = [1_000_000_000.0]
    api = make_api("echo", clock=lambda: now[0])
    run = await api.run("get_weather")
    assert run["expires_at"] - run["created_at"] == 600
    run = await api.settled(run)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    now[0] += 599
    assert (await api.get(path))["status"] == "requires_action"
    now[0] += 1
    assert (await api.get(path))["status"] == "expired"
    assert (await api.steps(run))[0]["status"] == "expired"
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    assert again["id"] != run["id"]


async def test_a_stalled_stream_ends_when_its_run_expires(make_api: MakeApi) -> None:
    now = [1_000_000_000.0]
    api = make_api("echo", clock=lambda: now[0])
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall")
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    while (event := await events.next()) is not None and event[0] != "thread.run.in_progress":
        pass
    now[0] += 600
    with anyio.fail_after(20):
        assert [name for name, _ in await events.rest()] == ["thread.run.expired", "done"]


async def test_generating_is_a_status_while_text_comes(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.02), generating=True)
    run = await api.run("word " * 20)
    await api.until(run, lambda run: run["status"] == "generating")
    assert (await api.settled(run))["status"] == "completed"


async def test_a_thread_may_go_while_its_run_is_on(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.02))
    assistant_id, thread_id = await api.assistant(), await api.thread("word " * 500)
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    await events.next()
    assert (await api.delete(f"/threads/{thread_id}"))["deleted"] is True
    assert (await events.rest())[-1] == ("done", "[DONE]")


async def test_what_the_model_is_given(make_api: MakeApi) -> None:
    from streaming_assistants.backend._engine.port import Finished

    turns: list[Any] = []

    def upstream(turn: Any) -> Any:
        turns.append(turn)
        yield Finished()

    api = make_api(upstream, models={"gpt-4-turbo": "gpt-5.5"})
    fields = {
        "instructions": "Be kind.",
        "additional_instructions": "Be brief.",
        "additional_messages": [
            {"role": "assistant", "content": "Hm?"},
            {"role": "user", "content": "three"},
        ],
        "model": "gpt-4-turbo",
        "tools": [WEATHER, {"type": "file_search"}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": False,
        "temperature": 0.25,
        "top_p": 0.5,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "max_completion_tokens": 99,
        "truncation_strategy": {"type": "last_messages", "last_messages": 2},
    }
    run = await api.settled(await api.run("one", **fields))
    assert (run["model"], run["instructions"]) == ("gpt-4-turbo", "Be kind.\nBe brief.")
    (turn,) = turns
    assert (turn.model, turn.instructions) == ("gpt-5.5", "Be kind.\nBe brief.")
    assert [item["content"][0]["text"]["value"] for item in turn.items] == ["Hm?", "three"]
    assert [tool["type"] for tool in turn.tools] == ["function", "file_search"]
    for name in (
        "tool_choice",
        "parallel_tool_calls",
        "temperature",
        "top_p",
        "response_format",
        "reasoning_effort",
        "max_completion_tokens",
    ):
        assert getattr(turn, name) == fields[name]
    assert len(await api.messages(run["thread_id"])) == 3


async def test_earlier_tool_rounds_come_back_in_their_place(make_api: MakeApi) -> None:
    turns: list[Any] = []

    def upstream(turn: Any) -> Any:
        turns.append(turn)
        yield from Echo()(turn)

    api = make_api(upstream)
    run = await api.settled(await api.run("get_weather"))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]}
    path = f"/threads/{run['thread_id']}"
    await api.settled(await api.post(f"{path}/runs/{run['id']}/submit_tool_outputs", outputs))
    body = {
        "assistant_id": run["assistant_id"],
        "additional_messages": [{"role": "user", "content": "thanks"}],
    }
    await api.settled(await api.post(f"{path}/runs", body))
    items = turns[-1].items
    assert [item.get("role", item["kind"]) for item in items] == ["user", "tool_calls", "assistant", "user"]
    assert items[1]["calls"][0]["function"]["output"] == "warm"


async def test_polling_that_never_lets_the_event_loop_turn_still_sees_the_end(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.01))
    run = await api.run("a few words")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    with anyio.fail_after(20):
        while run["status"] in ("queued", "in_progress"):
            run = await api.get(path)
    assert run["status"] == "completed"


async def test_contents_of_search_results_are_shown_where_asked_for(make_api: MakeApi) -> None:
    from streaming_assistants.backend._engine.port import Finished, Kept, ToolCallDelta

    result = {"file_id": "file-1", "file_name": "a.txt", "score": 0.5}
    content = [{"type": "text", "text": "found"}]
    kept: list[Any] = []

    def upstream(turn: Any) -> Any:
        kept.extend(item.get("kept") for item in turn.items if item["kind"] == "tool_calls")
        results = [{**result, "content": content}]
        yield ToolCallDelta(
            {"index": 0, "id": "call_1", "type": "file_search", "file_search": {"results": results}}
        )
        yield Kept({"reasoning": "because"})
        yield Finished()

    api = make_api(upstream)
    run = await api.settled(await api.run("x", assistant={"tools": [{"type": "file_search"}]}))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    old_sdk = (await api.get(path))["data"][0]["step_details"]["tool_calls"][0]["type"] == "retrieval"
    if not old_sdk:
        for params, shown in (
            ({}, result),
            (
                {"include[]": "step_details.tool_calls[*].file_search.results[*].content"},
                {**result, "content": content},
            ),
        ):
            (step,) = (await api.get(path, **params))["data"]
            assert step["step_details"]["tool_calls"][0]["file_search"]["results"] == [shown]
            one = await api.get(f"{path}/{step['id']}", **params)
            assert one == step
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    await api.settled(again)
    assert kept == [{"reasoning": "because"}]


async def test_a_message_may_be_deleted_while_it_grows(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.02))
    run = await api.run("word " * 40)
    with anyio.fail_after(20):
        while not (messages := await api.messages(run["thread_id"], run_id=run["id"])):
            await anyio.sleep(0.01)
    await api.delete(f"/threads/{run['thread_id']}/messages/{messages[0]['id']}")
    assert (await api.settled(run))["status"] == "completed"


async def test_a_piece_that_makes_no_sense_fails_the_run(make_api: MakeApi) -> None:
    from streaming_assistants.backend._engine.port import ContentDelta, Finished

    def upstream(turn: Any) -> Any:
        yield ContentDelta({"index": 3, "type": "text", "text": {"value": "x"}})
        yield Finished()

    def stranger(turn: Any) -> Any:
        yield object()

    def no_generator(turn: Any) -> Any:
        return [Finished()]

    for given, message in (
        (upstream, "skipped an index: 3"),
        (stranger, "which is no piece"),
        (no_generator, "The backend raised AttributeError."),
    ):
        api = make_api(given)
        run = await api.settled(await api.run("x"))
        assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
        assert message in run["last_error"]["message"]


async def test_a_hundred_runs_at_once(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.001))
    assistant_id = await api.assistant()
    runs = []
    for number in range(100):
        thread = {"messages": [{"role": "user", "content": f"number {number}"}]}
        runs.append(await api.post("/threads/runs", {"assistant_id": assistant_id, "thread": thread}))
    for number, run in enumerate(runs):
        assert (await api.settled(run))["status"] == "completed"
        assert text_of((await api.messages(run["thread_id"]))[-1]) == f"number {number}"


async def test_what_a_client_gives_a_thread_while_files_are_indexed_stays(make_api: MakeApi) -> None:
    from streaming_assistants.backend._engine.port import Finished, Sleep, ThreadResources

    indexing: list[Any] = []
    go_on: list[Any] = []

    def upstream(turn: Any) -> Any:
        indexing.append(turn)
        while not go_on:
            yield Sleep(0.01)
        yield ThreadResources({"file_search": {"vector_store_ids": ["vs_made"], "file_ids": ["file-1"]}})
        yield Finished()

    api = make_api(upstream)
    run = await api.run("x")
    with anyio.fail_after(20):
        while not indexing:
            await anyio.sleep(0.01)
    path = f"/threads/{run['thread_id']}"
    await api.post(path, {"tool_resources": {"code_interpreter": {"file_ids": ["file-2"]}}})
    go_on.append(True)
    await api.settled(run)
    assert (await api.get(path))["tool_resources"] == {
        "code_interpreter": {"file_ids": ["file-2"]},
        "file_search": {"vector_store_ids": ["vs_made"]},
    }
