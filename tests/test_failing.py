"""``raise_on_failure=`` and ``retries=``: runs that end badly."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import openai
import pytest

from streaming_assistants import RunFailedError, StreamingAssistantsError

from . import objects
from .clients import Colour
from .loopback import Loopback, Reply
from .objects import MESSAGES, ONE_RUN, RUNS

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {"thread_id": "thread_1", "assistant_id": "asst_1", "poll_interval_ms": 0}
OUTPUTS = [{"tool_call_id": "call_1", "output": "4"}]

ENDS: dict[str, dict[str, Any]] = {
    "failed": {"last_error": {"code": "server_error", "message": "Sorry, something went wrong."}},
    "expired": {},
    "cancelled": {},
    "incomplete": {"incomplete_details": {"reason": "max_prompt_tokens"}},
}
WORDS = {
    "failed": "Run run_1 failed: server_error: Sorry, something went wrong.",
    "expired": "Run run_1 expired.",
    "cancelled": "Run run_1 was cancelled.",
    "incomplete": "Run run_1 is incomplete: max_prompt_tokens.",
}


def polled(name: str, client: Any, **more: Any) -> Any:
    """A helper that polls a run to its end."""
    threads = client.beta.threads
    waits: dict[str, Any] = {"poll_interval_ms": 0, **more}
    calls: dict[str, Any] = {
        "poll": lambda: threads.runs.poll("run_1", thread_id="thread_1", **waits),
        "create_and_poll": lambda: threads.runs.create_and_poll(**ASKED, **more),
        "submit": lambda: threads.runs.submit_tool_outputs_and_poll(
            run_id="run_1", thread_id="thread_1", tool_outputs=OUTPUTS, **waits
        ),
        "create_and_run_poll": lambda: threads.create_and_run_poll(assistant_id="asst_1", **waits),
    }
    return calls[name]()


POLLS = ["poll", "create_and_poll", "submit", "create_and_run_poll"]
STARTS = ["create_and_poll", "create_and_run_poll"]


def begins(server: Loopback) -> None:
    for path in (RUNS, "/threads/runs", f"{ONE_RUN}/submit_tool_outputs"):
        server.on("POST", path, Reply.json(objects.run("queued")))


def ends(server: Loopback, *runs: dict[str, Any]) -> None:
    """Each run that is started ends as the next of ``runs``, whose ids are run_1, run_2 and so on."""
    begun = iter([Reply.json({**run, "status": "queued"}) for run in runs])
    for path in ("/threads/runs", RUNS):
        server.on("POST", path, lambda _: next(begun))
    for run in runs:
        server.on("GET", f"{RUNS}/{run['id']}", Reply.json(run))
    server.on("GET", MESSAGES, Reply.json(objects.page(objects.user())))


def failing(number: int, code: str = "server_error") -> dict[str, Any]:
    return objects.run("failed", id=f"run_{number}", last_error={"code": code, "message": "Sorry."})


def started(server: Loopback) -> list[Any]:
    return [(r.path, r.json) for r in server.requests if r.method == "POST"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits between two tries; what would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr("streaming_assistants._protocol.failed_runs._FIRST_PAUSE", 0.001)
    monkeypatch.setattr("streaming_assistants._protocol.failed_runs._LONGEST_PAUSE", 0.002)
    return waited


# ---------------------------------------------------------------- raise_on_failure


@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize("name", POLLS)
async def test_a_polled_run_that_fails_raises(
    colour: Colour, server: Loopback, name: str, status: str
) -> None:
    begins(server)
    server.on("GET", ONE_RUN, Reply.json(objects.run(status, **ENDS[status])))
    with pytest.raises(RunFailedError) as caught:
        await colour.of(polled(name, colour.client(server.url), raise_on_failure=True))
    error = caught.value
    assert str(error) == WORDS[status]
    assert (error.run.id, error.run.status) == ("run_1", status)
    assert error.last_error == error.run.last_error
    reason = getattr(error.incomplete_details, "reason", None)
    assert reason == ("max_prompt_tokens" if status == "incomplete" else None)
    assert isinstance(error, openai.APIError)
    assert isinstance(error, StreamingAssistantsError)
    if status == "failed":
        assert (error.code, error.last_error.code) == ("server_error", "server_error")
        assert error.body == ENDS["failed"]["last_error"]


@pytest.mark.parametrize("status", ["completed", "requires_action", "paused_by_server"])
@pytest.mark.parametrize("name", POLLS)
async def test_a_run_that_has_not_failed_raises_nothing(
    colour: Colour, server: Loopback, name: str, status: str
) -> None:
    begins(server)
    server.on("GET", ONE_RUN, Reply.json(objects.run(status)))
    run = await colour.of(polled(name, colour.client(server.url), raise_on_failure=True))
    assert run.status == status


@pytest.mark.parametrize("said", [{}, {"raise_on_failure": False}, {"raise_on_failure": None}])
@pytest.mark.parametrize("name", POLLS)
async def test_without_it_a_run_that_failed_is_given_back(
    colour: Colour, server: Loopback, name: str, said: dict[str, Any]
) -> None:
    begins(server)
    server.on("GET", ONE_RUN, Reply.json(objects.run("failed", **ENDS["failed"])))
    assert (await colour.of(polled(name, colour.client(server.url), **said))).status == "failed"


async def test_the_error_can_be_pickled_and_copied(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json(objects.run("failed", **ENDS["failed"])))
    with pytest.raises(RunFailedError) as caught:
        await colour.of(polled("poll", colour.client(server.url), raise_on_failure=True))
    for made in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(made) is RunFailedError
        assert (str(made), made.run, made.last_error) == (
            str(caught.value),
            caught.value.run,
            caught.value.last_error,
        )


async def test_a_last_error_of_another_shape_is_told_all_the_same(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json(objects.run("failed", last_error="overloaded")))
    with pytest.raises(RunFailedError, match="Run run_1 failed"):
        await colour.of(polled("poll", colour.client(server.url), raise_on_failure=True))


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded"])
@pytest.mark.parametrize("name", STARTS)
async def test_a_run_that_failed_in_passing_is_started_anew(
    colour: Colour, server: Loopback, name: str, code: str
) -> None:
    ends(server, failing(1, code), failing(2, code), objects.run(id="run_3"))
    seen: list[Any] = []
    more: dict[str, Any] = {"instructions": "Be brief", "metadata": {"k": "v"}}
    if name == "create_and_poll":
        more["additional_messages"] = [{"role": "user", "content": "Hi"}]
    else:
        more |= {"thread": {"messages": [{"role": "user", "content": "Hi"}]}, "tool_resources": {}}
    run = await colour.of(polled(name, colour.client(server.url), retries=2, on_poll=seen.append, **more))
    assert (run.id, run.status) == ("run_3", "completed")
    assert [one.id for one in seen] == ["run_1", "run_2", "run_3"]
    first, *others = started(server)
    again = {"assistant_id": "asst_1", "instructions": "Be brief", "metadata": {"k": "v"}, "stream": False}
    assert others == [(RUNS, again)] * 2  # what the first one put into the thread is there
    assert first[1].items() >= again.items()


@pytest.mark.parametrize("name", STARTS)
async def test_after_so_many_tries_the_last_run_is_given_back(
    colour: Colour, server: Loopback, name: str
) -> None:
    ends(server, failing(1), failing(2), failing(3))
    client = colour.client(server.url)
    assert (await colour.of(polled(name, client, retries=1))).id == "run_2"
    assert len(started(server)) == 2


async def test_after_so_many_tries_the_last_run_raises(colour: Colour, server: Loopback) -> None:
    ends(server, failing(1), failing(2))
    with pytest.raises(RunFailedError, match="run_2"):
        await colour.of(
            polled("create_and_poll", colour.client(server.url), retries=1, raise_on_failure=True)
        )


@pytest.mark.parametrize(
    "run",
    [
        failing(1, "invalid_prompt"),
        objects.run("expired"),
        objects.run("incomplete"),
        objects.run("cancelled"),
    ],
    ids=lambda run: run["status"],
)
async def test_a_run_that_would_end_so_again_is_not_started_anew(
    colour: Colour, server: Loopback, run: dict[str, Any]
) -> None:
    ends(server, run, objects.run(id="run_2"))
    given = await colour.of(polled("create_and_poll", colour.client(server.url), retries=3))
    assert given.status == run["status"]
    assert len(started(server)) == 1


@pytest.mark.parametrize("answer", [Reply.json(objects.page(objects.message("Hel"))), Reply.json({}, 500)])
async def test_a_run_that_has_written_is_not_started_anew(
    colour: Colour, server: Loopback, answer: Reply
) -> None:
    ends(server, failing(1), objects.run(id="run_2"))
    server.on("GET", MESSAGES, answer)
    given = await colour.of(polled("create_and_poll", colour.client(server.url), retries=3))
    assert given.id == "run_1"
    assert len(started(server)) == 1


async def test_no_run_is_started_anew_after_the_deadline(
    colour: Colour, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_assistants._protocol.failed_runs._FIRST_PAUSE", 60.0)
    monkeypatch.setattr("streaming_assistants._protocol.failed_runs._LONGEST_PAUSE", 60.0)
    ends(server, failing(1), objects.run(id="run_2"))
    client = colour.client(server.url)
    given = await colour.of(polled("create_and_poll", client, retries=3, max_wait_seconds=5))
    assert given.id == "run_1"


@pytest.mark.parametrize("name", ["poll", "submit"])
async def test_what_starts_no_run_takes_no_retries(colour: Colour, server: Loopback, name: str) -> None:
    with pytest.raises(TypeError, match="retries"):
        await colour.of(polled(name, colour.client(server.url), retries=1))


@pytest.mark.parametrize(
    "wrong",
    [{"retries": -1}, {"retries": "2"}, {"retries": True}, {"retries": 1.5}, {"raise_on_failure": "yes"}],
    ids=str,
)
async def test_what_is_no_number_or_switch_is_refused(
    colour: Colour, server: Loopback, wrong: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError), match=r"(retries|raise_on_failure): expected"):
        await colour.of(polled("create_and_poll", colour.client(server.url), **wrong))
    assert server.requests == []
