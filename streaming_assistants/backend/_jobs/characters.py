"""Whole characters out of events that a server cut them between. Sans-IO.

Some servers cut an answer without regard to what JSON calls a character: one event then ends in the first
half of a surrogate pair, and the next begins with the second. No store and no request takes a half.
"""

from __future__ import annotations

import re

from .._engine.port import Json
from .._strict_json import from_upstream

_WRITTEN = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_HALF = re.compile("[\ud800-\udfff]")
_LAST = re.compile("[\ud800-\udbff]\\Z")
_FIRST = re.compile("[\udc00-\udfff]")

JsonPath = tuple[str | int, ...]


class Characters:
    """Joins the halves that end one event and begin a later one, at the same place in both."""

    def __init__(self) -> None:
        self._waiting: dict[JsonPath, str] = {}

    def decode(self, data: bytes) -> Json:
        """The JSON of an event; raises ValueError for none.

        A half that ends a text is kept for the event that brings the other. One that meets no other is
        U+FFFD, as decoders show it, or nothing at the end of a text.
        """
        top = [from_upstream(data)]
        work: list[tuple[JsonPath, Json]] = [((), top)] if _WRITTEN.search(data) else []
        for place, item in work:
            for key, value in item.items() if isinstance(item, dict) else enumerate(item):
                if isinstance(value, str):
                    if _HALF.search(value):
                        item[key] = self._joined((*place, key), value)
                elif isinstance(value, (dict, list)):
                    work.append(((*place, key), value))
        return top[0]

    def _joined(self, place: JsonPath, text: str) -> str:
        if place in self._waiting and _FIRST.match(text):
            text = self._waiting.pop(place) + text
        last = _LAST.search(text)
        if last:
            self._waiting[place] = last.group()
            text = text[: last.start()]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
