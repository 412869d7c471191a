"""How a stream that just ends is settled: the plan, driven by hand."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from streaming_assistants._protocol.events import EventReader
from streaming_assistants._protocol.held import Owed
from streaming_assistants._protocol.plan import Ask, Received, Say, Sleep
from streaming_assistants._protocol.settle import WAIT_SECONDS, Pending, Progress, settle

from ..samples import RUN, Event, message, run, sse, step

PAGES = {"order": "desc", "limit": 100}


def progress(*events: Event, path: str = "/v1/threads/thread_1/runs") -> Progress:
    made = Progress()
    made.at(path)
    for event in EventReader().feed(sse(events)):
        made.see(event)
    return made


def driven(seen: Progress, *runs: Any, **pages: list[Event]) -> tuple[list[Any], list[Owed]]:
    """(what the plan asked, what it owes) against a server that holds these."""
    answers = list(runs)
    asked: list[Any] = []
    owed: list[Owed] = []
    plan = settle(seen)
    answer: Any = None
    while True:
        try:
            ask = plan.send(answer)
        except StopIteration:
            return asked, owed
        answer = None
        if isinstance(ask, Say):
            owed.append(ask.what)
            continue
        asked.append(ask)
        if isinstance(ask, Ask):
            kind = ask.path.rpartition("/")[2]
            if kind in ("steps", "messages"):
                answer = Received({"data": [data for _, data in reversed(pages.get(kind, []))]}, {})
            else:
                answer = Received(answers.pop(0) if len(answers) > 1 else answers[0], {})


def held(status: str) -> dict[str, Any]:
    return {**RUN, "status": status}


def test_the_end_is_made_of_what_the_server_holds_oldest_first() -> None:
    asked, owed = driven(
        progress(run("in_progress")),
        held("completed"),
        steps=[step("completed", created_at=1), step("completed", id="step_2", created_at=3)],
        messages=[
            message("completed", "a", created_at=2),
            message("incomplete", "b", id="msg_2", created_at=4),
        ],
    )
    assert asked == [
        Ask("/threads/thread_1/runs/run_1", {}, 0),
        Ask("/threads/thread_1/runs/run_1/steps", PAGES, 0),
        Ask("/threads/thread_1/messages", {**PAGES, "run_id": "run_1"}, 0),
    ]
    assert [(item.event, item.data["id"]) for item in owed] == [
        ("thread.run.step.completed", "step_1"),
        ("thread.message.completed", "msg_1"),
        ("thread.run.step.completed", "step_2"),
        ("thread.message.incomplete", "msg_2"),
        ("thread.run.completed", "run_1"),
    ]


def test_what_was_streamed_to_its_end_is_not_owed() -> None:
    seen = progress(run("in_progress"), message("completed", "a"), step("completed"))
    _, owed = driven(seen, held("failed"), steps=[step("completed")], messages=[message("completed", "a")])
    assert [item.event for item in owed] == ["thread.run.failed"]


def test_what_is_anothers_is_not_owed() -> None:
    messages = [
        message("completed", "theirs", id="msg_8", run_id="run_8"),
        message("completed", "user's", id="msg_9", role="user", run_id=None),
    ]
    _, owed = driven(progress(run("in_progress")), held("requires_action"), steps=[], messages=messages)
    assert [item.event for item in owed] == ["thread.run.requires_action"]


@pytest.mark.parametrize("pending", ["queued", "in_progress", "cancelling", "generating"])
def test_a_pending_run_is_waited_for(pending: str) -> None:
    asked, owed = driven(progress(run("in_progress")), held(pending), held(pending), held("completed"))
    assert [type(ask) for ask in asked[:5]] == [Ask, Sleep, Ask, Sleep, Ask]
    assert owed[-1].event == "thread.run.completed"


def test_the_wait_is_bounded() -> None:
    plan = settle(progress(run("in_progress")))
    waited = 0.0
    ask: Any = next(plan)
    with pytest.raises(Pending) as caught:
        while True:
            waited += ask.seconds if isinstance(ask, Sleep) else 0.0
            ask = plan.send(Received(held("in_progress"), {}) if isinstance(ask, Ask) else None)
    assert caught.value.status == "in_progress"
    assert WAIT_SECONDS <= waited < WAIT_SECONDS + 1


def test_a_status_that_nobody_knows_is_an_end_too() -> None:
    _, owed = driven(progress(run("in_progress")), held("paused"))
    assert [(item.event, item.data["status"]) for item in owed] == [("thread.run.completed", "paused")]


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/v1/threads/thread_7/runs", ("thread_7", None)),
        ("/v1/threads/thread_7/runs/run_7/submit_tool_outputs", ("thread_7", "run_7")),
        ("/openai/threads/runs", (None, None)),
        ("/elsewhere", (None, None)),
    ],
)
def test_the_path_says_which_run(path: str, ids: tuple[Any, Any]) -> None:
    made = Progress()
    made.at(path)
    assert (made.thread_id, made.run_id) == ids


def test_a_stream_that_named_no_run_cannot_be_settled() -> None:
    with pytest.raises(Pending):
        next(settle(progress()))


ODD = (
    None,
    5,
    "x",
    [],
    {},
    [None],
    ["a"],
    [{"id": ["x"]}],
    [{"id": "i", "status": ["x"], "created_at": "y"}],
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_pages_of_any_shape_leave_the_runs_end(odd: Any) -> None:
    seen = progress(run("in_progress"))
    details = {"tool_calls": odd, "message_creation": odd}
    asked_for = {"tool_calls": [{"id": "call_1"}]}
    items = [{"id": "a", "step_details": details}, {"id": "b", "step_details": odd}]
    seen.answered = frozenset({"call_1"})
    for page in (odd, {"data": odd}, {"data": [*items, {"id": "c", "step_details": asked_for}, *items]}):
        plan, answer = settle(seen), None
        owed = []
        with contextlib.suppress(StopIteration):
            while True:
                ask = plan.send(answer)
                owed += [ask.what.event] if isinstance(ask, Say) else []
                is_run = isinstance(ask, Ask) and ask.path.endswith("run_1")
                found = held("completed") if is_run else page
                answer = Received(found, {}) if isinstance(ask, Ask) else None
        assert owed[-1] == "thread.run.completed"
