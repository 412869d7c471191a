"""Which tool call a chat delta belongs to. Servers disagree; OpenAI's rule is one of many."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from .._engine.port import Json, Piece
from ._members import Fault, optional
from ._output import Output


@dataclass
class _Call:
    index: int | None  # as the server counts
    id: str
    name: str = ""
    number: int = -1  # in the tool step; -1 until its name is known
    waiting: str = ""
    sent: bool = False


class ToolCalls:
    """Tells calls apart by ``index``, and where that fails by ``id`` and name.

    Seen in the wild: no index; index 0 for every call of a round; an id in every delta, the same or a new
    one each time; ids empty, missing or shared by two calls; the name repeated; arguments null or an
    object; a whole call in one delta.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._calls: list[_Call] = []
        self._ids: dict[str, _Call] = {}

    def read(self, delta: Json) -> Iterator[Piece]:
        kind = optional(delta, "type", str) or "function"
        if kind != "function":
            raise Fault(f"The upstream called a tool of type {kind!r}; runs on it have functions only.")
        function = optional(delta, "function", dict) or {}
        id, name = optional(delta, "id", str) or "", optional(function, "name", str) or ""
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        call = self._find(optional(delta, "index", int), id, name)
        if call.number < 0:
            call.waiting += arguments or ""
            if name:
                call.name = name
                yield from self._open(call)
        elif arguments:
            yield from self._grow(call, arguments)

    def close(self) -> Iterator[Piece]:
        for call in self._calls:
            if call.number < 0:
                raise Fault("The upstream sent a malformed event: a tool call has no function name.")
            if not call.sent:
                # The hosted API gave a call without arguments as an empty object, and clients parse it.
                yield from self._grow(call, "{}")

    def _open(self, call: _Call) -> Iterator[Piece]:
        value = {"name": call.name, "arguments": "", "output": None}
        yield from self._output.open_call(call.id, "function", value)
        call.number = self._output.last_call
        if call.waiting:
            yield from self._grow(call, call.waiting)

    def _grow(self, call: _Call, arguments: str) -> Iterator[Piece]:
        call.sent = True
        yield from self._output.grow_call(call.number, "function", {"arguments": arguments})

    def _find(self, index: int | None, id: str, name: str) -> _Call:
        if index is None:
            call = self._ids.get(id) or (self._calls[-1] if self._calls else None)
            if call is not None and (call is self._ids.get(id) or not name):
                return call
            return self._new(index, id)
        matches = [call for call in self._calls if call.index == index]
        if not matches:
            return self._new(index, id)
        call = matches[-1]
        if id and name and id != call.id and call.number >= 0:
            return self._ids.get(id) or self._new(index, id)
        return call

    def _new(self, index: int | None, id: str) -> _Call:
        # Outputs are submitted by id, so within a round each call needs its own.
        own = id if id and id not in self._ids else f"call_{uuid.uuid4().hex[:24]}"
        call = _Call(index, own)
        self._calls.append(call)
        self._ids[own] = call
        return call
