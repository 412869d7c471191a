from __future__ import annotations

import logging
from typing import Any

import pytest

from streaming_assistants.backend._engine.port import (
    Call,
    Failed,
    Open,
    Sleep,
    ThreadResources,
    UpstreamError,
)
from streaming_assistants.backend.upstreams._history import NO_OUTPUT
from streaming_assistants.backend.upstreams._vector_stores import INDEXING_SECONDS
from streaming_assistants.backend.upstreams.responses import responses
from tests.backend import fakes, talk
from tests.backend.driving import Transcript, drive, turn

pytestmark = pytest.mark.any_sdk


def run(*items: Any, answers: Any = (), **values: Any) -> Transcript:
    return drive(responses(turn(*items, **values)), fakes.responses_text("Hi"), answers)


def body(*items: Any, **values: Any) -> Any:
    return run(*items, **values).body


def test_the_smallest_request() -> None:
    done = run(talk.user("Hello"))
    assert done.asked == [
        Open(
            "POST",
            "/responses",
            {
                "model": "gpt-4o",
                "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
                "stream": True,
                "truncation": "auto",
            },
        )
    ]


def test_parameters() -> None:
    sent = body(
        instructions="Be brief.",
        temperature=0.2,
        top_p=0.9,
        reasoning_effort="low",
        max_completion_tokens=300,
        tools=[talk.WEATHER],
        parallel_tool_calls=False,
    )
    assert sent["instructions"] == "Be brief."
    assert (sent["temperature"], sent["top_p"]) == (0.2, 0.9)
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["max_output_tokens"] == 300
    assert sent["parallel_tool_calls"] is False


def test_what_was_set_is_sent_and_nothing_else() -> None:
    assert not {"temperature", "top_p", "parallel_tool_calls"} & body(tools=[talk.WEATHER]).keys()
    sent = body(temperature=1.0, top_p=1.0, parallel_tool_calls=True, tools=[talk.WEATHER])
    assert (sent["temperature"], sent["top_p"], sent["parallel_tool_calls"]) == (1.0, 1.0, True)
    assert body(temperature=0)["temperature"] == 0


def test_a_token_limit_below_the_hosted_minimum_is_raised_to_it() -> None:
    assert body(max_completion_tokens=1)["max_output_tokens"] == 16


SCHEMA = {"name": "answer", "schema": {"type": "object"}, "strict": True}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, None),
        ("auto", None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"format": {"type": "json_object"}}),
        ({"type": "json_schema", "json_schema": SCHEMA}, {"format": {"type": "json_schema", **SCHEMA}}),
    ],
)
def test_response_format(ours: Any, theirs: Any) -> None:
    assert body(response_format=ours).get("text") == theirs


def test_json_mode_with_the_word_in_the_instructions_only() -> None:
    sent = body(response_format={"type": "json_object"}, instructions="Answer in JSON.")
    assert sent["input"][0] == {"role": "developer", "content": "Answer in JSON."}
    assert "instructions" not in sent
    sent = body(talk.user("As json"), response_format={"type": "json_object"}, instructions="Answer in JSON.")
    assert sent["instructions"] == "Answer in JSON."


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "function", "name": "weather"}),
        ({"type": "code_interpreter"}, {"type": "code_interpreter"}),
    ],
)
def test_tool_choice(ours: Any, theirs: Any) -> None:
    assert body(tools=[talk.WEATHER, talk.CODE_INTERPRETER], tool_choice=ours).get("tool_choice") == theirs


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_tool_choice_is_left_out_without_tools(choice: str) -> None:
    assert "tool_choice" not in body(tool_choice=choice)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("required", "no tool"),
        ({"type": "function", "function": {"name": "add"}}, "function 'add'"),
        ({"type": "file_search"}, "file_search"),
    ],
)
def test_a_tool_choice_that_cannot_be_met_fails_before_a_request(choice: Any, words: str) -> None:
    tools = [] if choice == "required" else [talk.WEATHER, talk.FILE_SEARCH]  # file_search has no store here
    done = run(tools=tools, tool_choice=choice)
    assert done.asked == []
    assert words in done.end.message


def test_function_tools_are_flat_and_say_whether_they_are_strict() -> None:
    strict = talk.function_tool("add", description="Adds.", parameters={"type": "object"}, strict=True)
    assert body(tools=[strict, talk.function_tool("now")])["tools"] == [
        {
            "type": "function",
            "name": "add",
            "description": "Adds.",
            "parameters": {"type": "object"},
            "strict": True,
        },
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
    ]


@pytest.mark.parametrize("tool", [{"type": "web_search"}, {}])
def test_an_unknown_tool_fails_before_a_request(tool: Any) -> None:
    done = run(tools=[tool])
    assert done.asked == []
    assert repr(tool.get("type")) in done.end.message


# Messages


def test_roles_parts_and_refusals() -> None:
    refusal = {"type": "refusal", "refusal": "No."}
    items = [
        talk.user("Look", talk.image_url("https://x/y.png", detail="low"), talk.image_file("file-1")),
        talk.assistant("A cat", refusal, talk.image_file("file-2")),
        talk.assistant(),
        talk.user("Thanks 🍰"),
    ]
    assert body(*items)["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            ],
        },
        {"type": "message", "role": "assistant", "content": "A cat\nNo.\n(image file file-2)"},
        {"role": "user", "content": [{"type": "input_text", "text": "Thanks 🍰"}]},
    ]


def test_citation_markers_are_not_shown_to_the_model_again() -> None:
    marks = [
        {"type": "file_citation", "text": "【4:0†a】", "start_index": 2, "end_index": 9},
        {"type": "file_path", "text": "x", "start_index": 9, "end_index": 10},
        {"type": "file_citation", "text": "【4:1†b】", "start_index": 10, "end_index": 17},
        {"type": "file_citation", "text": "elsewhere", "start_index": 0, "end_index": 2},
    ]
    sent = body(talk.assistant(talk.text("Hi【4:0†a】x【4:1†b】.", *marks)), talk.user("?"))
    assert sent["input"][0] == {"type": "message", "role": "assistant", "content": "Hix."}


@pytest.mark.parametrize("message", [talk.user, talk.assistant])
def test_an_unknown_part_fails_before_a_request(message: Any) -> None:
    done = run(message({"type": "audio", "audio": {}}))
    assert done.asked == []
    assert "'audio'" in done.end.message


def test_an_unknown_item_or_earlier_call_fails() -> None:
    assert "'note'" in run({"kind": "note"}).end.message
    assert "'mcp'" in run(talk.tool_calls({"id": "1", "type": "mcp"})).end.message


# Earlier rounds


def test_earlier_calls_are_answered_pairs() -> None:
    quoted = '{"q":"say \\"hi\\"\\n🍰"}'
    calls = talk.tool_calls(
        talk.function_call("c1", "f", quoted, 'He said "hi"\n🍰'),
        talk.function_call("c2", "g", "", ""),
        talk.function_call("c3", "h", "{}", None),
    )
    assert body(talk.user("Go"), calls)["input"][1:] == [
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": quoted},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call", "call_id": "c3", "name": "h", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": 'He said "hi"\n🍰'},
        {"type": "function_call_output", "call_id": "c2", "output": ""},
        {"type": "function_call_output", "call_id": "c3", "output": NO_OUTPUT},
    ]


def test_what_was_kept_goes_back_in_its_order_within_the_run() -> None:
    first = drive(responses(turn(talk.user("Go"))), fakes.responses_reasoning_call())
    (kept,) = first.noted
    step = talk.tool_calls(talk.function_call("call_1", "weather", "{}", "sunny"), kept=kept.value)
    items = body(talk.user("Go"), step)["input"][1:]
    assert [item["type"] for item in items] == ["reasoning", "function_call", "function_call_output"]
    assert items[0]["encrypted_content"] == "gAAAA"
    assert items[1]["id"] == "fc_call_1"  # without its id, stored reasoning has no item to belong to


def test_what_was_kept_is_left_out_in_later_runs_and_where_it_does_not_fit() -> None:
    kept = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    step = talk.tool_calls(talk.function_call("c1", "f", "{}", "1"), kept={"items": kept})
    later = body(talk.user("Go"), step, talk.assistant("Done"), talk.user("Again"))["input"]
    assert [item.get("type") for item in later] == [
        None,
        "function_call",
        "function_call_output",
        "message",
        None,
    ]
    assert "id" not in later[1]
    other = talk.tool_calls(talk.function_call("c2", "f", "{}", "1"), kept={"items": kept})
    assert [item["type"] for item in body(talk.user("Go"), other)["input"][1:]] == [
        "function_call",
        "function_call_output",
    ]


def test_an_earlier_code_interpreter_call_becomes_a_function_call() -> None:
    image = {"type": "image", "image": {"file_id": "file-1"}}
    call = talk.code_call("ci_1", "print('é')", {"type": "logs", "logs": "é"}, image)
    assert body(talk.user("Go"), talk.tool_calls(call))["input"][1:] == [
        {
            "type": "function_call",
            "call_id": "ci_1",
            "name": "code_interpreter",
            "arguments": '{"code": "print(\'é\')"}',
        },
        {"type": "function_call_output", "call_id": "ci_1", "output": "é\n(image file file-1)"},
    ]


def test_an_earlier_file_search_is_left_out() -> None:
    call = {"id": "fs_1", "type": "file_search", "file_search": {}}
    assert len(body(talk.user("Go"), talk.tool_calls(call))["input"]) == 1


# Hosted tools

STORES = {"file_search": {"vector_store_ids": ["vs_1"]}}


def test_file_search_takes_stores_of_assistant_and_thread_and_its_options() -> None:
    options = {
        "max_num_results": 7,
        "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.5},
    }
    sent = body(
        tools=[{**talk.FILE_SEARCH, "file_search": options}],
        assistant_tool_resources=STORES,
        thread_tool_resources={"file_search": {"vector_store_ids": ["vs_2", "vs_1"]}},
    )
    assert sent["tools"] == [
        {
            "type": "file_search",
            "vector_store_ids": ["vs_1", "vs_2"],
            "max_num_results": 7,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
        }
    ]
    assert sent["include"] == ["file_search_call.results"]


def test_file_search_without_a_store_is_not_offered_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "streaming_assistants"):
        assert "tools" not in body(tools=[talk.FILE_SEARCH])
    assert "no vector store" in caplog.text


def test_code_interpreter_gets_every_file_once() -> None:
    sent = body(
        talk.user(
            "Go", attachments=[talk.attachment("file-c", "code_interpreter"), talk.attachment("file-x")]
        ),
        tools=[talk.CODE_INTERPRETER],
        assistant_tool_resources={"code_interpreter": {"file_ids": ["file-a"]}},
        thread_tool_resources={"code_interpreter": {"file_ids": ["file-b", "file-a"]}},
    )
    files = ["file-a", "file-b", "file-c"]
    assert sent["tools"] == [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": files}}]
    assert sent["include"] == ["code_interpreter_call.outputs"]
    assert body(tools=[talk.CODE_INTERPRETER])["tools"][0]["container"] == {"type": "auto"}


def test_attachments_for_a_tool_that_the_run_lacks_are_said_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = run(talk.user("Go", attachments=[talk.attachment("file-a", "file_search")]))
    assert len(done.asked) == 1
    assert "attached for file_search" in caplog.text


# Attachments for file_search

FOR_SEARCH = [talk.attachment(file, "file_search") for file in ("file-a", "file-b")]
SEARCHED = talk.user("Go", attachments=FOR_SEARCH)


def test_attachments_make_a_vector_store_and_wait_until_it_is_searchable() -> None:
    waiting = fakes.vector_store_file("in_progress")
    done_ = fakes.vector_store_file("completed")
    answers = [fakes.vector_store(), waiting, done_, waiting, done_]
    done = run(SEARCHED, tools=[talk.FILE_SEARCH], answers=answers)
    calls = [(one.method, one.path) for one in done.asked if isinstance(one, Call)]
    assert calls == [
        ("POST", "/vector_stores"),
        ("POST", "/vector_stores/vs_new/files"),
        ("POST", "/vector_stores/vs_new/files"),
        ("GET", "/vector_stores/vs_new/files/file-a"),
        ("GET", "/vector_stores/vs_new/files/file-a"),
    ]
    assert [one.body for one in done.asked[1:3]] == [{"file_id": "file-a"}, {"file_id": "file-b"}]
    assert [one.seconds for one in done.asked if isinstance(one, Sleep)] == [0.25, 0.5]
    assert done.body["tools"][0]["vector_store_ids"] == ["vs_new"]
    assert done.end == talk.FINISHED


def test_the_thread_remembers_its_store_and_what_is_in_it() -> None:
    answers = [fakes.vector_store(), *[fakes.vector_store_file()] * 2]
    done = run(
        SEARCHED,
        tools=[talk.FILE_SEARCH],
        answers=answers,
        thread_tool_resources={"code_interpreter": {"file_ids": ["file-c"]}},
    )
    first, last = done.noted
    assert first.tool_resources["file_search"] == {"vector_store_ids": ["vs_new"], "file_ids": []}
    assert last == ThreadResources(
        {
            "code_interpreter": {"file_ids": ["file-c"]},
            "file_search": {"vector_store_ids": ["vs_new"], "file_ids": ["file-a", "file-b"]},
        }
    )
    again = run(SEARCHED, tools=[talk.FILE_SEARCH], thread_tool_resources=last.tool_resources)
    assert [type(one) for one in again.asked] == [Open]
    assert again.noted == []
    more = talk.user("More", attachments=[talk.attachment("file-c", "file_search")])
    third = run(
        SEARCHED,
        more,
        tools=[talk.FILE_SEARCH],
        thread_tool_resources=last.tool_resources,
        answers=[fakes.vector_store_file()],
    )
    assert third.asked[0] == Call("POST", "/vector_stores/vs_new/files", {"file_id": "file-c"})
    assert third.noted[-1].tool_resources["file_search"]["file_ids"] == ["file-a", "file-b", "file-c"]


def test_waiting_for_a_file_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    def answers() -> Any:
        yield fakes.vector_store()
        while True:
            yield fakes.vector_store_file("in_progress")

    class Answers:
        # Polls for ever; the Open among them gets None.
        def __init__(self) -> None:
            self.inner = answers()

        def __iter__(self) -> Any:
            return self.inner

    done = run(SEARCHED, tools=[talk.FILE_SEARCH], answers=Answers())
    slept = sum(one.seconds for one in done.asked if isinstance(one, Sleep))
    assert INDEXING_SECONDS <= slept <= INDEXING_SECONDS + 2
    assert "2 attached files" in caplog.text
    assert done.end == talk.FINISHED


def test_a_file_that_cannot_be_indexed_fails_the_run_and_is_named() -> None:
    error = {"code": "unsupported_file", "message": "The file type is not supported."}
    answers = [
        fakes.vector_store(),
        fakes.vector_store_file("failed", error=error),
        fakes.vector_store_file(),
    ]
    done = run(SEARCHED, tools=[talk.FILE_SEARCH], answers=answers)
    assert isinstance(done.end, Failed)
    assert "file-a" in done.end.message
    assert "not supported" in done.end.message
    assert not any(isinstance(one, Open) for one in done.asked)


@pytest.mark.parametrize(("status", "code"), [(404, "server_error"), (429, "rate_limit_exceeded")])
def test_a_file_that_the_store_refuses_fails_the_run(status: int, code: str) -> None:
    done = run(
        SEARCHED,
        tools=[talk.FILE_SEARCH],
        answers=[fakes.vector_store(), UpstreamError("No such file", status)],
    )
    assert done.end.code == code
    assert "No such file" in done.end.message


def test_a_store_described_with_the_thread_is_made_once() -> None:
    described = {"file_ids": ["file-a"], "metadata": None}
    counts = {"in_progress": 0, "completed": 0, "failed": 1, "cancelled": 0, "total": 1}
    busy, ready = (
        {**fakes.vector_store(), "status": "in_progress"},
        {**fakes.vector_store(), "file_counts": counts},
    )
    done = run(
        tools=[talk.FILE_SEARCH],
        thread_tool_resources={"file_search": {"vector_stores": [described]}},
        answers=[busy, ready],
    )
    assert done.asked[:3] == [
        Call("POST", "/vector_stores", {"file_ids": ["file-a"]}),
        Sleep(0.25),
        Call("GET", "/vector_stores/vs_new"),
    ]
    assert done.body["tools"][0]["vector_store_ids"] == ["vs_new"]
    (remembered,) = done.noted
    assert remembered.tool_resources == {"file_search": {"vector_store_ids": ["vs_new"], "file_ids": []}}
    again = run(tools=[talk.FILE_SEARCH], thread_tool_resources=remembered.tool_resources)
    assert [type(one) for one in again.asked] == [Open]


def test_a_store_described_with_the_assistant_fails_with_advice() -> None:
    described = {"file_search": {"vector_stores": [{"file_ids": ["file-a"]}]}}
    done = run(tools=[talk.FILE_SEARCH], assistant_tool_resources=described)
    assert done.asked == []
    assert "client.vector_stores.create" in done.end.message


# The code_interpreter's container


def ran_code(**values: Any) -> Any:
    """A stored step in whose container ``file-a`` is."""
    script = fakes.ResponseScript().code("1+1", outputs=[]).text("2").completed()
    files = [talk.attachment("file-a", "code_interpreter")]
    done = drive(responses(turn(talk.user("Go", attachments=files), tools=[talk.CODE_INTERPRETER])), script)
    (kept,) = done.noted
    return talk.tool_calls(talk.code_call("ci_1", "1+1"), kept=kept.value)


def again(*answers: Any) -> Transcript:
    files = [talk.attachment("file-a", "code_interpreter"), talk.attachment("file-b", "code_interpreter")]
    items = [talk.user("Go"), ran_code(), talk.assistant("2"), talk.user("More", attachments=files)]
    return run(*items, tools=[talk.CODE_INTERPRETER], answers=answers)


def test_a_thread_goes_on_in_its_container_and_brings_new_files_to_it() -> None:
    done = again({"id": "cntr_1", "status": "running"}, {"id": "cfile_1"})
    assert done.asked[:2] == [
        Call("GET", "/containers/cntr_1"),
        Call("POST", "/containers/cntr_1/files", {"file_id": "file-b"}),
    ]
    assert done.body["tools"] == [{"type": "code_interpreter", "container": "cntr_1"}]


@pytest.mark.parametrize(
    "answers",
    [
        [{"id": "cntr_1", "status": "expired"}],
        [None],
        [UpstreamError("no such container", 404)],
        [{"id": "cntr_1", "status": "running"}, UpstreamError("no such file", 404)],
    ],
)
def test_a_container_that_is_gone_is_replaced_by_a_new_one(answers: Any) -> None:
    new = {"type": "auto", "file_ids": ["file-a", "file-b"]}
    assert again(*answers).body["tools"] == [{"type": "code_interpreter", "container": new}]


def test_reasoning_and_container_are_kept_together() -> None:
    script = fakes.ResponseScript().code("1", outputs=[]).reasoning().call("f", "{}").text("Hm").completed()
    kept = drive(responses(turn(tools=[talk.CODE_INTERPRETER])), script).noted[-1].value
    assert kept["container"] == {"id": "cntr_1", "file_ids": []}
    assert kept["unsaid"][0][0]["text"]["value"] == "Hm"
