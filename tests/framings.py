"""How servers put events on the wire.

``wire`` writes the events that it is given and no more; ``sse`` and ``data_only`` write a whole answer, with
the mark that ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Event = tuple[str, Any]
END: Event = ("done", "[DONE]")
"""The mark that ends a stream, as an event among the others; the one whose data is no JSON."""

# A framing is a template of one event: of its {name} and {data}; of the {envelope}, data that holds both; and
# of the {lines} of data that a pretty printer spreads its JSON over.
standard = "event: {name}\ndata: {data}\n\n"  # OpenAI's and Azure's
crlf = "event: {name}\r\ndata: {data}\r\n\r\n"
cr = "event: {name}\rdata: {data}\r\r"
tight = "event:{name}\ndata:{data}\n\n"
unspaced = "event: {name}\ndata: {data}\n"
commented = ": about {name}\nevent: {name}\ndata: {data}\n\n: ping\n\n"
with_id = "id: 7\nretry: 3000\nevent: {name}\ndata: {data}\n\n"
in_lines = "event: {name}\n{lines}\n"
data_first = "data: {data}\nevent: {name}\n\n"
unknown_fields = "trace: 1\nevent: {name}\ndata: {data}\n\n"
after_a_ping = "event: ping\ndata:\n\nevent: {name}\ndata: {data}\n\n"
after_bare_data = "data\n\nevent: {name}\ndata: {data}\n\n"
enveloped = "data: {envelope}\n\n"  # Astra's and LiteLLM's
enveloped_unspaced = "data: {envelope}\n"
both = "event: {name}\ndata: {envelope}\n\n"


def frames(events: Iterable[Event], framing: str = standard, *, ascii: bool = True) -> Iterator[bytes]:
    indent = 1 if "{lines}" in framing else None
    for event in events:
        name, data = event
        text = data if event == END else json.dumps(data, ensure_ascii=ascii, indent=indent)
        envelope = text if event == END else f'{{"event": {json.dumps(name)}, "data": {text}}}'
        lines = "".join(f"data: {line}\n" for line in text.split("\n"))
        yield framing.format(name=name, data=text, envelope=envelope, lines=lines).encode()


def wire(events: Iterable[Event], framing: str = standard, *, ascii: bool = True) -> bytes:
    return b"".join(frames(events, framing, ascii=ascii))


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


def _with_done(framing: str) -> Callable[[list[Event]], bytes]:
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
