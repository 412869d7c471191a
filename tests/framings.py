"""How servers put events on the wire: what is between one event and its bytes.

A framing writes one event, of its name and its data as text. ``wire`` writes the events that it is given and
no more; ``sse`` and ``data_only`` write a whole answer, with the mark that ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Event = tuple[str, Any]
END: Event = ("done", "[DONE]")
"""The mark that ends a stream, as an event among the others; the one whose data is no JSON."""

Framing = Callable[[str, str], str]


def standard(name: str, data: str) -> str:
    """OpenAI's and Azure's."""
    return f"event: {name}\ndata: {data}\n\n"


def crlf(name: str, data: str) -> str:
    return standard(name, data).replace("\n", "\r\n")


def cr(name: str, data: str) -> str:
    return standard(name, data).replace("\n", "\r")


def tight(name: str, data: str) -> str:
    """No space after the colon."""
    return f"event:{name}\ndata:{data}\n\n"


def unspaced(name: str, data: str) -> str:
    """No blank line after the frame."""
    return f"event: {name}\ndata: {data}\n"


def commented(name: str, data: str) -> str:
    return f": about {name}\n{standard(name, data)}: ping\n\n"


def with_id(name: str, data: str) -> str:
    return f"id: 7\nretry: 3000\n{standard(name, data)}"


def in_lines(name: str, data: str) -> str:
    """The JSON spread over data lines, as pretty printers do."""
    if name == "done":
        return standard(name, data)
    lines = json.dumps(json.loads(data), indent=1).split("\n")
    return "".join([f"event: {name}\n", *(f"data: {line}\n" for line in lines), "\n"])


def data_first(name: str, data: str) -> str:
    return f"data: {data}\nevent: {name}\n\n"


def unknown_fields(name: str, data: str) -> str:
    """A field that the SSE standard does not know."""
    return f"trace: 1\n{standard(name, data)}"


def after_a_ping(name: str, data: str) -> str:
    """Behind an event without data."""
    return f"event: ping\ndata:\n\n{standard(name, data)}"


def after_bare_data(name: str, data: str) -> str:
    """Behind a field without its colon."""
    return f"data\n\n{standard(name, data)}"


def enveloped(name: str, data: str) -> str:
    """Astra's and LiteLLM's: data alone, which holds the event's name."""
    return f"data: {_envelope(name, data)}\n\n"


def enveloped_unspaced(name: str, data: str) -> str:
    return f"data: {_envelope(name, data)}\n"


def both(name: str, data: str) -> str:
    """The name before the data and in it."""
    return f"event: {name}\ndata: {_envelope(name, data)}\n\n"


def _envelope(name: str, data: str) -> str:
    return data if name == "done" else f'{{"event": {json.dumps(name)}, "data": {data}}}'


def frames(events: Iterable[Event], framing: Framing = standard) -> Iterator[bytes]:
    for name, data in events:
        yield framing(name, data if data == "[DONE]" else json.dumps(data)).encode()


def wire(events: Iterable[Event], framing: Framing = standard) -> bytes:
    return b"".join(frames(events, framing))


DONE = wire([END])


def frame(event: Event) -> bytes:
    return wire([event])


def sse(events: Iterable[Event], *, end: bytes = DONE) -> bytes:
    return wire(events) + end


def data_only(events: Iterable[Event], *, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return wire(events, enveloped) + end


def chunk_frame(value: str, message: str = "msg_1", object: str = "thread.message.delta") -> bytes:
    """A frame of ``messages.list(stream=True)`` as Astra's server writes it, byte for byte."""
    return (
        b'data: {"object":"%s","first_id":"%s","last_id":"%s","data":[{"id":"%s","object":"thread.message",'
        b'"created_at":1700000001,"thread_id":"thread_1","role":"assistant","content":[{"type":"text",'
        b'"delta":{"value":%s}}],"assistant_id":"asst_1","run_id":"run_1","file_ids":[],"metadata":{}}]}\n\n'
        % (object.encode(), *(3 * [message.encode()]), json.dumps(value).encode())
    )


def _with_done(framing: Framing) -> Callable[[list[Event]], bytes]:
    return lambda events: wire([*events, END], framing)


DIALECTS: dict[str, Callable[[list[Event]], bytes]] = {
    "openai": sse,
    "data_only": data_only,
    "data_only_without_done": lambda events: data_only(events, end=b""),
    "both": _with_done(both),
    "no_space": _with_done(tight),
    "crlf": _with_done(crlf),
    "cr": _with_done(cr),
    "comments": lambda events: b": ping\n\n" + _with_done(commented)(events),
    "ids_and_retries": lambda events: b"retry: 100\n\n" + _with_done(with_id)(events),
    "empty_data": _with_done(after_a_ping),
    "bare_data": _with_done(after_bare_data),
    "bom": lambda events: b"\xef\xbb\xbf" + sse(events),
    "no_blank_lines": lambda events: _with_done(unspaced)(events) + b"\n",
    "data_only_no_blank_lines": lambda events: _with_done(enveloped_unspaced)(events) + b"\n",
    "last_frame_unfinished": lambda events: sse(events, end=b"").rstrip(b"\n"),
    "last_frame_half_finished": lambda events: sse(events, end=b"")[:-1],
    "pretty_json_over_lines": _with_done(in_lines),
    "data_before_event": _with_done(data_first),
    "unknown_fields": _with_done(unknown_fields),
}
"""Ways to write the same events. Each server of the field uses one or a mix of these."""
