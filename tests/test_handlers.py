"""Event handlers, both colours: which callbacks fire, in what order, with what, and how streams end."""

from __future__ import annotations

import asyncio
import threading
from abc import ABCMeta
from typing import Any

import openai
import pytest

from streaming_assistants import AssistantEventHandler, AsyncAssistantEventHandler, NoFinalObjectError, _sdk

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .objects import function
from .samples import (
    call,
    calls,
    delta,
    frame,
    message,
    recorded_streams,
    run,
    sse,
    step,
    text,
    text_run,
    tool_run,
)

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"


async def played(
    colour: Colour,
    server: Loopback,
    events: list[Any] | bytes,
    log: list[Any] | None = None,
    base: Any = None,
) -> Any:
    """A handler after a run of ``events``; every callback goes to ``log``."""
    body = events if isinstance(events, bytes) else sse(events)
    server.on("POST", RUNS, Reply.sse([body]))
    handler = None if log is None else colour.logging_handler(log, base=base)
    return await colour.handled(colour.client(server.url), handler)


def fired(log: list[Any], *names: str) -> list[Any]:
    """(name, what its last argument says) for each callback in ``log`` of these ``names``."""
    return [(entry[0], said(entry[-1])) for entry in log if entry[0] in names]


def said(value: Any) -> Any:
    if hasattr(value, "function"):
        return value.function.arguments
    return getattr(value, "value", None) if hasattr(value, "value") else getattr(value, "id", value)


# ---------------------------------------------------------------- the order of callbacks


async def test_the_callbacks_of_a_text_run_in_their_order(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await played(colour, server, text_run("Hel", "lo"), log)
    assert [entry[0] for entry in log if entry[0] != "on_event"] == [
        "on_message_created",
        "on_text_created",
        "on_text_delta",
        "on_message_delta",
        "on_text_delta",
        "on_message_delta",
        "on_text_done",
        "on_message_done",
        "on_end",
    ]
    assert [entry[1].event for entry in log if entry[0] == "on_event"] == [
        n for n, _ in text_run("Hel", "lo")
    ]


async def test_the_callbacks_of_a_tool_run_in_their_order(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await played(colour, server, tool_run('{"city":', '"Paris"}'), log)
    assert fired(log, "on_tool_call_created", "on_tool_call_delta", "on_tool_call_done") == [
        ("on_tool_call_created", ""),
        ("on_tool_call_delta", '{"city":'),
        ("on_tool_call_delta", '{"city":"Paris"}'),
        ("on_tool_call_done", '{"city":"Paris"}'),
    ]
    assert [entry[0] for entry in log if "step" in entry[0]] == ["on_run_step_created"] + [
        "on_run_step_delta"
    ] * 3


async def test_snapshots_grow_and_those_handed_out_do_not(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await played(colour, server, text_run("a", "b", "c"), log)
    assert [entry[2].value for entry in log if entry[0] == "on_text_delta"] == ["a", "ab", "abc"]
    messages = [entry[2] for entry in log if entry[0] == "on_message_delta"]
    assert [m.content[0].text.value for m in messages] == ["a", "ab", "abc"]
    created = next(entry[1] for entry in log if entry[0] == "on_message_created")
    assert created.content == []


async def test_two_messages_and_two_blocks_each_end_once_with_their_own_text(
    colour: Colour, server: Loopback
) -> None:
    log: list[Any] = []
    events = [
        message("created"),
        text("one"),
        text("two", 1),
        message("completed", "one", "two"),
        message("created", id="msg_2"),
        text("three", id="msg_2"),
        message("completed", "three", id="msg_2"),
        run("completed"),
    ]
    await played(colour, server, events, log)
    assert fired(log, "on_text_created") == [("on_text_created", w) for w in ("one", "two", "three")]
    assert fired(log, "on_text_done") == [("on_text_done", w) for w in ("one", "two", "three")]


async def test_an_image_and_a_text_in_one_delta(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    image = {"index": 0, "type": "image_file", "image_file": {"file_id": "file_1"}}
    words = {"index": 1, "type": "text", "text": {"value": "", "annotations": []}}
    done = message("completed", content=[image, {**words, "text": {"value": "a plot", "annotations": []}}])
    events = [message("created"), delta(image, words), text("a plot", 1), done, run("completed")]
    stream = await played(colour, server, events, log)
    assert [entry[1].file_id for entry in log if entry[0] == "on_image_file_done"] == ["file_1"]
    assert fired(log, "on_text_done") == [("on_text_done", "a plot")]
    assert stream.current_message_snapshot.content[0].image_file.file_id == "file_1"


async def test_refusals_and_image_urls_accumulate(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    events = [
        message("created"),
        delta({"index": 0, "type": "refusal", "refusal": "I can"}),
        delta({"index": 0, "type": "refusal", "refusal": "not"}),
        delta({"index": 1, "type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        run("completed"),
    ]
    stream = await played(colour, server, events, log)
    refusal, image = stream.current_message_snapshot.content
    assert (refusal.type, refusal.refusal) == ("refusal", "I cannot")
    assert (image.type, image.image_url.url) == ("image_url", "https://example.com/a.png")


# ---------------------------------------------------------------- exactly once


async def test_tool_call_done_fires_once_for_each_call(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    events = [
        run("queued", "created"),
        step("created"),
        calls(call(0, "{}", "f")),
        calls(call(1, "[]", "g")),
        step("completed", function("f", "{}", "call_0"), function("g", "[]", "call_1")),
        run("completed"),
    ]
    await played(colour, server, events, log)
    assert fired(log, "on_tool_call_created") == [
        ("on_tool_call_created", "{}"),
        ("on_tool_call_created", "[]"),
    ]
    assert fired(log, "on_tool_call_done") == [("on_tool_call_done", "{}"), ("on_tool_call_done", "[]")]


async def test_parallel_calls_in_one_delta(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    both = calls(call(0, "{}", "f"), call(1, "[]", "g"))
    await played(colour, server, [step("created"), both, run("requires_action")], log)
    assert fired(log, "on_tool_call_created", "on_tool_call_done") == [
        ("on_tool_call_created", "{}"),
        ("on_tool_call_done", "{}"),
        ("on_tool_call_created", "[]"),
        ("on_tool_call_done", "[]"),
    ]


async def test_a_second_step_that_starts_at_index_zero_is_announced(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    events = [
        step("created"),
        calls(call(0, "1", "f", "call_a")),
        step("completed", function("f", "1", "call_a")),
        step("created", id="step_2"),
        calls(call(0, "2", "g", "call_b"), id="step_2"),
        run("requires_action"),
    ]
    await played(colour, server, events, log)
    assert fired(log, "on_tool_call_created", "on_tool_call_done") == [
        ("on_tool_call_created", "1"),
        ("on_tool_call_done", "1"),
        ("on_tool_call_created", "2"),
        ("on_tool_call_done", "2"),
    ]


async def test_a_call_named_whole_and_restated_is_not_doubled(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    whole = function("get_weather", '{"a": 1}')
    events = [step("created", whole), calls({"index": 0, **whole}), run("requires_action", "completed")]
    stream = await played(colour, server, events, log)
    (snapshot,) = stream._session.dispatcher.step_snapshots().values()
    (found,) = snapshot.step_details.tool_calls
    assert (found.function.name, found.function.arguments) == ("get_weather", '{"a": 1}')
    assert fired(log, "on_tool_call_done") == [("on_tool_call_done", '{"a": 1}')]


async def test_a_call_without_any_delta_begins_and_ends_once(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await played(colour, server, [step("created", function("f", "{}")), run("requires_action")], log)
    assert fired(log, "on_tool_call_created", "on_tool_call_done") == [
        ("on_tool_call_created", "{}"),
        ("on_tool_call_done", "{}"),
    ]


async def test_calls_without_an_index_are_told_apart_by_their_ids(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []

    def whole(name: str, id: str) -> dict[str, Any]:
        return {"id": id, "type": "function", "function": {"name": name, "arguments": name}}

    events = [
        step("created"),
        calls(whole("f", "call_1")),
        calls(whole("g", "call_2")),
        run("requires_action"),
    ]
    await played(colour, server, events, log)
    assert fired(log, "on_tool_call_created") == [
        ("on_tool_call_created", "f"),
        ("on_tool_call_created", "g"),
    ]


async def test_a_message_without_deltas_still_brings_its_text(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    await played(colour, server, [message("created"), message("completed", "all"), run("completed")], log)
    assert fired(log, "on_text_created", "on_text_done") == [
        ("on_text_created", "all"),
        ("on_text_done", "all"),
    ]


@pytest.mark.parametrize("texts", [(), ("final",)], ids=["none", "one"])
async def test_a_final_message_with_fewer_blocks_than_streamed(
    colour: Colour, server: Loopback, texts: tuple[str, ...]
) -> None:
    log: list[Any] = []
    events = [
        message("created"),
        text("cut"),
        text("off", 1),
        message("incomplete", *texts),
        run("incomplete"),
    ]
    await played(colour, server, events, log)
    # the first block was reported when the second began
    assert fired(log, "on_text_done") == [("on_text_done", "cut"), ("on_text_done", "off")]
    assert fired(log, "on_message_done") == [("on_message_done", "msg_1")]


async def test_block_indexes_that_skip_one(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    events = [message("created"), text("a", 2), text("b", 2), message("completed", "ab"), run("completed")]
    stream = await played(colour, server, events, log)
    assert fired(log, "on_text_created", "on_text_done") == [("on_text_created", "a"), ("on_text_done", "ab")]
    assert [block.text.value for block in stream.current_message_snapshot.content] == ["ab"]


# ---------------------------------------------------------------- deltas


async def test_annotations_whose_index_skips_one_stay_apart(colour: Colour, server: Loopback) -> None:
    def cite(index: int, **more: Any) -> dict[str, Any]:
        file = {"file_id": f"file_{index}"}
        return {"index": index, "type": "file_citation", "text": f"[{index}]", "file_citation": file, **more}

    log: list[Any] = []
    events = [
        message("created"),
        text("a", annotations=[cite(1, start_index=0, end_index=1)]),
        text("b", annotations=[cite(3)]),
        text("c", annotations=[cite(1, start_index=2)]),
        run("completed"),
    ]
    stream = await played(colour, server, events, log)
    found = stream.current_message_snapshot.content[0].text.annotations
    assert [(a.text, a.file_citation.file_id) for a in found] == [("[1]", "file_1"), ("[3]", "file_3")]
    assert (found[0].start_index, found[0].end_index) == (2, 1)
    early = [entry[2].annotations for entry in log if entry[0] == "on_text_delta"]
    assert [len(annotations) for annotations in early] == [1, 2, 2]


async def test_annotations_and_outputs_without_an_index_are_all_kept(
    colour: Colour, server: Loopback
) -> None:
    def cite(name: str) -> dict[str, Any]:
        return {"type": "file_citation", "text": name, "file_citation": {"file_id": name}}

    def code(**inside: Any) -> Any:
        return calls({"index": 0, "type": "code_interpreter", "code_interpreter": inside})

    def logs(words: str) -> dict[str, str]:
        return {"type": "logs", "logs": words}

    events = [
        message("created"),
        text("a", annotations=[cite("1"), cite("2")]),
        text("b", annotations=[cite("3")]),
        code(input=""),
        code(outputs=[logs("1")]),
        code(outputs=[logs("2")]),
        code(outputs=[]),
        run("completed"),
    ]
    stream = await played(colour, server, events)
    annotations = stream.current_message_snapshot.content[0].text.annotations
    assert [a.text for a in annotations] == ["1", "2", "3"]
    (step,) = await colour.of(stream.get_final_run_steps())
    outputs = step.step_details.tool_calls[0].code_interpreter.outputs
    assert [o.logs for o in outputs] == ["1", "2"]


async def test_parts_that_nobody_knows_grow_and_those_handed_out_do_not(
    colour: Colour, server: Loopback
) -> None:
    def cite(**inside: str) -> Any:
        return {"index": 0, "type": "url_citation", "url_citation": inside}

    def hologram(**inside: int) -> Any:
        return {"index": 1, "type": "hologram", "hologram": inside}

    log: list[Any] = []
    events = [
        message("created"),
        delta(
            {"index": 0, "type": "text", "text": {"value": "a", "annotations": [cite(url="u")]}},
            hologram(x=1),
        ),
        delta(
            {"index": 0, "type": "text", "text": {"value": "b", "annotations": [cite(title="t")]}},
            hologram(y=2),
        ),
        run("completed"),
    ]
    await played(colour, server, events, log)
    content = [entry[2].content for entry in log if entry[0] == "on_message_delta"]
    assert [_sdk.dump(c[0].text.annotations[0].url_citation) for c in content] == [
        {"url": "u"},
        {"url": "u", "title": "t"},
    ]
    assert [_sdk.dump(c[1].hologram) for c in content] == [{"x": 1}, {"x": 1, "y": 2}]


async def test_code_and_logs_grow_and_scores_are_replaced(colour: Colour, server: Loopback) -> None:
    def code(**inside: Any) -> Any:
        return calls({"index": 0, "type": "code_interpreter", "code_interpreter": inside})

    first = {
        "index": 0,
        "id": "call_1",
        "type": "code_interpreter",
        "code_interpreter": {"input": "", "outputs": []},
    }
    events = [
        step("created"),
        calls(first),
        code(input="1+"),
        code(input="1"),
        code(outputs=[{"index": 0, "type": "logs", "logs": "2"}]),
        code(
            outputs=[
                {"index": 0, "type": "logs", "logs": "!"},
                {"index": 1, "type": "image", "image": {"file_id": "f"}},
            ]
        ),
        run("failed"),
    ]
    stream = await played(colour, server, events)
    (found,) = (await colour.of(stream.get_final_run_steps()))[0].step_details.tool_calls
    assert (found.id, found.code_interpreter.input) == ("call_1", "1+1")
    logs, image = found.code_interpreter.outputs
    assert (logs.logs, image.image.file_id) == ("2!", "f")


@pytest.mark.parametrize("late", [False, True], ids=["never", "late"])
async def test_deltas_without_their_created_build_snapshots(
    colour: Colour, server: Loopback, late: bool
) -> None:
    log: list[Any] = []
    events = [
        run("in_progress"),
        calls(call(0, "{", "f"), id="step_9"),
        calls(call(0, "}"), id="step_9"),
        text("a", id="msg_9"),
        text("b", id="msg_9"),
        *([message("completed", "ab", id="msg_9")] if late else []),
        run("completed"),
    ]
    stream = await played(colour, server, events, log)
    assert fired(log, "on_tool_call_done", "on_text_delta") == [
        ("on_text_delta", "a"),
        ("on_text_delta", "ab"),
        ("on_tool_call_done", "{}"),
    ]
    (found,) = await colour.of(stream.get_final_messages())
    assert (found.id, found.thread_id, found.content[0].text.value) == ("msg_9", "thread_1", "ab")
    (kept,) = await colour.of(stream.get_final_run_steps())
    assert kept.step_details.tool_calls[0].function.arguments == "{}"


# ---------------------------------------------------------------- state


async def test_current_run_is_up_to_date_inside_on_event(colour: Colour, server: Loopback) -> None:
    seen: list[str] = []

    class Looks(colour.handler):  # type: ignore[name-defined,misc]
        def on_event(self, event: Any) -> None:
            seen.append(f"{self.current_event is event} {self.current_run.status}")

    server.on("POST", RUNS, Reply.sse([sse([run("queued"), run("in_progress"), run("completed")])]))
    stream = await colour.handled(colour.client(server.url), Looks())
    assert seen == ["True queued", "True in_progress", "True completed"]
    assert stream.current_event is None


async def test_the_status_is_the_state_whatever_the_event_is_called(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    stream = await played(
        colour, server, [step("created"), calls(call(0, "{}", "f")), run("incomplete", "completed")], log
    )
    assert (await colour.of(stream.get_final_run())).status == "incomplete"
    assert fired(log, "on_tool_call_done") == [("on_tool_call_done", "{}")]


async def test_final_objects_are_the_servers_own(colour: Colour, server: Loopback) -> None:
    events = [run("in_progress"), step("created"), step("completed"), *text_run("Hi")[3:]]
    stream = await played(colour, server, events)
    assert [s.status for s in await colour.of(stream.get_final_run_steps())] == ["completed"]
    (found,) = await colour.of(stream.get_final_messages())
    assert found.content[0].text.value == "Hi"
    assert (await colour.of(stream.get_final_run())).status == "completed"


async def test_final_objects_that_are_not_there_say_so(colour: Colour, server: Loopback) -> None:
    stream = await played(colour, server, [("thread.unheard_of", {})])
    for ask in (stream.get_final_run, stream.get_final_run_steps, stream.get_final_messages):
        with pytest.raises(NoFinalObjectError, match="the stream ended without it") as caught:
            await colour.of(ask())
        assert isinstance(caught.value, RuntimeError)


async def test_current_step_and_message_snapshots(colour: Colour, server: Loopback) -> None:
    server.on(
        "POST", RUNS, Reply.sse([sse([*tool_run("{}")[:3], *text_run("a", "b")[3:5], step("completed")])])
    )
    asked = colour.client(server.url).beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1")
    seen = []
    async with colour.entered(asked) as stream:
        assert (stream.current_run_step_snapshot, stream.current_message_snapshot) == (None, None)
        async for _ in colour.each(stream):
            current = stream.current_run_step_snapshot
            seen.append(current and current.id)
    assert seen == [None, "step_1", "step_1", "step_1", "step_1", None]
    assert stream.current_message_snapshot.content[0].text.value == "a"


async def test_private_names_of_the_sdks_handler_keep_answering(colour: Colour, server: Loopback) -> None:
    stream = await played(colour, server, [run("in_progress"), step("created"), *text_run("Hi")[3:]])
    prefix = f"_{colour.handler.__name__}__"
    assert getattr(stream, f"{prefix}current_run").status == "completed"
    assert list(getattr(stream, f"{prefix}run_step_snapshots")) == ["step_1"]
    assert list(getattr(stream, f"{prefix}message_snapshots")) == ["msg_1"]
    assert getattr(stream, f"{prefix}current_message_snapshot").id == "msg_1"
    assert getattr(stream, f"{prefix}current_run_step_id") == "step_1"
    assert isinstance(getattr(stream, f"{prefix}stream"), colour.stream)
    assert (stream._current_tool_call, stream._current_message_content) == (None, None)


# ---------------------------------------------------------------- iteration


async def test_text_deltas(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("Hel", "", "lo"))]))
    asked = colour.client(server.url).beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1")
    async with colour.entered(asked) as stream:
        assert await colour.list(stream.text_deltas) == ["Hel", "lo"]


async def test_a_handler_iterates_and_goes_on_after_a_break(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    asked = colour.client(server.url).beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1")
    async with colour.entered(asked) as stream:
        assert (await colour.next(stream)).event == "thread.run.created"
        async for event in colour.each(stream):
            assert event.event == "thread.run.queued"
            break
        assert len(await colour.list(stream)) == 5
        assert (await colour.of(stream.get_final_run())).status == "completed"


async def test_the_three_other_helpers(colour: Colour, server: Loopback) -> None:
    body = Reply.sse([sse(text_run("a"))])
    server.on("POST", RUNS, body).on("POST", "/threads/runs", body)
    server.on("POST", f"{RUNS}/run_1/submit_tool_outputs", body)
    beta = colour.client(server.url).beta
    for asked in (
        beta.threads.runs.create_and_stream(thread_id="thread_1", assistant_id="asst_1"),
        beta.threads.create_and_run_stream(assistant_id="asst_1"),
        beta.threads.runs.submit_tool_outputs_stream(
            thread_id="thread_1", run_id="run_1", tool_outputs=[{"tool_call_id": "c", "output": "o"}]
        ),
    ):
        async with colour.entered(asked) as stream:
            assert (await colour.of(stream.get_final_run())).status == "completed"
    assert [request.path for request in server.requests] == [
        RUNS,
        "/threads/runs",
        f"{RUNS}/run_1/submit_tool_outputs",
    ]


async def test_a_helper_that_is_never_entered_asks_nothing(colour: Colour, server: Loopback) -> None:
    colour.client(server.url).beta.threads.runs.stream(thread_id="thread_1", assistant_id="asst_1")
    assert server.requests == []  # and no coroutine is left over: RuntimeWarning is an error here


async def test_a_handler_serves_one_stream(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    handler = colour.handler()
    await colour.handled(colour.client(server.url), handler)
    with pytest.raises(RuntimeError, match="cannot be shared between multiple streams"):
        await colour.handled(colour.client(server.url), handler)


async def test_a_handler_without_a_stream_says_so(colour: Colour) -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        await colour.of(colour.handler().until_done())


# ---------------------------------------------------------------- whose callbacks


async def test_a_subclass_may_forget_super_init(colour: Colour, server: Loopback) -> None:
    class Forgets(colour.handler):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            self.texts: list[str] = []

        def on_text_done(self, text: Any) -> None:
            self.texts.append(text.value)

    server.on("POST", RUNS, Reply.sse([sse(text_run("Hi"))]))
    stream = await colour.handled(colour.client(server.url), Forgets())
    assert stream.texts == ["Hi"]


async def test_a_sync_handler_refuses_async_callbacks_by_name(server: Loopback) -> None:
    class Wrong(AssistantEventHandler):
        async def on_text_delta(self, delta: Any, snapshot: Any) -> None: ...  # type: ignore[override]

        async def on_end(self) -> None: ...  # type: ignore[override]

    with openai.OpenAI(base_url=server.url, api_key="test") as bare:
        client = Colour("sync").client(server.url)
        with pytest.raises(TypeError, match="Wrong is a sync event handler, but on_text_delta, on_end are"):
            client.beta.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=Wrong())
        client.close()
        assert not bare.is_closed()
    assert server.requests == []


async def test_an_async_handler_takes_callbacks_of_both_kinds(server: Loopback) -> None:
    seen: list[str] = []

    class Mixed(AsyncAssistantEventHandler):
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:  # type: ignore[override]
            seen.append(delta.value)

        async def on_text_done(self, text: Any) -> None:
            await asyncio.sleep(0)
            seen.append(text.value)

    colour = Colour("async")
    server.on("POST", RUNS, Reply.sse([sse(text_run("a", "b"))]))
    await colour.handled(colour.client(server.url), Mixed())
    assert seen == ["a", "b", "ab"]
    await colour.close()


@pytest.mark.parametrize("wrong", [object(), AssistantEventHandler, 7], ids=["object", "class", "int"])
async def test_what_is_no_handler_is_refused(colour: Colour, server: Loopback, wrong: Any) -> None:
    runs = colour.client(server.url).beta.threads.runs
    with pytest.raises(TypeError, match=f"expected an instance of {colour.handler.__name__}"):
        runs.stream(thread_id="thread_1", assistant_id="asst_1", event_handler=wrong)


async def test_a_handler_of_the_other_colour_is_refused(colour: Colour, server: Loopback) -> None:
    other = AssistantEventHandler if colour.is_async else AsyncAssistantEventHandler
    runs = colour.client(server.url).beta.threads.runs
    with pytest.raises(TypeError, match="as the client is"):
        runs.stream(thread_id="thread_1", assistant_id="asst_1", event_handler=other())


def sdks(colour: Colour) -> Any:
    base = _sdk.handler_base(colour.handler.__name__)
    if base is object:
        pytest.skip("this release of the SDK has no event handlers of its own")
    return base


async def test_the_sdks_own_handlers_are_taken_and_repaired(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    events = [
        run("queued", "created"),
        step("created"),
        calls(call(0, "{}", "f")),
        step("completed", function("f", "{}", "call_0")),
        run("completed"),
    ]
    stream = await played(colour, server, events, log, base=sdks(colour))
    assert isinstance(stream, sdks(colour))
    assert fired(log, "on_tool_call_done", "on_end") == [
        ("on_tool_call_done", "{}"),
        ("on_end", "on_end"),
    ]
    assert [s.status for s in await colour.of(stream.get_final_run_steps())] == ["completed"]


async def test_a_plain_instance_of_the_sdks_class_is_taken(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("Hi"))]))
    handler = sdks(colour)()
    stream = await colour.handled(colour.client(server.url), handler)
    assert stream is handler
    assert stream.current_run.status == "completed"
    assert [m.content[0].text.value for m in await colour.of(stream.get_final_messages())] == ["Hi"]


def wants_arguments(base: Any, made: list[type]) -> type:
    class Registered(base):  # type: ignore[misc]
        def __init_subclass__(cls, name: str, **_: Any) -> None:
            made.append(cls)

    return Registered


def is_final(base: Any, made: list[type]) -> type:
    class Final(base):  # type: ignore[misc]
        def __init_subclass__(cls) -> None:
            made.append(cls)
            raise TypeError("this class is final")

    return Final


def is_of_a_metaclass(base: Any, made: list[type]) -> type:
    class Registry(ABCMeta):
        def __init__(cls, name: str, bases: Any, members: Any) -> None:
            super().__init__(name, bases, members)
            made.append(cls)

    found = Registry("Registered", (base,), {})
    made.clear()
    return found


def has_slots_and_is_frozen(base: Any, made: list[type]) -> type:
    class Frozen(base):  # type: ignore[misc]
        __slots__ = ("kept",)

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "__class__":
                raise AttributeError("frozen")
            super().__setattr__(name, value)

    return Frozen


@pytest.mark.parametrize(
    "of", [wants_arguments, is_final, is_of_a_metaclass, has_slots_and_is_frozen], ids=lambda of: of.__name__
)
async def test_adopting_a_handler_announces_no_class(colour: Colour, server: Loopback, of: Any) -> None:
    server.on("POST", RUNS, Reply.sse([sse(text_run("Hi"))]))
    client = colour.client(server.url)
    made: list[type] = []
    kind = of(sdks(colour), made)
    handlers = [await colour.handled(client, kind()) for _ in range(3)]
    assert made == []
    assert all(isinstance(handler, kind) for handler in handlers)
    assert all(handler.current_run.status == "completed" for handler in handlers)
    assert len({type(handler) for handler in handlers}) == 1  # no class per handler


async def test_our_handlers_are_the_sdks_and_work_in_its_managers(colour: Colour, server: Loopback) -> None:
    assert issubclass(colour.handler, sdks(colour))
    log: list[Any] = []
    server.on("POST", RUNS, Reply.sse([sse(text_run("Hi"))]))
    runs = colour.bare(server.url).beta.threads.runs
    asked = getattr(runs, "stream", None) or runs.create_and_stream
    handler = colour.logging_handler(log)
    async with colour.entered(
        asked(thread_id="thread_1", assistant_id="asst_1", event_handler=handler)
    ) as stream:
        await colour.of(stream.until_done())
    assert fired(log, "on_text_done", "on_end") == [("on_text_done", "Hi"), ("on_end", "on_end")]
    assert stream.current_run.status == "completed"


# ---------------------------------------------------------------- ends


async def ended(
    colour: Colour, server: Loopback, body: list[Any], expected: Any, **options: Any
) -> list[Any]:
    """The callbacks about the end, for a stream of ``body`` that raises ``expected``."""
    log: list[Any] = []
    server.on("POST", RUNS, Reply.sse(body))
    with pytest.raises(expected):
        await colour.handled(colour.client(server.url, **options), colour.logging_handler(log))
    return [entry[0] for entry in log if entry[0] in ("on_timeout", "on_exception", "on_end")]


async def test_an_error_event_fires_on_exception_and_on_end_once(colour: Colour, server: Loopback) -> None:
    body = [sse([run("in_progress"), ("error", {"message": "broke"})])]
    assert await ended(colour, server, body, openai.APIError) == ["on_exception", "on_end"]


async def test_a_cut_fires_on_exception_and_on_end_once(colour: Colour, server: Loopback) -> None:
    body = [frame(run("in_progress")), CUT]
    assert await ended(colour, server, body, openai.APIConnectionError) == ["on_exception", "on_end"]


async def test_a_stall_fires_on_timeout_too(colour: Colour, server: Loopback) -> None:
    stalled = threading.Event()
    body = [frame(run("in_progress")), stalled]
    fired = await ended(colour, server, body, openai.APITimeoutError, timeout=0.3)
    stalled.set()
    assert fired == ["on_timeout", "on_exception", "on_end"]


async def test_a_callback_that_raises_ends_the_stream(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []

    class Raises(type(colour.logging_handler(log))):  # type: ignore[misc]
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            raise ZeroDivisionError("mine")

    server.on("POST", RUNS, Reply.sse([sse(text_run("a", "b"))]))
    handler = Raises()
    client = colour.client(server.url)
    with pytest.raises(ZeroDivisionError, match="mine"):
        await colour.handled(client, handler)
    assert [entry[0] for entry in log if entry[0] in ("on_exception", "on_end")] == ["on_exception", "on_end"]
    assert isinstance(next(entry[1] for entry in log if entry[0] == "on_exception"), ZeroDivisionError)
    assert handler._session.stream.response.is_closed
    assert (await colour.of((await colour.handled(client)).get_final_run())).status == "completed"


@pytest.mark.parametrize("events", [0, 1, 3])
async def test_an_early_exit_fires_on_end_once_and_closes(
    colour: Colour, server: Loopback, events: int
) -> None:
    log: list[Any] = []
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    handler = colour.logging_handler(log)
    asked = colour.client(server.url).beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=handler
    )
    async with colour.entered(asked) as stream:
        for _ in range(events):
            await colour.next(stream)
    assert [entry[0] for entry in log if entry[0] != "on_event"].count("on_end") == 1
    assert fired(log, "on_exception") == []
    assert handler._session.stream.response.is_closed


async def test_an_exception_in_the_with_block_is_the_callers_own(colour: Colour, server: Loopback) -> None:
    log: list[Any] = []
    server.on("POST", RUNS, Reply.sse([sse(text_run("a"))]))
    asked = colour.client(server.url).beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=colour.logging_handler(log)
    )
    with pytest.raises(KeyError):
        async with colour.entered(asked) as stream:
            await colour.next(stream)
            raise KeyError("mine")
    assert fired(log, "on_exception", "on_end") == [("on_end", "on_end")]


async def test_close_inside_a_callback_ends_the_stream(colour: Colour, server: Loopback) -> None:
    ends: list[int] = []

    class Closes(colour.handler):  # type: ignore[name-defined,misc]
        def on_text_delta(self, delta: Any, snapshot: Any) -> Any:
            return self.close()

        def on_end(self) -> None:
            ends.append(1)

    server.on("POST", RUNS, Reply.sse([sse(text_run("a", "b", "c"))]))
    asked = colour.client(server.url).beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=Closes()
    )
    async with colour.entered(asked) as stream:
        events = await colour.list(stream)
    assert events[-1].event == "thread.message.delta"
    assert stream.current_message_snapshot.content[0].text.value == "a"
    assert ends == [1]


# ---------------------------------------------------------------- recordings


@pytest.mark.recordings
@pytest.mark.parametrize("path", recorded_streams(), ids=lambda path: path.stem)
async def test_recordings_add_up_to_their_completed_objects(
    colour: Colour, server: Loopback, path: Any
) -> None:
    log: list[Any] = []
    stream = await played(colour, server, path.read_bytes(), log)
    assert stream.current_run.status not in ("queued", "in_progress")

    growing = {entry[2].id: entry[2] for entry in log if entry[0] == "on_message_delta"}
    finals = {entry[1].id: entry[1] for entry in log if entry[0] == "on_message_done"}
    assert set(growing) <= set(finals)
    for id, snapshot in growing.items():
        assert [plain(block) for block in snapshot.content] == [plain(block) for block in finals[id].content]

    steps = {entry[2].id: entry[2] for entry in log if entry[0] == "on_run_step_delta"}
    done = {entry[1].id: entry[1] for entry in log if entry[0] == "on_run_step_done"}
    for id in steps.keys() & done.keys():
        wanted = [plain(each) for each in done[id].step_details.tool_calls]
        found = [plain(each) for each in steps[id].step_details.tool_calls]
        assert [without_output(each) for each in found] == [without_output(each) for each in wanted]

    for kind, created, ended in (
        ("text", "on_text_created", "on_text_done"),
        ("call", "on_tool_call_created", "on_tool_call_done"),
    ):
        assert len(fired(log, created)) == len(fired(log, ended)), kind
    texts = sum(block.type == "text" for m in finals.values() for block in m.content)
    assert len(fired(log, "on_text_done")) == texts
    assert [entry[0] for entry in log].count("on_end") == 1


def plain(model: Any) -> Any:
    """A block or call as the final objects have it: no index, nothing that is unset or None."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            # an empty quote is in the delta of a citation and not in the final object
            return {
                k: cleaned(v)
                for k, v in value.items()
                if k != "index" and v is not None and (k, v) != ("quote", "")
            }
        return [cleaned(item) for item in value] if isinstance(value, list) else value

    return cleaned(_sdk.dump(model))


def without_output(value: Any) -> Any:
    # What only final steps hold: a function's output, which is the client's own, and search results.
    if value["type"] == "file_search":
        return {**value, "file_search": None}
    inner = value.get("function")
    return (
        value if inner is None else {**value, "function": {k: v for k, v in inner.items() if k != "output"}}
    )
