"""The question that many dialects are asked: is the whole story there?"""

from __future__ import annotations

from tests.conformance.kit import Kit, equal, text_of
from tests.samples import hello, names


async def says_hello(t: Kit, stream: bytes) -> None:
    """The stream is read as the whole story, by iteration and by a handler."""
    events = await t.read(stream)
    equal([event.event for event in events], names(hello()))
    equal(text_of(events), "Hello")
    handler = await t.play(stream)
    equal(handler.calls.texts("on_text_done"), ["Hello"])
    equal(handler.calls.count("on_end"), 1)
