"""Text in which a model cites what it was given: ``【4:0†terms.pdf】`` becomes a file_citation. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from .._engine.port import Json
from ._citations import AnnotatedText

_MARKER = re.compile(r"【 *(?P<place>\d{1,6})(?: *: *(?P<rank>\d{1,6}))? *(?:†(?P<name>[^【】\n]*))?】")
# What may still become a marker.
_BEGUN = re.compile(r"【 *(?:\d{1,6} *(?:(?:: *(?:\d{1,6} *(?:†[^【】\n]{0,300})?)?)|†[^【】\n]{0,300})?)?")


class Marker(NamedTuple):
    """What a model wrote: ``【place:rank†name】``; it may leave out the rank or the name."""

    place: int
    rank: int | None
    name: str | None


FileNamed: TypeAlias = Callable[[Marker], "str | None"]
"""The id of the file that a marker names, where it names one."""


class WrittenMarkers:
    """One text part as the model says it, in values of a text delta.

    A marker may be cut between deltas anywhere: what may become one waits. One that names nothing is left
    out; what has a bracket and is no marker is text like any other.
    """

    def __init__(self, file_named: FileNamed) -> None:
        self._file_named = file_named
        self._text = AnnotatedText()
        self._held = ""
        self._received = 0  # characters of the model's text that are decided
        self._left_out: list[tuple[int, int]] = []  # (where in the model's text it began, its length)
        self._numbers: dict[int, int] = {}  # of annotations of the upstream's own, among all

    def feed(self, delta: str) -> Iterator[Json]:
        rest, self._held = self._held + delta, ""
        said = ""
        while rest:
            before, bracket, _ = rest.partition("【")
            said += before
            rest = rest[len(before) :]
            if not bracket:
                break
            marker = _MARKER.match(rest)
            if marker is None:
                if _BEGUN.fullmatch(rest):
                    self._held = rest
                    break
                said, rest = said + bracket, rest[1:]
                continue
            written = Marker(
                int(marker["place"]), int(marker["rank"]) if marker["rank"] else None, marker["name"]
            )
            file_id = self._file_named(written)
            if file_id is None and written.name is None:  # a number in brackets
                said, rest = said + marker[0], rest[marker.end() :]
                continue
            if said:
                yield self._say(said)
                said = ""
            if file_id is None:
                self._left_out.append((self._received, len(marker[0])))
            else:
                yield self._text.cite(marker[0], file_id)
            self._received += len(marker[0])
            rest = rest[marker.end() :]
        if said:
            yield self._say(said)

    def annotated(self, value: str, annotations: list[Json]) -> Iterator[Json]:
        """A delta that the upstream itself has annotated: its text is as it wants it."""
        yield from self.flush()
        self._received += len(value)
        yield {**self._text.say(value), "annotations": [self._moved(each) for each in annotations]}

    def flush(self) -> Iterator[Json]:
        """The text is whole: what has waited is no marker."""
        held, self._held = self._held, ""
        if held:
            yield self._say(held)

    def _say(self, value: str) -> Json:
        self._received += len(value)
        return self._text.say(value)

    def _moved(self, annotation: Json) -> Json:
        """The annotation as it counts where markers were left out before it, and among ours."""
        moved = dict(annotation)
        for name in ("start_index", "end_index"):
            at = annotation.get(name)
            if at is not None:
                moved[name] = at - sum(length for place, length in self._left_out if place < at)
        theirs = annotation.get("index", len(self._numbers))
        if theirs not in self._numbers:
            self._numbers[theirs] = self._text.next_number()
        return {**moved, "index": self._numbers[theirs]}
