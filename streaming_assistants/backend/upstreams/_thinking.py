"""Takes ``<think>...</think>`` out of what models say: ``LocalBackend(think="drop")``. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from .._engine.port import (
    ContentDelta,
    Failed,
    Finished,
    Json,
    MessageEnd,
    Piece,
    ToolCallDelta,
    Upstream,
)
from ._rewriting import Rewritten

_BEGIN, _END = "<think>", "</think>"


class Thoughts:
    """One text as it grows: what it begins with between the two marks is left out, with the space around."""

    def __init__(self) -> None:
        self.dropped = 0  # characters
        self._held = ""
        self._state = "maybe"  # then thinking, then after, then said

    def feed(self, text: str) -> str:
        """What can be said now."""
        if self._state == "said":
            return text
        self._held += text
        if self._state == "maybe":
            start = self._held.lstrip()
            if _BEGIN.startswith(start):  # nothing yet, or a part of the mark
                return ""
            if not start.startswith(_BEGIN):
                return self._say()
            self._state = "thinking"
        if self._state == "thinking":
            thought, end, rest = self._held.partition(_END)
            if not end:
                return ""
            self.dropped += len(thought) + len(end)
            self._held, self._state = rest, "after"
        rest = self._held.lstrip()
        if not rest:
            return ""
        self.dropped += len(self._held) - len(rest)
        self._held = rest
        return self._say()

    def close(self) -> str:
        """What was held back and is no thought after all."""
        return self._say() if self._state == "maybe" else ""

    def _say(self) -> str:
        held, self._held, self._state = self._held, "", "said"
        return held


class _Messages:
    """The pieces of a conversation, its texts without thoughts. A message of thoughts alone is none."""

    def __init__(self) -> None:
        self._texts: dict[int, Thoughts] = {}
        self._numbers: dict[int, int] = {}  # of the parts that have been said

    def read(self, piece: Piece) -> Iterator[Piece]:
        if isinstance(piece, ContentDelta):
            yield from self._content(piece.part)
            return
        if isinstance(piece, (MessageEnd, ToolCallDelta, Finished, Failed)):
            yield from self.end()
            spoken = bool(self._numbers)
            self._texts, self._numbers = {}, {}
            if isinstance(piece, MessageEnd) and not spoken:
                return
        yield piece

    def end(self) -> Iterator[Piece]:
        for index, thoughts in self._texts.items():
            held = thoughts.close()
            if held:
                yield self._said(index, {"type": "text", "text": {"value": held}})

    def _content(self, part: Json) -> Iterator[Piece]:
        index = part["index"]
        if part["type"] != "text":
            yield self._said(index, part)
            return
        thoughts = self._texts.setdefault(index, Thoughts())
        text = {**part["text"], "value": thoughts.feed(part["text"].get("value") or "")}
        marks = text.get("annotations")
        if marks:
            text["annotations"] = [_moved(mark, thoughts.dropped) for mark in marks]
        if text["value"] or marks:
            yield self._said(index, {**part, "text": text})

    def _said(self, index: int, part: Json) -> Piece:
        if index not in self._numbers and part["type"] == "text":
            part = {**part, "text": {"annotations": [], **part["text"]}}
        return ContentDelta({**part, "index": self._numbers.setdefault(index, len(self._numbers))})


def without_thoughts(upstream: Upstream) -> Upstream:
    """The upstream, its texts without the thoughts that they begin with."""
    return Rewritten(upstream, _Messages)


def _moved(mark: Json, by: int) -> Json:
    moved = {name: mark[name] - by for name in ("start_index", "end_index") if mark.get(name) is not None}
    return {**mark, **moved}
