"""The ways in which servers write the same events down."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.kit import Kit, equal, text_of
from tests.conformance.objects import (
    MESSAGES,
    ONE_RUN,
    STEPS,
    call_delta,
    function,
    message,
    page,
    required,
    run,
    step,
    step_delta,
    text,
    tool_step,
)
from tests.conformance.registry import Group
from tests.conformance.script import reply
from tests.conformance.stories import (
    DONE,
    Event,
    Framing,
    both,
    closing,
    enveloped,
    frames,
    hello,
    names,
    opening,
    said,
    standard,
    tight,
    unspaced,
    wire,
)

dialects = Group("dialects")


async def says_hello(t: Kit, stream: bytes) -> list[Any]:
    """The stream is read as the whole story, by iteration and by a handler."""
    events = await t.read(stream)
    equal([event.event for event in events], names(hello()))
    equal(text_of(events), "Hello")
    handler = await t.play(stream)
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.calls.count("on_end"), 1)
    return events


def _framed(name: str, sentence: str, framing: Framing, *defects: str) -> None:
    async def body(t: Kit) -> None:
        await says_hello(t, wire(hello(), framing))

    dialects.add(name, sentence, body, *defects)


def _crlf(name: str, data: str) -> str:
    return standard(name, data).replace("\n", "\r\n")


def _cr(name: str, data: str) -> str:
    return standard(name, data).replace("\n", "\r")


def _commented(name: str, data: str) -> str:
    return f": about {name}\n{standard(name, data)}: ping\n\n"


def _with_id(name: str, data: str) -> str:
    return f"id: 7\nretry: 3000\n{standard(name, data)}"


def _in_lines(name: str, data: str) -> str:
    """The JSON spread over data lines, as pretty printers do."""
    if name == "done":
        return standard(name, data)
    lines = json.dumps(json.loads(data), indent=1).splitlines()
    return "".join([f"event: {name}\n", *(f"data: {line}\n" for line in lines), "\n"])


def _data_first(name: str, data: str) -> str:
    return f"data: {data}\nevent: {name}\n\n"


def _unknown_fields(name: str, data: str) -> str:
    return f"trace: 1\n{standard(name, data)}"


_framed("no-space-after-the-colon", "`event:` and `data:` without a space after the colon are read.", tight)
_framed("crlf-lines", "Lines that end in CRLF are read.", _crlf)
_framed("cr-lines", "Lines that end in CR are read.", _cr)
_framed("comments", "Comments inside, before and between frames are skipped.", _commented)
_framed("id-and-retry", "`id:` and `retry:` fields in a frame do not disturb it.", _with_id)
_framed("data-in-lines", "Data spread over several `data:` lines is one document.", _in_lines)
_framed("data-before-event", "A frame that gives `data:` before `event:` is read.", _data_first)
_framed("unknown-sse-fields", "Fields that the SSE standard does not know are skipped.", _unknown_fields)
_framed(
    "no-blank-line-between-frames", "Frames that follow each other without a blank line are told apart.", unspaced, "13"
)
_framed("data-only", "Frames of `data:` alone that hold `event` and `data` are read under their names.", enveloped, "14")
_framed("both-framings-at-once", "Frames with `event:` whose data holds `event` and `data` too are read.", both, "14")


@dialects.case()
async def byte_order_mark(t: Kit) -> None:
    """A byte order mark before the first frame is skipped."""
    await says_hello(t, b"\xef\xbb\xbf" + wire(hello()))


@dialects.case("12")
async def retry_frame(t: Kit) -> None:
    """A frame that holds nothing but `retry:` is skipped."""
    await says_hello(t, b"retry: 3000\n\n" + wire(hello()))


@dialects.case("12")
async def empty_data(t: Kit) -> None:
    """A frame with empty data is skipped."""
    await says_hello(t, b"data:\n\ndata: \n\n" + wire(hello()))


@dialects.case("12")
async def ping_events(t: Kit) -> None:
    """A frame `event: ping` without data is skipped."""
    await says_hello(t, b"event: ping\n\n" + wire(hello()))


@dialects.case("12")
async def comment_after_an_id(t: Kit) -> None:
    """A comment after a frame with an `id:` is skipped."""
    first, *rest = frames(hello())
    await says_hello(t, b"id: 1\n" + first + b": ping\n\n" + b"".join(rest))


@dialects.case("13")
async def last_frame_without_blank_line(t: Kit) -> None:
    """A last frame that the connection's end cuts off from its blank line is not lost."""
    events = await t.read(wire(hello()[:-1]).rstrip(b"\n"))
    equal([event.event for event in events], names(hello()))


@dialects.case()
async def done_without_a_name(t: Kit) -> None:
    """A stream that ends with `data: [DONE]` and no `event: done` is whole."""
    await says_hello(t, wire(hello()[:-1]) + b"data: [DONE]\n\n")


@dialects.case()
async def bytes_one_by_one(t: Kit) -> None:
    """A stream is read the same however the network cuts it, in the middle of a character too."""
    story = [*opening(), *said("Grüße ", "世界 🌍"), *closing()]
    stream = wire(story).replace(b"\\u00fc", "ü".encode())
    for raw in ("世界", "🌍"):
        stream = stream.replace(json.dumps(raw)[1:-1].encode(), raw.encode())
    cut = stream.index("ü".encode())
    pieces = [stream[:cut], *(stream[i : i + 1] for i in range(cut, cut + 1500)), stream[cut + 1500 :]]
    equal(text_of(await t.read(*pieces)), "Grüße 世界 🌍")


@dialects.case("line-separators")
async def line_separators_in_data(t: Kit) -> None:
    """U+2028, U+2029 and U+0085 inside data end no line."""
    story = [*opening(), *said("a\u2028b", "\u2029c\x85d\x0b\x0c\x1c"), *closing()]
    stream = "".join(standard(name, _raw(data)) for name, data in story).encode()
    equal(text_of(await t.read(stream)), "a\u2028b\u2029c\x85d\x0b\x0c\x1c")


def _raw(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


@dialects.case()
async def a_long_frame(t: Kit) -> None:
    """A frame of a megabyte arrives whole."""
    words = "word " * 200_000
    equal(text_of(await t.read(wire([*opening(), *said(words), *closing()]))), words)


# servers -------------------------------------------------------------------------------------------------


def _server_holds(t: Kit, status: str = "completed", content: str = "Hello") -> None:
    """What a GET shows after the stream, to a client that asks how the run ended."""
    t.answers("GET", ONE_RUN, reply(run(status)))
    t.answers("GET", STEPS, reply(page(step(status=status))))
    t.answers("GET", MESSAGES, reply(page(message(text(content)))))


@dialects.case("14")
async def astra(t: Kit) -> None:
    """Astra: data-only frames that stop after the last message delta; the text and the run's end arrive."""
    _server_holds(t)
    story = [*opening(), *said("Hel", "lo")[:-2]]
    handler = await t.play(wire(story, enveloped))
    equal(handler.calls.texts("on_text_delta"), ["Hel", "lo"])
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.current_run.status, "completed")


@dialects.case("14")
async def litellm(t: Kit) -> None:
    """LiteLLM proxy: data-only frames without nulls, ended by `data: [DONE]`."""
    story: list[Event] = [(name, data if name == "done" else _without_nulls(data)) for name, data in hello()]
    await says_hello(t, wire(story, enveloped))


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_nulls(value) for name, value in data.items() if value is not None}
    return data


def _open_assistant_api() -> bytes:
    """CRLF, pings, float timestamps, a call sent whole and again as a delta, no end but a misnamed event."""
    call = function("get_weather", '{"city":"Rome"}')
    restated = call_delta(id="call_1", function={"name": "get_weather", "arguments": '{"city":"Rome"}'})
    story: list[Event] = [
        ("thread.run.created", run("queued", created_at=1_700_000_000.25)),
        ("thread.run.in_progress", run("in_progress", created_at=1_700_000_000.25)),
        ("thread.run.step.created", tool_step(call, status="in_progress")),
        ("thread.run.step.delta", step_delta(restated)),
        ("thread.run.requires_action", run("requires_action", **required(call))),
        ("thread.run.completed", run("requires_action", **required(call))),
    ]
    pinged = (frame + b": ping - 2024-01-01 00:00:00\r\n\r\n" for frame in frames(story, _crlf))
    return b"".join(pinged)


@dialects.case("restated-call")
async def open_assistant_api(t: Kit) -> None:
    """open-assistant-api: a tool call sent whole and then again as a delta is one call, not a doubled one."""
    _server_holds(t, "requires_action")
    handler = await t.play(_open_assistant_api())
    (step,) = await t.value(handler.get_final_run_steps())
    (call,) = step.step_details.tool_calls
    equal((call.function.name, call.function.arguments), ("get_weather", '{"city":"Rome"}'))


@dialects.case()
async def a_run_is_in_the_state_of_its_status(t: Kit) -> None:
    """open-assistant-api: a `thread.run.completed` whose run requires action leaves the run requiring action."""
    _server_holds(t, "requires_action")
    handler = await t.play(_open_assistant_api())
    equal((await t.value(handler.get_final_run())).status, "requires_action")


@dialects.case("index-left-out")
async def dashscope(t: Kit) -> None:
    """DashScope: no space after the colon, deltas without an index, timestamps in milliseconds."""
    story: list[Event] = []
    for name, data in hello():
        if name == "thread.message.delta":
            (block,) = data["delta"]["content"]
            block = {key: value for key, value in block.items() if key != "index"}
            data = {**data, "delta": {"content": [block]}}
        elif name != "done":
            data = {**data, "created_at": 1_700_000_000_123}
        story.append((name, data))
    await says_hello(t, wire(story, tight))


@dialects.case()
async def azure_content_filter_fields(t: Kit) -> None:
    """Azure: additional fields in events and deltas are carried along."""
    extra = {"content_filter_results": {"hate": {"filtered": False}}}
    story: list[Event] = [(name, {**data, **extra} if name == "thread.message.delta" else data) for name, data in hello()]
    events = await t.read(wire(story))
    equal(text_of(events), "Hello")
    equal(events[7].data.content_filter_results, extra["content_filter_results"])


@dialects.case()
async def the_last_event_says_completed_of_an_incomplete_run(t: Kit) -> None:
    """OpenAI: a `thread.run.completed` whose run is `incomplete` leaves the run incomplete."""
    cut = run("incomplete", incomplete_details={"reason": "max_prompt_tokens"})
    handler = await t.play(wire([*opening(), *said("Hel"), ("thread.run.completed", cut), DONE]))
    final = await t.value(handler.get_final_run())
    equal((final.status, final.incomplete_details.reason), ("incomplete", "max_prompt_tokens"))
