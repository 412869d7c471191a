"""``tool_handlers=``: a run's functions are called and their outputs submitted, until it calls no more."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises, text_of
from tests.conformance.registry import Group
from tests.conformance.script import CUT, reply, sse
from tests.conformance.tool_runs import (
    NEW,
    OSLO,
    ROME,
    SUBMIT,
    call,
    calling,
    one_round,
    polled_run,
    polls_calls,
    says,
    streams_calls,
    submitted,
    weather,
)
from tests.framings import wire
from tests.objects import ONE_RUN, RUN, THREAD, run

loop = Group("tool loop")

IDS = {"thread_id": THREAD, "run_id": RUN}
POLLED = ("create_and_poll", "create_and_run_poll", "submit_tool_outputs_and_poll", "poll")
STREAMED = ("stream", "create_and_stream", "create_and_run_stream", "submit_tool_outputs_stream")
CREATED = ("create", "create_and_run", "submit_tool_outputs")


async def _through(t: Kit, method: str, handlers: Any) -> str:
    """Goes through a run by a method, one round of which it answers by itself where it begins with that;
    the status at the end."""
    threads = t.client().beta.threads
    params: dict[str, Any] = {"tool_handlers": handlers}
    if "submit" in method or method == "poll":
        params.update(IDS)
    else:
        params.update(NEW)
    if "create_and_run" in method:
        del params["thread_id"]
    if "submit" in method:
        params["tool_outputs"] = [{"tool_call_id": "call_0", "output": "mine"}]
    make = getattr(threads if "create_and_run" in method else threads.runs, method)
    if method in POLLED:
        with t.naps():
            return str((await t.value(make(**params))).status)
    if method in CREATED:
        return str((await t.list(await t.value(make(**params, stream=True))))[-1].data.status)
    async with t.entered(make(**params)) as stream:
        return str((await t.value(stream.get_final_run())).status)


def _by_every(methods: tuple[str, ...], sentence: str) -> None:
    def register(method: str) -> None:
        async def body(t: Kit) -> None:
            rounds = [(ROME,), (OSLO,)]
            (polls_calls if method in POLLED else streams_calls)(t, *rounds)
            if method == "submit_tool_outputs_and_poll":
                t.on("POST", SUBMIT, reply(run("queued")))
            elif "submit" in method:
                answers = [sse(wire(one_round(n, each))) for n, each in enumerate(rounds, 1)]
                t.on("POST", SUBMIT, *answers, sse(says()))
            equal(await _through(t, method, [weather]), "completed")
            ours = [{"call_1": "18 c in Rome"}, {"call_2": "18 c in Oslo"}]
            equal(submitted(t), [{"call_0": "mine"}, *ours] if "submit" in method else ours)

        loop.add(f"the-loop-of-{method.replace('_', '-')}", sentence.format(method), body)

    for method in methods:
        register(method)


_by_every(STREAMED, "`{}(tool_handlers=)` goes through all rounds of a run in one `with`.")
_by_every(CREATED, "`{}(stream=True, tool_handlers=)` goes through all rounds of a run in one iterator.")
_by_every(POLLED, "`{}(tool_handlers=)` goes through all rounds of a run and gives it back at its end.")


# ---------------------------------------------------------------- one stream


@loop.case()
async def one_handler_for_all_rounds(t: Kit) -> None:
    """One handler is told of all rounds: calls done once, outputs before their submit, `on_end` once."""
    streams_calls(t, (ROME,), (OSLO,))
    submits: list[int] = []
    handler = t.handler(on_tool_output=lambda *_: submits.append(len(t.seen("POST", SUBMIT))))
    async with t.entered(t.managed(event_handler=handler, tool_handlers=[weather])) as stream:
        await t.value(stream.until_done())
    outputs = [(each.args[0]["id"], each.args[1]) for each in handler.calls.of("on_tool_output")]
    equal(outputs, [("call_1", "18 c in Rome"), ("call_2", "18 c in Oslo")])
    equal(submits, [0, 1])
    counts = [handler.calls.count(name) for name in ("on_tool_call_done", "on_message_done", "on_end")]
    equal(counts, [2, 1, 1])
    equal(handler.calls[-1].name, "on_end")


@loop.case()
async def final_objects_of_all_rounds(t: Kit) -> None:
    """`get_final_run`, `get_final_run_steps` and `get_final_messages` answer for all rounds."""
    streams_calls(t, (ROME,), (OSLO,))
    async with t.entered(t.managed(tool_handlers=[weather])) as stream:
        equal("".join(await t.list(stream.text_deltas)), "It is warm.")
        steps = await t.value(stream.get_final_run_steps())
        equal([each.id for each in steps], ["step_1", "step_2", "step_9"])
        (message,) = await t.value(stream.get_final_messages())
        equal(message.content[0].text.value, "It is warm.")
        equal((await t.value(stream.get_final_run())).status, "completed")


@loop.case()
async def events_of_all_rounds_in_order(t: Kit) -> None:
    """The iterator gives the events of every round, as the server sent them."""
    streams_calls(t, (ROME,), (OSLO,))
    events = await t.list(await t.raw(tool_handlers=[weather]))
    equal(
        [event.data.status for event in events if event.event.startswith("thread.run.") and
         ".step." not in event.event],
        ["queued", "queued", "in_progress", "requires_action", "requires_action", "completed"],
    )  # fmt: skip
    equal(text_of(events), "It is warm.")


# ---------------------------------------------------------------- ends of the loop


@loop.case()
async def a_call_that_nobody_handles(t: Kit) -> None:
    """A call without a handler ends the loop at `requires_action`; the other outputs are kept."""
    kept = [{"tool_call_id": "call_1", "output": "18 c in Rome"}]
    streams_calls(t, (ROME, call("news", "call_2")))
    stream = await t.raw(tool_handlers=[weather])
    equal((await t.list(stream))[-1].data.status, "requires_action")
    equal(stream.tool_outputs, kept)
    polls_calls(t, (ROME, call("news", "call_2")))
    polled = await polled_run(t, [weather])
    equal((polled.status, polled.tool_outputs), ("requires_action", kept))
    equal(submitted(t), [])


@loop.case()
async def enough_rounds(t: Kit) -> None:
    """After `max_rounds=` submits an error says so; the run is left at `requires_action`."""
    streams_calls(t, (ROME,), (OSLO,))
    with raises(openai.OpenAIError, RuntimeError) as caught:
        await t.list(await t.raw(tool_handlers=[weather], max_rounds=1))
    equal((caught.error.run_id, caught.error.thread_id), (RUN, THREAD))
    equal((caught.error.attempted, caught.error.completed), (("call_1",), ("call_1",)))
    equal(len(submitted(t)), 1)


@loop.case()
async def a_stream_that_is_closed_during_a_call(t: Kit) -> None:
    """`close()` in the middle of a call ends the stream at once; nothing is submitted."""
    over, closers = threading.Event(), []

    def hang() -> str:
        closers.append(threading.Thread(target=close))
        closers[0].start()
        over.wait(4)
        return "too late"

    event_loop = asyncio.get_running_loop() if t.is_async else None

    def close() -> None:
        threading.Event().wait(0.02)  # from its last event into the wait
        if event_loop is None:
            stream.close()
        else:
            asyncio.run_coroutine_threadsafe(stream.close(), event_loop)

    streams_calls(t, (call("hang"),))
    stream = await t.raw(tool_handlers=[hang])
    try:
        read = await t.list(stream)
        equal((read[-1].data.status, over.is_set()), ("requires_action", False))
    finally:
        over.set()
    closers[0].join()
    equal(submitted(t), [])


@loop.case(only="async")
async def a_task_that_is_cancelled_during_a_call(t: Kit) -> None:
    """A cancelled task cancels the calls under way, and its exception says how far the loop came."""
    ended: list[str] = []
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.sleep(4)
        finally:
            ended.append("call")

    polls_calls(t, (call("hang"),))
    runs = t.client().beta.threads.runs
    task = asyncio.ensure_future(runs.create_and_poll(**NEW, tool_handlers=[hang]))
    await begun.wait()
    task.cancel()
    with raises(asyncio.CancelledError) as caught:
        await task
    equal((ended, caught.error.attempted, caught.error.completed), (["call"], ("call_1",), ()))
    equal(submitted(t), [])


# ---------------------------------------------------------------- submits


@loop.case()
async def a_submit_that_was_lost(t: Kit) -> None:
    """After a broken connection the run is asked; outputs go again if it still waits for exactly them."""
    streams_calls(t, (ROME,))
    t.on("POST", SUBMIT, sse(b"", CUT), sse(says()))
    t.on("GET", ONE_RUN, reply(calling(ROME)))
    ran: list[int] = []
    with t.naps():
        handlers = {"weather": lambda _: ran.append(1)}
        events = await t.list(await t.raw(tool_handlers=handlers))
    equal((text_of(events), len(ran), len(submitted(t))), ("It is warm.", 1, 2))


@loop.case()
async def a_submit_that_was_taken(t: Kit) -> None:
    """After a broken connection outputs that the run took are not sent again; the loop goes on."""
    polls_calls(t, (ROME,))
    t.on("POST", SUBMIT, sse(b"", CUT))
    polled = await polled_run(t, [weather])
    equal((polled.status, len(submitted(t))), ("completed", 1))
