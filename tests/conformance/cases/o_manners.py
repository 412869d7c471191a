"""Runs with manners: busy threads, broken connections, streams that are left, runs that fail, citations."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.kit import Kit, equal, raises, text_of
from tests.conformance.registry import Group
from tests.conformance.script import CUT, error, gate, reply, sse
from tests.framings import wire
from tests.objects import MESSAGES, ONE_RUN, RUN, RUNS, STEPS, THREAD, message, page, run, text, user
from tests.samples import closing, hello, opening, said
from tests.samples import message as event_of_message
from tests.samples import text as event_of_text

manners = Group("manners")

CREATE = {"thread_id": THREAD, "assistant_id": "asst_1"}
CANCEL = f"{ONE_RUN}/cancel"


def _failing(code: str = "server_error") -> dict[str, Any]:
    return run("failed", last_error={"code": code, "message": "Sorry."})


def _failed() -> bytes:
    return wire([*opening(), ("thread.run.failed", _failing()), ("done", "[DONE]")])


def _busy(t: Kit, *, then: str = "completed") -> None:
    """The thread has a run under way, which is over at the second look."""
    t.answers("GET", RUNS, reply(page(run("in_progress"))))
    t.answers("GET", ONE_RUN, reply(run("in_progress")), reply(run(then)))
    t.answers("POST", RUNS, reply(run("queued", id="run_2")))
    t.answers("POST", MESSAGES, reply(user()))


@manners.case()
async def a_busy_thread_is_waited_for(t: Kit) -> None:
    """`if_active="wait"` posts a run once the thread's active run is over."""
    _busy(t)
    with t.naps():
        made = await t.value(t.client().beta.threads.runs.create(**CREATE, if_active="wait"))
    equal(made.id, "run_2")
    equal([request["method"] for request in t.seen()], ["GET", "GET", "GET", "POST"])


@manners.case()
async def a_message_waits_for_its_thread(t: Kit) -> None:
    """`if_active="wait"` posts a message once the thread's active run is over."""
    _busy(t)
    messages = t.client().beta.threads.messages
    with t.naps():
        await t.value(messages.create(THREAD, role="user", content="Hi", if_active="wait"))
    (body,) = [request["json"] for request in t.seen("POST")]
    equal("if_active" in body, False)


@manners.case()
async def an_active_run_is_cancelled_first(t: Kit) -> None:
    """`if_active="cancel"` cancels the thread's active run before it posts."""
    _busy(t, then="cancelled")
    t.answers("POST", CANCEL, reply(run("cancelling")))
    with t.naps():
        await t.value(t.client().beta.threads.runs.create(**CREATE, if_active="cancel"))
    equal([request["path"] for request in t.seen("POST")], [CANCEL, RUNS])


@manners.case()
async def a_busy_thread_that_lists_no_runs(t: Kit) -> None:
    """`if_active="wait"` takes the active run from the server's refusal where it lists no runs."""
    _busy(t)
    t.answers("GET", RUNS, error(405, "Method Not Allowed"))
    refusal = error(400, f"Thread {THREAD} already has an active run {RUN}.")
    t.answers("POST", RUNS, refusal, reply(run("queued", id="run_2")))
    with t.naps():
        made = await t.value(t.client().beta.threads.runs.create(**CREATE, if_active="wait"))
    equal(made.id, "run_2")


@manners.case(only="async")
async def posts_in_the_order_in_which_they_came(t: Kit) -> None:
    """`if_active="wait"` posts what tasks want to post in the order in which they asked."""
    t.answers("GET", RUNS, reply(page()))
    t.answers("POST", MESSAGES, reply(user()))
    create = t.client().beta.threads.messages.create
    posts = [create(THREAD, role="user", content=str(n), if_active="wait") for n in range(100)]
    await asyncio.gather(*posts)
    equal([request["json"]["content"] for request in t.seen("POST")], [str(n) for n in range(100)])


@manners.case()
async def a_failed_run_raises(t: Kit) -> None:
    """`raise_on_failure=True` raises an error with the run, once its stream has told of it."""
    t.streams(_failed())
    seen: list[str] = []
    with raises(Exception) as caught:
        async for event in t.each(await t.raw(raise_on_failure=True)):
            seen.append(event.event)  # noqa: PERF401  (an exception ends it)
    equal((caught.error.run.status, caught.error.last_error.code), ("failed", "server_error"))
    equal(seen[-1], "thread.run.failed")


@manners.case()
async def a_polled_run_that_failed_raises(t: Kit) -> None:
    """`raise_on_failure=True` raises an error with the run that a helper has polled."""
    t.answers("POST", RUNS, reply(run("queued")))
    t.answers("GET", ONE_RUN, reply(_failing()))
    with t.naps(), raises(Exception) as caught:
        runs = t.client().beta.threads.runs
        await t.value(runs.create_and_poll(**CREATE, raise_on_failure=True))
    equal(caught.error.run.status, "failed")


@manners.case()
async def a_failed_run_is_started_anew(t: Kit) -> None:
    """`retries=1` starts a run that failed by `server_error` once more, in the same stream."""
    t.on("POST", RUNS, sse(_failed()), sse(wire(hello())))
    with t.naps():
        events = await t.list(await t.raw(retries=1))
    equal(text_of(events), "Hello")
    equal(len(t.seen("POST", RUNS)), 2)


@manners.case()
async def a_run_that_showed_text_is_not_started_anew(t: Kit) -> None:
    """`retries=1` starts no other run where the failed one has shown text."""
    shown = [*opening(), *said("Hel")[:5], ("thread.run.failed", _failing()), ("done", "[DONE]")]
    t.streams(wire(shown))
    with t.naps():
        events = await t.list(await t.raw(retries=1))
    equal((text_of(events), len(t.seen("POST"))), ("Hel", 1))


@manners.case()
async def a_stream_that_is_left_cancels_its_run(t: Kit) -> None:
    """`cancel_on_close=True` cancels the run of a stream that is left before its end."""
    t.streams(wire([*opening(), *said("Hel")[:5]]), gate("never"))
    t.answers("POST", CANCEL, reply(run("cancelling")))
    async with t.entered(t.managed(cancel_on_close=True)) as stream:
        async for event in t.each(stream):
            if event.event == "thread.message.delta":
                break
    equal(len(t.seen("POST", CANCEL)), 1)


@manners.case()
async def a_stream_that_ended_cancels_nothing(t: Kit) -> None:
    """`cancel_on_close=True` cancels nothing once the stream came to its end."""
    t.streams(wire(hello()))
    async with t.entered(t.managed(cancel_on_close=True)) as stream:
        await t.value(stream.until_done())
    equal(len(t.seen()), 1)


def _numbered() -> list[bytes]:
    return [b"id: %d\n" % number + wire([event]) for number, event in enumerate(hello(), 1)]


@manners.case()
async def a_broken_stream_goes_on_by_its_numbers(t: Kit) -> None:
    """`resume=True` asks a server that numbers its events for those after the last one."""
    frames = _numbered()
    t.streams(*frames[:8], CUT)
    t.on("GET", ONE_RUN, sse(*frames[8:]), query={"stream": "true", "starting_after": "8"})
    events = await t.list(await t.raw(resume=True))
    equal([event.event for event in events], [name for name, _ in hello()[:-1]])
    equal(t.seen("GET", ONE_RUN)[0]["headers"]["last-event-id"], "8")


@manners.case()
async def a_broken_stream_goes_on_by_polling(t: Kit) -> None:
    """`resume=True` polls a server that does not number its events; growth comes as deltas."""
    t.streams(wire(hello()[:8]), CUT)
    t.answers("GET", ONE_RUN, reply(run()))
    t.answers("GET", STEPS, reply(page()))
    t.answers("GET", MESSAGES, reply(page(message(text("Hello")))))
    with t.naps():
        events = await t.list(await t.raw(resume=True))
    equal(text_of(events), "Hello")
    equal([event.event for event in events][-2:], ["thread.message.completed", "thread.run.completed"])


@manners.case()
async def a_run_is_read_from_a_number(t: Kit) -> None:
    """`runs.retrieve(stream=True, starting_after=)` gives a run's events after that one."""
    t.on("GET", ONE_RUN, sse(*_numbered()[8:]), query={"stream": "true", "starting_after": "8"})
    asked = {"thread_id": THREAD, "stream": True, "starting_after": 8}
    events = await t.list(await t.value(t.client().beta.threads.runs.retrieve("run_1", **asked)))
    equal([event.event for event in events], [name for name, _ in hello()[8:-1]])


@manners.case()
async def a_run_is_read_without_streaming(t: Kit) -> None:
    """`runs.retrieve(stream=False)` gives the run, as `runs.retrieve()` does."""
    t.answers("GET", ONE_RUN, reply(run()))
    got = await t.value(t.client().beta.threads.runs.retrieve("run_1", thread_id=THREAD, stream=False))
    equal(got.status, "completed")
    equal(t.seen("GET", ONE_RUN)[0]["query"], {})


@manners.case()
async def a_handler_is_told_a_run_that_is_under_way(t: Kit) -> None:
    """`runs.resume(event_handler=)` tells the handler the whole run, from its first event on."""
    t.on("GET", ONE_RUN, sse(*_numbered()), query={"stream": "true", "starting_after": "0"})
    handler = t.handler()
    asked = t.client().beta.threads.runs.resume("run_1", thread_id=THREAD, event_handler=handler)
    async with t.entered(asked) as stream:
        await t.value(stream.until_done())
    equal("".join(handler.calls.texts("on_text_delta")), "Hello")


@manners.case()
async def a_run_is_resumed_by_polling(t: Kit) -> None:
    """`runs.resume()` polls a server that has no stream of a run that was begun before."""
    t.answers("GET", ONE_RUN, reply(run()))
    t.answers("GET", STEPS, reply(page()))
    t.answers("GET", MESSAGES, reply(page(message(text("Hello")))))
    with t.naps():
        asked = t.client().beta.threads.runs.resume("run_1", thread_id=THREAD)
        async with t.entered(asked) as stream:
            events = [event async for event in t.each(stream)]
    equal(text_of(events), "Hello")
    equal(events[-1].event, "thread.run.completed")


MARKER = "【4:0†a.txt】"


def _cites() -> list[Any]:
    """A message of the words `😀 See【4:0†a.txt】【4:0†a.txt】.`, cut in its first marker."""

    def note(index: int, start: int, file: str) -> dict[str, Any]:
        place = {"index": index, "start_index": start, "end_index": start + len(MARKER)}
        return {"type": "file_citation", "text": MARKER, "file_citation": {"file_id": file}, **place}

    notes = [note(0, 5, "file_a"), note(1, 5 + len(MARKER), "file_b")]
    whole = text(f"😀 See{MARKER * 2}.", notes)
    return [
        *opening(),
        event_of_message("created"),
        event_of_text("😀 See【4:"),
        event_of_text(MARKER[3:], annotations=notes[:1]),
        event_of_text(MARKER, annotations=notes[1:]),
        event_of_text("."),
        ("thread.message.completed", message(whole)),
        *closing(),
    ]


@manners.case()
async def a_cited_message(t: Kit) -> None:
    """`cited()` gives a message's text with a number for each citation, and what it cites."""
    t.streams(wire(_cites()))
    t.answers("GET", "/files/file_a", reply({"id": "file_a", "object": "file", "filename": "a.txt"}))
    t.answers("GET", "/files/file_b", error(404, "No such File object"))
    client = t.client()
    async with t.entered(t.managed(client)) as stream:
        (answer,) = await t.value(stream.get_final_messages())
    made = await t.value(t.of_library("cited")(answer, client))
    equal(made.text, "😀 See[1][2].")
    equal([(each.number, each.file_id, each.filename) for each in made.citations],
          [(1, "file_a", "a.txt"), (2, "file_b", None)])  # fmt: skip


@manners.case()
async def cited_text_as_it_comes(t: Kit) -> None:
    """`cited_text_deltas` gives that text as it comes; a marker is never cut in two."""
    t.streams(wire(_cites()))
    async with t.entered(t.managed()) as stream:
        equal(await t.list(stream.cited_text_deltas), ["😀 See", "[1]", "[2]", "."])


@manners.case()
async def a_stream_for_browsers(t: Kit) -> None:
    """`web.sse()` gives a stream's events as the frames of a `text/event-stream`, and `done` at the end."""
    t.streams(wire(hello()))
    frames = await t.list(t.of_library("web").sse(t.managed()))
    equal([frame.partition(b"\n")[0].decode() for frame in frames], [f"event: {name}" for name, _ in hello()])
    equal(frames[-1], wire(hello()[-1:]))
