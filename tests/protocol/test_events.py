"""From frames to typed events: every name, every dialect, every way to be wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants import UnknownEvent, _sdk, types
from streaming_assistants._protocol import models
from streaming_assistants._protocol.dialects import Done, Malformed, kind_of, read
from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.sse import Frame

from .. import objects, samples
from ..samples import DIALECTS, data_only, delta, message, recorded_streams, run, sse, step, text, text_run


def events(body: bytes) -> list[Any]:
    reader = EventReader()
    return [*reader.feed(body), *reader.close()]


def one(event: samples.Event) -> Any:
    (found,) = events(sse([event], end=b""))
    return found


THREAD = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
EVERY_EVENT: dict[str, samples.Event] = {
    "thread.created": ("thread.created", THREAD),
    **{f"thread.run.{s}": run(s) for s in ("queued", "in_progress", "requires_action", "completed")},
    **{f"thread.run.{s}": run(s) for s in ("incomplete", "failed", "cancelling", "cancelled", "expired")},
    "thread.run.created": run("queued", "created"),
    **{f"thread.run.step.{s}": step(s) for s in ("created", "in_progress", "completed", "failed")},
    **{f"thread.run.step.{s}": step(s) for s in ("cancelled", "expired")},
    "thread.run.step.delta": samples.calls(samples.call(0, "{}", "f")),
    **{f"thread.message.{s}": message(s) for s in ("created", "in_progress", "completed", "incomplete")},
    "thread.message.delta": text("hi"),
    "error": ("error", {"message": "m", "code": "c", "type": "t", "param": None}),
    "done": ("done", "[DONE]"),
}


def test_the_table_of_names_is_whole() -> None:
    assert len(models.EVENTS) == 25
    assert set(EVERY_EVENT) == set(models.EVENTS)


@pytest.mark.parametrize("name", sorted(set(EVERY_EVENT) - {"done"}))
def test_every_event_is_typed_as_its_name_says(name: str) -> None:
    event = one(EVERY_EVENT[name])
    assert event.event == name
    assert type(event).__name__ == models.class_name(name)
    assert isinstance(event, getattr(types, models.class_name(name)))
    assert isinstance(event.data, models.model(models.data_name(name)))


def test_done_ends_the_stream_and_what_follows_is_not_read() -> None:
    reader = EventReader()
    found = list(reader.feed(sse([run("completed")]) + b"data: not json\n\n"))
    assert [event.event for event in found] == ["thread.run.completed"]
    assert reader.done
    assert list(reader.close()) == []
    assert read(Frame("done", b"[DONE]")) == Done()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_brings_the_same_events(dialect: str) -> None:
    wanted = events(sse(text_run("Hello", " world", "\u2028", "!")))
    assert len(wanted) == 10
    assert events(DIALECTS[dialect](text_run("Hello", " world", "\u2028", "!"))) == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_the_same_cut_at_every_byte(dialect: str) -> None:
    body = DIALECTS[dialect](text_run("Hello", " world"))
    reader = EventReader()
    found = [event for byte in body for event in reader.feed(bytes([byte]))]
    assert [*found, *reader.close()] == events(body)


def test_an_unknown_event_is_nothing_else() -> None:
    event = one(("thread.run.paused", {"id": "run_1"}))
    assert event == UnknownEvent("thread.run.paused", {"id": "run_1"})
    (enveloped,) = events(data_only([("thread.run.paused", [1])], end=b""))
    assert enveloped == UnknownEvent("thread.run.paused", [1])


def test_an_unknown_event_may_hold_what_is_no_json() -> None:
    assert events(b"event: ping\ndata: hello\n\n") == [UnknownEvent("ping", "hello")]
    assert events(b"event: ping\ndata: 5\n\n") == [UnknownEvent("ping", 5)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            b"event: thread.run.completed\ndata: {oops\n\n",
            "expected JSON as the data of 'thread.run.completed'",
        ),
        (b'event: thread.run.completed\ndata: {"id":"\xff"}\n\n', "expected JSON"),
        (b"event: thread.run.completed\ndata: 5\n\n", "expected a JSON object"),
        (b"event: thread.message.delta\ndata: []\n\n", "expected a JSON object"),
        (b"event: thread.run.completed\ndata: {}\n\n", "expected an 'id'"),
        (b'event: thread.message.delta\ndata: {"id":"msg_1"}\n\n', "expected a 'delta'"),
        (b"data: {oops\n\n", "expected JSON as the data of an unnamed event"),
        (b"data: 5\n\n", "expected a JSON object with 'event' and 'data'"),
        (b'data: {"event":"thread.run.completed","data":7}\n\n', "expected a JSON object"),
        (samples.frame(("thread.run.failed", {"id": "r", "status": []})), "expected str as 'status', got []"),
        (samples.frame(delta({"index": "x", "type": "refusal"})), "expected int as 'index', got 'x'"),
        (samples.frame(delta({"index": 0, "type": {}})), "expected str as 'type', got {}"),
        (samples.frame(text(["a"])), "expected str as 'value', got ['a']"),
        (samples.frame(delta("a")), "expected another shape as 'content', got ['a']"),
        (samples.frame(message("completed", content="a")), "expected another shape as 'content', got 'a'"),
        (samples.frame(step("completed", 5)), "expected another shape as 'tool_calls', got [5]"),
    ],
)
def test_a_malformed_frame_says_what_was_expected_and_what_came(body: bytes, wanted: str) -> None:
    with pytest.raises(Malformed, match=re.escape(wanted)) as caught:
        events(body)
    assert caught.value.frame.data in body


def test_events_before_a_malformed_frame_are_not_lost() -> None:
    reader = EventReader().feed(sse([text("a")], end=b"") + b"event: thread.run.created\ndata: {\n\n")
    assert next(reader).event == "thread.message.delta"
    with pytest.raises(Malformed):
        next(reader)


@pytest.mark.parametrize("cut", [10, 40, -2])
def test_a_last_frame_that_is_cut_in_the_middle_is_left_out(cut: int) -> None:
    half = samples.frame(text("b"))[: cut if cut > 0 else cut - 2]
    assert [e.event for e in events(sse([text("a")], end=b"") + half)] == ["thread.message.delta"]


def test_a_last_frame_that_is_whole_and_wrong_is_malformed() -> None:
    with pytest.raises(Malformed, match="expected an 'id'"):
        events(b"event: thread.run.created\ndata: {}")


def test_a_frame_that_is_wrong_among_frames_without_blank_lines_is_malformed() -> None:
    body = sse([text("a")], end=b"") + b"event: thread.run.created\ndata: {\n\n" + sse([text("b")], end=b"")
    with pytest.raises(Malformed, match="expected JSON"):
        events(body.replace(b"\n\n", b"\n"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"message": "flat", "code": "c", "type": "t"}, ("flat", "c", "t")),
        ({"error": {"message": "nested", "code": "c", "type": "t"}}, ("nested", "c", "t")),
        ({"error": "only text"}, ("only text", None, None)),
        ("a string", ("a string", None, None)),
        ({}, ("An error occurred during streaming", None, None)),
        ({"error": ""}, ("An error occurred during streaming", None, None)),
        ({"message": "flat", "error": None, "code": "c"}, ("flat", "c", None)),
    ],
)
def test_an_error_is_read_flat_and_nested(data: Any, said: tuple[Any, ...]) -> None:
    found = one(("error", data))
    assert (found.event, found.data.message, found.data.code, found.data.type) == ("error", *said)
    (enveloped,) = events(data_only([("error", data)], end=b""))
    assert enveloped == found


def test_an_error_that_is_no_json_keeps_its_words() -> None:
    (found,) = events(b"event: error\ndata: upstream broke\n\n")
    assert found.data.message == "upstream broke"


def test_an_error_without_an_event_name() -> None:
    (found,) = events(b'data: {"error":{"message":"no","code":"c"}}\n\n')
    assert (found.event, found.data.message, found.data.code) == ("error", "no", "c")


def test_a_status_that_the_sdk_does_not_know_stays() -> None:
    event = one(run("generating", "in_progress"))
    assert isinstance(event, types.ThreadRunInProgress)
    assert event.data.status == "generating"


def test_fields_that_a_server_leaves_out_are_none() -> None:
    event = one(("thread.run.created", {"id": "run_1", "status": "queued"}))
    assert event.data.completed_at is None
    assert event.data.thread_id is None


def test_fields_that_the_sdk_does_not_know_stay() -> None:
    event = one(run("completed", another={"field": [1]}))
    assert event.data.another == {"field": [1]}
    lenient = one(("thread.run.created", {"id": "run_1", "another": 1}))
    assert lenient.data.another == 1


def test_a_delta_without_an_index_is_in_its_place() -> None:
    event = one(delta({"type": "text", "text": {"value": "a"}}, {"type": "text", "text": {"value": "b"}}))
    assert [part.index for part in event.data.delta.content] == [0, 1]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"type": "text", "text": {"value": "a", "annotations": []}}, "TextDeltaBlock"),
        ({"type": "image_file", "image_file": {"file_id": "file_1"}}, "ImageFileDeltaBlock"),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, "ImageURLDeltaBlock"),
        ({"type": "refusal", "refusal": "no"}, "RefusalDeltaBlock"),
    ],
)
def test_every_part_of_a_message_delta_is_typed(part: dict[str, Any], name: str) -> None:
    (found,) = one(delta({"index": 0, **part})).data.delta.content
    assert isinstance(found, getattr(types, name))


def test_details_that_do_not_say_their_type_are_told_by_their_fields() -> None:
    call = {"index": 0, "type": "function", "function": {"arguments": "{}"}}
    event = one(("thread.run.step.delta", {"id": "s", "delta": {"step_details": {"tool_calls": [call]}}}))
    assert isinstance(event.data.delta.step_details, types.ToolCallDeltaObject)
    assert event.data.delta.step_details.tool_calls[0].function.arguments == "{}"


AZURES_CALLS: list[dict[str, Any]] = [
    {"type": "openapi", "function": {"name": "f", "arguments": "{}", "output": None}},
    {"type": "bing_grounding", "bing_grounding": {"requesturl": "u", "copy": 1, "cls": 2, "two words": 3}},
    {"type": "azure_ai_search", "azure_ai_search": {"input": "q", "output": [{"rank": 1}]}},
    {"type": "mcp", "arguments": "{}", "name": "n", "server_label": "s", "output": None},
    {"type": "connected_agent", "connected_agent": {"name": "n", "agent_id": "a"}},
    {"type": "browser_automation", "browser_automation": {"steps": [[{"url": "u"}]]}},
]


@pytest.mark.parametrize("kind", AZURES_CALLS, ids=lambda kind: str(kind["type"]))
@pytest.mark.parametrize("change", ["delta", "completed"])
def test_a_call_that_the_sdk_has_no_class_for_is_an_object_with_attributes(
    kind: dict[str, Any], change: str
) -> None:
    sent = {"id": "call_1", **kind}
    event = samples.calls(sent) if change == "delta" else step("completed", sent)
    data = one(event).data
    details = data.delta.step_details if change == "delta" else data.step_details
    assert _sdk.dump(data) == event[1]
    (call,) = details.tool_calls
    assert _sdk.dump(call) == sent
    holds(call, sent)


def holds(found: Any, sent: Any) -> None:
    """Whether everything that was sent is an attribute, and an item, of an object."""
    for name, value in sent.items():
        if isinstance(value, dict):
            holds(getattr(found, name), value)
        elif isinstance(value, list):
            assert all(isinstance(item, (list, pydantic.BaseModel)) for item in getattr(found, name))
        else:
            assert found[name] == value
            assert name in found
            assert name == "copy" or getattr(found, name) == value


@pytest.mark.parametrize("change", ["delta", "completed"])
def test_an_annotation_that_the_sdk_has_no_class_for_is_an_object_with_attributes(change: str) -> None:
    cited = {"type": "url_citation", "text": "t", "url_citation": {"url": "u", "title": "t"}}
    if change == "delta":
        (block,) = one(text("a", annotations=[{"index": 0, **cited}])).data.delta.content
    else:
        content = [{"type": "text", "text": {"value": "a", "annotations": [cited]}}]
        (block,) = one(message("completed", content=content)).data.content
    (annotation,) = block.text.annotations
    assert (annotation.url_citation.url, annotation.url_citation.title) == ("u", "t")


def test_an_approval_that_a_run_waits_for_is_an_object_with_attributes() -> None:
    call = {"id": "call_1", "type": "mcp", "arguments": "{}", "name": "n", "server_label": "s"}
    sent = {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [call]}}
    data = one(run("requires_action", required_action=sent)).data
    (found,) = data.required_action.submit_tool_approval.tool_calls
    assert (found.id, found.name, found.server_label) == ("call_1", "n", "s")
    assert _sdk.dump(data)["required_action"] == sent


def test_a_part_that_nobody_knows_keeps_its_fields() -> None:
    (found,) = one(delta({"index": 0, "type": "hologram", "hologram": {"depth": 3}})).data.delta.content
    assert (found.type, found.hologram.depth, found["hologram"]["depth"]) == ("hologram", 3, 3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ({"type": "function", "function": {"name": "f", "arguments": ""}}, "FunctionToolCallDelta"),
        ({"type": "code_interpreter", "code_interpreter": {"input": "1"}}, "CodeInterpreterToolCallDelta"),
        ({"type": "file_search", "file_search": {}}, "FileSearchToolCallDelta"),
    ],
)
def test_every_tool_call_delta_is_typed(call: dict[str, Any], name: str) -> None:
    event = one(samples.calls({"index": 0, "id": "call_1", **call}))
    (found,) = event.data.delta.step_details.tool_calls
    assert isinstance(found, getattr(types, name))


VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5) | st.just([]) | st.just({})
ODD_DELTAS = st.fixed_dictionaries(
    {"id": st.just("msg_1") | VALUES, "object": st.just("thread.message.delta") | VALUES},
    optional={
        "more": VALUES,
        "delta": st.fixed_dictionaries(
            {},
            optional={
                "role": VALUES,
                "content": st.lists(
                    st.fixed_dictionaries(
                        {"index": VALUES, "type": st.sampled_from(["text", "refusal", "x"])},
                        optional={
                            "text": st.fixed_dictionaries(
                                {"value": VALUES}, optional={"annotations": VALUES}
                            ),
                            "refusal": VALUES,
                        },
                    ),
                    max_size=2,
                ),
            },
        ),
    },
)


@given(ODD_DELTAS)
def test_the_fast_way_for_text_builds_what_the_validator_builds(data: Any) -> None:
    raw = json.dumps(data).encode()
    frame = Frame("thread.message.delta", raw)
    try:
        wanted = read(frame)
    except Malformed:
        wanted = Malformed
    try:
        (found,) = list(EventReader().feed(b"event: thread.message.delta\ndata: " + raw + b"\n\n"))
    except Malformed:
        found = Malformed
    assert found == wanted
    if wanted is not Malformed:
        assert _sdk.dump(found) == _sdk.dump(wanted)


def test_the_fast_way_leaves_no_trace_in_the_next_event() -> None:
    first, second = events(sse([text("a"), text("b")], end=b""))
    first.data.delta.content[0].text.value = "changed"
    assert second.data.delta.content[0].text.value == "b"
    assert kind_of("thread.message.delta") is not None


@pytest.mark.recordings
@pytest.mark.parametrize("path", recorded_streams(), ids=lambda path: path.stem)
def test_recordings_hold_nothing_unknown(path: Any) -> None:
    body = path.read_bytes()
    found = events(body)
    assert len(found) == body.count(b"event: ") - 1  # all but `done`
    assert not any(isinstance(event, UnknownEvent) for event in found)


@pytest.mark.recordings
@pytest.mark.parametrize("path", recorded_streams(), ids=lambda path: path.stem)
def test_recordings_read_the_same_cut_at_every_byte(path: Any) -> None:
    body = path.read_bytes()
    reader = EventReader()
    found = [event for byte in body for event in reader.feed(bytes([byte]))]
    assert [*found, *reader.close()] == events(body)


# ---------------------------------------------------------------- what json.loads reads


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


def test_half_of_a_character_is_shown_as_it_came() -> None:
    found = [one(text(half)).data.delta.content[0].text.value for half in ("a\ud83d", "\ude00b")]
    assert found == ["a\ud83d", "\ude00b"]


@pytest.mark.parametrize("half", ["\ud83d", "a\ude00"], ids=["first", "second"])
def test_half_of_a_character_is_read_in_every_event(half: str) -> None:
    assert one(message("completed", half)).data.content[0].text.value == half
    assert one(run("failed", last_error={"code": "server_error", "message": half})).data.last_error.message
    assert one(step("created", objects.function(half, half))).data.step_details.tool_calls[0].id == "call_1"
    assert one(("thread.later", {"said": half})) == UnknownEvent("thread.later", {"said": half})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_half_of_a_character_is_read_in_every_dialect(dialect: str) -> None:
    assert len(events(DIALECTS[dialect](text_run("\ud83d", "\ude00")))) == 7 + 1


def test_json_that_is_nested_deep_is_read() -> None:
    deep = nested(500)
    assert one(message("completed", "a", metadata=deep)).data.metadata == deep
    data = one(delta({"index": 0, "type": "hologram", "hologram": deep})).data
    assert _sdk.dump(data)["delta"]["content"][0]["hologram"] == deep


def test_json_that_no_parser_reads_is_malformed() -> None:
    with pytest.raises(Malformed):
        events(b"event: thread.run.created\ndata: " + b"[" * 200_000 + b"]" * 200_000 + b"\n\n")
