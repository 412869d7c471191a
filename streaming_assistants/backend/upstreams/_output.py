"""Puts what a model says into the order of Assistants messages and tool steps. Shared by the upstreams."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from .._engine.port import ContentDelta, Json, Kept, MessageEnd, Piece, ToolCallDelta, Turn


class Output:
    """Numbers message parts and tool calls, and ends messages where tools begin.

    Once a function is called, message content waits: content closes a tool step, all parallel calls of a
    round belong into one, and that one stays open until their outputs are there. So what a model says
    after its calls is kept with the step, and :func:`unsaid` says it when the run goes on.
    """

    def __init__(self) -> None:
        self.functions = 0
        self.size = 0  # bytes of all that was said, for servers that do not count
        self._parts: dict[Hashable, int] = {}
        self._speaking = False
        self._calls = 0
        self._kept: Json = {}
        self._held: list[ContentDelta | MessageEnd] = []

    def say(self, key: Hashable, kind: str, value: Json) -> Iterator[Piece]:
        """Content for the part that the upstream knows as ``key``."""
        index = self._parts.setdefault(key, len(self._parts))
        self._count(value)
        self._speaking = True
        yield from self._or_hold(ContentDelta({"index": index, "type": kind, kind: value}))

    def knows(self, key: Hashable) -> bool:
        """Whether the current message has a part ``key``."""
        return key in self._parts

    def end_message(self) -> Iterator[Piece]:
        if self._speaking:
            self._speaking = False
            self._parts = {}
            yield from self._or_hold(MessageEnd())

    def open_call(self, id: str, kind: str, value: Json) -> Iterator[Piece]:
        """Begins a call; its number is :attr:`last_call` afterwards."""
        if not self.functions:
            yield from self.end_message()
        self.functions += kind == "function"
        self._count(value)
        self._calls += 1
        yield ToolCallDelta({"index": self.last_call, "id": id, "type": kind, kind: value})

    @property
    def last_call(self) -> int:
        return self._calls - 1

    def grow_call(self, index: int, kind: str, value: Json) -> Iterator[Piece]:
        self._count(value)
        yield ToolCallDelta({"index": index, "type": kind, kind: value})

    def keep(self, name: str, value: Json) -> Iterator[Piece]:
        """Keeps ``value`` with the open tool step, beside what was kept there before."""
        self._kept = {**self._kept, name: value}
        yield Kept(self._kept)

    def close(self, *, whole: bool, items: list[Json] | None = None) -> Iterator[Piece]:
        """The end of the round. A ``whole`` one with function calls waits for their outputs; ``items`` is
        what the upstream wants to see again with them."""
        yield from self.end_message()
        if not whole:
            yield from self._held
        elif self.functions:
            if items:
                yield from self.keep("items", items)
            if self._held:
                yield from self.keep("unsaid", _messages(self._held))

    def _count(self, value: Json) -> None:
        texts = value.values() if isinstance(value, dict) else [value]
        for text in texts:
            if isinstance(text, str):
                self.size += len(text.encode("utf-8", "replace"))

    def _or_hold(self, piece: ContentDelta | MessageEnd) -> Iterator[Piece]:
        if self.functions:
            self._held.append(piece)
            return
        self._calls = 0
        self._kept = {}
        yield piece


def kept_items(item: Json) -> list[Json]:
    """What an upstream wanted to see again with the stored tool step ``item``."""
    return list((item.get("kept") or {}).get("items") or ())


def unsaid(turn: Turn) -> Iterator[Piece]:
    """What the model said after the calls whose outputs the turn brings."""
    last = turn.items[-1] if turn.items else {}
    for message in (last.get("kept") or {}).get("unsaid") or ():
        yield from (ContentDelta(part) for part in message)
        yield MessageEnd()


def _messages(held: list[ContentDelta | MessageEnd]) -> list[list[Json]]:
    messages: list[list[Json]] = []
    begun = False
    for piece in held:
        if isinstance(piece, ContentDelta):
            if not begun:
                messages.append([])
            messages[-1].append(piece.part)
        begun = isinstance(piece, ContentDelta)
    return messages
