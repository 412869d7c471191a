from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend._engine.port import (
    DONE,
    Call,
    ContentDelta,
    Failed,
    FileContent,
    Finished,
    Kept,
    MessageEnd,
    Open,
    ToolCallDelta,
    UpstreamError,
)
from streaming_assistants.backend.upstreams.responses import responses
from tests.backend import fakes, talk
from tests.backend.driving import Transcript, drive, turn
from tests.backend.test_citations import assert_annotations_match

pytestmark = pytest.mark.any_sdk


def run(events: Any, *answers: Any, **values: Any) -> Transcript:
    return drive(responses(turn(**values)), events, answers)


def test_text_streams_as_one_message() -> None:
    assert run(fakes.responses_text("Hel", "lo")).said == [
        ContentDelta({"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}),
        ContentDelta({"index": 0, "type": "text", "text": {"value": "lo"}}),
        MessageEnd(),
        talk.FINISHED,
    ]


def test_each_piece_is_said_before_the_next_event_is_asked_for() -> None:
    conversation = responses(turn())
    assert isinstance(conversation.send(None), Open)
    piece: Any = conversation.send(None)
    for event in fakes.responses_text("Hel", "lo"):
        piece = conversation.send(event)
        if event["type"] == "response.output_text.delta":
            break
    assert piece == ContentDelta({"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}})


def test_refusal_is_a_part_of_its_own() -> None:
    done = run(fakes.responses_refusal("I can", "not."))
    assert done.messages == [[{"type": "refusal", "refusal": "I cannot."}]]
    assert done.end == talk.FINISHED


def test_several_message_items_are_several_messages() -> None:
    done = run(fakes.ResponseScript().text("One").text("Two", "!").completed())
    assert [message[0]["text"]["value"] for message in done.messages] == ["One", "Two!"]
    assert done.said.count(MessageEnd()) == 2


def test_text_and_refusal_in_one_message_are_two_parts() -> None:
    events = fakes.ResponseScript().text("Hi", end=False)
    where = {"item_id": "msg_0", "output_index": 0, "content_index": 1}
    events.emit("response.refusal.delta", **where, delta="No.")
    content = [
        {"type": "output_text", "text": "Hi", "annotations": []},
        {"type": "refusal", "refusal": "No."},
    ]
    events.finish(where, {"type": "message", "id": "msg_0", "role": "assistant", "content": content})
    assert [part["type"] for part in run(events.completed()).messages[0]] == ["text", "refusal"]


# Function calls


def test_a_function_call_uses_call_id_and_streams_its_arguments() -> None:
    done = run(fakes.responses_call("weather", '{"city":', '"Paris"}'), tools=[talk.WEATHER])
    head = {"name": "weather", "arguments": "", "output": None}
    assert done.said == [
        ToolCallDelta({"index": 0, "id": "call_1", "type": "function", "function": head}),
        ToolCallDelta({"index": 0, "type": "function", "function": {"arguments": '{"city":'}}),
        ToolCallDelta({"index": 0, "type": "function", "function": {"arguments": '"Paris"}'}}),
        talk.FINISHED,
    ]


def test_parallel_calls_are_one_step_with_dense_indices() -> None:
    (step,) = run(fakes.responses_parallel_calls()).steps
    assert [call["id"] for call in step] == ["call_1", "call_2"]
    assert [call["function"]["arguments"] for call in step] == ['{"city":"Paris"}', '{"city":"Rome"}']


def test_indices_are_dense_where_reasoning_lies_between_the_calls() -> None:
    script = fakes.ResponseScript().reasoning().call("a", "{}", call_id="c1")
    (step,) = run(script.reasoning().call("b", "{}", call_id="c2").completed()).steps
    assert [call["id"] for call in step] == ["c1", "c2"]


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    (step,) = run(fakes.responses_call("now")).steps
    assert step[0]["function"]["arguments"] == "{}"


def test_text_before_calls_is_a_message_that_ends_first() -> None:
    done = run(fakes.ResponseScript().text("Let me see.").call("weather", "{}").completed())
    kinds = [type(piece) for piece in done.said]
    assert kinds == [ContentDelta, MessageEnd, ToolCallDelta, ToolCallDelta, Finished]


def test_text_after_calls_is_said_when_their_outputs_are_there() -> None:
    script = fakes.ResponseScript().call("a", "{}", call_id="c1").text("Mean", "while")
    done = run(script.call("b", "{}", call_id="c2").completed())
    assert [[call["id"] for call in step] for step in done.steps] == [["c1", "c2"]]
    assert done.messages == []
    (kept,) = done.noted
    calls = [talk.function_call(f"c{n}", "f", "{}", "1") for n in (1, 2)]
    after = run(
        fakes.responses_text("Done"), items=[talk.user("Go"), talk.tool_calls(*calls, kept=kept.value)]
    )
    assert [message[0]["text"]["value"] for message in after.messages] == ["Meanwhile", "Done"]
    assert isinstance(after.said[0], ContentDelta)
    third = [talk.user("Go"), talk.tool_calls(*calls, kept=kept.value), talk.assistant("Meanwhile")]
    assert run(fakes.responses_text("Done"), items=third).text == "Done"


def test_text_after_calls_is_said_at_once_when_nothing_will_be_awaited() -> None:
    script = fakes.ResponseScript().call("a", "{}").text("Mean", "while").incomplete("content_filter")
    done = run(script)
    assert (done.text, done.noted) == ("Meanwhile", [])
    assert done.said[-2] == MessageEnd()


@given(st.lists(st.text(), max_size=8))
def test_arguments_cut_anywhere_add_up(deltas: list[str]) -> None:
    (step,) = run(fakes.responses_call("f", *deltas)).steps
    assert step[0]["function"]["arguments"] == ("".join(deltas) or "{}")


def test_reasoning_is_kept_for_the_next_round() -> None:
    done = run(fakes.responses_reasoning_call())
    (kept,) = done.noted
    assert isinstance(kept, Kept)
    assert [item["type"] for item in kept.value["items"]] == ["reasoning", "function_call"]
    assert kept.value["items"][0]["encrypted_content"] == "gAAAA"


def test_reasoning_before_a_message_is_not_kept() -> None:
    assert run(fakes.ResponseScript().reasoning().text("Hi").completed()).noted == []
    # Reasoning is tied to the item it precedes; here that is the message, which goes back without ids.
    assert run(fakes.ResponseScript().reasoning().text("Hi").call("f").completed()).noted == []


# File search


def test_file_search_fills_the_step_and_cites_in_the_text() -> None:
    done = run(
        fakes.responses_file_search(),
        tools=[talk.FILE_SEARCH],
        assistant_tool_resources={"file_search": {"vector_store_ids": ["vs_1"]}},
    )
    ((call,),) = done.steps
    assert (call["id"], call["type"]) == ("call_fs1", "file_search")
    assert call["file_search"]["ranking_options"] == {
        "ranker": "default_2024_08_21",
        "score_threshold": 0.0,
    }
    assert call["file_search"]["results"][1] == {
        "file_id": "file-a",
        "file_name": "foods.txt",
        "score": 0.68,
        "attributes": {},
        "content": [{"type": "text", "text": "Filip: cake"}],
    }
    # As in the recording of the hosted API: the marker names the message that the search gave and the
    # result's place in it.
    assert done.text == "Filip's favorite food is cake【4:1†foods.txt】."
    annotations = done.messages[0][0]["text"]["annotations"]
    mark = annotations[0]
    assert done.text[mark["start_index"] : mark["end_index"]] == mark["text"] == "【4:1†foods.txt】"
    assert mark["file_citation"]["file_id"] == "file-a"


def test_annotations_that_come_only_with_the_item_are_not_lost() -> None:
    events = fakes.responses_file_search()
    without = [e for e in events if e["type"] != "response.output_text.annotation.added"]
    done = run(without)
    assert done.text == "Filip's favorite food is cake.【4:1†foods.txt】"
    assert len(done.messages[0][0]["text"]["annotations"]) == 1


def test_a_filename_cannot_break_its_marker() -> None:
    citation = fakes.file_citation(2, filename="a】b†.txt")
    done = run(fakes.ResponseScript().text("Hi", annotations=[(1, citation)]).completed())
    assert done.text == "Hi【3:0†a]b†.txt】"


@given(st.lists(st.text(max_size=6), max_size=6), st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40))))
def test_citations_anywhere_match_the_text(deltas: list[str], marks: list[tuple[int, int]]) -> None:
    annotations = [(min(after, len(deltas)), fakes.file_citation(index)) for after, index in marks]
    done = run(fakes.ResponseScript().text(*deltas, annotations=annotations).completed())
    found = [part["text"] for message in done.messages for part in message]
    assert sum(len(text["annotations"]) for text in found) == len(annotations)
    for text in found:
        for mark in text["annotations"]:
            assert text["value"][mark["start_index"] : mark["end_index"]] == mark["text"] != ""


def test_an_unknown_annotation_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    citation = {
        "type": "url_citation",
        "url": "https://secret",
        "title": "t",
        "start_index": 0,
        "end_index": 2,
    }
    with caplog.at_level(logging.WARNING, "streaming_assistants"):
        done = run(fakes.ResponseScript().text("Hi", annotations=[(1, citation)]).completed())
    assert done.text == "Hi"
    assert "url_citation" in caplog.text
    assert "secret" not in caplog.text


# Code interpreter

PUBLISHED = [fakes.file_object("file-image"), b"a,b\n", fakes.file_object("file-csv")]


def test_code_interpreter_streams_code_then_logs_and_images() -> None:
    done = run(fakes.responses_code_interpreter(), None, *PUBLISHED, tools=[talk.CODE_INTERPRETER])
    head = {"input": "", "outputs": []}
    assert done.said[0] == ToolCallDelta(
        {"index": 0, "id": "call_ci1", "type": "code_interpreter", "code_interpreter": head}
    )
    ((call,),) = done.steps
    assert call["code_interpreter"] == {
        "input": "print(1+1)",
        "outputs": [
            {"type": "logs", "logs": "2"},
            {"type": "image", "image": {"file_id": "file-image"}},
        ],
    }


def test_files_of_the_container_are_copied_so_that_their_ids_can_be_fetched() -> None:
    done = run(fakes.responses_code_interpreter(), None, *PUBLISHED, tools=[talk.CODE_INTERPRETER])
    _, image, read, copy = done.asked
    assert (image.method, image.path, image.body) == ("POST", "/files", {"purpose": "vision"})
    assert image.files["file"][0] == "image.png"
    assert image.files["file"][1].startswith(b"\x89PNG")
    assert read == Call("GET", "/containers/cntr_1/files/cfile_1/content", raw=True)
    assert copy.files["file"] == ("out.csv", b"a,b\n", "text/csv")
    assert FileContent("file-csv", "out.csv", b"a,b\n") in done.noted
    text = done.messages[0][1]["text"]
    assert text["value"] == "Here: [table](sandbox:/mnt/data/out.csv)"
    (mark,) = text["annotations"]
    assert mark["type"] == "file_path"
    assert mark["file_path"] == {"file_id": "file-csv"}
    assert (
        text["value"][mark["start_index"] : mark["end_index"]] == "sandbox:/mnt/data/out.csv" == mark["text"]
    )


def test_a_failed_copy_keeps_the_containers_id_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    refused = UpstreamError("no", 400)
    answers = [None, PUBLISHED[0], b"a,b\n", refused, refused]
    done = run(fakes.responses_code_interpreter(), *answers, tools=[talk.CODE_INTERPRETER])
    (mark,) = done.messages[0][1]["text"]["annotations"]
    assert mark["file_path"] == {"file_id": "cfile_1"}
    assert "keeps the upstream's id" in caplog.text
    assert done.end == talk.FINISHED


def test_a_refused_purpose_is_tried_as_assistants() -> None:
    answers = [None, UpstreamError("no such purpose", 400), PUBLISHED[0], b"a", fakes.file_object("file-csv")]
    done = run(fakes.responses_code_interpreter(), *answers, tools=[talk.CODE_INTERPRETER])
    assert [call.body for call in done.asked if isinstance(call, Call) and call.path == "/files"] == [
        {"purpose": "vision"},
        {"purpose": "assistants"},
        {"purpose": "user_data"},
    ]


def test_an_image_shown_without_a_link_is_an_image_part() -> None:
    citation = fakes.container_citation(0, 0, "cfile_1.png")
    script = fakes.ResponseScript().text("See the plot.", annotations=[(1, citation)])
    done = run(script.completed(), None, fakes.PNG, fakes.file_object("file-plot"))
    assert done.messages[0][1] == {"type": "image_file", "image_file": {"file_id": "file-plot"}}
    assert done.messages[0][0]["text"]["annotations"] == []


def test_a_file_without_a_link_gets_one() -> None:
    citation = fakes.container_citation(0, 0, "out.csv")
    script = fakes.ResponseScript().text("Done.", annotations=[(1, citation)])
    done = run(script.completed(), None, b"a", fakes.file_object("file-csv"))
    text = done.messages[0][0]["text"]
    assert text["value"] == "Done.\nsandbox:/mnt/data/out.csv"
    assert_annotations_match(text["value"], [{"index": 0, **text["annotations"][0]}])


def test_one_container_file_is_copied_once() -> None:
    url = "https://api.openai.com/v1/containers/cntr_1/files/cfile_1/content"
    outputs = [{"type": "image", "url": url}, {"type": "image", "url": url}]
    citation = fakes.container_citation(0, 0, "cfile_1.png")
    script = fakes.ResponseScript().code("plot()", outputs=outputs).text("See.", annotations=[(1, citation)])
    done = run(script.completed(), None, fakes.PNG, fakes.file_object("file-plot"))
    assert [type(one) for one in done.asked] == [Open, Call, Call]
    # The image that the code made stands before the text, and is not shown twice.
    image, text = done.messages[0]
    assert image["image_file"] == {"file_id": "file-plot"}
    assert text["text"]["value"] == "See."


def test_a_foreign_image_url_is_not_fetched_and_not_lost() -> None:
    outputs = [{"type": "image", "url": "https://elsewhere.example/plot.png"}]
    done = run(fakes.ResponseScript().code("plot()", outputs=outputs).completed())
    assert len(done.asked) == 1
    ((call,),) = done.steps
    logs = {"type": "logs", "logs": "(https://elsewhere.example/plot.png)"}
    assert call["code_interpreter"]["outputs"] == [logs]


def test_two_tool_rounds_with_a_message_between_are_two_steps() -> None:
    script = fakes.ResponseScript().code("1", outputs=[], id="ci_1").text("So far")
    done = run(script.code("2", outputs=[], id="ci_2").text("Done").completed())
    assert [[call["id"] for call in step] for step in done.steps] == [["call_ci1"], ["call_ci2"]]
    assert [message[0]["text"]["value"] for message in done.messages] == ["So far", "Done"]


# Ends and faults


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("max_output_tokens", "max_completion_tokens"), ("content_filter", "content_filter")],
)
def test_incomplete(theirs: str, ours: str) -> None:
    done = run(fakes.responses_incomplete(theirs))
    assert done.text == "Once upon"
    assert done.end == Finished(ours, talk.USAGE)


def test_an_incomplete_reason_without_a_counterpart_fails() -> None:
    assert run(fakes.responses_incomplete("steered")).end == Failed(
        "server_error", "The upstream left its response incomplete: 'steered'."
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("server_error", "server_error"),
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("insufficient_quota", "rate_limit_exceeded"),
        ("invalid_prompt", "invalid_prompt"),
        ("image_too_large", "invalid_prompt"),
        ("vector_store_timeout", "server_error"),
        ("a_new_code", "server_error"),
    ],
)
def test_failed_and_error_events(theirs: str, ours: str) -> None:
    assert run(fakes.responses_failed(theirs, "Broke.")).said == [Failed(ours, "Broke.")]
    assert run(fakes.responses_error(theirs, "Broke.")).said == [Failed(ours, "Broke.")]
    nested = {"type": "error", "sequence_number": 2, "error": {"code": theirs, "message": "Broke."}}
    assert run([nested]).said == [Failed(ours, "Broke.")]


@pytest.mark.parametrize("last", [[], [DONE]])
def test_a_stream_that_ends_early_is_cut(last: list[Any]) -> None:
    done = run([*fakes.responses_text("Hel", "lo")[:-1], *last])
    assert isinstance(done.end, Failed)
    assert "cut" in done.end.message


def test_a_broken_connection_and_a_refused_request_go_to_the_engine() -> None:
    with pytest.raises(UpstreamError, match="broken"):
        run([*fakes.responses_text()[:5], UpstreamError("broken")])
    for status in (401, 429, 500):
        with pytest.raises(UpstreamError) as caught:
            run([], UpstreamError("refused", status))
        assert caught.value.status == status


CALL = {"type": "function_call", "id": "fc_1"}


def changed(kind: str, **fields: Any) -> list[Any]:
    script = fakes.ResponseScript().text("Hi").call("f", "{}").completed()
    return [{**event, **fields} if event["type"] == kind else event for event in script]


@pytest.mark.parametrize(
    "events",
    [
        [[1]],
        ["text"],
        [{"no": "type"}],
        [{"type": 3}],
        changed("response.output_item.added", item=None),
        changed("response.output_item.added", output_index="0"),
        changed("response.output_item.added", output_index=True),
        changed("response.output_item.added", item={**CALL, "call_id": "c", "name": "f"}),
        changed("response.output_text.delta", delta=None),
        changed("response.output_text.delta", delta={}),
        changed("response.output_text.delta", output_index=7, item_id="msg_7"),
        changed("response.output_text.delta", output_index=1, item_id="fc_call_1"),
        changed("response.function_call_arguments.delta", delta=5),
        changed("response.output_item.done", item={"type": "mcp_call"}),
        changed("response.completed", response=None),
        changed("response.completed", response={"usage": {"input_tokens": "many"}}),
        changed("response.completed", response={"output": {}}),
        changed("response.completed", response={"output": [{}, {}, None]}),
    ],
)
def test_malformed_events_fail_the_run(events: list[Any]) -> None:
    done = run(events)
    assert isinstance(done.end, Failed)
    assert done.end.code == "server_error"
    assert "malformed" in done.end.message or "mcp_call" in done.end.message


def test_an_unrequested_kind_of_item_fails_and_names_itself() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}
    done = run([{"type": "response.output_item.added", "output_index": 0, "item": item}])
    assert "web_search_call" in done.end.message


def test_unknown_events_are_ignored_and_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    new = {"type": "response.thought.added", "sequence_number": 2, "thought": "secret"}
    with caplog.at_level(logging.DEBUG, "streaming_assistants"):
        done = run([new, *fakes.responses_text("Hi")])
    assert done.text == "Hi"
    assert "response.thought.added" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("name", ["text", "refusal", "call", "parallel_calls", "file_search"])
def test_a_server_that_sends_only_the_completed_response_loses_nothing(name: str) -> None:
    events = fakes.RESPONSES_SCRIPTS[name]
    short, whole = run(events[-1:]), run(events)
    assert short.end == whole.end
    assert short.steps == whole.steps
    strip = str.maketrans("", "", ".")
    assert short.text.translate(strip) == whole.text.translate(strip)


def answered(asked: Any) -> Any:
    if isinstance(asked, Open):
        return None
    return fakes.PNG if asked.raw else fakes.file_object()


@given(st.data())
def test_any_part_of_a_script_is_survived(data: st.DataObject) -> None:
    events = fakes.RESPONSES_SCRIPTS[data.draw(st.sampled_from(sorted(fakes.RESPONSES_SCRIPTS)))]
    kept = [event for event in events if data.draw(st.booleans())]
    # A run always ends by saying so, whatever events are missing.
    done = drive(responses(turn()), json.loads(json.dumps(kept)), answered)
    assert isinstance(done.end, (Finished, Failed))


def test_a_container_file_that_cannot_be_read_keeps_its_id(caplog: pytest.LogCaptureFixture) -> None:
    answers = [None, PUBLISHED[0], UpstreamError("gone", 404)]
    done = run(fakes.responses_code_interpreter(), *answers, tools=[talk.CODE_INTERPRETER])
    assert done.messages[0][1]["text"]["annotations"][0]["file_path"] == {"file_id": "cfile_1"}
    assert "cfile_1 could not be read: HTTP status 404" in caplog.text


def test_an_image_output_that_cannot_be_copied_is_named_in_the_logs() -> None:
    outputs = [{"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="}]
    refused = UpstreamError("no", 400)
    done = run(fakes.ResponseScript().code("p()", outputs=outputs).completed(), None, refused, refused)
    ((call,),) = done.steps
    assert "could not be copied" in call["code_interpreter"]["outputs"][0]["logs"]


@pytest.mark.parametrize(
    ("output", "words"),
    [({"type": "image", "url": "data:image/png;base64,?"}, "base64"), ({"type": "video"}, "'video'")],
)
def test_an_output_that_steps_cannot_hold_fails_the_run(output: Any, words: str) -> None:
    done = run(fakes.ResponseScript().code("p()", outputs=[output]).completed())
    assert isinstance(done.end, Failed)
    assert words in done.end.message


def test_a_content_part_that_messages_cannot_hold_fails_the_run() -> None:
    item = {"type": "message", "id": "m", "content": [{"type": "output_audio"}]}
    done = run([{"type": "response.output_item.done", "output_index": 0, "item": item}])
    assert "'output_audio'" in done.end.message
