"""Handlers: how they begin, end and fail."""

from __future__ import annotations

from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises, transport_errors
from tests.conformance.registry import Group
from tests.conformance.script import CUT, drip, gate
from tests.framings import END, Event, frames, wire
from tests.objects import run, text_delta
from tests.samples import closing, hello, opening

life = Group("handlers: life")


class Bang(Exception):
    pass


@life.case()
async def end_fires_once(t: Kit) -> None:
    """`on_end` fires once, last, when the stream has been read; `on_exception` does not."""
    handler = await t.play(wire(hello()))
    equal((handler.calls.count("on_end"), handler.calls.count("on_exception")), (1, 0))
    equal(handler.calls[-1].name, "on_end")


@life.case("no_end_after_break")
async def end_fires_after_an_early_break(t: Kit) -> None:
    """`on_end` fires once when the `with` block is left early."""
    t.streams(*frames(opening()), drip(b": wait\n\n"))
    handler = t.handler()
    async with t.entered(t.managed(event_handler=handler)) as stream:
        async for _ in t.each(stream):
            break
    equal(handler.calls.count("on_end"), 1)


@life.case("no_end_after_break")
async def end_fires_when_nothing_was_read(t: Kit) -> None:
    """`on_end` fires once when the `with` block is left without reading at all."""
    t.streams(wire(hello()))
    handler = t.handler()
    async with t.entered(t.managed(event_handler=handler)):
        pass
    equal(handler.calls.count("on_end"), 1)


@life.case()
async def end_fires_after_an_error(t: Kit) -> None:
    """After an `error` event `on_exception` fires once with the error that is raised, then `on_end` once."""
    handler = t.handler()
    t.streams(wire([*opening(), ("error", {"error": {"message": "Too fast", "code": "c", "type": "t"}})]))
    with raises(openai.APIError) as caught:
        async with t.entered(t.managed(event_handler=handler)) as stream:
            await t.value(stream.until_done())
    calls = handler.calls.of("on_exception", "on_end")
    equal([call.name for call in calls], ["on_exception", "on_end"])
    assert calls[0].live[0] is caught.error, calls[0].live[0]


@life.case()
async def a_callback_that_raises(t: Kit) -> None:
    """An exception in a callback comes out of the stream; `on_exception` and `on_end` fire once each."""

    def on_text_delta(handler: Any, delta: Any, snapshot: Any) -> None:
        raise Bang("in a callback")

    handler = t.handler(on_text_delta=on_text_delta)
    t.streams(wire(hello()))
    with raises(Bang):
        async with t.entered(t.managed(event_handler=handler)) as stream:
            await t.value(stream.until_done())
    equal([call.name for call in handler.calls.of("on_exception", "on_end")], ["on_exception", "on_end"])


@life.case()
async def a_callback_that_raises_releases_the_connection(t: Kit) -> None:
    """An exception in a callback closes the connection."""

    def on_event(handler: Any, event: Any) -> None:
        raise Bang("in a callback")

    t.streams(*frames(opening()), drip(b": wait\n\n"))
    with raises(Bang):
        async with t.entered(t.managed(event_handler=t.handler(on_event=on_event))) as stream:
            await t.value(stream.until_done())
    assert t.realm.hung_up(), "the connection is still open"


@life.case()
async def a_stall_fires_on_timeout(t: Kit) -> None:
    """A stream that stalls past the timeout fires `on_timeout`, `on_exception` and `on_end` once each."""
    handler = t.handler()
    t.streams(*frames(opening()), gate("never"))
    with raises(Exception):
        async with t.entered(t.managed(event_handler=handler, timeout=0.2)) as stream:
            await t.value(stream.until_done())
    calls = [call.name for call in handler.calls.of("on_timeout", "on_exception", "on_end")]
    equal(calls, ["on_timeout", "on_exception", "on_end"])


@life.case("transport_errors_are_raw")
async def a_stall_is_an_api_timeout(t: Kit) -> None:
    """A handler's stream that stalls past the timeout raises `APITimeoutError`."""
    t.streams(*frames(opening()), gate("never"))
    with raises(openai.APITimeoutError):
        async with t.entered(t.managed(timeout=0.2)) as stream:
            await t.value(stream.until_done())


@life.case("transport_errors_are_raw")
async def a_cut_is_a_connection_error(t: Kit) -> None:
    """A handler's stream whose connection breaks raises what is both `APIConnectionError` and the
    transport's.
    """
    client = t.client()
    handler = t.handler()
    t.streams(*frames(opening()), CUT)
    with raises(openai.APIConnectionError, transport_errors(client).TransportError):
        async with t.entered(t.managed(client, event_handler=handler)) as stream:
            await t.value(stream.until_done())
    equal([call.name for call in handler.calls.of("on_exception", "on_end")], ["on_exception", "on_end"])


@life.case("forgotten_super_init_crashes")
async def a_subclass_without_super_init(t: Kit) -> None:
    """A handler whose `__init__` does not call `super().__init__()` works."""

    def init(self: Any) -> None:
        self.name = "mine"

    base = type("Forgetful", (t.handler_base(),), {"__init__": init})
    handler = t.recorder(base)
    t.streams(wire(hello()))
    async with t.entered(t.managed(event_handler=handler)) as stream:
        await t.value(stream.until_done())
    equal((handler.name, handler.calls.texts("on_text_done")), ("mine", ["Hello"]))


@life.case()
async def a_subclass_with_its_own_init(t: Kit) -> None:
    """A handler that takes arguments of its own and calls `super().__init__()` works."""

    def init(self: Any) -> None:
        base.__mro__[1].__init__(self)
        self.name = "mine"

    base: Any = type("Named", (t.handler_base(),), {"__init__": init})
    handler = t.recorder(base)
    t.streams(wire(hello()))
    async with t.entered(t.managed(event_handler=handler)) as stream:
        await t.value(stream.until_done())
    equal((handler.name, handler.calls.texts("on_text_done")), ("mine", ["Hello"]))


@life.case("async_callbacks_are_dropped", only="sync")
async def async_callbacks_on_a_sync_handler(t: Kit) -> None:
    """A sync handler with an `async def` callback is refused with a TypeError that names the callback."""

    async def on_text_delta(self: Any, delta: Any, snapshot: Any) -> None:
        raise AssertionError("never called")

    t.streams(wire(hello()))
    with raises(TypeError) as caught:
        handler = type("Mixed", (t.handler_base(),), {"on_text_delta": on_text_delta})()
        async with t.entered(t.managed(event_handler=handler)) as stream:
            stream.until_done()
    assert "on_text_delta" in str(caught.error), caught.error


@life.case("sync_callbacks_crash", only="async")
async def sync_callbacks_on_an_async_handler(t: Kit) -> None:
    """An async handler takes sync callbacks beside async ones."""
    handler = t.recorder(t.handler_base(), is_async=False)
    t.streams(wire(hello()))
    async with t.entered(t.managed(event_handler=handler)) as stream:
        await t.value(stream.until_done())
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.calls.count("on_end"), 1)


@life.case("current_run_is_stale")
async def current_run_inside_on_event(t: Kit) -> None:
    """`current_run` inside `on_event` is the run that the event brings."""
    seen: list[str | None] = []

    def on_event(handler: Any, event: Any) -> None:
        seen.append(handler.current_run and handler.current_run.status)

    await t.play(wire([*opening(), *closing()]), on_event=on_event)
    equal(seen, ["queued", "queued", "in_progress", "completed"])


@life.case()
async def current_event_inside_callbacks(t: Kit) -> None:
    """`current_event` inside a callback is the event that caused it, and nothing once the stream is over."""
    seen: list[str] = []

    def on_text_delta(handler: Any, delta: Any, snapshot: Any) -> None:
        seen.append(handler.current_event.event)

    handler = await t.play(wire(hello()), on_text_delta=on_text_delta)
    equal(seen, ["thread.message.delta"] * 2)
    equal(handler.current_event, None)


@life.case()
async def current_run_after_the_stream(t: Kit) -> None:
    """`current_run` after the stream is the run as it ended."""
    handler = await t.play(wire(hello()))
    equal(handler.current_run.status, "completed")


@life.case()
async def current_run_of_every_ending(t: Kit) -> None:
    """`current_run` is up to date after each way in which a run can end."""
    for status in ("failed", "cancelled", "expired", "cancelling"):
        story: list[Event] = [*opening(), (f"thread.run.{status}", run(status))]
        ending = closing("cancelled") if status == "cancelling" else [END]
        handler = await t.play(wire([*story, *ending]))
        equal(handler.current_run.status, "cancelled" if status == "cancelling" else status)


@life.case()
async def private_names_that_are_read(t: Kit) -> None:
    """The private names of the SDK's handler that programs read today answer."""
    handler = await t.play(wire(hello()))
    prefix = f"_{'Async' if t.is_async else ''}AssistantEventHandler__"
    equal(getattr(handler, f"{prefix}current_run").status, "completed")
    equal(list(getattr(handler, f"{prefix}message_snapshots")), ["msg_1"])
    equal(list(getattr(handler, f"{prefix}run_step_snapshots")), ["step_1"])


@life.case()
async def iteration_and_callbacks_together(t: Kit) -> None:
    """An event reaches the callbacks before the iterator yields it."""
    t.streams(wire(hello()))
    handler = t.handler()
    async with t.entered(t.managed(event_handler=handler)) as stream:
        counts = [handler.calls.count("on_event") async for _ in t.each(stream)]
    equal(counts, list(range(1, 13)))


@life.case()
async def next_on_a_handler(t: Kit) -> None:
    """`next(stream)` or `anext(stream)` gives the first event, and iteration goes on after it."""
    t.streams(wire(hello()))
    async with t.entered(t.managed()) as stream:
        first = await anext(stream) if t.is_async else next(stream)
        rest = await t.list(stream)
    equal((first.event, len(rest)), ("thread.run.created", 11))


@life.case()
async def until_done_twice(t: Kit) -> None:
    """`until_done()` and the getters can be called again after the end."""
    handler = await t.play(wire(hello()))
    await t.value(handler.until_done())
    equal((await t.value(handler.get_final_run())).status, "completed")
    equal((await t.value(handler.get_final_messages()))[0].content[0].text.value, "Hello")
    equal(handler.calls.count("on_end"), 1)


@life.case()
async def getters_without_anything_to_give(t: Kit) -> None:
    """`get_final_messages()` and `get_final_run_steps()` of a run without any raise RuntimeError."""
    handler = await t.play(wire([*opening(), *closing("failed")]))
    with raises(RuntimeError):
        await t.value(handler.get_final_messages())
    with raises(RuntimeError):
        await t.value(handler.get_final_run_steps())


@life.case()
async def a_delta_for_no_text(t: Kit) -> None:
    """A message delta without content disturbs nothing."""
    empty = {"id": "msg_1", "object": "thread.message.delta", "delta": {}}
    story = hello()
    story.insert(7, ("thread.message.delta", empty))
    story.insert(8, ("thread.message.delta", text_delta("")))
    handler = await t.play(wire(story))
    equal(handler.calls.texts("on_text_done"), ["Hello"])
