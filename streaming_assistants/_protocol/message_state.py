"""A message while it streams: its snapshots, grown delta by delta. Sans-IO.

A snapshot that is handed out is a new object and never changes afterwards. Parts and annotations that did
not change since the one before are the same objects in both, so that what a delta costs does not depend on
how many there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from functools import cache

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import grown, part
from .merge import copied, grow, merge


class Annotations:
    """The annotations of a text while they grow, by their ``index``."""

    def __init__(self) -> None:
        self._values: dict[int, dict[str, Json]] = {}  # plain JSON
        self._indexes: list[int] = []  # in order, and so are
        self._built: list[Model] = []

    def add(self, deltas: list[dict[str, Json]]) -> None:
        """Merges annotations; those without an index are added at the end, in their order."""
        start = self._indexes[-1] + 1 if self._indexes else 0
        for place, delta in enumerate(deltas):
            index = delta.get("index")
            if not isinstance(index, int):
                index = start + place
            at = bisect_left(self._indexes, index)
            if index not in self._values:
                self._values[index] = {**delta, "index": index}
                self._indexes.insert(at, index)
                self._built.insert(at, None)
            else:
                merge(self._values[index], delta)
            self._built[at] = part("annotation", copied(self._values[index]))

    def built(self) -> list[Model]:
        """The annotations so far: a new list."""
        return self._built.copy()


class TextPart:
    """A text block while it grows."""

    type = "text"

    def __init__(self, index: int) -> None:
        self.index = index
        self._annotations = Annotations()
        self._text = {"value": ""}
        self._make_text, self._make_block = _text_maker(), _block_maker()

    def add(self, delta: Model) -> None:
        """Adds a text delta, a model of the SDK's with ``value`` and ``annotations``."""
        if delta.value:
            grow(self._text, "value", delta.value)
        if getattr(delta, "annotations", None):
            self._annotations.add([_sdk.dump(item) for item in delta.annotations])

    def text(self) -> Model:
        """The Text so far: a new object."""
        return self._make_text(self._annotations.built(), self._text["value"])

    def block(self) -> Model:
        """The content block so far: a new object."""
        return self._make_block(self._annotations.built(), self._text["value"], self.index)


@cache
def _text_maker() -> Callable[..., Model]:
    text = grown(models.model("Text"), {"annotations": [], "value": ""})
    return _sdk.mould(text, [("annotations",), ("value",)])


@cache
def _block_maker() -> Callable[..., Model]:
    text = grown(models.model("Text"), {"annotations": [], "value": ""})
    values: dict[str, Json] = {"type": "text", "text": text, "index": 0}
    block = _sdk.make(models.model("TextContentBlock"), values, set(values))
    return _sdk.mould(block, [("text", "annotations"), ("text", "value"), ("index",)])


class OtherPart:
    """A block that is no text (image_file, image_url, refusal, what a server may invent): plain JSON."""

    def __init__(self, index: int, value: dict[str, Json]) -> None:
        self.index = index
        self.value = value

    @property
    def type(self) -> str:
        return str(self.value.get("type"))

    def add(self, delta: object) -> None:
        merge(self.value, _sdk.dump(delta))

    def block(self) -> Model:
        """The content block so far: a new object."""
        return part("content", copied(self.value))


class MessageState:
    """A message while it streams: what ``thread.message.created`` said, and its parts by index."""

    def __init__(self, created: Model) -> None:
        self.id: str = created.id
        self.parts: dict[int, TextPart | OtherPart] = {}
        self.final: Model = None  # the server's own, once it said that the message is over
        self.texts_created: set[int] = set()  # the parts that a callback was told of
        self.parts_done: set[int] = set()
        self._created = created
        self._snapshot: Model = None
        self._indexes: list[int] = []  # of the parts, in order
        self._blocks: list[Model] = []  # the parts as the last snapshot has them; None for what changed since
        self._stale: set[int] = set()  # the indexes of those that changed
        for index, block in enumerate(getattr(created, "content", None) or []):
            self._start(index, block)

    @classmethod
    def of_delta(cls, message_id: str, run: object) -> MessageState:
        """For a delta that comes without its ``created``: what is known, and None for the rest."""
        values: dict[str, Json] = {
            "id": message_id,
            "object": "thread.message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
            "thread_id": getattr(run, "thread_id", None),
            "run_id": getattr(run, "id", None),
            "assistant_id": getattr(run, "assistant_id", None),
            "created_at": getattr(run, "created_at", None),
        }
        return cls(grown(models.model("Message"), values))

    @classmethod
    def of_end(cls, message: Model) -> MessageState:
        """For the end of a message that nothing else told of: nothing of it was streamed."""
        return cls(_sdk.changed(message, content=[]))

    def add(self, delta: Model) -> tuple[TextPart | OtherPart, bool]:
        """Merges one content delta; answers with its part and whether the part is new."""
        index = delta.index or 0  # a server may leave it out
        known = self.parts.get(index)
        if known is None or known.type != delta.type:
            return self._start(index, delta), True
        self._changed(index)
        if isinstance(known, OtherPart):
            known.add(delta)
        elif delta.text is not None:
            known.add(delta.text)
        return known, False

    def _start(self, index: int, block: Model) -> TextPart | OtherPart:
        made: TextPart | OtherPart
        if block.type == "text":
            made = TextPart(index)
            if block.text is not None:
                made.add(block.text)
        else:
            made = OtherPart(index, _sdk.dump(block))
        if index not in self.parts:
            self._blocks.insert(bisect_left(self._indexes, index), None)
            insort(self._indexes, index)
        self.parts[index] = made
        self._changed(index)
        return made

    def _changed(self, index: int) -> None:
        # Of what holds a text, which could not grow in place otherwise.
        self._snapshot = None
        if index not in self._stale:
            self._stale.add(index)
            self._blocks[bisect_left(self._indexes, index)] = None

    def create(self, created: Model) -> None:
        """Takes the message as it was announced, where deltas of it came before that."""
        self._created, self._snapshot = created, None

    def end(self, message: Model) -> None:
        """Takes the server's own final message."""
        self.final = self._snapshot = message

    def snapshot(self) -> Model:
        """The Message so far; the same object until something changes."""
        if self._snapshot is None:
            for index in self._stale:
                self._blocks[bisect_left(self._indexes, index)] = self.parts[index].block()
            self._stale.clear()
            self._snapshot = _sdk.changed(self._created, content=self._blocks.copy())
        return self._snapshot
