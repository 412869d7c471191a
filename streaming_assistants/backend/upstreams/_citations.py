"""Text whose annotations count positions in another way than the Assistants API does.

POST /responses says at which ``index`` of its text a citation belongs. An Assistants annotation is a stretch
of the text itself (``text[start_index:end_index] == annotation["text"]``), which clients replace by a
footnote. So a marker is put into the text, in the form of the hosted API: ``【4:0†notes.txt】``.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterator

from .._engine.port import Json

_MARKER = re.compile(r"【[^【】]*†[^【】]*】\Z")
_LINK = re.compile(r"sandbox:/[^\s)\]>\"'`]+")


class AnnotatedText:
    """One text part as it is shown, in characters; what grows it are values of a text delta:
    ``{"value", "annotations"?}``, the list empty in the first, as the hosted API had it."""

    def __init__(self) -> None:
        self.length = 0
        self._annotations = 0

    def say(self, value: str) -> Json:
        first = not self.length
        self.length += len(value)
        return {"value": value, "annotations": []} if first else {"value": value}

    def annotate(self, value: str, start: int, text: str, mark: Json) -> Json:
        """Says ``value``, with the annotation of ``text``, which is in the whole from ``start`` on."""
        self.length += len(value)
        annotation = {
            "index": self.next_number(),
            "type": mark["type"],
            "text": text,
            "start_index": start,
            "end_index": start + len(text),
            **mark,
        }
        return {"value": value, "annotations": [annotation]}

    def next_number(self) -> int:
        """The index of one more annotation."""
        self._annotations += 1
        return self._annotations - 1

    def cite(self, marker: str, file_id: str) -> Json:
        """Says a marker that stands for a file."""
        return self.annotate(marker, self.length, marker, citation(file_id))


def citation(file_id: str) -> Json:
    """What an annotation of a delta says of the file; the quote was always empty in the hosted API."""
    return {"type": "file_citation", "file_citation": {"file_id": file_id, "quote": ""}}


class MarkedText:
    """One text part as it grows, in characters, as values of a text delta.

    What was said cannot be changed: a citation for a place already passed is put at the end of the text.
    """

    def __init__(self) -> None:
        self.received = 0  # length of the upstream's text so far
        self._text = AnnotatedText()  # with its markers
        self._shown: list[str] = []
        self._shifts: list[tuple[int, int]] = []  # (position in the upstream's text, length put in there)
        self._waiting: list[tuple[int, int, str, str]] = []  # (index, arrival, marker, file id)
        self._claimed: set[int] = set()

    def feed(self, delta: str) -> Iterator[Json]:
        while self._waiting and self._waiting[0][0] <= self.received + len(delta):
            index, _, marker, file_id = self._waiting.pop(0)
            head, delta = delta[: index - self.received], delta[index - self.received :]
            if head:
                yield self._say(head)
            yield self._mark(marker, file_id)
        if delta:
            yield self._say(delta)

    def cite(self, index: int, marker: str, file_id: str) -> Iterator[Json]:
        """A file_citation at ``index`` of the upstream's text; waits for the text to get there."""
        if index > self.received:
            insort(self._waiting, (index, len(self._waiting), marker, file_id))
        else:
            yield self._mark(marker, file_id)

    def flush(self) -> Iterator[Json]:
        """The text is whole: citations that point past it go to its end."""
        for _, _, marker, file_id in self._waiting:
            yield self._mark(marker, file_id)
        self._waiting = []

    def link(self, start: int, end: int, filename: str, file_id: str) -> Json:
        """A file_path for ``start:end`` of the upstream's text, or for the link to ``filename`` in it.

        None if there is neither. Call after :meth:`flush`.
        """
        text = self._whole()
        low, high = self._shift(start), self._shift(end)
        if 0 <= start < end <= self.received:
            link = _LINK.search(text, low, high)
            place = link.span() if link else (low, high)
        else:
            place = next(
                (
                    link.span()
                    for link in _LINK.finditer(text)
                    if link.group().endswith("/" + filename) and link.start() not in self._claimed
                ),
                (0, 0),
            )
        if place[0] >= place[1]:
            return None
        return self._annotate("", *place, {"type": "file_path", "file_path": {"file_id": file_id}})

    def append_link(self, filename: str, file_id: str) -> Json:
        """A file_path whose text, a link, is put at the end because the model wrote none."""
        marker = f"sandbox:/mnt/data/{filename}"
        separator = "\n" if self._text.length else ""
        start = self._text.length + len(separator)
        mark = {"type": "file_path", "file_path": {"file_id": file_id}}
        return self._annotate(separator + marker, start, start + len(marker), mark)

    def _mark(self, marker: str, file_id: str) -> Json:
        own = _MARKER.search(self._whole()) if self._shown else None
        if own and own.start() not in self._claimed:  # some models write the marker themselves
            return self._annotate("", own.start(), own.end(), citation(file_id))
        start = self._text.length
        self._shifts.append((self.received, len(marker)))
        return self._annotate(marker, start, start + len(marker), citation(file_id))

    def _annotate(self, value: str, start: int, end: int, mark: Json) -> Json:
        self._shown.append(value)
        self._claimed.add(start)
        return self._text.annotate(value, start, self._whole()[start:end], mark)

    def _say(self, value: str) -> Json:
        self.received += len(value)
        self._shown.append(value)
        return self._text.say(value)

    def _whole(self) -> str:
        self._shown = ["".join(self._shown)]
        return self._shown[0]

    def _shift(self, position: int) -> int:
        return position + sum(length for place, length in self._shifts if place <= position)
