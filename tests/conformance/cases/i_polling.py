"""Polling of runs: what ends it, how long it waits in between."""

from __future__ import annotations

import time
from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises
from tests.conformance.registry import Group
from tests.conformance.script import Answer, error, reply
from tests.objects import ONE_RUN, RUN, RUNS, THREAD, function, required, run

polling = Group("polling")
CREATE = {"thread_id": THREAD, "assistant_id": "asst_1"}


async def poll(t: Kit, *answers: Answer, client: Any = None, **params: Any) -> Any:
    t.answers("GET", ONE_RUN, *answers)
    runs = (client or t.client()).beta.threads.runs
    return await t.value(runs.poll(RUN, thread_id=THREAD, **params))


def statuses(*names: str) -> list[Answer]:
    return [reply(run(name)) for name in names]


@polling.case()
async def poll_until_completed(t: Kit) -> None:
    """`runs.poll()` asks for the run until it is completed and gives it."""
    with t.naps():
        final = await poll(t, *statuses("queued", "in_progress", "completed"))
    equal((final.status, len(t.seen("GET", ONE_RUN))), ("completed", 3))


@polling.case()
async def create_and_poll(t: Kit) -> None:
    """`runs.create_and_poll()` creates a run and gives it when it has ended."""
    t.answers("POST", RUNS, reply(run("queued")))
    t.answers("GET", ONE_RUN, *statuses("queued", "completed"))
    with t.naps():
        final = await t.value(t.client().beta.threads.runs.create_and_poll(**CREATE, instructions="Be brief"))
    equal(final.status, "completed")
    equal(t.seen("POST")[0]["json"]["instructions"], "Be brief")


@polling.case()
async def create_and_run_poll(t: Kit) -> None:
    """`threads.create_and_run_poll()` creates a thread and a run and gives the run when it has ended."""
    t.answers("POST", "/threads/runs", reply(run("queued")))
    t.answers("GET", ONE_RUN, *statuses("queued", "completed"))
    with t.naps():
        final = await t.value(t.client().beta.threads.create_and_run_poll(assistant_id="asst_1"))
    equal(final.status, "completed")


@polling.case()
async def submit_tool_outputs_and_poll(t: Kit) -> None:
    """`runs.submit_tool_outputs_and_poll()` sends the outputs and gives the run when it has ended."""
    t.answers("POST", f"{ONE_RUN}/submit_tool_outputs", reply(run("queued")))
    t.answers("GET", ONE_RUN, *statuses("queued", "completed"))
    outputs = [{"tool_call_id": "call_1", "output": "sunny"}]
    runs = t.client().beta.threads.runs
    with t.naps():
        final = await t.value(
            runs.submit_tool_outputs_and_poll(run_id=RUN, thread_id=THREAD, tool_outputs=outputs)
        )
    equal((final.status, t.seen("POST")[0]["json"]["tool_outputs"]), ("completed", outputs))


def _ends_at(status: str, *defects: str) -> None:
    async def body(t: Kit) -> None:
        fields = required(function("f", "{}")) if status == "requires_action" else {}
        with t.naps():
            final = await poll(t, *statuses("in_progress"), reply(run(status, **fields)))
        equal((final.status, len(t.seen("GET"))), (status, 2))

    name = f"polling-ends-at-{status.replace('_', '-')}"
    polling.add(name, f"Polling ends when the run's status is `{status}`.", body, *defects)


for _status in ("requires_action", "failed", "cancelled", "expired"):
    _ends_at(_status)
_ends_at("incomplete", "polling_ignores_incomplete")
_ends_at("paused_by_server", "unknown_status_polls_for_ever")


def _goes_on_at(status: str) -> None:
    async def body(t: Kit) -> None:
        with t.naps():
            final = await poll(t, *statuses(status, status, "completed"))
        equal((final.status, len(t.seen("GET"))), ("completed", 3))

    polling.add(
        f"polling-goes-on-at-{status}", f"Polling goes on while the run's status is `{status}`.", body
    )


for _status in ("cancelling", "generating"):
    _goes_on_at(_status)


# how long ------------------------------------------------------------------------------------------------


@polling.case()
async def one_second_by_default(t: Kit) -> None:
    """Without an interval from anybody, polling waits one second."""
    with t.naps() as naps:
        await poll(t, *statuses("queued", "queued", "completed"))
    equal(naps, [1, 1])


@polling.case()
async def poll_interval(t: Kit) -> None:
    """`poll_interval_ms` says how long to wait, whatever the server says."""
    slow = reply(run("queued"), openai_poll_after_ms="9000")
    with t.naps() as naps:
        await poll(t, slow, slow, reply(run()), poll_interval_ms=20)
    equal(naps, [0.02, 0.02])


@polling.case()
async def the_server_says_how_long(t: Kit) -> None:
    """The server's `openai-poll-after-ms` says how long to wait."""
    with t.naps() as naps:
        await poll(t, reply(run("queued"), openai_poll_after_ms="70"), reply(run()))
    equal(naps, [0.07])


@polling.case("poll_interval_is_read_once")
async def the_server_changes_its_mind(t: Kit) -> None:
    """The server's `openai-poll-after-ms` is read anew each time."""
    answers = [reply(run("queued"), openai_poll_after_ms=ms) for ms in ("70", "30", "50")]
    with t.naps() as naps:
        await poll(t, *answers, reply(run()))
    equal(naps, [0.07, 0.03, 0.05])


@polling.case("odd_poll_interval_crashes")
async def a_fractional_interval(t: Kit) -> None:
    """An `openai-poll-after-ms` with a fraction is no error."""
    with t.naps() as naps:
        final = await poll(t, reply(run("queued"), openai_poll_after_ms="20.5"), reply(run()))
    equal(final.status, "completed")
    assert naps in ([0.0205], [0.02], [1]), naps


@polling.case("odd_poll_interval_crashes")
async def a_junk_interval(t: Kit) -> None:
    """An `openai-poll-after-ms` that is no number is ignored."""
    for junk in ("soon", "", "nan", "-5"):
        with t.naps() as naps:
            final = await poll(t, reply(run("queued"), openai_poll_after_ms=junk), reply(run()))
        equal((final.status, len(naps)), ("completed", 1))
        assert 0.01 <= naps[0] <= 60, naps


@polling.case("poll_interval_is_unbounded")
async def an_interval_out_of_bounds(t: Kit) -> None:
    """An `openai-poll-after-ms` of 0 or of an hour is brought between 10 ms and 60 s."""
    answers = [reply(run("queued"), openai_poll_after_ms=ms) for ms in ("0", "3600000")]
    with t.naps() as naps:
        await poll(t, *answers, reply(run()))
    equal(naps, [0.01, 60])


@polling.case("polling_blocks_the_loop", only="async")
async def polling_leaves_the_loop_free(t: Kit) -> None:
    """Async polling never blocks the event loop between two requests."""
    blocked: list[float] = []
    sleep = time.sleep
    time.sleep = blocked.append
    try:
        await poll(t, *statuses("queued", "completed"), poll_interval_ms=10)
    finally:
        time.sleep = sleep
    equal(blocked, [])


# limits and trouble --------------------------------------------------------------------------------------


@polling.case("polling_has_no_deadline")
async def a_deadline(t: Kit) -> None:
    """`max_wait_seconds` ends polling with an `APITimeoutError` that names the run and its status."""
    with raises(openai.APITimeoutError) as caught:
        await poll(t, *statuses("in_progress"), poll_interval_ms=10, max_wait_seconds=0.1)
    shown = str(caught.error)
    assert RUN in shown, shown
    assert "in_progress" in shown, shown
    equal({request["method"] for request in t.seen()}, {"GET"})


@polling.case("polling_has_no_deadline")
async def a_deadline_everywhere(t: Kit) -> None:
    """`create_and_poll`, `create_and_run_poll` and `submit_tool_outputs_and_poll` take `max_wait_seconds`."""
    for path in (RUNS, "/threads/runs", f"{ONE_RUN}/submit_tool_outputs"):
        t.answers("POST", path, reply(run("queued")))
    t.answers("GET", ONE_RUN, *statuses("in_progress"))
    threads = t.client().beta.threads
    limits = {"poll_interval_ms": 10, "max_wait_seconds": 0.05}
    for start in (
        lambda: threads.runs.create_and_poll(**CREATE, **limits),
        lambda: threads.create_and_run_poll(assistant_id="asst_1", **limits),
        lambda: threads.runs.submit_tool_outputs_and_poll(
            run_id=RUN, thread_id=THREAD, tool_outputs=[], **limits
        ),
    ):
        with raises(openai.APITimeoutError):
            await t.value(start())


@polling.case("polling_has_no_deadline")
async def a_deadline_that_is_not_reached(t: Kit) -> None:
    """`max_wait_seconds` that is long enough changes nothing."""
    with t.naps():
        final = await poll(t, *statuses("queued", "completed"), max_wait_seconds=30)
    equal(final.status, "completed")
    assert "max_wait_seconds" not in t.seen()[0]["query"], t.seen()[0]["query"]


@polling.case("early_404_is_fatal")
async def a_404_right_after_create(t: Kit) -> None:
    """A 404 in the first moments after `create_and_poll` has created the run is forgiven."""
    t.answers("POST", RUNS, reply(run("queued")))
    t.answers("GET", ONE_RUN, error(404, "No run found"), reply(run("queued")), reply(run()))
    with t.naps():
        final = await t.value(t.client().beta.threads.runs.create_and_poll(**CREATE, poll_interval_ms=10))
    equal(final.status, "completed")


@polling.case()
async def a_run_that_does_not_exist(t: Kit) -> None:
    """`runs.poll()` of a run that was never created raises `NotFoundError`."""
    t.answers("GET", ONE_RUN, error(404, "No run found"))
    with raises(openai.NotFoundError):
        await poll(t, error(404, "No run found"), poll_interval_ms=200)


@polling.case()
async def trouble_while_polling(t: Kit) -> None:
    """A 429 and a 503 while polling are retried as `max_retries` says."""
    trouble = [error(status, "later", retry_after_ms="1", retry_after="0.001") for status in (429, 503)]
    with t.naps():
        final = await poll(t, *trouble, reply(run()), client=t.client(max_retries=2))
    equal(final.status, "completed")


@polling.case()
async def on_poll(t: Kit) -> None:
    """`on_poll` is called with the refreshed run after each request."""
    seen: list[str] = []
    with t.naps():
        await poll(
            t, *statuses("queued", "in_progress", "completed"), on_poll=lambda run: seen.append(run.status)
        )
    equal(seen, ["queued", "in_progress", "completed"])


@polling.case("polling_arguments_are_unchecked")
async def polling_arguments_are_checked(t: Kit) -> None:
    """A negative or non-numeric interval or deadline is refused before any request is made."""
    t.answers("GET", ONE_RUN, *statuses("queued", "completed"))
    runs = t.client().beta.threads.runs
    for wrong in ({"poll_interval_ms": -1}, {"poll_interval_ms": "20"}, {"max_wait_seconds": -1}):
        with raises(Exception) as caught:
            await t.value(runs.poll(RUN, thread_id=THREAD, **wrong))
        assert isinstance(caught.error, (ValueError, TypeError)), f"{wrong}: {caught.error}"
        assert "unexpected keyword" not in str(caught.error), caught.error
    equal(t.seen(), [])


@polling.case("polling_arguments_are_unchecked")
async def an_empty_id_is_refused(t: Kit) -> None:
    """An empty run id or thread id is refused with a ValueError before any request is made."""
    runs = t.client().beta.threads.runs
    for ids in (("", THREAD), (RUN, "")):
        with raises(ValueError):
            await t.value(runs.poll(ids[0], thread_id=ids[1]))
    equal(t.seen(), [])


@polling.case()
async def polling_passes_headers_on(t: Kit) -> None:
    """`extra_headers`, `extra_query` and `timeout` of `runs.poll()` reach every request."""
    given = {"extra_headers": {"x-tenant": "t1"}, "extra_query": {"region": "eu"}, "timeout": 20}
    with t.naps():
        await poll(t, *statuses("queued", "completed"), **given)
    equal(
        [(r["headers"].get("x-tenant"), r["query"].get("region")) for r in t.seen("GET")], [("t1", "eu")] * 2
    )
