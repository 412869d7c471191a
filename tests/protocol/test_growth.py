"""Snapshots that grow in place, and only where something changed, are those that are put together anew."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_assistants._protocol import call_state, callbacks, models
from streaming_assistants._protocol.build import grown, part
from streaming_assistants._protocol.call_state import CallState
from streaming_assistants._protocol.dispatch import Dispatcher
from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.merge import merge
from streaming_assistants._protocol.message_state import Annotations, TextPart
from streaming_assistants._protocol.repeats import Repeats

from .. import samples
from ..samples import call, calls, message, run, sse, step, text
from .anatomy import anatomy, changeable, spoil
from .test_repeats import TEXTS

INDEXES = st.sampled_from((0, 0, 0, 1, 3))
OUTPUTS = st.lists(
    st.fixed_dictionaries({"type": st.just("logs"), "logs": TEXTS}, optional={"index": INDEXES}), max_size=2
)
CALL = {"index": INDEXES}
OPTIONAL = {
    "id": st.sampled_from(("call_1", "call_2", None)),
    "more": st.sampled_from((1, "x", [1], {"a": {}})),
}
CALLS = st.one_of(
    st.fixed_dictionaries(
        {
            **CALL,
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"arguments": TEXTS}, optional={"name": TEXTS, "output": st.none() | TEXTS}
            ),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries(
        {
            **CALL,
            "type": st.just("code_interpreter"),
            "code_interpreter": st.fixed_dictionaries({"input": TEXTS}, optional={"outputs": OUTPUTS}),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries(
        {
            **CALL,
            "type": st.just("file_search"),
            "file_search": st.sampled_from(({}, {"results": []}, {"ranking_options": {"ranker": "r"}})),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries({**CALL, "type": st.just("mcp"), "arguments": TEXTS}, optional=OPTIONAL),
)
ANNOTATIONS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(("file_citation", "url_citation")), "text": TEXTS},
        optional={"index": INDEXES, "file_citation": st.just({"file_id": "f"})},
    ),
    max_size=3,
)
PARTS = st.one_of(
    st.fixed_dictionaries(
        {
            **CALL,
            "type": st.just("text"),
            "text": st.fixed_dictionaries({"value": TEXTS}, optional={"annotations": ANNOTATIONS}),
        }
    ),
    st.fixed_dictionaries({**CALL, "type": st.just("refusal"), "refusal": TEXTS}),
    st.fixed_dictionaries({**CALL, "type": st.just("hologram"), "hologram": st.just({"depth": 3})}),
)
MESSAGES, STEPS = st.sampled_from(("msg_1", "msg_2")), st.sampled_from(("step_1", "step_2"))
EVENTS = st.one_of(
    st.builds(lambda parts, id: samples.delta(*parts, id=id), st.lists(PARTS, max_size=2), MESSAGES),
    st.builds(lambda items, id: calls(*items, id=id), st.lists(CALLS, max_size=2), STEPS),
    st.builds(lambda items, id: step("created", *items, id=id), st.lists(CALLS, max_size=2), STEPS),
    st.builds(lambda items, id: step("completed", *items, id=id), st.lists(CALLS, max_size=1), STEPS),
    st.builds(lambda id: message("created", id=id), MESSAGES),
    st.just(run("requires_action", required_action=None)),
)


@contextmanager
def generally() -> Iterator[None]:
    """Everything is read, merged and built the general way."""
    with (
        mock.patch.object(Repeats, "event", return_value=None),
        mock.patch.object(CallState, "grow", return_value=False),
        mock.patch.object(call_state, "_maker_of", return_value=None),
    ):
        yield


def told(events: list[samples.Event], *, looks: bool) -> list[Any]:
    """What callbacks are told of the events, and what a handler answers at the end, or all the time."""
    dispatcher = Dispatcher(frozenset(callbacks.NAMES))
    said: list[Any] = []
    for event in EventReader().feed(sse(events, end=b"")):
        for notice in dispatcher.apply(event):
            said.append((notice.method, anatomy(notice.args)))
            if looks:
                snapshots(dispatcher)
    return [*said, *snapshots(dispatcher)]


def snapshots(dispatcher: Dispatcher) -> list[Any]:
    return [
        anatomy(dispatcher.message_snapshots()),
        anatomy(dispatcher.step_snapshots()),
        anatomy(dispatcher.current_part()),
        anatomy(dispatcher.current_call()),
    ]


@given(st.lists(EVENTS, max_size=8), st.booleans())
def test_callbacks_are_told_what_the_general_way_tells(events: list[samples.Event], repeat: bool) -> None:
    events = [event for event in events for _ in range(3 if repeat else 1)]
    fast = told(events, looks=False)
    with generally():
        assert told(events, looks=False) == fast


@given(st.lists(EVENTS, max_size=8))
def test_a_snapshot_does_not_depend_on_those_before_it(events: list[samples.Event]) -> None:
    assert told(events, looks=True) == told(events, looks=False)


@settings(max_examples=50)
@given(st.lists(EVENTS, max_size=4))
def test_what_a_callback_got_does_not_change(events: list[samples.Event]) -> None:
    dispatcher = Dispatcher(frozenset(callbacks.NAMES))
    handed = []
    for event in EventReader().feed(sse([event for event in events for _ in range(3)], end=b"")):
        handed += [(notice.args, anatomy(notice.args)) for notice in dispatcher.apply(event)]
        shown = [dispatcher.step_snapshots(), dispatcher.message_snapshots()]
        handed += [(one, anatomy(one)) for one in shown]
    assert all(anatomy(args) == before for args, before in handed)


@given(st.lists(ANNOTATIONS, max_size=6))
def test_annotations_grow_as_lists_merge(deltas: list[list[dict[str, Any]]]) -> None:
    whole: dict[str, Any] = {"annotations": []}
    growing = Annotations()
    for delta in deltas:
        growing.add(copy.deepcopy(delta))
        if delta:
            merge(whole, {"annotations": copy.deepcopy(delta)})
        wanted = [part("annotation", copy.deepcopy(item)) for item in whole["annotations"]]
        assert anatomy(growing.built()) == anatomy(wanted)


@given(CALLS.filter(lambda item: "index" in item))
def test_a_call_is_listed_as_in_a_step_that_is_built_whole(item: dict[str, Any]) -> None:
    details = {"type": "tool_calls", "tool_calls": [copy.deepcopy(item)]}
    whole = grown(models.model("RunStep"), {"step_details": details})
    assert anatomy(CallState(item).listed()) == anatomy(whole.step_details.tool_calls[0])
    assert anatomy(CallState(item).model()) == anatomy(part("tool_call", copy.deepcopy(item)))


# ---------------------------------------------------------------- what is shared, and what is not


def fed(*events: samples.Event) -> Dispatcher:
    dispatcher = Dispatcher()
    for event in EventReader().feed(sse(events, end=b"")):
        list(dispatcher.apply(event))
    return dispatcher


def test_of_a_step_only_the_call_that_grew_is_another_object() -> None:
    dispatcher = fed(step("created"), *(calls(call(place, "{", "f")) for place in range(3)))
    before = dispatcher.step_snapshots()["step_1"]
    (event,) = EventReader().feed(sse([calls(call(1, "}"))], end=b""))
    list(dispatcher.apply(event))
    after = dispatcher.step_snapshots()["step_1"]
    pairs = zip(before.step_details.tool_calls, after.step_details.tool_calls, strict=True)
    kept = [one is other for one, other in pairs]
    assert kept == [True, False, True]
    assert [one.step_details.tool_calls[1].function.arguments for one in (before, after)] == ["{", "{}"]
    assert before.step_details.tool_calls is not after.step_details.tool_calls


def test_of_a_message_only_the_part_that_grew_is_another_object() -> None:
    dispatcher = fed(message("created"), *(text("a", place) for place in range(3)))
    before = dispatcher.message_snapshots()["msg_1"]
    (event,) = EventReader().feed(sse([text("b", 1)], end=b""))
    list(dispatcher.apply(event))
    after = dispatcher.message_snapshots()["msg_1"]
    assert [a is b for a, b in zip(before.content, after.content, strict=True)] == [True, False, True]
    assert [one.content[1].text.value for one in (before, after)] == ["a", "ab"]


def test_a_call_and_a_text_that_a_callback_gets_are_its_own() -> None:
    wants = frozenset(("on_tool_call_created", "on_tool_call_delta", "on_tool_call_done", "on_text_delta"))
    dispatcher = Dispatcher(wants)
    events = [step("created"), *[calls(call(0, "x", "f", "call_1"))] * 3, *[calls(call(0, "y"))] * 4]
    events += [text("a", annotations=[]) for _ in range(4)]
    handed = []
    for event in EventReader().feed(sse(events, end=b"")):
        handed += [notice.args[-1] for notice in dispatcher.apply(event)]
        dispatcher.step_snapshots()
        dispatcher.message_snapshots()
    identities = [identity for one in handed for identity in set(changeable(one))]
    shown = [*dispatcher.step_snapshots().values(), *dispatcher.message_snapshots().values()]
    assert not set(identities) & {identity for one in shown for identity in changeable(one)}
    assert len(identities) == len(set(identities))


def test_a_callback_that_changes_what_it_got_loses_no_text() -> None:
    wants = frozenset(name for name in callbacks.NAMES if name != "on_event")
    dispatcher, said = Dispatcher(wants), []
    events = [step("created"), calls(call(0, "", "f")), *[calls(call(0, "ab"))] * 5, calls(call(1, "", "g"))]
    events += [
        message("created"),
        *[text("cd")] * 5,
        text("", 1),
        run("requires_action", required_action=None),
    ]
    for event in EventReader().feed(sse(events, end=b"")):
        for method, args in dispatcher.apply(event):
            shown: Any = args[-1]
            if method in ("on_tool_call_delta", "on_tool_call_done"):
                said.append(shown.function.arguments)
            elif method in ("on_text_delta", "on_text_done"):
                said.append(shown.value)
            for argument in args:
                spoil(argument)
    calls_grown, text_grown = (["ab" * n for n in range(1, 6)], ["cd" * n for n in range(1, 6)])
    assert said == [*calls_grown, "ab" * 5, *text_grown, "", "cd" * 5, ""]


def test_what_grows_has_one_reference_when_a_callback_is_over() -> None:
    """Else CPython would copy a text for every delta of it."""
    wants = frozenset(("on_text_delta", "on_message_delta", "on_tool_call_delta", "on_run_step_delta"))
    dispatcher = Dispatcher(wants)
    code = {"index": 1, "type": "code_interpreter", "code_interpreter": {"input": "print()", "outputs": []}}
    events = [step("created"), calls(call(0, "", "f")), *[calls(call(0, "some"))] * 9]
    events += [*[calls(code)] * 9, *[text("some")] * 9]
    for event in EventReader().feed(sse(events, end=b"")):
        deque(dispatcher.apply(event), maxlen=0)  # which keeps nothing
    state, shown = dispatcher.step, dispatcher.message
    assert state is not None
    assert shown is not None
    (part_of_text,) = shown.parts.values()
    assert isinstance(part_of_text, TextPart)
    shown._changed(0)  # as the next delta does: until then, the last snapshot is kept
    counts = [sys.getrefcount(part_of_text._text["value"])]
    for place, name in enumerate(("arguments", "input")):
        state._changed(place)
        inner = next(value for value in state.calls[place].value.values() if isinstance(value, dict))
        counts.append(sys.getrefcount(inner[name]))
    assert counts == [2, 2, 2]  # the accumulator's, and that of the call that counts
