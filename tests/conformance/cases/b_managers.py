"""The stream helpers: context managers that give a handler."""

from __future__ import annotations

import gc
import warnings

import openai

from tests.conformance.kit import Kit, NotApplicable, equal, raises
from tests.conformance.registry import Group
from tests.conformance.script import drip
from tests.framings import frames, wire
from tests.objects import ONE_RUN, function, message, text, thread, tool_step
from tests.samples import called, closing, hello, names, opening, said, waiting, weather

managers = Group("stream helpers")
TARGET = {"thread_id": "thread_1", "assistant_id": "asst_1"}


@managers.case()
async def stream_without_handler(t: Kit) -> None:
    """`runs.stream()` without a handler gives one that iterates over the events."""
    t.streams(wire(hello()))
    async with t.entered(t.client().beta.threads.runs.stream(**TARGET)) as stream:
        equal([event.event for event in await t.list(stream)], names(hello()))


@managers.case()
async def stream_gives_the_handler(t: Kit) -> None:
    """`runs.stream(event_handler=...)` gives that very handler and feeds it."""
    t.streams(wire(hello()))
    handler = t.handler()
    manager = t.client().beta.threads.runs.stream(**TARGET, event_handler=handler)
    async with t.entered(manager) as stream:
        assert stream is handler, type(stream)
        equal([event.event for event in await t.list(stream)], names(hello()))
    equal([call.args[0]["event"] for call in handler.calls.of("on_event")], names(hello()))


@managers.case()
async def create_and_stream_is_the_older_name(t: Kit) -> None:
    """`runs.create_and_stream()` does what `runs.stream()` does."""
    t.streams(wire(hello()))
    handler = t.handler()
    manager = t.client().beta.threads.runs.create_and_stream(**TARGET, event_handler=handler)
    async with t.entered(manager) as stream:
        await t.value(stream.until_done())
    equal(handler.calls.texts("on_text_done"), ["Hello"])


@managers.case()
async def create_and_run_stream(t: Kit) -> None:
    """`threads.create_and_run_stream()` streams a new thread's run, with and without a handler."""
    story = [("thread.created", thread()), *hello()]
    t.streams(wire(story), path="/threads/runs")
    threads = t.client().beta.threads
    async with t.entered(threads.create_and_run_stream(assistant_id="asst_1")) as stream:
        equal([event.event for event in await t.list(stream)], names(story))
    handler = t.handler()
    async with t.entered(
        threads.create_and_run_stream(assistant_id="asst_1", event_handler=handler, thread={"messages": []})
    ) as stream:
        await t.value(stream.until_done())
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(t.seen()[-1]["json"], {"assistant_id": "asst_1", "thread": {"messages": []}, "stream": True})


@managers.case()
async def submit_tool_outputs_stream(t: Kit) -> None:
    """`runs.submit_tool_outputs_stream()` streams the rest of a run, with and without a handler."""
    story = [*called("get_weather", "{}")[-1:], *opening()[1:], *said("Sunny"), *closing()]
    t.streams(wire(story), path=f"{ONE_RUN}/submit_tool_outputs")
    runs = t.client().beta.threads.runs
    given = {
        "run_id": "run_1",
        "thread_id": "thread_1",
        "tool_outputs": [{"tool_call_id": "c", "output": "o"}],
    }
    async with t.entered(runs.submit_tool_outputs_stream(**given)) as stream:
        equal([event.event for event in await t.list(stream)], names(story))
    handler = t.handler()
    async with t.entered(runs.submit_tool_outputs_stream(**given, event_handler=handler)) as stream:
        await t.value(stream.until_done())
    equal(handler.calls.texts("on_text_done"), ["Sunny"])


@managers.case()
async def text_deltas_iterate_over_the_text(t: Kit) -> None:
    """`stream.text_deltas` yields the text pieces and nothing else."""
    t.streams(wire(hello("One ", "two ", "three")))
    async with t.entered(t.managed()) as stream:
        equal(await t.list(stream.text_deltas), ["One ", "two ", "three"])


@managers.case()
async def final_run(t: Kit) -> None:
    """`get_final_run()` reads the stream to its end and gives the run as it ended."""
    t.streams(wire(hello()))
    async with t.entered(t.managed()) as stream:
        equal((await t.value(stream.get_final_run())).status, "completed")


@managers.case()
async def final_run_that_waits_for_tools(t: Kit) -> None:
    """`get_final_run()` of a run that stops at `requires_action` holds the calls to answer."""
    t.streams(wire(weather()))
    async with t.entered(t.managed()) as stream:
        final = await t.value(stream.get_final_run())
    (call,) = final.required_action.submit_tool_outputs.tool_calls
    equal((final.status, call.function.arguments), ("requires_action", '{"city":"Rome"}'))


@managers.case()
async def final_messages(t: Kit) -> None:
    """`get_final_messages()` gives every message of the run as the server completed it."""
    t.streams(wire([*opening(), *said("One"), *said("Two", id="msg_2", step_id="step_2"), *closing()]))
    async with t.entered(t.managed()) as stream:
        final = await t.value(stream.get_final_messages())
    equal([(m.id, m.status, m.content[0].text.value) for m in final],
          [("msg_1", "completed", "One"), ("msg_2", "completed", "Two")])  # fmt: skip


@managers.case("final_steps_are_stale")
async def final_steps(t: Kit) -> None:
    """`get_final_run_steps()` gives the steps as the server completed them."""
    story = [*opening(), *called("f", "{}"), *said("Hi", step_id="step_2"), *closing()]
    t.streams(wire(story))
    async with t.entered(t.managed()) as stream:
        final = await t.value(stream.get_final_run_steps())
    equal([(step.id, step.status) for step in final], [("step_1", "completed"), ("step_2", "completed")])


@managers.case()
async def final_steps_before_outputs(t: Kit) -> None:
    """`get_final_run_steps()` of a run that waits for tool outputs holds the accumulated calls."""
    t.streams(wire(weather()))
    async with t.entered(t.managed()) as stream:
        (step,) = await t.value(stream.get_final_run_steps())
    (call,) = step.step_details.tool_calls
    equal((call.function.name, call.function.arguments), ("get_weather", '{"city":"Rome"}'))


@managers.case("final_steps_are_stale")
async def final_steps_of_a_submit_stream(t: Kit) -> None:
    """A submit stream, which starts at `thread.run.step.completed`, counts that step among its
    final steps.
    """
    first = ("thread.run.step.completed", tool_step(function("f", "{}")))
    t.streams(wire([first, *opening()[1:], *said("Hi", step_id="step_2"), *closing()]))
    async with t.entered(t.managed()) as stream:
        final = await t.value(stream.get_final_run_steps())
    equal([(step.id, step.status) for step in final], [("step_1", "completed"), ("step_2", "completed")])


@managers.case()
async def leaving_early_releases_the_connection(t: Kit) -> None:
    """Leaving the block of `runs.stream()` early closes the connection."""
    t.streams(*frames(opening()), drip(b": wait\n\n"))
    async with t.entered(t.managed()) as stream:
        async for _ in t.each(stream):
            break
    assert t.realm.hung_up(), "the connection is still open"


@managers.case()
async def close_releases_the_connection(t: Kit) -> None:
    """`handler.close()` closes the connection while the block goes on."""
    t.streams(*frames(opening()), drip(b": wait\n\n"))
    async with t.entered(t.managed()) as stream:
        async for _ in t.each(stream):
            break
        await t.value(stream.close())
        assert t.realm.hung_up(), "the connection is still open"


@managers.case()
async def a_handler_serves_one_stream(t: Kit) -> None:
    """A handler that is given to a second stream is refused with a RuntimeError."""
    handler = await t.play(wire(hello()))
    with raises(RuntimeError):
        async with t.entered(t.managed(event_handler=handler)):
            pass


@managers.case(only="async")
async def a_manager_never_entered_leaks_nothing(t: Kit) -> None:
    """A stream manager that is never entered leaves no coroutine that was never awaited."""
    client = t.client()
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        t.managed(client)
        gc.collect()
    leaks = [str(warning.message) for warning in noted if issubclass(warning.category, RuntimeWarning)]
    equal(leaks, [])


@managers.case()
async def the_sdks_own_handler_is_accepted(t: Kit) -> None:
    """A handler that subclasses `openai.AssistantEventHandler` is accepted, where the SDK has that class."""
    name = "AsyncAssistantEventHandler" if t.is_async else "AssistantEventHandler"
    if not hasattr(openai, name):
        if t.patched:
            raise NotApplicable("this SDK has no handler class")
        raise AttributeError(f"openai has no {name}")
    deltas: list[str] = []

    def note(self: object, delta: object, snapshot: object) -> None:
        deltas.append(delta.value)  # type: ignore[attr-defined]

    async def anote(self: object, delta: object, snapshot: object) -> None:
        note(self, delta, snapshot)

    handler = type("Own", (getattr(openai, name),), {"on_text_delta": anote if t.is_async else note})()
    t.streams(wire(hello()))
    async with t.entered(t.managed(event_handler=handler)) as stream:
        final = await t.value(stream.get_final_messages())
    equal((deltas, final[0].content[0].text.value), (["Hel", "lo"], "Hello"))


@managers.case()
async def a_refused_stream_helper_raises_on_entry(t: Kit) -> None:
    """A 404 in answer to `runs.stream()` raises `NotFoundError` when the block is entered."""
    with raises(openai.NotFoundError):
        async with t.entered(t.managed()):
            pass


@managers.case()
async def a_message_without_deltas(t: Kit) -> None:
    """A message that arrives whole, without deltas, is among the final messages."""
    whole = ("thread.message.completed", message(text("Whole")))
    t.streams(
        wire([*opening(), ("thread.message.created", message(status="in_progress")), whole, *waiting()])
    )
    async with t.entered(t.managed()) as stream:
        final = await t.value(stream.get_final_messages())
    equal([m.content[0].text.value for m in final], ["Whole"])
