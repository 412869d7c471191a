"""The plan behind every poll, driven by hand and by a clock that only pauses move."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import openai
import pytest

from streaming_assistants import _sdk
from streaming_assistants._protocol.plan import Invoke, Received, Say, Sleep
from streaming_assistants._protocol.poll import Expired, poll
from streaming_assistants._protocol.status import is_pending, is_pending_batch
from streaming_assistants._protocol.waits import Terms, Wait


def thing(status: str | None, **more: Any) -> Any:
    return SimpleNamespace(status=status, **more)


def answer(status: str | None, **headers: str) -> Received:
    return Received(
        thing(status), {name.replace("_", "-"): value for name, value in headers.items()}, "request"
    )


def failed(status: int) -> Exception:
    seen: list[Exception] = []
    client = _sdk.probe_client(lambda _: (status, {"content-type": "application/json"}, b"{}"))
    try:
        client.get("/", cast_to=object)
    except openai.APIStatusError as error:
        seen.append(error)
    return seen[0]


class Drive:
    """Answers each fetch in turn; only pauses, and requests that ``take`` seconds, move the clock."""

    def __init__(self, *answers: Any, take: float = 0.0, **terms: Any) -> None:
        self.now, self.pauses, self.lefts, self.told = 100.0, [], [], []
        self.answers, self.take, self.terms = (
            list(answers),
            take,
            Terms.checked(terms.pop("interval_ms", None), terms.pop("max_wait", None)),
        )
        self.more = terms

    def run(self) -> Any:
        plan = poll(
            Wait(self.terms, lambda: self.now),
            ask=lambda left: Invoke(lambda: left, left),
            tell=Say,
            **self.more,
        )
        sent: Any = None
        error: Exception | None = None
        try:
            while True:
                step = plan.send(sent) if error is None else plan.throw(error)
                sent = error = None
                if isinstance(step, Sleep):
                    self.pauses.append(round(step.seconds, 6))
                    self.now += step.seconds
                elif isinstance(step, Say):
                    self.told.append(step.what.status)
                else:
                    assert isinstance(step, Invoke)
                    self.lefts.append(step.within)
                    self.now += self.take
                    found = self.answers.pop(0)
                    sent, error = (None, found) if isinstance(found, Exception) else (found, None)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling", "generating"])
def test_pending_statuses_are_polled_on(status: str) -> None:
    drive = Drive(answer(status), answer("completed"))
    assert drive.run().status == "completed"
    assert drive.pauses == [1.0]
    assert drive.told == [status, "completed"]


@pytest.mark.parametrize(
    "status",
    ["completed", "failed", "cancelled", "expired", "incomplete", "requires_action", "paused", "", None],
)
def test_every_other_status_known_or_not_is_an_end(status: str | None) -> None:
    drive = Drive(answer(status))
    assert drive.run().status == status
    assert drive.pauses == []


def test_the_servers_interval_is_read_anew_each_time() -> None:
    asked = [answer("queued", openai_poll_after_ms=value) for value in ("250", "20.5", "3000")]
    drive = Drive(*asked, answer("queued"), answer("completed"))
    drive.run()
    assert drive.pauses == [0.25, 0.0205, 3.0, 1.0]


@pytest.mark.parametrize("junk", ["soon", "", "nan", "inf", "-5", "1s"])
def test_junk_in_the_servers_interval_is_ignored(junk: str) -> None:
    drive = Drive(answer("queued", openai_poll_after_ms=junk), answer("completed"))
    drive.run()
    assert drive.pauses == [1.0]


@pytest.mark.parametrize(("asked", "seconds"), [("0", 0.01), ("1", 0.01), ("60001", 60.0), ("1e9", 60.0)])
def test_the_servers_interval_has_bounds(asked: str, seconds: float) -> None:
    drive = Drive(answer("queued", openai_poll_after_ms=asked), answer("completed"))
    drive.run()
    assert drive.pauses == [seconds]


def test_the_callers_interval_wins() -> None:
    drive = Drive(answer("queued", openai_poll_after_ms="9000"), answer("completed"), interval_ms=50)
    drive.run()
    assert drive.pauses == [0.05]


def test_the_deadline_ends_it_with_the_last_status() -> None:
    drive = Drive(*[answer("in_progress")] * 9, max_wait=2.5)
    with pytest.raises(Expired) as caught:
        drive.run()
    assert caught.value.status == "in_progress"
    assert caught.value.request == "request"
    assert drive.pauses == [1.0, 1.0, 0.5]
    assert drive.lefts == [2.5, 1.5, 0.5]


def test_a_pause_never_outlasts_the_deadline() -> None:
    drive = Drive(answer("queued", openai_poll_after_ms="50000"), max_wait=3)
    with pytest.raises(Expired):
        drive.run()
    assert drive.pauses == [3.0]


def test_an_end_that_comes_after_the_deadline_is_still_the_end() -> None:
    drive = Drive(answer("completed"), take=10, max_wait=1)
    assert drive.run().status == "completed"


def test_without_a_deadline_a_request_has_none() -> None:
    drive = Drive(answer("completed"))
    drive.run()
    assert drive.lefts == [None]


def test_not_found_is_forgiven_for_a_moment() -> None:
    drive = Drive(failed(404), failed(404), answer("completed"))
    assert drive.run().status == "completed"
    assert drive.pauses == [0.1, 0.2]


def test_not_found_is_not_forgiven_for_ever() -> None:
    drive = Drive(*[failed(404)] * 20)
    with pytest.raises(openai.NotFoundError):
        drive.run()
    assert 3.0 <= sum(drive.pauses) < 5.0


def test_not_found_of_what_was_found_before_is_an_error() -> None:
    drive = Drive(answer("queued"), failed(404))
    with pytest.raises(openai.NotFoundError):
        drive.run()


def test_an_error_that_is_not_worth_another_try_comes_out_at_once() -> None:
    drive = Drive(failed(400))
    with pytest.raises(openai.BadRequestError):
        drive.run()
    assert drive.pauses == []


def test_retries_are_counted_anew_after_an_answer() -> None:
    failures: list[int] = []

    def retry(error: Exception, before: int) -> float | None:
        failures.append(before)
        return None if before >= 2 else 0.5

    drive = Drive(failed(503), failed(503), answer("queued"), failed(503), answer("completed"), retry=retry)
    assert drive.run().status == "completed"
    assert failures == [0, 1, 0]
    assert drive.pauses == [0.5, 0.5, 1.0, 0.5]


def test_retries_run_out() -> None:
    drive = Drive(*[failed(503)] * 3, retry=lambda _, before: None if before >= 2 else 0.5)
    with pytest.raises(openai.InternalServerError):
        drive.run()


def test_a_retry_stays_within_the_deadline() -> None:
    drive = Drive(answer("queued"), failed(429), max_wait=4, retry=lambda *_: 30.0)
    with pytest.raises(Expired) as caught:
        drive.run()
    assert caught.value.status == "queued"
    assert isinstance(caught.value.cause, openai.RateLimitError)
    assert sum(drive.pauses) == 4.0


def test_a_request_that_took_the_rest_of_the_time_is_the_deadline() -> None:
    timed_out = openai.APITimeoutError(request=failed(400).request)  # type: ignore[attr-defined]
    drive = Drive(timed_out, take=2, max_wait=2)
    with pytest.raises(Expired) as caught:
        drive.run()
    assert caught.value.cause is timed_out


@pytest.mark.parametrize(
    ("status", "in_progress", "goes_on"),
    [
        ("in_progress", 0, True),
        ("completed", 3, False),
        ("cancelled", 3, False),
        ("somehow", 3, False),
        (None, 3, True),
        (None, 0, False),
    ],
)
def test_a_batch_is_decided_by_its_status_and_then_by_its_counts(
    status: str | None, in_progress: int, goes_on: bool
) -> None:
    batch = thing(status, file_counts=SimpleNamespace(in_progress=in_progress))
    assert is_pending_batch(batch) is goes_on


def test_what_has_no_status_is_not_pending() -> None:
    assert not is_pending(object())
    assert not is_pending_batch(object())


@pytest.mark.parametrize("value", [1.5, "100", True, b"1", 20.0, [1]])
def test_an_interval_that_is_no_whole_number(value: Any) -> None:
    with pytest.raises(TypeError, match="poll_interval_ms: expected whole milliseconds"):
        Terms.checked(value, None)


def test_a_negative_interval() -> None:
    with pytest.raises(ValueError, match="poll_interval_ms: expected 0 or more milliseconds, got -1"):
        Terms.checked(-1, None)


@pytest.mark.parametrize("value", [0, 0.0, -1, float("nan"), float("inf")])
def test_a_deadline_that_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="max_wait_seconds: expected more than 0"):
        Terms.checked(None, value)


@pytest.mark.parametrize("value", ["5", True, [5]])
def test_a_deadline_that_is_no_number(value: Any) -> None:
    with pytest.raises(TypeError, match="max_wait_seconds: expected a number of seconds"):
        Terms.checked(None, value)
