"""Which output item an event of /responses is about. Servers disagree; OpenAI numbers and names each one."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._engine.port import Json
from ._citations import MarkedText
from ._members import Fault, member, optional


@dataclass
class OutputItem:
    """An output item under way. ``call`` is its number in the tool step, ``sent`` what of its arguments
    or code was said, ``begun`` the item as it was announced."""

    number: int
    index: int | None  # as the server counts
    id: str | None
    kind: str
    begun: Json
    closed: bool = False
    call: int = -1
    sent: int = 0
    texts: dict[int, MarkedText] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    noted: set[tuple[int, int]] = field(default_factory=set)  # (content index, annotation index)
    links: list[tuple[int, Json]] = field(default_factory=list)


class OutputItems:
    """Tells items apart by their ids, and where that fails by ``output_index``.

    Seen in the wild: no index; an index that is used again for an item of another kind; an id that differs
    from event to event; a message that is announced again after the calls, to go on.
    """

    def __init__(self) -> None:
        self._items: list[OutputItem] = []

    def add(self, index: int | None, item: Json) -> OutputItem | None:
        """The new item; None for a message that was announced before."""
        id, kind = optional(item, "id", str), member(item, "type", str)
        known = self._newest(kind, id=id) if id else self._newest(kind, index=index)
        if known is not None and kind == "message" and id:
            return None
        if known is not None and (id or index is not None):
            raise Fault(f"The upstream sent a malformed event: the item {id or index} was added twice.")
        self._items.append(OutputItem(len(self._items), index, id, kind, item))
        return self._items[-1]

    def find(self, index: int | None, id: str | None, kind: str) -> OutputItem | None:
        """The newest item of the kind by its id, or by its index, or the one that is open."""
        known = self._newest(kind, id=id) if id else None
        if known is None and index is not None:
            return self._newest(kind, index=index)
        return known or next((item for item in reversed(self.open()) if item.kind == kind), None)

    def of(self, event: Json, kind: str) -> OutputItem:
        """The item that a delta belongs to."""
        index, id = optional(event, "output_index", int), optional(event, "item_id", str)
        meant = self.find(index, id, kind)
        if meant is None:
            raise Fault(f"The upstream sent a malformed event: the item {id or index} is no {kind}.")
        return meant

    def open(self) -> list[OutputItem]:
        return [item for item in self._items if not item.closed]

    def _newest(self, kind: str, **names: Json) -> OutputItem | None:
        for item in reversed(self._items):
            if item.kind == kind and all(getattr(item, name) == value for name, value in names.items()):
                return item
        return None
