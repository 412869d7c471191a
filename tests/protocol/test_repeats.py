"""Events that are made like one before are what the general way makes of the same frame."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants import _sdk
from streaming_assistants._protocol.dialects import Malformed, read
from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.repeats import Repeats
from streaming_assistants._protocol.sse import Frame

from .. import samples
from ..samples import calls, sse, text
from .anatomy import anatomy, changeable, spoil

# What JSON escapes, what UTF-8 has several bytes for, halves of a character, what looks like a frame's end.
LETTERS = ('"', "\\", "/", "\n", "\t", "\x7f", "\u2028", "é", "𝄞", "\ud83d", "\ude00", '":"', '"}', "{", "x")
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=4).map("".join)
INDEXES = st.sampled_from((0, 0, 0, 1, 12, 999_999_999, 10**12, -1, 1.0, True, None, "0"))
IDS = st.sampled_from(("a", "b", 'q"', "\ud83d", "", 7, None))
MORE = st.sampled_from(
    ({}, {}, {"more": 1}, {"more": {"deep": [1, {"id": "x"}]}}, {"value": "x", "input": "y"})
)

FUNCTIONS = st.fixed_dictionaries({"arguments": TEXTS}, optional={"name": TEXTS, "output": st.none()})
CODES = st.fixed_dictionaries(
    {"input": TEXTS}, optional={"outputs": st.just([]) | st.just([{"type": "logs"}])}
)
CALLS = st.one_of(
    st.fixed_dictionaries({"index": INDEXES, "type": st.just("function"), "function": FUNCTIONS}),
    st.fixed_dictionaries({"index": INDEXES, "type": st.just("code_interpreter"), "code_interpreter": CODES}),
    st.fixed_dictionaries({"index": INDEXES, "id": IDS, "type": st.just("file_search")}),
    st.fixed_dictionaries({"index": INDEXES, "type": st.just("mcp"), "arguments": TEXTS, "id": IDS}),
)
PARTS = st.one_of(
    st.fixed_dictionaries({"index": INDEXES, "type": st.just("refusal"), "refusal": TEXTS}),
    st.fixed_dictionaries(
        {
            "index": INDEXES,
            "type": st.just("text"),
            "text": st.fixed_dictionaries({"value": TEXTS}, optional={"annotations": st.just([])}),
        }
    ),
)


def step_delta(id: Any, items: list[Any], more: Any) -> samples.Event:
    return "thread.run.step.delta", {**calls(*items, id=id)[1], **more}


def message_delta(id: Any, items: list[Any], more: Any) -> samples.Event:
    return "thread.message.delta", {**samples.delta(*items, id=id)[1], **more}


DELTAS = st.one_of(
    st.builds(step_delta, IDS, st.lists(CALLS, max_size=2), MORE),
    st.builds(message_delta, IDS, st.lists(PARTS, max_size=2), MORE),
)


def varied(value: Any, draw: Callable[[Any], Any], name: str = "") -> Any:
    """The value with other ids, indexes and texts, and with its names in another order now and then."""
    if isinstance(value, dict):
        items = [(key, varied(inner, draw, key)) for key, inner in value.items()]
        return dict(reversed(items) if draw(st.integers(0, 9)) == 0 else items)
    if isinstance(value, list):
        return [varied(inner, draw) for inner in value]
    if name in ("value", "arguments", "input", "refusal") and isinstance(value, str):
        return draw(TEXTS)
    return (
        draw({"id": IDS, "index": INDEXES}[name])
        if name in ("id", "index") and draw(st.booleans())
        else value
    )


def framed(event: samples.Event, style: int) -> bytes:
    """A frame of the event, in one of several ways to write it."""
    name, data = event
    enveloped = style % 3 == 2
    written = json.dumps(
        {"event": name, "data": data} if enveloped else data,
        ensure_ascii=style % 2 == 0,
        separators=(",", ":") if style % 4 < 2 else None,
    ).encode("utf-8", "surrogatepass")
    return b"data: %b\n\n" % written if enveloped else b"event: %b\ndata: %b\n\n" % (name.encode(), written)


def read_one(frame: bytes, reader: EventReader) -> Any:
    try:
        (event,) = reader.feed(frame)
    except Malformed:
        return Malformed
    return anatomy(event)


def read_generally(frame: bytes) -> Any:
    head, _, data = frame.strip().rpartition(b"data: ")
    try:
        return anatomy(read(Frame(head.strip().removeprefix(b"event: ").decode(), data)))
    except Malformed:
        return Malformed


@given(st.data())
def test_every_event_is_what_the_general_way_makes_of_its_frame(data: Any) -> None:
    shapes = data.draw(st.lists(DELTAS, min_size=1, max_size=3))
    styles = [data.draw(st.integers(0, 11)) for _ in shapes]
    reader = EventReader()
    for _ in range(data.draw(st.integers(3, 12))):
        place = data.draw(st.integers(0, len(shapes) - 1))
        frame = framed(varied(shapes[place], data.draw), styles[place])
        assert read_one(frame, reader) == read_generally(frame)


@given(st.data())
def test_so_is_every_event_of_a_text_that_grows(data: Any) -> None:
    """Nothing but one text differs, as in most of a stream, until something else does."""
    grown, style = data.draw(DELTAS), data.draw(st.integers(0, 11))
    reader = EventReader()
    for _ in range(data.draw(st.integers(2, 4))):
        grown = (grown[0], varied(grown[1], data.draw))
        texts = iter(data.draw(st.lists(TEXTS, min_size=3, max_size=6)))
        for said in texts:
            frame = framed(with_text(grown, said), style)
            assert read_one(frame, reader) == read_generally(frame)


def with_text(value: Any, said: str) -> Any:
    """The value with its last text another."""
    if isinstance(value, tuple):
        return value[0], with_text(value[1], said)
    copied, places = copy.deepcopy(value), []
    work = [copied]
    for item in work:
        for key, inner in item.items() if isinstance(item, dict) else enumerate(item):
            if isinstance(inner, (dict, list)):
                work.append(inner)
            elif key in ("value", "arguments", "input", "refusal") and isinstance(inner, str):
                places.append((item, key))
    if places:
        item, key = places[-1]
        item[key] = said
    return copied


class Counted(Repeats):
    """Counts what it made."""

    made = 0

    def event(self, name: str, data: bytes) -> Any:
        event = super().event(name, data)
        self.made += event is not None
        return event


def repeats_of(events: list[samples.Event], write: Callable[..., bytes] = sse) -> int:
    reader = EventReader()
    reader._repeats = counting = Counted()
    assert len(list(reader.feed(write(events)))) == len(events)
    return counting.made


@pytest.mark.parametrize(
    "item",
    [
        {"index": 0, "type": "function", "function": {"arguments": "{"}},
        {"index": 0, "type": "function", "function": {"arguments": "{", "name": None, "output": None}},
        {"index": 0, "type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": []}},
        {"index": 0, "id": "call_1", "type": "file_search", "file_search": {}},
        {"index": 0, "type": "mcp", "arguments": "{", "server": {"label": "s"}},
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "data_only", "both", "crlf"])
def test_deltas_of_every_kind_are_made_like_the_second(item: dict[str, Any], dialect: str) -> None:
    assert repeats_of([calls(item)] * 10, samples.DIALECTS[dialect]) == 8


@pytest.mark.parametrize("dialect", ["openai", "data_only", "both", "crlf"])
def test_text_is_made_like_the_second(dialect: str) -> None:
    words = [text(chr(97 + number), number, id=f"msg_{number}") for number in range(10)]
    assert repeats_of(words, samples.DIALECTS[dialect]) == 8
    assert repeats_of([text("a", annotations=[])] * 10, samples.DIALECTS[dialect]) == 8


def test_shapes_that_take_turns_are_all_made_like_the_second() -> None:
    turns = [text("a"), calls(samples.call(0, "{")), calls(samples.call(1, "{", "f"))]
    assert repeats_of(turns * 10) == 24


def test_a_type_is_never_taken_for_what_may_differ() -> None:
    kinds = ["function", "code_interpreter", "file_search", "function", "hologram"] * 3
    events = list(EventReader().feed(sse([calls({"index": 0, "type": kind}) for kind in kinds], end=b"")))
    names = [type(event.data.delta.step_details.tool_calls[0]).__name__ for event in events]
    wanted = {
        "function": "FunctionToolCallDelta",
        "code_interpreter": "CodeInterpreterToolCallDelta",
        "file_search": "FileSearchToolCallDelta",
        "hologram": "OpenPart",
    }
    assert names == [wanted[kind] for kind in kinds]


def test_a_name_that_stands_there_twice_counts_once_as_json_has_it() -> None:
    frame = (
        b'event: thread.message.delta\ndata: {"id":"m","object":"thread.message.delta","delta":{"content":'
        b'[{"index":0,"type":"text","text":{"value":"first","value":"%d"}}]}}\n\n'
    )
    events = list(EventReader().feed(b"".join(frame % number for number in range(6))))
    assert [event.data.delta.content[0].text.value for event in events] == list("012345")


def test_a_frame_that_only_looks_like_the_one_before_is_malformed() -> None:
    reader = EventReader()
    good = sse([text("a")] * 4, end=b"")
    list(reader.feed(good))
    for bad in (b'"a"}}]}},', b'"a\x01"}}]}}', b'"a\xff"}}]}}', b'"\\x"}}]}}'):
        with pytest.raises(Malformed):
            list(reader.feed(sse([text("a")], end=b"").replace(b'"a"}}]}}', bad)))


def test_two_strings_are_no_text_that_has_grown() -> None:
    events = [text(word) for word in "abcde"]
    frame = sse([text("f")], end=b"").replace(b'"f"', b'"f","more":"g"')
    assert b'"more"' in frame
    reader = EventReader()
    list(reader.feed(sse(events, end=b"")))
    assert reader._repeats._growing
    for _ in range(3):
        assert read_one(frame, reader) == read_generally(frame)


def test_no_event_shares_with_another_what_can_be_changed() -> None:
    item = {
        "index": 0,
        "type": "code_interpreter",
        "code_interpreter": {"input": "1", "outputs": []},
        "x": {"y": [1]},
    }
    events = list(EventReader().feed(sse([calls(item), text("a", annotations=[])] * 8, end=b"")))
    assert len(events) == 16
    parts = [part for event in events for part in set(changeable(event))]
    assert len(parts) == len(set(parts))


def test_an_event_that_was_changed_leaves_no_trace_in_the_next() -> None:
    reader = EventReader()
    wanted = None
    for _ in range(6):
        (event,) = reader.feed(sse([calls(samples.call(0, "{", "f"))], end=b""))
        wanted = wanted or anatomy(event)
        assert anatomy(event) == wanted
        spoil(event)


def test_of_step_deltas_the_first_of_each_step_is_shown() -> None:
    shown: list[Any] = []
    events = [calls(samples.call(0, "{"), id=id) for id in ("a", "a", "a", "a", "b", "b", "a")]
    list(EventReader(shown.append).feed(sse([*events, *[text("a")] * 5], end=b"")))
    assert [event.data.id for event in shown if event.event == "thread.run.step.delta"][-2:] == ["b", "a"]
    assert all(event.event == "thread.run.step.delta" for event in shown)


def test_frames_that_are_all_different_cost_no_templates() -> None:
    odd = [calls({"index": 0, "type": "mcp", f"name_{number}": {"deep": 1}}) for number in range(100)]
    reader = EventReader()
    assert len(list(reader.feed(sse(odd, end=b"")))) == 100
    assert not reader._repeats._templates


def test_a_deeply_nested_delta_is_read_the_general_way() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"a": deep}
    item = {"index": 0, "type": "mcp", "arguments": "{", "server": deep}
    events = list(EventReader().feed(sse([calls(item)] * 5, end=b"")))
    assert [_sdk.dump(event.data)["delta"]["step_details"]["tool_calls"][0] for event in events] == [item] * 5
