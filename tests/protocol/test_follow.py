"""How a message is followed by polling: the plan driven by hand, without a clock, a sleep or a client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from streaming_assistants import _sdk
from streaming_assistants._protocol.follow import Follow
from streaming_assistants._protocol.plan import Ask, Outcome, Received, Say, Sleep, WaitedTooLong
from streaming_assistants._protocol.waits import Terms, Wait
from tests.objects import MESSAGES, ONE_RUN, RUNS, message, page, run, user


class Clock:
    """Goes on by the pauses that are asked for."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Driven:
    """A plan driven over scripted looks; keeps what it asked for, paused and yielded."""

    def __init__(self, *ticks: tuple[Any, ...], headers: Any = None, **options: Any) -> None:
        self.clock = Clock()
        terms = Terms(options.pop("poll_interval_ms", None), options.pop("max_wait_seconds", None))
        wait = Wait(terms, self.clock)
        self.follow = Follow("thread_1", options.pop("run_id", None), wait)
        self.asked: list[Ask] = []
        self.pauses: list[float] = []
        self.text: list[tuple[str, int, str]] = []
        self.headers = headers or {}
        self._script: Iterator[Any] = iter([look for tick in ticks for look in tick])

    def go(self) -> Driven:
        plan, outcome = self.follow.plan(), Outcome()
        while True:
            try:
                step = outcome.into(plan)
            except StopIteration:
                assert next(self._script, None) is None, "the plan ended before its script"
                return self
            outcome = Outcome()
            if isinstance(step, Ask):
                self.asked.append(step)
                value = next(self._script)
                outcome = (
                    Outcome(error=not_found()) if value is None else Outcome(Received(value, self.headers))
                )
            elif isinstance(step, Sleep):
                self.pauses.append(step.seconds)
                self.clock.now += step.seconds
            else:
                assert isinstance(step, Say)
                (data,) = step.what.data
                (item,) = data.content
                self.text.append((data.id, item.index, item.delta.value))

    @property
    def values(self) -> list[str]:
        return [value for _, _, value in self.text]


def not_found() -> Exception:
    """What a server answers that does not offer what it is asked for."""
    client = _sdk.probe_client(lambda _: (404, {"content-type": "application/json"}, b"{}"))
    try:
        client.get("/", cast_to=object)
    except openai.NotFoundError as error:
        return error
    raise AssertionError


def growing(*texts: str, **more: Any) -> dict[str, Any]:
    return message(*texts, status="in_progress", **more)


def test_growth_comes_as_chunks_until_the_run_ends() -> None:
    driven = Driven(
        (page(run("queued")), page(user())),
        (run("in_progress"), page(growing(), user())),
        (run("in_progress"), page(growing("Hel"), user())),
        (run("in_progress"), page(growing("Hel"), user())),
        (run("completed"), page(message("Hello"), user())),
    ).go()
    assert driven.values == ["Hel", "lo"]
    assert driven.pauses == [1.0] * 4
    assert driven.follow.message == message("Hello")
    assert [look.path for look in driven.asked] == [RUNS, MESSAGES, *[ONE_RUN, MESSAGES] * 4]
    assert driven.asked[0].query == {"order": "desc", "limit": 20}
    assert driven.asked[1].query == {"order": "desc", "limit": 20}


@pytest.mark.parametrize("status", ["generating", "cancelling"])
def test_every_pending_status_goes_on(status: str) -> None:
    driven = Driven(
        (page(run(status)), page(growing("Hel"))), (run("completed"), page(message("Hello")))
    ).go()
    assert driven.values == ["Hel", "lo"]


@pytest.mark.parametrize("status", ["completed", "failed", "incomplete", "requires_action", "paused"])
def test_every_other_status_ends_after_one_last_look(status: str) -> None:
    driven = Driven((page(run(status)), page(message("Hello"), user()))).go()
    assert driven.values == ["Hello"]
    assert driven.pauses == []


def test_a_message_that_no_run_wrote_comes_as_one_chunk() -> None:
    assert Driven((page(), page(message("Hello", run_id=None), user()))).go().values == ["Hello"]


def test_a_message_without_run_is_followed_while_it_says_so() -> None:
    driven = Driven(
        (None, page(growing("Hel", run_id=None))),
        (None, page(growing("Hell", run_id=None))),
        (None, page(message("Hello", run_id=None))),
    ).go()
    assert driven.values == ["Hel", "l", "o"]


def test_a_message_without_run_belongs_to_the_run_under_way() -> None:
    driven = Driven(
        (page(run("in_progress")), page(growing("Hel", run_id=None), user())),
        (run("completed"), page(message("Hello", run_id=None), user())),
    ).go()
    assert driven.values == ["Hel", "lo"]


def test_an_empty_thread_has_nothing_to_follow() -> None:
    driven = Driven((page(), page()), ({"id": "thread_1"},)).go()
    assert (driven.values, driven.follow.message) == ([], None)
    assert driven.asked[-1] == Ask("/threads/thread_1", {}), "raises where there is no such thread"


def test_an_answer_to_an_earlier_question_is_not_taken_for_one_to_this() -> None:
    old = message("old", run_id="run_0", id="msg_0", created_at=1700000000)
    for ended in (run("failed"), run("completed", id="run_0")):
        driven = Driven((page(ended), page(user(), old))).go()
        assert driven.text == [("msg_user", 0, "Hi")], "the newest message, and no older one"
    driven = Driven(
        (page(run("queued")), page(user(), old)),
        (run("completed"), page(message("new"), user(), old)),
    ).go()
    assert driven.text == [("msg_1", 0, "new")]


def test_of_one_second_an_answer_follows_its_question_however_they_are_listed() -> None:
    """A server that keeps times in seconds, and lists what is of one second as it was stored."""
    listed = page(user(), message("Hello"))
    assert Driven((page(run("completed")), listed)).go().values == ["Hello"]


def test_a_server_that_lists_the_oldest_first() -> None:
    asked, old = user(created_at=1700000003), message("old", run_id="run_0", id="msg_0")
    new = message("new", created_at=1700000004)
    runs = page(run("completed", id="run_0"), run("completed", created_at=1700000003))
    assert Driven((runs, page(old, asked, new))).go().values == ["new"]


def test_times_in_milliseconds_and_in_seconds() -> None:
    asked = user(created_at=1700000003000)
    answer = message("Hello", created_at=1700000004)
    assert Driven((page(run("completed")), page(asked, answer))).go().values == ["Hello"]


@pytest.mark.parametrize("times", [("soon", 1), (None, 1), (float("nan"), 1), ([1], {})])
def test_times_that_are_none_leave_the_order_to_the_server(times: tuple[Any, Any]) -> None:
    listed = page(message("Hello", created_at=times[0]), user(created_at=times[1]))
    assert Driven((page(run("completed", created_at=times[0])), listed)).go().values == ["Hello"]


def test_the_newest_run_is_one_of_this_thread() -> None:
    """A server that lists the runs of every thread."""
    other = run("in_progress", id="run_9", thread_id="thread_9", created_at=1700000009)
    driven = Driven((page(other, run("completed")), page(message("Hello"), user()))).go()
    assert (driven.values, driven.follow.run_id) == (["Hello"], "run_1")


def test_a_run_of_this_thread_is_looked_for_on_later_pages() -> None:
    other = run("in_progress", id="run_9", thread_id="thread_9")
    driven = Driven(
        (page(other, more=True), page(run("completed"), more=True)), (page(message("Hello"), user()),)
    ).go()
    assert driven.values == ["Hello"]
    assert driven.asked[1].query == {"order": "desc", "limit": 20, "after": "run_9"}


def test_a_server_whose_pages_of_other_threads_never_end() -> None:
    other = page(run("in_progress", id="run_9", thread_id="thread_9"), more=True)
    looks = (*[other] * 10, page(message("Hello")), run("completed"), page(message("Hello")))
    driven = Driven(looks).go()
    assert driven.values == ["Hello"], "the newest message names its run"


def test_a_newest_message_of_another_run_is_followed_with_its_own_run() -> None:
    """A server that ignores `order`, or whose newest run wrote nothing."""
    driven = Driven(
        (page(run("completed", id="run_0")), page(growing("Hel"), user())),
        (run("in_progress"), page(growing("Hel"), user())),
        (run("completed"), page(message("Hello"), user())),
    ).go()
    assert driven.values == ["Hel", "lo"]
    assert driven.pauses == [1.0]


def test_a_server_without_a_list_of_runs_is_asked_for_the_messages_run() -> None:
    driven = Driven((None, page(message("Hello"))), (run("completed"), page(message("Hello")))).go()
    assert driven.values == ["Hello"]
    assert [ask.path for ask in driven.asked if ask.path != MESSAGES] == [RUNS, ONE_RUN]


def test_a_server_without_runs_at_all() -> None:
    driven = Driven((None, page(message("Hello"))), (None, page(message("Hello")))).go()
    assert driven.values == ["Hello"]


def test_a_run_that_the_caller_names() -> None:
    driven = Driven(
        (run("completed"), page(message("Hello"))),
        run_id="run_1",
    ).go()
    assert driven.values == ["Hello"]
    first, second = driven.asked
    assert first.path == ONE_RUN
    assert second.query["run_id"] == "run_1"
    with pytest.raises(openai.NotFoundError):  # it has to be there
        Driven((None,), run_id="run_1").go()


def test_a_server_that_ignores_run_id() -> None:
    other = message("other", run_id="run_2", id="msg_2")
    driven = Driven((run("completed"), page(other, user(), message("Hello"))), run_id="run_1").go()
    assert driven.values == ["Hello"]


def test_later_messages_of_the_run_follow_in_order_and_earlier_ones_do_not() -> None:
    old, first = message("earlier", id="msg_0"), message("one")
    second = message("two", id="msg_2", status="in_progress")
    done = message("two!", id="msg_2")
    third = message("three", id="msg_3")
    driven = Driven(
        (page(run("in_progress")), page(growing("on"), old)),
        (run("in_progress"), page(second, first, old)),
        (run("completed"), page(third, done, first, old)),
    ).go()
    assert driven.text == [
        ("msg_1", 0, "on"),
        ("msg_1", 0, "e"),
        ("msg_2", 0, "two"),
        ("msg_2", 0, "!"),
        ("msg_3", 0, "three"),
    ]
    assert driven.follow.message == third


def test_a_first_message_that_the_page_no_longer_holds() -> None:
    many = [message(str(i), id=f"msg_{i}") for i in range(30, 10, -1)]
    driven = Driven((page(run("in_progress")), page(growing("on"))), (run("completed"), page(*many))).go()
    assert driven.values == ["on", *map(str, range(11, 31))]


def test_a_user_who_speaks_while_the_run_goes_on() -> None:
    driven = Driven(
        (page(run("in_progress")), page(growing("Hel"))),
        (run("completed"), page(user(), message("Hello"))),
    ).go()
    assert driven.values == ["Hel", "lo"]


def test_a_text_that_changes_yields_only_what_is_longer() -> None:
    """What was yielded cannot be taken back; the message is the server's."""
    driven = Driven(
        (page(run("in_progress")), page(growing("Hello 【1】"))),
        (run("in_progress"), page(growing("Hello"))),
        (run("in_progress"), page(growing("Howdy"))),
        (run("completed"), page(message("Howdy [1] you"))),
    ).go()
    assert driven.values == ["Hello 【1】", " you"]
    assert driven.follow.message == message("Howdy [1] you")


def test_blocks_grow_each_by_itself_and_other_kinds_are_passed_over() -> None:
    def blocks(*texts: str) -> dict[str, Any]:
        made = message(*texts)
        made["content"].insert(1, {"type": "image_file", "image_file": {"file_id": "file_1"}})
        return made

    driven = Driven(
        (page(run("in_progress")), page(blocks("a", "x"))), (run("completed"), page(blocks("ab", "xy")))
    ).go()
    assert driven.text == [("msg_1", 0, "a"), ("msg_1", 2, "x"), ("msg_1", 0, "b"), ("msg_1", 2, "y")]


@pytest.mark.parametrize(
    "odd",
    [
        {"content": None},
        {"content": [None, 5]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "text", "text": {"value": None}}]},
        {"content": [{"type": "image_file", "image_file": {"file_id": "file_1"}}]},
    ],
)
def test_a_message_without_text_is_one_empty_part(odd: dict[str, Any]) -> None:
    assert Driven((page(run("completed")), page(message(**odd)))).go().text == [("msg_1", 0, "")]


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [None, {"role": "assistant"}]}])
def test_a_page_of_another_shape_holds_nothing(answer: Any) -> None:
    assert Driven((answer, answer), (answer,)).go().values == []


def test_the_servers_hint_is_the_interval() -> None:
    ticks = (page(run("queued")), page()), (run("completed"), page()), ({},)
    assert Driven(*ticks, headers={"openai-poll-after-ms": "250"}).go().pauses == [0.25]
    assert Driven(*ticks, headers={"openai-poll-after-ms": "250"}, poll_interval_ms=30).go().pauses == [0.03]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("20.5", 0.0205),
        ("1", 0.01),
        ("0", 0.01),
        ("999999999", 60.0),
        ("-5", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("nan", 1.0),
        ("inf", 1.0),
    ],
)
def test_junk_in_the_hint_is_ignored_and_the_rest_is_clamped(said: str, seconds: float) -> None:
    assert Terms().seconds({"openai-poll-after-ms": said}) == pytest.approx(seconds)


def test_the_deadline_ends_it_after_one_last_look() -> None:
    pending = (run("in_progress"), page(growing("Hel")))
    driven = Driven((page(run("in_progress")), pending[1]), pending, pending, max_wait_seconds=1.5)
    with pytest.raises(WaitedTooLong):
        driven.go()
    assert driven.pauses == [1.0, 0.5]
    assert (driven.values, driven.follow.status, driven.follow.run_id) == (["Hel"], "in_progress", "run_1")


@pytest.mark.parametrize("interval", [None, 0, 1, 10_000])
def test_intervals(interval: Any) -> None:
    assert Terms.checked(interval, None).interval_ms == interval


@pytest.mark.parametrize(
    ("interval", "wait", "error", "named"),
    [
        (-1, None, ValueError, "poll_interval_ms"),
        (0.5, None, TypeError, "poll_interval_ms"),
        ("5", None, TypeError, "poll_interval_ms"),
        (True, None, TypeError, "poll_interval_ms"),
        (None, 0, ValueError, "max_wait_seconds"),
        (None, -1.0, ValueError, "max_wait_seconds"),
        (None, float("nan"), ValueError, "max_wait_seconds"),
        (None, float("inf"), ValueError, "max_wait_seconds"),
        (None, "5", TypeError, "max_wait_seconds"),
    ],
)
def test_what_is_no_interval_or_deadline_is_refused(
    interval: Any, wait: Any, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        Terms.checked(interval, wait)
