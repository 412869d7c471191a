from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend._engine.port import (
    DONE,
    Call,
    ContentDelta,
    Failed,
    Finished,
    MessageEnd,
    Open,
    ToolCallDelta,
    UpstreamError,
)
from streaming_assistants.backend.upstreams._history import NO_OUTPUT
from streaming_assistants.backend.upstreams.chat import chat
from tests.backend import fakes, talk
from tests.backend.driving import Transcript, drive, turn

pytestmark = pytest.mark.any_sdk

ESTIMATE = {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}  # of "Hello" and "Hi"


def run(events: Any, *answers: Any, **values: Any) -> Transcript:
    return drive(chat(turn(**values)), copy.deepcopy(events), answers)


def body(*items: Any, answers: Any = (), **values: Any) -> Any:
    return drive(chat(turn(*items, **values)), fakes.chat_text("Hi"), answers).body


# The request


def test_the_smallest_request() -> None:
    assert run(fakes.chat_text()).asked == [
        Open(
            "POST",
            "/chat/completions",
            {
                "model": "gpt-4o",
                "messages": [{"role": "user", "content": "Hello"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )
    ]


def test_parameters() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    choice = {"type": "function", "function": {"name": "weather"}}
    sent = body(
        instructions="Be brief.",
        temperature=1.0,
        top_p=0.9,
        response_format=schema,
        reasoning_effort="low",
        max_completion_tokens=300,
        tools=[talk.WEATHER],
        tool_choice=choice,
        parallel_tool_calls=False,
    )
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (sent["temperature"], sent["top_p"]) == (1.0, 0.9)
    assert sent["response_format"] == schema
    assert sent["reasoning_effort"] == "low"
    assert sent["max_tokens"] == 300
    assert sent["tools"] == [talk.WEATHER]
    assert sent["tool_choice"] == choice
    assert sent["parallel_tool_calls"] is False


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_tool_choice_words_go_through(choice: str) -> None:
    assert body(tools=[talk.WEATHER], tool_choice=choice)["tool_choice"] == choice


def test_defaults_are_left_out() -> None:
    sent = body(response_format="auto", tool_choice="auto", parallel_tool_calls=True)
    assert not {"response_format", "tool_choice", "parallel_tool_calls", "max_tokens"} & sent.keys()
    assert "response_format" not in body(response_format={"type": "text"})
    assert body(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}


def test_a_function_without_parameters_gets_an_empty_schema() -> None:
    tool = talk.function_tool("now", description=None, strict=None)
    empty = {"type": "object", "properties": {}}
    assert body(tools=[tool])["tools"] == [talk.function_tool("now", parameters=empty)]


def test_roles_parts_refusals_and_markers() -> None:
    mark = {"type": "file_citation", "text": "【4:0†a】", "start_index": 2, "end_index": 9}
    items = [
        talk.user("One", "Two"),
        talk.assistant(talk.text("Hi【4:0†a】.", mark), {"type": "refusal", "refusal": "No."}),
        talk.user("Look", talk.image_url("https://x/y.png", detail="low")),
        talk.assistant(),
        talk.user(talk.image_url("data:image/png;base64,AA")),
    ]
    assert body(*items)["messages"] == [
        {"role": "user", "content": "One\nTwo"},
        {"role": "assistant", "content": "Hi.\nNo."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
        },
    ]


def test_earlier_rounds_join_the_text_that_came_with_them() -> None:
    step = talk.tool_calls(
        talk.function_call("c1", "f", '{"q":"\\"hi\\"\\n🍰"}', '"hi"\n🍰'),
        talk.function_call("c2", "g", "", None),
        talk.code_call("ci", "1+1", {"type": "logs", "logs": "2"}),
    )
    messages = body(talk.user("Go"), talk.assistant("Let me see."), step, step)["messages"]
    made = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"q":"\\"hi\\"\\n🍰"}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        {
            "id": "ci",
            "type": "function",
            "function": {"name": "code_interpreter", "arguments": '{"code": "1+1"}'},
        },
    ]
    answered = [
        {"role": "tool", "tool_call_id": "c1", "content": '"hi"\n🍰'},
        {"role": "tool", "tool_call_id": "c2", "content": NO_OUTPUT},
        {"role": "tool", "tool_call_id": "ci", "content": "2"},
    ]
    assert messages[1:] == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": made},
        *answered,
        {"role": "assistant", "content": "", "tool_calls": made},
        *answered,
    ]


def test_a_step_of_searches_only_leaves_no_empty_message() -> None:
    search = {"id": "fs", "type": "file_search", "file_search": {}}
    assert len(body(talk.user("Go"), talk.tool_calls(search))["messages"]) == 1


def test_an_image_file_is_sent_inline() -> None:
    done = drive(
        chat(turn(talk.user("Look", talk.image_file("file-1", detail="high")))),
        fakes.chat_text(),
        [fakes.PNG],
    )
    assert done.asked[0] == Call("GET", "/files/file-1/content", raw=True)
    image = done.body["messages"][0]["content"][1]["image_url"]
    assert image["detail"] == "high"
    assert image["url"] == "data:image/png;base64," + base64.b64encode(fakes.PNG).decode()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (UpstreamError("Not Found", 404), "server_error", 'upstream="responses"'),
        (UpstreamError("slow down", 429), "rate_limit_exceeded", "slow down"),
        (b"%PDF-1.7", "invalid_prompt", "no PNG"),
    ],
)
def test_an_image_file_that_cannot_be_sent_fails_the_run(answer: Any, code: str, words: str) -> None:
    done = drive(chat(turn(talk.user(talk.image_file("file-1")))), (), [answer])
    assert len(done.asked) == 1
    assert (done.end.code, "file-1" in done.end.message) == (code, True)
    assert words in done.end.message


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ({"tools": [talk.CODE_INTERPRETER]}, "code_interpreter"),
        ({"tools": [talk.WEATHER, talk.FILE_SEARCH]}, "file_search"),
        ({"tools": [talk.WEATHER], "tool_choice": {"type": "code_interpreter"}}, "code_interpreter"),
        ({"items": [talk.user("Go", attachments=[talk.attachment("f", "file_search")])]}, "file_search"),
    ],
)
def test_what_chat_cannot_do_fails_before_a_request(values: Any, feature: str) -> None:
    done = run([], **values)
    assert done.asked == []
    (end,) = done.said
    assert isinstance(end, Failed)
    assert feature in end.message
    assert 'upstream="responses"' in end.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tools": [{"type": "web_search"}]}, "'web_search'"),
        ({"tool_choice": "required"}, "no tool"),
        ({"items": [talk.user({"type": "audio"})]}, "'audio'"),
        ({"items": [{"kind": "note"}]}, "'note'"),
    ],
)
def test_what_is_unknown_fails_before_a_request(values: Any, words: str) -> None:
    done = run([], **values)
    assert done.asked == []
    assert words in done.end.message


# Servers that refuse a parameter


@pytest.mark.parametrize(
    "message",
    [
        "Unrecognized request argument supplied: stream_options",
        "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]",
        "Extra inputs are not permitted",
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_stream_options_is_asked_without(message: str, status: int) -> None:
    done = run(
        fakes.chat({"content": "Hi"}, usage=False),
        UpstreamError(message, status),
    )
    assert ["stream_options" in one.body for one in done.asked] == [True, False]
    assert done.end == Finished(usage=ESTIMATE)


def test_a_model_that_refuses_max_tokens_gets_the_newer_name() -> None:
    error = UpstreamError(
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        400,
    )
    done = run(fakes.chat_text("Hi"), error, max_completion_tokens=9)
    first, second = done.asked
    assert first.body["max_tokens"] == second.body["max_completion_tokens"] == 9
    assert "max_tokens" not in second.body
    assert second.body["stream_options"] == {"include_usage": True}


def test_both_refusals_are_met_and_then_there_is_an_end() -> None:
    errors = [UpstreamError(f"Unknown parameter: '{name}'", 400) for name in ("max_tokens", "stream_options")]
    assert run(fakes.chat_text("Hi"), *errors, max_completion_tokens=9).end == talk.FINISHED
    with pytest.raises(UpstreamError, match="max_completion_tokens"):
        run(
            [],
            *errors,
            UpstreamError("Unknown parameter: 'max_completion_tokens'", 400),
            max_completion_tokens=9,
        )


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("Unsupported value: 'temperature' does not support 0.2", 400),
        UpstreamError("stream_options", 500),
        UpstreamError("Incorrect API key provided.", 401),
        UpstreamError("Rate limit reached", 429),
        UpstreamError("timed out"),
    ],
)
def test_other_refusals_go_to_the_engine_at_once(error: UpstreamError) -> None:
    with pytest.raises(UpstreamError) as caught:
        run([], error, temperature=0.2)
    assert caught.value is error


# The stream


def test_text_streams_as_one_message() -> None:
    assert run(fakes.chat_text("Hel", "lo")).said == [
        ContentDelta({"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}),
        ContentDelta({"index": 0, "type": "text", "text": {"value": "lo"}}),
        MessageEnd(),
        talk.FINISHED,
    ]


def test_refusal_is_a_part_of_its_own() -> None:
    done = run(fakes.chat_refusal("I can", "not."))
    assert done.messages == [[{"type": "refusal", "refusal": "I cannot."}]]


def test_a_function_call_streams_its_arguments() -> None:
    done = run(fakes.chat_call("weather", '{"city":', '"Paris"}'), tools=[talk.WEATHER])
    head = {"name": "weather", "arguments": "", "output": None}
    assert done.said == [
        ToolCallDelta({"index": 0, "id": "call_1", "type": "function", "function": head}),
        ToolCallDelta({"index": 0, "type": "function", "function": {"arguments": '{"city":'}}),
        ToolCallDelta({"index": 0, "type": "function", "function": {"arguments": '"Paris"}'}}),
        talk.FINISHED,
    ]


def test_text_before_calls_is_a_message_that_ends_first() -> None:
    call = {"tool_calls": [fakes.call_delta(0, "{}", id="c1", name="f")]}
    kinds = [type(piece) for piece in run(fakes.chat({"content": "Hm."}, call)).said]
    assert kinds == [ContentDelta, MessageEnd, ToolCallDelta, ToolCallDelta, Finished]


def test_text_after_calls_is_said_when_their_outputs_are_there_and_blank_text_is_nothing() -> None:
    call = {"tool_calls": [fakes.call_delta(0, "{}", id="c1", name="f")]}
    done = run(fakes.chat(call, {"content": "\n"}, {"content": "Hm."}, finish="tool_calls"))
    assert [type(piece) for piece in done.said] == [ToolCallDelta, ToolCallDelta, Finished]
    (kept,) = done.noted
    step = talk.tool_calls(talk.function_call("c1", "f", "{}", "1"), kept=kept.value)
    after = run(fakes.chat_text("Done"), items=[talk.user("Go"), step])
    assert [message[0]["text"]["value"] for message in after.messages] == ["Hm.", "Done"]
    assert run(fakes.chat(call, {"content": "\n"}, finish="tool_calls")).noted == []


def function(name: str | None, arguments: Any = None) -> Any:
    return {"name": name, "arguments": arguments}


PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'
SERVERS: dict[str, list[Any]] = {
    "openai": [chunk["choices"][0]["delta"]["tool_calls"] for chunk in fakes.chat_parallel_calls()[1:-2]],
    "no index": [
        [{"id": "call_1", "function": function("weather", "")}],
        [{"function": function(None, PARIS)}],
        [{"id": "call_2", "function": function("weather", '{"city":')}],
        [{"id": "call_2", "function": function(None, '"Rome"}')}],
    ],
    "whole calls at once": [
        [
            {"index": 0, "id": "call_1", "type": "function", "function": function("weather", PARIS)},
            {"index": 1, "id": "call_2", "type": "function", "function": function("weather", ROME)},
        ]
    ],
    "whole calls, all of index 0": [
        [{"index": 0, "id": "call_1", "function": function("weather", PARIS)}],
        [{"index": 0, "id": "call_2", "function": function("weather", ROME)}],
    ],
    "id in every delta": [
        [{"index": 0, "id": "call_1", "function": function("weather", '{"city":')}],
        [{"index": 0, "id": "call_1", "function": function("weather", '"Paris"}')}],
        [{"index": 1, "id": "call_2", "function": function("weather", ROME)}],
    ],
    "a new id in every delta": [
        [{"index": 0, "id": "call_1", "function": function("weather", '{"city":')}],
        [{"index": 0, "id": "x", "function": function(None, '"Paris"}')}],
        [{"index": 1, "id": "call_2", "function": function("weather", ROME)}],
    ],
    "empty id and null arguments afterwards": [
        [{"index": 0, "id": "call_1", "function": function("weather")}],
        [{"index": 0, "id": "", "function": function("", PARIS)}],
        [{"index": 0, "id": "", "function": {"arguments": None}}, {"index": 0, "id": None, "function": None}],
        [{"index": 1, "id": "call_2", "function": function("weather")}],
        [{"index": 1, "id": "", "function": function("", ROME)}],
    ],
    "name after the arguments began": [
        [{"index": 0, "id": "call_1", "function": function(None, '{"city":')}],
        [{"index": 0, "function": function("weather", '"Paris"}')}],
        [{"index": 1, "id": "call_2", "function": function("weather", ROME)}],
    ],
    "indices from 1, with a gap": [
        [{"index": 1, "id": "call_1", "function": function("weather", PARIS)}],
        [{"index": 5, "id": "call_2", "function": function("weather", ROME)}],
    ],
    "interleaved": [
        [{"index": 0, "id": "call_1", "function": function("weather", '{"city":')}],
        [{"index": 1, "id": "call_2", "function": function("weather", '{"city":')}],
        [{"index": 0, "function": function(None, '"Paris"}')}],
        [{"index": 1, "function": function(None, '"Rome"}')}],
    ],
}


@pytest.mark.parametrize("server", SERVERS)
def test_servers_differ_in_how_they_stream_calls(server: str) -> None:
    done = run(fakes.chat(*({"role": "assistant", "tool_calls": calls} for calls in SERVERS[server])))
    (step,) = done.steps
    assert [
        (call["id"], call["type"], call["function"]["name"], call["function"]["arguments"]) for call in step
    ] == [("call_1", "function", "weather", PARIS), ("call_2", "function", "weather", ROME)]


@pytest.mark.parametrize(
    "calls",
    [
        [{"index": 0, "function": function("f", "{}")}, {"index": 1, "function": function("f", "{}")}],
        [{"function": function("f", "{}")}, {"function": function("f", "{}")}],
        [
            {"index": 0, "id": "f", "function": function("f")},
            {"index": 1, "id": "f", "function": function("f")},
        ],
    ],
)
def test_calls_without_ids_of_their_own_get_one(calls: list[Any]) -> None:
    (step,) = run(fakes.chat({"tool_calls": calls})).steps
    assert len({call["id"] for call in step}) == 2
    assert all(call["id"] for call in step)


def test_arguments_as_an_object_become_text_and_none_become_an_empty_object() -> None:
    calls = [
        {"index": 0, "id": "c1", "function": function("f", {"city": "Zürich"})},
        {"index": 1, "id": "c2", "function": function("g")},
    ]
    (step,) = run(fakes.chat({"tool_calls": calls})).steps
    assert [call["function"]["arguments"] for call in step] == ['{"city": "Zürich"}', "{}"]


def test_the_deprecated_function_call_is_read() -> None:
    deltas = [{"function_call": function("f", '{"a"')}, {"function_call": {"arguments": ":1}"}}]
    (step,) = run(fakes.chat(*deltas, finish="function_call")).steps
    assert step[0]["function"]["arguments"] == '{"a":1}'


@given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=4), min_size=1, max_size=3), st.randoms())
def test_arguments_cut_and_interleaved_anywhere_add_up(calls: list[list[str]], random: Any) -> None:
    deltas = [{"tool_calls": [fakes.call_delta(n, id=f"c{n}", name=f"f{n}")]} for n, _ in enumerate(calls)]
    queues = [list(call) for call in calls]
    while any(queues):
        n = random.choice([n for n, queue in enumerate(queues) if queue])
        deltas.append({"tool_calls": [fakes.call_delta(n, queues[n].pop(0))]})
    (step,) = run(fakes.chat(*deltas)).steps
    assert [call["function"]["arguments"] for call in step] == ["".join(call) for call in calls]


def test_reasoning_is_not_the_answer() -> None:
    deltas = [
        {"content": None, "reasoning_content": "Hmm"},
        {"reasoning": "Hmm"},
        {"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]},
    ]
    assert run(fakes.chat(*deltas)).text == "Hi"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", None),
        ("length", "max_completion_tokens"),
        ("content_filter", "content_filter"),
        ("tool_calls", None),
        ("eos_token", None),
    ],
)
def test_finish_reason(theirs: str, ours: str | None) -> None:
    assert run(fakes.chat_text("Hi", finish=theirs)).end == Finished(ours, talk.USAGE)


def test_a_call_cut_by_the_limit_does_not_become_an_empty_object() -> None:
    call = {"tool_calls": [fakes.call_delta(0, '{"ci', id="c1", name="f")]}
    done = run(fakes.chat(call, finish="length"))
    assert done.steps[0][0]["function"]["arguments"] == '{"ci'
    assert done.end.reason == "max_completion_tokens"


def test_usage_is_that_of_the_last_chunk_and_its_total_may_be_missing() -> None:
    chunks = fakes.chat_text("Hi")
    chunks[1]["usage"] = {"prompt_tokens": 12, "completion_tokens": 1}
    chunks[-1]["usage"] = {"prompt_tokens": 12, "completion_tokens": 2}
    usage = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}
    assert run(chunks).end == Finished(usage=usage)


def test_azure_filter_chunks_and_null_deltas_say_nothing() -> None:
    first = {**fakes.chunk(), "prompt_filter_results": [{"prompt_index": 0}]}
    chunks = fakes.chat_text("Hi")
    chunks[0]["choices"][0]["delta"] = None
    assert run([first, *chunks]).text == "Hi"


@pytest.mark.parametrize(
    ("events", "failed"),
    [
        (fakes.chat_text("Once", " upon")[:3], True),
        ([*fakes.chat_text("Once", " upon")[:3], DONE], False),
        (fakes.chat_text("Once", " upon")[:4], False),
        ([DONE], False),
        ([], True),
    ],
)
def test_a_stream_is_whole_when_something_said_so(events: Any, failed: bool) -> None:
    end = run(events).end
    assert isinstance(end, Failed) is failed
    if failed:
        assert (end.code, "cut" in end.message) == ("server_error", True)


def test_a_connection_that_breaks_after_the_finish_reason_is_no_failure() -> None:
    done = run([*fakes.chat_text("Hi")[:-1], UpstreamError("broken")])
    assert (done.text, done.end) == ("Hi", Finished(usage=ESTIMATE))
    with pytest.raises(UpstreamError, match="broken"):
        run([*fakes.chat_text("Hi")[:2], UpstreamError("broken")])


@pytest.mark.parametrize(
    ("frame", "end"),
    [
        ({"error": {"message": "Broke.", "code": 500}}, Failed("server_error", "Broke.")),
        ({"error": {"message": "Slow.", "code": 429}}, Failed("rate_limit_exceeded", "Slow.")),
        ({"error": {"message": "No.", "code": "content_filter"}}, Failed("invalid_prompt", "No.")),
        ({"error": "Broke."}, Failed("server_error", "Broke.")),
        ({"object": "error", "message": "Broke.", "code": 400}, Failed("server_error", "Broke.")),
    ],
)
def test_error_frames(frame: Any, end: Failed) -> None:
    done = run([*fakes.chat_error()[:-1], frame])
    assert done.text == "Once"
    assert done.end == end


def test_finish_reason_error_fails() -> None:
    assert isinstance(run(fakes.chat_text("Hi", finish="error")).end, Failed)


def delta(value: Any) -> list[Any]:
    return [fakes.chunk(value), fakes.chunk({}, "stop")]


@pytest.mark.parametrize(
    "events",
    [
        [[1]],
        ["text"],
        [{"choices": {}}],
        [{"choices": [1]}],
        [{"choices": [{"delta": "x"}]}],
        [{"choices": [], "usage": {"prompt_tokens": "many"}}],
        [{"choices": [{"delta": {}, "finish_reason": 1}]}],
        delta({"content": 5}),
        delta({"content": {"text": "x"}}),
        delta({"content": [{"type": "image"}]}),
        delta({"content": [{"type": "text"}]}),
        delta({"refusal": 5}),
        delta({"tool_calls": {}}),
        delta({"tool_calls": [1]}),
        delta({"tool_calls": [{"index": "0"}]}),
        delta({"tool_calls": [{"index": 0, "id": "c", "type": "custom"}]}),
        delta({"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}),
    ],
)
def test_malformed_chunks_fail_the_run(events: Any) -> None:
    end = run(events).end
    assert isinstance(end, Failed)
    assert end.code == "server_error"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["content", "tool_calls", "function", "name", "index", "id", "type"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_no_delta_breaks_the_conversation(value: Any) -> None:
    done = run(json.loads(json.dumps(delta(value if isinstance(value, dict) else {"content": value}))))
    assert isinstance(done.end, (Finished, Failed))


def test_a_second_choice_is_not_the_answer() -> None:
    chunks = fakes.chat_text("Hi")
    second = copy.deepcopy(chunks[1])
    second["choices"][0].update(index=1, delta={"content": "Other"})
    assert run([*chunks[:2], second, *chunks[2:]]).text == "Hi"
