"""Events that are like one before but for an id, an index or a string that grows: nearly all of a stream.

Of such a frame only what differs is decoded; the rest is made as before. How it is made is learned from what
:mod:`.dialects` makes of the same frame, whatever its dialect. Sans-IO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .dialects import Malformed, read
from .merge import GROWING
from .models import MESSAGE_DELTA, STEP_DELTA
from .sse import Frame

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NUMBER = rb"(?:0|[1-9]\d{0,8})"
_NAMES = "|".join(("id", *sorted(GROWING))).encode()

# What may differ, and no type, status or role: no class is chosen by it.
_PLACE = re.compile(rb'("(?:%b)"\s*:\s*)%b|("index"\s*:\s*)%b(?=[\s,}])' % (_NAMES, _STRING, _NUMBER))
_EMPTIED = re.compile(rb'("(?:%b|(index))"\s*:\s*)""' % _NAMES)

_LONGEST = 4096  # of a frame that is learned from
_SHAPES = 8  # that are tried, of one name
_MISSES = 16  # frames like no other until only one in so many is looked at


class Template(NamedTuple):
    """How the events of one shape are made."""

    match: Callable[[bytes], re.Match[bytes] | None]  # what differs are its groups
    array: bytes  # formats them as a JSON array
    make: Callable[..., Model]  # of what the array holds


class Growing(NamedTuple):
    """How the events are made of frames that differ from the last one in one string."""

    before: bytes  # of the string, in a frame
    after: bytes
    make: Callable[[Json], Model]  # of the string


class Repeats:
    """The shapes that a stream's frames have had."""

    def __init__(self) -> None:
        self._templates: dict[str, list[Template]] = {}
        self._last: dict[str, tuple[Template, tuple[bytes, ...]]] = {}  # of each name, and what differed
        self._growing: dict[str, Growing] = {}
        self._seen: set[tuple[str, bytes]] = set()
        self._misses = 0
        self._parse = _sdk.json_parser()

    def event(self, name: str, data: bytes) -> Model:
        """The event of a frame that is like one before; None for any other."""
        growing = self._growing.get(name)
        if growing is not None:
            before, after, make = growing
            if data.startswith(before) and data.endswith(after):
                string = data[len(before) : len(data) - len(after)]
                if string[:1] == b'"':
                    try:
                        return make(self._parse(string))
                    except ValueError:
                        pass  # two strings, or what is said below
        for template in self._templates.get(name, ()):
            matched = template.match(data)
            if matched is not None:
                try:
                    values = self._parse(template.array % matched.groups())
                except ValueError:
                    return None  # half of a character, or no UTF-8: read or refused another way
                self._compare(name, template, matched, values)
                return template.make(*values)
        return None

    def _compare(self, name: str, template: Template, matched: re.Match[bytes], values: list[Json]) -> None:
        """Sees whether one string is all that differs from the last frame."""
        given = matched.groups()
        last, self._last[name] = self._last.get(name), (template, given)
        if last is None or last[0] is not template:
            return
        places = [place for place, (old, new) in enumerate(zip(last[1], given, strict=True)) if old != new]
        if not places:  # the same once more, which differs in none
            places = [place for place, each in enumerate(given) if each[:1] == b'"'][-1:]
        if len(places) == 1 and given[places[0]][:1] == b'"':
            place, data = places[0], matched.string
            first, rest = values[:place], values[place + 1 :]
            make = (
                partial(template.make, *first)
                if not rest
                else lambda text: template.make(*first, text, *rest)
            )
            self._growing[name] = Growing(
                data[: matched.start(place + 1)], data[matched.end(place + 1) :], make
            )

    def learn(self, frame: Frame) -> None:
        """Takes a frame of a delta that :meth:`event` did not know; a shape that comes again is learned."""
        self._misses += 1
        if len(frame.data) > _LONGEST or (self._misses > _MISSES and self._misses % _MISSES):
            return
        shape = frame.event, _PLACE.sub(rb'\1\2""', frame.data)
        if shape not in self._seen:
            if len(self._seen) >= _MISSES:
                self._seen.clear()
            self._seen.add(shape)
            return
        template = _template(*shape)
        if template is not None:
            self._misses = 0
            self._templates[frame.event] = [template, *self._templates.get(frame.event, ())][:_SHAPES]


@lru_cache(maxsize=64)
def _template(name: str, emptied: bytes) -> Template | None:
    """The template for frames that are ``emptied`` but for what stands in each ``""``; None for no such."""
    # before, "name": , "index" or None, before, ...
    pieces = _EMPTIED.split(emptied)
    pattern, filled, marks = re.escape(pieces[0]), pieces[0], list[str | int]()
    for place, is_number, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        mark = 900_000_000 + len(marks) if is_number else f"mark {len(marks)} of a template"
        marks.append(mark)
        filled += b"%b%b%b" % (place, str(mark).encode() if is_number else f'"{mark}"'.encode(), after)
        group = _NUMBER if is_number else _STRING
        pattern += b"%b(%b)%b" % (re.escape(place), group, re.escape(after))
    try:
        event = read(Frame(name, filled))
        if event.event not in (MESSAGE_DELTA, STEP_DELTA):
            return None
        places = dict[str | int, list[_sdk.Place]]()
        for place, value in _leaves(event):
            places.setdefault(value, []).append(place)
        ways = [places.get(mark, []) for mark in marks]
        if any(len(way) != 1 for way in ways):
            return None  # a name that stands there twice, or that is no name
        make = _sdk.mould(event, [way[0] for way in ways])
    except (Malformed, ValueError):
        return None
    return Template(re.compile(pattern).fullmatch, b"[%b]" % b",".join([b"%b"] * len(marks)), make)


def _leaves(value: Json, at: _sdk.Place = ()) -> Iterator[tuple[_sdk.Place, str | int]]:
    """The strings and whole numbers of an event, each with the way to it, as far as a mould looks."""
    if isinstance(value, pydantic.BaseModel):
        value = {**vars(value), **_sdk.extras(value)}
    if len(at) > _sdk.DEEPEST:
        raise ValueError
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*at, key))
    elif type(value) in (str, int):
        yield at, value
