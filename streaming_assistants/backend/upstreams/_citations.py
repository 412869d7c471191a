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


class MarkedText:
    """One text part as it grows, in characters. Its methods yield values of a text delta:
    ``{"value", "annotations"?}``, the list empty in the first, as the hosted API had it.

    What was said cannot be changed: a citation for a place already passed is put at the end of the text.
    """

    def __init__(self) -> None:
        self.received = 0  # length of the upstream's text so far
        self._shown: list[str] = []
        self._length = 0  # length of the text with its markers
        self._shifts: list[tuple[int, int]] = []  # (position in the upstream's text, length put in there)
        self._waiting: list[tuple[int, int, str, str]] = []  # (index, arrival, marker, file id)
        self._count = 0
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
        text = self._text()
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
        separator = "\n" if self._length else ""
        start = self._length + len(separator)
        mark = {"type": "file_path", "file_path": {"file_id": file_id}}
        return self._annotate(separator + marker, start, start + len(marker), mark)

    def _mark(self, marker: str, file_id: str) -> Json:
        mark = {"type": "file_citation", "file_citation": {"file_id": file_id, "quote": ""}}
        own = _MARKER.search(self._text()) if self._shown else None
        if own and own.start() not in self._claimed:  # some models write the marker themselves
            return self._annotate("", own.start(), own.end(), mark)
        start = self._length
        self._shifts.append((self.received, len(marker)))
        return self._annotate(marker, start, start + len(marker), mark)

    def _annotate(self, value: str, start: int, end: int, mark: Json) -> Json:
        self._append(value)
        self._claimed.add(start)
        annotation = {
            "index": self._count,
            "type": mark["type"],
            "text": self._text()[start:end],
            "start_index": start,
            "end_index": end,
            **mark,
        }
        self._count += 1
        return {"value": value, "annotations": [annotation]}

    def _say(self, value: str) -> Json:
        first = not self._shown
        self.received += len(value)
        self._append(value)
        return {"value": value, "annotations": []} if first else {"value": value}

    def _append(self, value: str) -> None:
        self._shown.append(value)
        self._length += len(value)

    def _text(self) -> str:
        self._shown = ["".join(self._shown)]
        return self._shown[0]

    def _shift(self, position: int) -> int:
        return position + sum(length for place, length in self._shifts if place <= position)
