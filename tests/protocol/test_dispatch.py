"""The dispatcher under random streams: what holds whatever a server sends. Sans-IO."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants import _sdk
from streaming_assistants._protocol import callbacks
from streaming_assistants._protocol.callbacks import Notice
from streaming_assistants._protocol.dialects import Malformed
from streaming_assistants._protocol.dispatch import Dispatcher
from streaming_assistants._protocol.events import EventReader

from ..samples import Event, calls, delta, message, run, sse, step

STATUSES = ("queued", "in_progress", "requires_action", "completed", "failed", "cancelled", "incomplete")
VALUES = (None, True, 0, -1, 2.5, "", "x", [], {}, [None], ["a"], {"index": 0}, {"type": "text"})


def an_event(random: Random) -> Event:
    """Any event of a run, in no sensible place."""
    choose = random.choice
    index = {} if random.random() < 0.2 else {"index": choose((0, 1, 3))}
    cite = {"type": "file_citation", "text": "c", "file_citation": {"file_id": "f"}, **index}
    part = choose(
        (
            {"type": "text", "text": {"value": choose("abc"), "annotations": choose(([], [cite]))}},
            {"type": "image_file", "image_file": {"file_id": "f"}},
            {"type": "refusal", "refusal": "no"},
            {"type": "hologram", "hologram": {choose("xy"): {"depth": 1}}},
        )
    )
    outputs = [{"type": "logs", "logs": "l", **index}]
    call = choose(
        (
            {"type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": outputs}},
            {"type": "file_search", "file_search": {}},
        )
    )
    call = {**call, **index, **choose(({}, {"id": "call_1"}, {"id": "call_2"}))}
    texts = random.choices(("x", "y"), k=random.randrange(3))
    return choose(
        (
            run(choose(STATUSES)),
            message(choose(("created", "completed", "incomplete")), *texts, id=choose(("msg_1", "msg_2"))),
            delta({**part, **index}, id=choose(("msg_1", "msg_2"))),
            step(choose(("created", "completed", "failed")), *choose(((), (call,))), id=choose(("a", "b"))),
            calls(call, id=choose(("a", "b"))),
        )
    )


def spoilt(value: Any, random: Random) -> Any:
    """The value with pieces left out and others replaced."""
    if random.random() < 0.04:
        return random.choice(VALUES)
    if isinstance(value, dict):
        return {k: spoilt(inner, random) for k, inner in value.items() if random.random() > 0.03}
    return [spoilt(inner, random) for inner in value] if isinstance(value, list) else value


def notices(events: list[Event]) -> list[Notice]:
    dispatcher = Dispatcher(frozenset(callbacks.NAMES))
    made = [notice for event in EventReader().feed(sse(events)) for notice in dispatcher.apply(event)]
    dispatcher.message_snapshots()
    dispatcher.step_snapshots()
    return made


@given(st.randoms(), st.integers(1, 12))
def test_nothing_is_done_that_was_not_created(random: Random, length: int) -> None:
    count = Counter(notice.method for notice in notices([an_event(random) for _ in range(length)]))
    assert count["on_text_done"] <= count["on_text_created"]
    assert count["on_tool_call_done"] <= count["on_tool_call_created"]


@given(st.randoms(), st.integers(1, 12))
def test_what_was_handed_out_does_not_change(random: Random, length: int) -> None:
    dispatcher = Dispatcher(frozenset(callbacks.NAMES))
    handed = []
    for event in EventReader().feed(sse([an_event(random) for _ in range(length)])):
        for notice in dispatcher.apply(event):
            handed += [(argument, repr(_sdk.dump(argument))) for argument in notice.args]
    assert [repr(_sdk.dump(argument)) for argument, _ in handed] == [before for _, before in handed]


@given(st.randoms(), st.integers(1, 8))
def test_a_spoilt_event_is_malformed_or_handled(random: Random, length: int) -> None:
    events = [(name, spoilt(data, random)) for name, data in (an_event(random) for _ in range(length))]
    with suppress(Malformed):
        notices(events)
