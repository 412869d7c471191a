"""A message's text with its citations numbered, as it grows. Sans-IO.

A marker such as ``【4:0†contract.pdf】`` becomes ``[1]`` once the annotation that explains it is there. What
may still become a marker is held back, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .merge import copied, merge
from .models import MESSAGE_DELTA

_MARKER = re.compile(r"【\d+(?::\d+)?†[^【】\n]*】")
_BEGINNING = re.compile(r"【(?:\d+(?::\d*)?(?:†[^【】\n]*)?)?\Z")

_LONGEST = 512  # characters of a marker
PATIENCE = 256
"""Characters after a marker within which its annotation has to come."""


@dataclass
class Source:
    """What a text cites: ``number`` is None until the text shows it by one."""

    type: str
    file_id: str | None = None
    url: str | None = None
    title: str | None = None
    quote: str | None = None
    number: int | None = None

    @property
    def key(self) -> tuple[str | None, ...]:
        """What is one and the same source."""
        return (self.type, self.file_id or self.url or self.title)


@dataclass
class _Note:
    """One annotation: what it says, and where in the text it stands."""

    value: dict[str, Json] = field(default_factory=dict)
    place: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        text = self.value.get("text")
        return text if isinstance(text, str) else ""

    @property
    def is_link(self) -> bool:
        """Whether the text shows it as it is."""
        return self.value.get("type") == "file_path"


class CitedMessage:
    """The text of one message, block by block. What comes out never changes what came out before."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self._blocks: dict[int, _Block] = {}
        self._open: _Block | None = None

    def add(self, index: int, block: Model) -> Iterator[str]:
        """What the growth of a block lets out, or a whole block.

        Where another block goes on, the one before it has all that it gets.
        """
        text = getattr(block, "text", None) if block.type == "text" else None
        if text is None:
            return
        to = self._blocks.get(index)
        if to is None:
            to = self._blocks[index] = _Block(self.sources)
        if self._open is not None and self._open is not to:
            yield from self._open.last()
        self._open = to
        to.take(text.value or "", map(_sdk.dump, text.annotations or ()))
        yield from to.decided()

    def close(self) -> Iterator[str]:
        """What was held back."""
        if self._open is not None:
            yield from self._open.last()


class CitedDeltas:
    """The cited text of a stream, event by event. Each message counts from 1."""

    def __init__(self) -> None:
        self._messages: dict[str, CitedMessage] = {}

    def add(self, event: Model) -> Iterator[str]:
        """What an event lets out."""
        if event.event == MESSAGE_DELTA:
            message = self._messages.get(event.data.id)
            if message is None:
                message = self._messages[event.data.id] = CitedMessage()
            for delta in event.data.delta.content or ():
                yield from message.add(delta.index or 0, delta)
        elif event.event in ("thread.message.completed", "thread.message.incomplete"):
            ended = self._messages.get(event.data.id)
            if ended is not None:
                yield from ended.close()

    def close(self) -> Iterator[str]:
        """What was held back, where a stream ends in the middle of a message."""
        for message in self._messages.values():
            yield from message.close()


class _Block:
    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources
        self._text = ""  # what was not let out yet
        self._before = 0  # how many characters were
        self._notes: dict[int, _Note] = {}  # what the text does not show yet
        self._shown: set[int] = set()
        self._next = 0

    def take(self, value: str, annotations: Iterable[dict[str, Json]]) -> None:
        self._text += value
        for item in annotations:
            index = item.get("index")
            if not isinstance(index, int):
                index = self._next
            self._next = max(self._next, index + 1)
            if index not in self._shown:
                merge(self._notes.setdefault(index, _Note()).value, copied(item))

    def last(self) -> Iterator[str]:
        """What is left of it, as it is; what nothing shows is listed, too."""
        yield from self.decided(final=True)
        for note in self._notes.values():
            self._source(note)
        self._notes.clear()

    def decided(self, *, final: bool = False) -> Iterator[str]:
        """What is certain of the text, and is let out."""
        pieces = "".join(self._pieces(self._marks(), final))
        if pieces:
            yield pieces

    def _pieces(self, marks: list[tuple[int, int, int]], final: bool) -> Iterator[str]:
        while self._text:
            opened = self._text.find("【")
            ahead = marks[0][0] - self._before if marks else len(self._text)
            if marks and (opened < 0 or ahead <= opened):
                yield self._out(ahead)
                yield self._numbered(marks)
            elif opened > 0:
                yield self._out(opened)
            elif opened == 0:
                length = min(self._plain(final), ahead)
                if not length:
                    return
                yield self._out(length)
            else:
                yield self._out(len(self._text) if final else self._foreseen())
                return

    def _marks(self) -> list[tuple[int, int, int]]:
        """Where annotations stand that the text shows by a number: start, end, index; in order.

        That is at their offsets or, where a server counts otherwise, at the first place that nothing else
        claims.
        """
        lost = [note for note in self._notes.values() if note.place is None and note.text]
        for note in lost:
            start = note.value.get("start_index")
            if not isinstance(start, int) or start < self._before:
                continue
            if self._text.startswith(note.text, start - self._before):
                note.place = (start, start + len(note.text))
        for note in lost:
            here = -1
            while note.place is None:
                here = self._text.find(note.text, here + 1)
                if here < 0:
                    break
                place = (here + self._before, here + self._before + len(note.text))
                if all(other.place != place for other in self._notes.values()):
                    note.place = place
        return sorted(
            (*note.place, index)
            for index, note in self._notes.items()
            if note.place is not None and note.place[0] >= self._before and not note.is_link
        )

    def _plain(self, final: bool) -> int:
        """How much of a text that begins like a marker is none; 0 while that cannot be told."""
        whole = _MARKER.match(self._text)
        if whole is not None:
            return whole.end() if final or len(self._text) >= whole.end() + PATIENCE else 0
        begins = len(self._text) < _LONGEST and _BEGINNING.match(self._text)
        return 0 if begins and not final else 1

    def _foreseen(self) -> int:
        """Where the text begins that an annotation, told before it, may be about."""
        stop = len(self._text)
        for note in self._notes.values():
            if note.place is None and not note.is_link:
                for length in range(min(len(note.text) - 1, len(self._text)), 0, -1):
                    if self._text.endswith(note.text[:length]):
                        stop = min(stop, len(self._text) - length)
                        break
        return stop

    def _out(self, stop: int) -> str:
        out, self._text = self._text[:stop], self._text[stop:]
        self._before += len(out)
        return out

    def _numbered(self, marks: list[tuple[int, int, int]]) -> str:
        """The numbers in place of the marker that the text begins with, and of those that overlap with it."""
        numbers: list[int] = []
        end = marks[0][1]
        while marks and marks[0][0] < end:
            _, its_end, index = marks.pop(0)
            end = max(end, its_end)
            self._shown.add(index)
            source = self._source(self._notes.pop(index))
            if source.number is None:
                source.number = 1 + max((known.number or 0 for known in self._sources), default=0)
            if source.number not in numbers:
                numbers.append(source.number)
        self._out(end - self._before)
        return "".join(f"[{number}]" for number in numbers)

    def _source(self, note: _Note) -> Source:
        """What an annotation is about, which is listed once however often it is cited."""
        kind = str(note.value.get("type"))
        about = note.value.get(kind)
        said = about if isinstance(about, dict) else {}
        file_id, url, title, quote = (_words(said.get(name)) for name in ("file_id", "url", "title", "quote"))
        made = Source(kind, file_id, url, title or (None if file_id or url else note.text), quote)
        for known in self._sources:
            if known.key == made.key:
                known.quote = known.quote or made.quote
                return known
        self._sources.append(made)
        return made


def _words(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
