"""One answer of an upstream within a turn that searches: what it says, its calls of the search apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._engine.deltas import add_content, add_tool_call
from .._engine.objects import new_id
from .._engine.port import ContentDelta, Failed, Finished, Json, Kept, MessageEnd, Piece, ToolCallDelta
from ._history import SEARCHES
from ._markers import FileNamed, WrittenMarkers
from ._passages import query_of


class Round:
    """Rewrites the pieces of one conversation; its end is kept for who asked.

    A call of the function ``name`` is shown as one of file_search, and what the model writes as a marker as
    a citation. Where a search is ``forced``, what the model says before a call waits: one that calls nothing
    has not done what it was to do, and its words are dropped.
    """

    def __init__(self, name: str, file_named: FileNamed, ranking: Json, *, forced: bool = False) -> None:
        self.last: Finished | Failed | None = None
        self.items: list[Json] = []  # what was said, as the items of a turn have it
        self.disobeyed = False
        self._name = name
        self._file_named = file_named
        self._ranking = ranking
        self._forced = forced
        self._held: list[Piece] = []
        self._open: dict[str, Json] = {}  # the item that grows; empty between two
        self._texts: dict[int, WrittenMarkers] = {}
        self._numbers: dict[int, int] = {}  # of the parts that have been shown
        self._arguments: dict[int, str] = {}  # of the calls of the search in the open step

    @property
    def asked(self) -> dict[int, str]:
        """The queries of the calls of the search, by their numbers in the step."""
        return {index: query_of(arguments) for index, arguments in self._arguments.items()}

    @property
    def waits(self) -> bool:
        """Whether functions were called that the client has to answer."""
        return any(
            call["type"] == "function" and call["function"].get("output") is None
            for item in self.items
            for call in item.get("calls") or ()
        )

    def found(self, index: int, results: list[Json]) -> ToolCallDelta:
        """What the search of a call has found, as the step shows it."""
        call = {"index": index, "type": "file_search", "file_search": {"results": results}}
        add_tool_call(self._open["calls"], call)
        return ToolCallDelta(call)

    def searched(self, searches: Sequence[Json]) -> Kept:
        """What is kept with the step of the searches that were made, in the order of :attr:`asked`."""
        ids = [self._open["calls"][index]["id"] for index in self._arguments]
        self._open["kept"] = {**self._open.get("kept", {}), SEARCHES: dict(zip(ids, searches, strict=True))}
        return Kept(self._open["kept"])

    def read(self, piece: Piece) -> Iterator[Piece]:
        if self._forced and isinstance(piece, (ContentDelta, MessageEnd)):
            self._held.append(piece)
        elif isinstance(piece, ContentDelta):
            yield from self._content(piece.part)
        elif isinstance(piece, MessageEnd):
            yield from self._end_message()
        elif isinstance(piece, ToolCallDelta):
            yield from self._release()
            yield from self._end_message()
            yield from self._call(piece.call)
        elif isinstance(piece, Kept):
            if self._open:
                self._open["kept"] = piece.value
            yield piece
        elif isinstance(piece, (Finished, Failed)):
            self.last = piece
            self.disobeyed = self._forced and isinstance(piece, Finished) and piece.reason is None
            if not self.disobeyed:
                yield from self._release()
            yield from self._flush()
        else:
            yield piece

    def end(self) -> Iterator[Piece]:
        """A conversation that says no end has been whole."""
        return self.read(Finished()) if self.last is None else iter(())

    def _release(self) -> Iterator[Piece]:
        """A call has come after all, or an end that no search would mend."""
        held, self._held, self._forced = self._held, [], False
        for piece in held:
            yield from self.read(piece)

    # Messages

    def _content(self, part: Json) -> Iterator[Piece]:
        index = part["index"]
        if part["type"] != "text":
            yield self._shown(index, part)
            return
        text = self._texts.setdefault(index, WrittenMarkers(self._file_named))
        said, annotations = part["text"].get("value") or "", part["text"].get("annotations")
        for value in text.annotated(said, annotations) if annotations else text.feed(said):
            yield self._shown(index, _text_part(value))

    def _shown(self, index: int, part: Json) -> Piece:
        if self._open.get("kind") != "message":
            self._begin({"kind": "message", "role": "assistant", "content": [], "attachments": []})
        part = {**part, "index": self._numbers.setdefault(index, len(self._numbers))}
        add_content(self._open["content"], part)
        return ContentDelta(part)

    def _flush(self) -> Iterator[Piece]:
        for index, text in self._texts.items():
            for value in text.flush():
                yield self._shown(index, _text_part(value))
        self._texts, self._numbers = {}, {}

    def _end_message(self) -> Iterator[Piece]:
        yield from self._flush()
        if self._open.get("kind") == "message":
            self._open = {}
            yield MessageEnd()

    # Tools

    def _call(self, call: Json) -> Iterator[Piece]:
        if not self._open:
            self._begin({"kind": "tool_calls", "calls": []})
        calls = self._open["calls"]
        index = call.get("index", len(calls))
        function = call.get("function") or {}
        if index == len(calls) and call["type"] == "function" and function.get("name") == self._name:
            self._arguments[index] = ""
            id = call["id"] if (call.get("id") or "").startswith("call_") else new_id("call")
            shown = {"ranking_options": self._ranking, "results": []}
            call = {"index": index, "id": id, "type": "file_search", "file_search": shown}
        if index in self._arguments:
            self._arguments[index] += function.get("arguments") or ""
        if call["type"] == "file_search" or index not in self._arguments:
            add_tool_call(calls, call)
            yield ToolCallDelta(call)

    def _begin(self, item: dict[str, Json]) -> None:
        self._open = item
        self._arguments = {}
        self.items.append(item)


def _text_part(value: Json) -> Json:
    return {"type": "text", "text": value}
