"""What real model servers send and refuse where they differ from OpenAI: each named after what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from tests.backend import fakes
from tests.loopback import Loopback, Reply, Request

from .conftest import Api, text_of

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]
PARIS = '{"city": "Paris"}'


async def answered(make_api: MakeApi, server: Loopback, kind: str, *scripts: Any, **run: Any) -> Any:
    """The api and a run that is over, calls answered with ``21 degrees``."""
    getattr(fakes, f"serve_{kind}")(server, *scripts)
    api = make_api(kind, client={"base_url": server.url + "/v1"})
    ended = await api.settled(await api.run("hello", **run))
    while ended["status"] == "requires_action":
        ended = await submitted(api, ended)
    return api, ended


async def submitted(api: Api, run: Any) -> Any:
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "21 degrees"} for call in calls]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    return await api.settled(await api.post(path, {"tool_outputs": outputs}))


async def calls_of(api: Api, run: Any) -> list[tuple[str, str]]:
    return [
        (call["function"]["name"], call["function"]["arguments"])
        for step in await api.steps(run)
        if step["type"] == "tool_calls"
        for call in step["step_details"]["tool_calls"]
    ]


async def said(api: Api, run: Any) -> list[str]:
    return [text_of(each) for each in await api.messages(run["thread_id"]) if each["role"] == "assistant"]


# llama.cpp's server, POST /responses


def llama_cpp(text: str = "", *calls: tuple[str, str], thought: str = "") -> fakes.Script:
    """No ``output_index``, ``content_index`` or ``sequence_number``; items are done only at the end."""
    response = {"id": "resp_1", "object": "response"}
    events: fakes.Script = [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.in_progress", "response": {**response, "status": "in_progress"}},
    ]
    output: list[Any] = []
    if thought:
        item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": ""}
        events.append({"type": "response.output_item.added", "item": {**item, "content": []}})
        events.append({"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": thought})
        output.append({**item, "content": [{"type": "reasoning_text", "text": thought}]})
    if text:
        item = {"id": "msg_1", "type": "message", "role": "assistant"}
        events.append({"type": "response.output_item.added", "item": {**item, "content": []}})
        part = {"type": "output_text", "text": ""}
        events.append({"type": "response.content_part.added", "item_id": "msg_1", "part": part})
        for word in text.split(" "):
            delta = word if word == text.split(" ")[0] else " " + word
            events.append({"type": "response.output_text.delta", "item_id": "msg_1", "delta": delta})
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        output.append({**item, "status": "completed", "content": [part]})
    for number, (name, arguments) in enumerate(calls):
        item = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "name": name}
        events.append({"type": "response.output_item.added", "item": {**item, "arguments": ""}})
        for cut in (arguments[:5], arguments[5:]):
            kind = "response.function_call_arguments.delta"
            events.append({"type": kind, "item_id": f"fc_{number}", "delta": cut})
        output.append({**item, "status": "completed", "arguments": arguments})
    events += [{"type": "response.output_item.done", "item": item} for item in output]
    usage = {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17, "input_tokens_details": {}}
    response = {**response, "status": "completed", "output": output, "usage": usage}
    return [*events, {"type": "response.completed", "response": response, "timings": {"prompt_n": 1}}]


async def test_items_that_have_only_ids_are_told_apart(make_api: MakeApi, server: Loopback) -> None:
    calls = [("get_weather", PARIS), ("get_weather", '{"city": "Rome"}')]
    first = llama_cpp("I will look.", *calls, thought="Hm.")
    api, run = await answered(make_api, server, "responses", first, llama_cpp("It is mild."))
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert await calls_of(api, run) == calls
    assert await said(api, run) == ["I will look.", "It is mild."]
    assert run["usage"]["total_tokens"] == 34


async def test_reasoning_and_calls_without_text_go_back_to_llama_cpp(
    make_api: MakeApi, server: Loopback
) -> None:
    first = llama_cpp("", ("get_weather", PARIS), thought="Hm.")
    api, run = await answered(make_api, server, "responses", first, llama_cpp("Mild."))
    assert (run["status"], await said(api, run)) == ("completed", ["Mild."])
    kinds = [item.get("type") for item in server.requests[-1].json["input"]]
    assert kinds == [None, "reasoning", "function_call", "function_call_output"]


async def test_earlier_answers_name_their_type(make_api: MakeApi, server: Loopback) -> None:
    """llama.cpp: "Cannot determine type of 'item'"."""

    def answer(asked: Request) -> Reply:
        for item in asked.json["input"]:
            if item.get("role") == "assistant" and item.get("type") != "message":
                return fakes.http_error(400, "Cannot determine type of 'item'")
        return Reply.sse(fakes.sse(llama_cpp("Hello there.")))

    server.on("POST", ".*/responses", answer)
    api = make_api("responses", client={"base_url": server.url + "/v1"})
    run = await api.settled(await api.run("hello"))
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "again"})
    path = f"/threads/{run['thread_id']}/runs"
    again = await api.settled(await api.post(path, {"assistant_id": run["assistant_id"]}))
    assert (again["status"], again["last_error"]) == ("completed", None)


# transformers serve, POST /responses


def transformers(text: str, *names: str) -> fakes.Script:
    """A message of one id is announced before and after the calls, at an index that a call has; its
    ``done`` comes again, in full. Items are whole when they are added; the response is queued at first."""
    script = fakes.ResponseScript()
    script.events[0]["response"]["status"] = "queued"
    script.events[0]["response"]["created_at"] = 1_750_000_000.25
    message = {"id": "msg_1", "type": "message", "role": "assistant"}
    part = {"type": "output_text", "text": text, "annotations": []}
    whole = {**message, "status": "completed", "content": [part]}
    empty = {**message, "status": "in_progress", "content": []}
    where = {"item_id": "msg_1", "content_index": 0}
    index = 0
    if text:
        script.emit("response.output_item.added", output_index=0, item=empty)
        script.emit("response.output_text.delta", **where, output_index=0, delta=text, logprobs=[])
        script.emit("response.output_text.done", **where, output_index=0, text=text, logprobs=[])
        script.emit("response.output_item.done", output_index=0, item=whole)
    calls = []
    for index, name in enumerate(names, 1):
        ids = {"id": f"tool_call_{index}", "call_id": f"tool_call_{index}"}
        calls.append(
            {**ids, "type": "function_call", "name": name, "arguments": PARIS, "status": "completed"}
        )
        script.emit("response.output_item.added", output_index=index, item=calls[-1])
        kind = "response.function_call_arguments.done"
        script.emit(kind, output_index=index, item_id=ids["id"], arguments=PARIS, name=name)
        script.emit("response.output_item.done", output_index=index, item=calls[-1])
    if names or not text:
        script.emit("response.output_item.added", output_index=index, item=empty)
        script.emit("response.output_text.done", **where, output_index=index, text=text, logprobs=[])
        script.emit("response.output_item.done", output_index=index, item=whole)
    events = script.completed()
    events[-1]["response"]["output"] = [whole, *calls]
    return events


@pytest.mark.parametrize("text", ["", "I will look."])
async def test_a_message_that_comes_again_after_the_calls_is_said_once(
    make_api: MakeApi, server: Loopback, text: str
) -> None:
    first = transformers(text, "get_weather", "get_weather")
    api, run = await answered(make_api, server, "responses", first, transformers("It is mild."))
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert await calls_of(api, run) == [("get_weather", PARIS)] * 2
    assert await said(api, run) == [*([text] if text else []), "It is mild."]


async def test_a_call_that_is_whole_when_it_is_added_and_never_done_is_made(
    make_api: MakeApi, server: Loopback
) -> None:
    first = [event for event in transformers("", "get_weather") if not event["type"].endswith(".done")]
    first[-1]["response"]["output"] = []
    api, run = await answered(make_api, server, "responses", first, transformers("It is mild."))
    assert await calls_of(api, run) == [("get_weather", PARIS)]


# llama-cpp-python's server, POST /chat/completions


async def test_a_call_that_is_told_in_two_ways_is_one(make_api: MakeApi, server: Loopback) -> None:
    """llama-cpp-python: ``function_call`` and ``tool_calls`` in one delta, and null members everywhere."""
    cuts = ['{"', "city", '": "Paris"}']
    deltas: list[Any] = [
        {
            "role": None,
            "content": None,
            "function_call": {"name": "get_weather", "arguments": cut},
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_0",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": cut},
                }
            ],
        }
        for cut in cuts
    ]
    script = fakes.chat(*deltas, finish="tool_calls", usage=False)
    script[0]["choices"][0]["delta"] = {"role": "assistant", "content": None, "tool_calls": None}
    plain = fakes.chat({"role": None, "content": "Mild.", "function_call": None, "tool_calls": None})
    api, run = await answered(make_api, server, "chat", script, plain)
    assert await calls_of(api, run) == [("get_weather", PARIS)]
    assert await said(api, run) == ["Mild."]


async def test_outputs_are_submitted_where_null_content_is_refused(
    make_api: MakeApi, server: Loopback
) -> None:
    def answer(asked: Request) -> Reply:
        messages = asked.json["messages"]
        if any(message["content"] is None for message in messages):
            return fakes.http_error(422, "Input should be a valid string")
        called = fakes.chat_call("get_weather", PARIS)
        script = fakes.chat_text("Mild.") if messages[-1]["role"] == "tool" else called
        return Reply.sse(fakes.chat_sse(script))

    server.on("POST", ".*/chat/completions", answer)
    api = make_api("chat", client={"base_url": server.url + "/v1"})
    run = await submitted(api, await api.settled(await api.run("hello")))
    assert (run["status"], run["last_error"]) == ("completed", None)


# Limits of /responses


@pytest.mark.parametrize(
    ("limit", "sent", "status"),
    [(4, 16, "incomplete"), (5, 16, "incomplete"), (6, 16, "completed"), (20, 20, "completed")],
)
async def test_an_answer_that_reached_its_limit_is_incomplete(
    make_api: MakeApi, server: Loopback, limit: int, sent: int, status: str
) -> None:
    """llama.cpp and transformers call it completed; OpenAI takes no limit below 16."""
    script = llama_cpp("One two three.")  # five tokens, by its usage
    api, run = await answered(make_api, server, "responses", script, max_completion_tokens=limit)
    assert server.requests[-1].json["max_output_tokens"] == sent
    assert run["status"] == status
    reason = {"reason": "max_completion_tokens"} if status == "incomplete" else None
    assert run["incomplete_details"] == reason
    assert run["usage"]["completion_tokens"] == 5
    assert await said(api, run) == ["One two three."]


async def test_a_call_that_the_limit_has_cut_is_not_made(make_api: MakeApi, server: Loopback) -> None:
    script = llama_cpp("", ("get_weather", '{"ci'))
    _, run = await answered(make_api, server, "responses", script, max_completion_tokens=5)
    assert (run["status"], run["required_action"]) == ("incomplete", None)


# Why a server refused


SAID = "the model 'big' is not here"
REFUSALS: dict[str, tuple[str, bytes]] = {
    "detail": ("application/json", b'{"detail": "%s"}'),
    "details": ("application/json", b'{"detail": [{"loc": ["body", "n"], "msg": "%s"}]}'),
    "error text": ("application/json", b'{"error": "%s"}'),
    "message": ("application/json", b'{"object": "error", "message": "%s", "code": 400}'),
    "list": ("application/json", b'[{"error": {"message": "%s", "code": 400}}]'),
    "text": ("text/plain", b"Internal error:\n  %s\n"),
    "event": ("text/event-stream", b'data: {"error": {"message": "%s"}}\n\ndata: [DONE]\n\n'),
    "named event": ("text/event-stream", b'event: error\ndata: {"detail": "%s"}\n\n'),
    "error line": ("text/event-stream", b'error: {"message": "%s", "code": 500}\n\n'),
}


@pytest.mark.parametrize("kind", ["responses", "chat"])
@pytest.mark.parametrize("form", REFUSALS)
@pytest.mark.parametrize("status", [400, 500])
async def test_the_reason_of_a_refusal_is_in_last_error(
    make_api: MakeApi, server: Loopback, kind: str, form: str, status: int
) -> None:
    content_type, body = REFUSALS[form]
    refusal = Reply(status, {"content-type": content_type}, [body.replace(b"%s", SAID.encode())])
    _, run = await answered(make_api, server, kind, refusal)
    assert run["status"] == "failed"
    assert SAID in run["last_error"]["message"]
    assert "Error code" not in run["last_error"]["message"]


async def test_a_refused_parameter_is_left_out_whatever_form_the_refusal_has(
    make_api: MakeApi, server: Loopback
) -> None:
    no = Reply.json({"detail": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."}, 400)
    _, run = await answered(make_api, server, "chat", no, fakes.chat_text("Hi"), max_completion_tokens=9)
    assert run["status"] == "completed"
    assert server.requests[-1].json["max_completion_tokens"] == 9


async def test_a_page_of_html_is_no_reason(make_api: MakeApi, server: Loopback) -> None:
    page = Reply(502, {"content-type": "text/html"}, [b"<html><body>Bad Gateway</body></html>"])
    _, run = await answered(make_api, server, "chat", page)
    assert run["status"] == "failed"
    assert run["last_error"]["message"]


# What else is taken as it comes


def called(**delta: Any) -> Any:
    function = {"name": "get_weather", "arguments": PARIS}
    return {"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": function, **delta}]}


NULLS = {"role": None, "content": None, "refusal": None, "function_call": None, "tool_calls": None}
CUT = [{"name": "get_weather", "arguments": cut} for cut in (PARIS[:5], PARIS[5:])]
CALLS: dict[str, list[Any]] = {
    "a whole call in one delta": [called()],
    "id, name and type in every delta": [called(function=each) for each in CUT],
    "null members in every delta": [NULLS, {**NULLS, **called()}, NULLS],
    "reasoning first": [{"content": None, "reasoning_content": "I need"}, {"reasoning": " it."}, called()],
}


@pytest.mark.parametrize("form", CALLS)
async def test_calls_in_the_forms_of_servers(make_api: MakeApi, server: Loopback, form: str) -> None:
    script = fakes.chat(*CALLS[form], finish="tool_calls")
    api, run = await answered(make_api, server, "chat", script, fakes.chat_text("Mild."))
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert await calls_of(api, run) == [("get_weather", PARIS)]
    assert await said(api, run) == ["Mild."]


def with_first(**delta: Any) -> fakes.Script:
    return [fakes.chunk({"role": "assistant", **delta}), *fakes.chat_text("Hi", "!")[1:]]


def with_usage(place: int) -> fakes.Script:
    """The usage in the chunk at ``place`` and in no chunk of its own."""
    script = fakes.chat_text("Hi", "!")[:-1]
    script[place]["usage"] = fakes.CHAT_USAGE
    return script


def extended(**members: Any) -> fakes.Script:
    return [{**chunk, **members} for chunk in fakes.chat_text("Hi", "!")]


TEXTS: dict[str, fakes.Script] = {
    "first content is null": with_first(content=None),
    "first members are null": with_first(**{**NULLS, "role": "assistant"}),
    "usage in the finish chunk": with_usage(-1),
    "usage beside text": with_usage(1),
    "timings": extended(timings={"prompt_n": 3, "predicted_ms": 1.5}),
    "float timestamps": extended(created=1_750_000_000.25),
}


@pytest.mark.parametrize("ending", [b"data: [DONE]\n\n", b""], ids=["DONE", "no DONE"])
@pytest.mark.parametrize("form", TEXTS)
async def test_texts_in_the_forms_of_servers(
    make_api: MakeApi, server: Loopback, form: str, ending: bytes
) -> None:
    body = [*fakes.chat_sse(TEXTS[form], done=False), ending]
    api, run = await answered(make_api, server, "chat", Reply.sse(body))
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert await said(api, run) == ["Hi!"]
    assert run["usage"]["total_tokens"] == 17


def without_usage(script: fakes.Script) -> fakes.Script:
    bare = [{name: value for name, value in event.items() if name != "usage"} for event in script]
    if "response" in bare[-1]:
        bare[-1]["response"].pop("usage")
    return bare


@pytest.mark.parametrize("kind", ["responses", "chat"])
async def test_usage_that_no_server_tells_is_estimated(
    make_api: MakeApi, server: Loopback, kind: str
) -> None:
    script = getattr(fakes, f"{kind}_text")("Hello there, friend.")
    api, run = await answered(make_api, server, kind, without_usage(script), assistant={"tools": []})
    assert run["usage"]["completion_tokens"] == 5  # twenty bytes
    assert run["usage"]["prompt_tokens"] > 1
    (step,) = await api.steps(run)
    assert step["usage"]["total_tokens"] == run["usage"]["total_tokens"]


async def test_frames_of_responses_without_a_name_and_thoughts_beside_the_text(
    make_api: MakeApi, server: Loopback
) -> None:
    script = fakes.ResponseScript().text("Hi", end=False)
    for kind in ("reasoning_text", "reasoning_summary_text"):
        script.emit(f"response.{kind}.delta", item_id="rs_9", output_index=9, delta="Hm.")
        script.emit(f"response.{kind}.done", item_id="rs_9", output_index=9, text="Hm.")
    script.emit("response.queued", response={"id": "resp_1", "status": "queued", "created_at": 1.5})
    body = list(fakes.chat_sse(script.completed(), done=False))
    api, run = await answered(make_api, server, "responses", Reply.sse(body))
    assert (run["status"], await said(api, run)) == ("completed", ["Hi"])


@pytest.mark.parametrize("kind", ["responses", "chat"])
async def test_a_forced_call_that_the_server_does_not_make_is_no_failure(
    make_api: MakeApi, server: Loopback, kind: str
) -> None:
    script = getattr(fakes, f"{kind}_text")("No.")
    api, run = await answered(make_api, server, kind, script, tool_choice="required")
    assert (run["status"], await said(api, run)) == ("completed", ["No."])


# Thoughts in the text

THOUGHT = ["\n<th", "ink>\nHm, <b> or", " </b>?\n</thi", "nk>\n", "\n 42", " <think> is a mark"]


@pytest.mark.parametrize("kind", ["responses", "chat"])
@pytest.mark.parametrize(
    ("deltas", "kept"),
    [
        (THOUGHT, "42 <think> is a mark"),
        (["<think>", "</think>", "42"], "42"),
        (["<", "thin", "g> 42"], "<thing> 42"),
        (["<thin"], "<thin"),
        (["  ", "42"], "  42"),
    ],
)
async def test_thoughts_are_dropped_on_demand(
    make_api: MakeApi, server: Loopback, kind: str, deltas: list[str], kept: str
) -> None:
    getattr(fakes, f"serve_{kind}")(server, getattr(fakes, f"{kind}_text")(*deltas))
    for think, expected in (("keep", "".join(deltas)), ("drop", kept)):
        api = make_api(kind, think=think, client={"base_url": server.url + "/v1"})
        assistant_id, thread_id = await api.assistant(), await api.thread("hello")
        events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
        shown = [
            part["text"]["value"]
            for name, data in events
            if name == "thread.message.delta"
            for part in data["delta"]["content"]
        ]
        assert "".join(shown) == expected
        assert "thread.run.completed" in [name for name, _ in events]
        assert text_of((await api.messages(thread_id))[-1]) == expected


@pytest.mark.parametrize("kind", ["responses", "chat"])
async def test_a_message_of_thoughts_alone_is_none(make_api: MakeApi, server: Loopback, kind: str) -> None:
    if kind == "chat":
        call = fakes.call_delta(0, PARIS, id="call_1", name="get_weather")
        first = fakes.chat({"content": "<think>\nI need it.\n</think>\n\n"}, {"tool_calls": [call]})
    else:
        first = (
            fakes.ResponseScript().text("<think>I need it.</think>").call("get_weather", PARIS).completed()
        )
    last = getattr(fakes, f"{kind}_text")("<think>unfinished")
    getattr(fakes, f"serve_{kind}")(server, first, last)
    api = make_api(kind, think="drop", client={"base_url": server.url + "/v1"})
    run = await submitted(api, await api.settled(await api.run("hello")))
    assert (run["status"], await said(api, run)) == ("completed", [])
    assert await calls_of(api, run) == [("get_weather", PARIS)]


def test_think_is_kept_or_dropped() -> None:
    with pytest.raises(ValueError, match="'hide'"):
        LocalBackend("echo", think="hide")
