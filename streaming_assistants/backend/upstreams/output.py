"""Puts what a model says into the order of Assistants messages and tool steps. Shared by the upstreams."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from .base import ContentDelta, Json, Kept, MessageEnd, Piece, ToolCallDelta


class Output:
    """Numbers message parts and tool calls, and ends messages where tools begin.

    Once a function is called, message content waits until :meth:`close`: content closes a tool step, and
    all parallel calls of a round belong into one.
    """

    def __init__(self) -> None:
        self.functions = 0
        self._parts: dict[Hashable, int] = {}
        self._speaking = False
        self._calls = 0
        self._held: list[Piece] = []

    def say(self, key: Hashable, kind: str, value: Json) -> Iterator[Piece]:
        """Content for the part that the upstream knows as ``key``."""
        index = self._parts.setdefault(key, len(self._parts))
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
        self._calls += 1
        yield ToolCallDelta({"index": self.last_call, "id": id, "type": kind, kind: value})

    @property
    def last_call(self) -> int:
        return self._calls - 1

    def grow_call(self, index: int, kind: str, value: Json) -> Iterator[Piece]:
        yield ToolCallDelta({"index": index, "type": kind, kind: value})

    def close(self, kept: Json = None) -> Iterator[Piece]:
        """The end of the round: ``kept`` goes to the open tool step, then what had to wait is said."""
        if kept is not None:
            yield Kept(kept)
        yield from self.end_message() if not self.functions else ()
        held, self._held = self._held, []
        yield from held
        if held and not isinstance(held[-1], MessageEnd):
            yield MessageEnd()

    def _or_hold(self, piece: Piece) -> Iterator[Piece]:
        if self.functions:
            self._held.append(piece)
            return
        self._calls = 0
        yield piece
