"""Server-sent events, from bytes to frames. Sans-IO: nothing here reads a socket or waits.

The decoder reads by the WHATWG rules (https://html.spec.whatwg.org/multipage/server-sent-events.html)
with one addition: :meth:`FrameDecoder.close` gives back a last frame that lacks its blank line, which
the rules discard and some servers send.
"""

from __future__ import annotations

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_DIGITS = 18  # of a time that is meant: int() refuses thousands of them
_MANY = 100  # event names that are remembered; a server that invents more is read all the same
_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long


class Frame(NamedTuple):
    """One server-sent event.

    ``event`` is ``""`` when the frame named none. ``data`` is the joined data lines, undecoded: JSON is
    UTF-8, so whoever parses it also learns of invalid bytes. ``parts`` is None but for a frame of
    several data lines: there it holds each (event, data) line by itself, for servers that forget the
    blank line between two frames.
    """

    event: str
    data: bytes
    id: str = ""
    retry: int | None = None
    parts: tuple[tuple[str, bytes], ...] | None = None


class FrameDecoder:
    """Turns chunks of a response body, cut anywhere, into frames.

    >>> decoder = FrameDecoder()
    >>> decoder.feed(b"event: done\\ndata: [DO")
    []
    >>> decoder.feed(b"NE]\\n\\n")
    [Frame(event='done', data=b'[DONE]', id='', retry=None, parts=None)]
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []  # chunks of a block that has no end yet; joined once, at its end
        self._started = False
        self._after_cr = False
        self._last_id = ""
        self.unframed = b""  # the last block that looks like JSON and is no frame
        # First lines of frames that were read in full before, and of those that have data alone.
        self._names: dict[bytes, str] = {b"": ""}

    def feed(self, chunk: bytes) -> list[Frame]:
        """Takes the next bytes; answers with the frames that they complete."""
        if not self._held and self._started and not self._after_cr and chunk[-2:] == b"\n\n":
            # How servers send: one frame in a chunk, with a name that came before, and some with a number.
            said, block = _number(chunk) if chunk[:4] == b"id: " else (None, chunk)
            head, _, data = (
                (b"", b"", block[6:]) if block.startswith(b"data: ") else block.partition(b"\ndata: ")
            )
            name = self._names.get(head)
            if name is not None and data.find(b"\n") == len(data) - 2 and b"\r" not in data:
                if said is not None:
                    self._last_id = said
                return [_new(Frame, (name, data[:-2], self._last_id, None, None))]
        if not self._started:
            chunk = self._without_bom(chunk)
        if self._after_cr and chunk:
            # The CR that ended the last chunk was a line end by itself: a CRLF cut in two is one end.
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not chunk:
            return []

        held = self._held
        if held:
            crosses = chunk[0] == 0x0A and held[-1][-1] == 0x0A
            if not crosses and b"\n\n" not in chunk:
                held.append(chunk)
                return []
            held.append(chunk)
            chunk = b"".join(held)
            held.clear()
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            held.append(rest)
        frames = []
        known = self._names.get
        for block in blocks:
            # Nearly every frame is "event: NAME\ndata: JSON" with a name that came before.
            said, rest = _number(block) if block[:4] == b"id: " else (None, block)
            head, has_data, data = rest.partition(b"\ndata: ")
            name = known(head)
            if name is not None and has_data and b"\n" not in data:
                if said is not None:
                    self._last_id = said
                frames.append(_new(Frame, (name, data, self._last_id, None, None)))
            elif rest.startswith(b"data: ") and b"\n" not in rest:
                if said is not None:
                    self._last_id = said
                frames.append(_new(Frame, ("", rest[6:], self._last_id, None, None)))
            elif (frame := self._frame(block)) is not None:
                frames.append(frame)
        return frames

    def close(self) -> Frame | None:
        """Ends the body; answers with the last frame where its blank line is missing."""
        block = b"".join(self._held)
        self._held.clear()
        return self._frame(block)

    def _without_bom(self, chunk: bytes) -> bytes:
        start = b"".join(self._held) + chunk
        self._held.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            if start:
                self._held.append(start)
            return b""
        self._started = True
        return start[len(_BOM) :] if start.startswith(_BOM) else start

    def _frame(self, block: bytes) -> Frame | None:
        lines = block.split(b"\n")
        event = ""
        retry: int | None = None
        parts: list[tuple[str, bytes]] = []
        for line in lines:
            name, _colon, value = line.partition(b":")
            if not name:
                continue  # a blank line, or a comment
            if value[:1] == b" ":
                value = value[1:]
            if name == b"data":
                parts.append((event, value))
            elif name == b"event":
                event = str(value, "utf-8", "replace")
            elif name == b"id":
                if b"\0" not in value:
                    self._last_id = str(value, "utf-8", "replace")
            elif name == b"retry" and value.isdigit() and len(value) <= _DIGITS:
                retry = int(value)
        if not parts:
            if block.lstrip()[:1] in (b"{", b"["):
                self.unframed = block
            return None
        first = lines[1] if lines[0].startswith(b"id:") and len(lines) > 1 else lines[0]
        if first.startswith(b"event: ") and len(self._names) < _MANY:
            self._names[first] = str(first[7:], "utf-8", "replace")
        data = b"\n".join([value for _, value in parts])
        return Frame(event, data, self._last_id, retry, tuple(parts) if len(parts) > 1 else None)


def _number(block: bytes) -> tuple[str | None, bytes]:
    """The number that a block begins with, and the rest of it; None and all of it for any other id."""
    said, _, rest = block.partition(b"\n")
    digits = said[4:]
    return (digits.decode(), rest) if digits.isdigit() else (None, block)
