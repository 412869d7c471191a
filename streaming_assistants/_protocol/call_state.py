"""Tool calls while they grow, and the models that they are shown as. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeAlias

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import grown, part
from .merge import GROWING, copied, grow, merge


class CallState:
    """A tool call of a step while it grows.

    ``value`` is plain JSON, with the ``index`` of its deltas; ``created`` and ``done`` say whether a callback
    was told of its beginning and its end.
    """

    def __init__(self, value: dict[str, Json]) -> None:
        self.created = self.done = False
        self._make: Callable[..., Model] | None
        self._make_listed: Callable[..., Model] | None
        self.restate(value)

    @property
    def id(self) -> Json:
        return self.value.get("id")

    def restate(self, value: dict[str, Json]) -> None:
        """Takes the whole call as a server lists it."""
        self.value = value
        self._change()

    def merge(self, change: dict[str, Json], *, restated: bool) -> None:
        """Takes what a delta says of it, or a server's repetition, where what grows is ``restated``."""
        merge(self.value, change, restated=restated)
        self._change()

    def grow(self, delta: Model) -> bool:
        """Takes a delta that brings more of a text and nothing else, as nearly all do.

        False for any other, of which nothing is taken: it has to be merged.
        """
        kind, inner, known = self._kind, self._inner, self.value
        more: tuple[dict[str, Json], str, str] | None = None
        values = vars(delta)
        for name in _sdk.fields_set(delta):
            value = values.get(name, _ABSENT)
            if type(value) is str:
                if value != known.get(name) or name in GROWING:
                    return False
            elif name == kind and _sdk.is_model(value):
                inner_values = vars(value)
                for part_name in _sdk.fields_set(value):
                    text = inner_values.get(part_name, _ABSENT)
                    if part_name in GROWING and type(text) is type(inner.get(part_name)) is str:
                        if more is not None:
                            return False
                        more = inner, part_name, text
                    elif not _repeats(text, part_name, inner):
                        return False
            elif name != "index" and not _repeats(value, name, known):
                return False
        if more is not None:
            if values.get("id") is not None:
                return False  # a call that tells its id again tells its text again
            grow(*more)
        return True

    def model(self) -> Model:
        """The call so far, as a callback gets it: a new object."""
        if self._make is None:
            self._make = self._maker(listed=False)
        return self._make(*self.value.values(), *self._inner.values())

    def listed(self) -> Model:
        """The call so far, as a step lists it: a new object."""
        if self._make_listed is None:
            self._make_listed = self._maker(listed=True)
        return self._make_listed(*self.value.values(), *self._inner.values())

    def _change(self) -> None:
        # What the deltas of a call bring is in the object that is named like its type.
        kind = self.value.get("type")
        self._kind = kind if isinstance(kind, str) else None
        inner = None if self._kind is None else self.value.get(self._kind)
        self._inner: dict[str, Json] = inner if isinstance(inner, dict) else {}
        self._make = self._make_listed = None

    def _maker(self, *, listed: bool) -> Callable[..., Model]:
        """What makes the call's model of its values and those of its inner object."""
        others = (value for value in self.value.values() if value is not self._inner)
        if any(map(_holds, (*others, *self._inner.values()))):
            make = None
        else:
            make = _maker_of(self._kind, _form(self.value), _form(self._inner), listed)
        return make or partial(_built, self.value, listed)


def _holds(value: Json) -> bool:
    """Whether it is an object or a list with something in it."""
    return isinstance(value, (dict, list)) and bool(value)


_ABSENT = object()


def _repeats(value: object, name: str, known: dict[str, Json]) -> bool:
    """Whether merging ``value`` changes nothing: a word that is known already, or a name that is."""
    if type(value) is str:
        return name not in GROWING and type(known.get(name)) is str and value == known[name]
    if value is None:
        return name in known
    return (value == {} and isinstance(known.get(name), dict)) or value == known.get(name) == []


def tool_call(call: dict[str, Json]) -> Model:
    """A tool call from its JSON, as a callback gets it: a new object."""
    return part("tool_call", copied(call))


def listed_call(call: dict[str, Json]) -> Model:
    """A tool call from its JSON, as a step lists it: a new object."""
    details = {"type": "tool_calls", "tool_calls": [copied(call)]}
    return grown(models.model("RunStep"), {"step_details": details}).step_details.tool_calls[0]


def _built(call: dict[str, Json], listed: bool, *_: Json) -> Model:
    return listed_call(call) if listed else tool_call(call)


_Form: TypeAlias = tuple[tuple[str, type | None], ...]
"""Names of values, each with the type of an object or a list, and None for a plain value."""


def _form(values: dict[str, Json]) -> _Form:
    return tuple(
        (name, type(value) if isinstance(value, (dict, list)) else None) for name, value in values.items()
    )


@lru_cache(maxsize=256)
def _maker_of(kind: str | None, outer: _Form, inner: _Form, listed: bool) -> Callable[..., Model] | None:
    """What makes models of calls of this form, ``inner`` that of the object named ``kind``; None for no such.

    A call's class is chosen by its type and its names, so that one can be made like another.
    """
    call = _sample(outer)
    if kind is not None:
        call["type"] = kind
        if inner:
            call[kind] = _sample(inner)
    places: list[_sdk.Place | None] = [None if form else (name,) for name, form in outer]
    places += [None if form else (str(kind), name) for name, form in inner]
    try:
        return _sdk.mould(_built(call, listed), places)
    except ValueError:
        return None


def _sample(form: _Form) -> dict[str, Json]:
    return {name: kind() if kind else None for name, kind in form}
