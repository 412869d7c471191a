"""The ways in which servers write the same events down."""

from __future__ import annotations

import json

from tests.conformance.hello import says_hello
from tests.conformance.kit import Kit, equal, text_of
from tests.conformance.registry import Group
from tests.framings import (
    both,
    commented,
    cr,
    crlf,
    data_first,
    enveloped,
    frames,
    in_lines,
    tight,
    unknown_fields,
    unspaced,
    wire,
    with_id,
)
from tests.samples import closing, hello, names, opening, said

dialects = Group("dialects")


def _framed(name: str, sentence: str, framing: str, *defects: str) -> None:
    async def body(t: Kit) -> None:
        await says_hello(t, wire(hello(), framing))

    dialects.add(name, sentence, body, *defects)


_framed("no-space-after-the-colon", "`event:` and `data:` without a space after the colon are read.", tight)
_framed("crlf-lines", "Lines that end in CRLF are read.", crlf)
_framed("cr-lines", "Lines that end in CR are read.", cr)
_framed("comments", "Comments inside, before and between frames are skipped.", commented)
_framed("id-and-retry", "`id:` and `retry:` fields in a frame do not disturb it.", with_id)
_framed("data-in-lines", "Data spread over several `data:` lines is one document.", in_lines)
_framed("data-before-event", "A frame that gives `data:` before `event:` is read.", data_first)
_framed("unknown-sse-fields", "Fields that the SSE standard does not know are skipped.", unknown_fields)
_framed(
    "no-blank-line-between-frames",
    "Frames that follow each other without a blank line are told apart.",
    unspaced,
    "missing_blank_line_crashes",
)
_framed(
    "data-only",
    "Frames of `data:` alone that hold `event` and `data` are read under their names.",
    enveloped,
    "data_only_events_have_no_name",
)
_framed(
    "both-framings-at-once",
    "Frames with `event:` whose data holds `event` and `data` too are read.",
    both,
    "data_only_events_have_no_name",
)


@dialects.case("byte_order_mark_hides_an_event")
async def byte_order_mark(t: Kit) -> None:
    """A byte order mark before the first frame is skipped."""
    await says_hello(t, b"\xef\xbb\xbf" + wire(hello()))


@dialects.case("empty_data_frames_crash")
async def retry_frame(t: Kit) -> None:
    """A frame that holds nothing but `retry:` is skipped."""
    await says_hello(t, b"retry: 3000\n\n" + wire(hello()))


@dialects.case("empty_data_frames_crash")
async def empty_data(t: Kit) -> None:
    """A frame with empty data is skipped."""
    await says_hello(t, b"data:\n\ndata: \n\n" + wire(hello()))


@dialects.case("empty_data_frames_crash")
async def ping_events(t: Kit) -> None:
    """A frame `event: ping` without data is skipped."""
    await says_hello(t, b"event: ping\n\n" + wire(hello()))


@dialects.case("empty_data_frames_crash")
async def comment_after_an_id(t: Kit) -> None:
    """A comment after a frame with an `id:` is skipped."""
    first, *rest = frames(hello())
    await says_hello(t, b"id: 1\n" + first + b": ping\n\n" + b"".join(rest))


@dialects.case("last_frame_is_dropped")
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


@dialects.case("line_separator_splits_a_line")
async def line_separators_in_data(t: Kit) -> None:
    """U+2028, U+2029 and U+0085 inside data end no line."""
    story = [*opening(), *said("a\u2028b", "\u2029c\x85d\x0b\x0c\x1c"), *closing()]
    equal(text_of(await t.read(wire(story, ascii=False))), "a\u2028b\u2029c\x85d\x0b\x0c\x1c")


@dialects.case()
async def a_long_frame(t: Kit) -> None:
    """A frame of a megabyte arrives whole."""
    words = "word " * 200_000
    equal(text_of(await t.read(wire([*opening(), *said(words), *closing()]))), words)
