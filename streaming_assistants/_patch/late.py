"""What the SDK makes when somebody first asks for it, and what is put on it then.

A client makes most of its resources on first use, and imports their modules for it. What patch() does to
them waits until then: a client whose vector stores nobody asks for never imports them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, NamedTuple

from streaming_assistants._sdk.untyped import Attributes, Resource

PATCHING = threading.RLock()
"""A client comes to be, and is used first, in whatever thread."""


class Place(NamedTuple):
    """An object of the SDK: ``owner`` is what programs have of it, ``real`` the same also while a
    :class:`Late` becomes it."""

    owner: Resource
    real: Resource

    @classmethod
    def of(cls, owner: Resource) -> Place:
        return cls(owner, owner)

    @property
    def kind(self) -> type:
        """Its class."""
        kind: type = self.real.__class__
        return kind

    @property
    def space(self) -> Attributes:
        """What it keeps as its own attributes."""
        space: Attributes = self.real.__dict__
        return space

    def declared(self, name: str) -> Any:
        """What the class has under a name, not bound to the object; None for nothing."""
        return next((vars(base)[name] for base in self.kind.__mro__ if name in vars(base)), None)

    def below(self, name: str) -> Place:
        """The object that it has under a name, which the SDK makes now if it has not yet."""
        return Place.of(getattr(self.real, name))

    def has(self, name: str) -> bool:
        """Whether the object or its class has it."""
        return name in self.space or self.declared(name) is not None


class Late:
    """Stands where an object will be, and becomes that object as soon as something is asked of it.

    It changes its class and takes the object's attributes over: whoever kept it has the object. Only
    ``type()`` tells the two apart, and only until then. ``make`` makes the object, ``then`` is told of it
    before anybody else.
    """

    def __init__(self, make: Callable[[], Resource], then: Callable[[Place], None]) -> None:
        _own(self).update(make=make, then=then)

    def __getattribute__(self, name: str) -> Any:
        # isinstance() looks at __class__ after type(), and believes it only where it is another.
        return getattr(self, name) if _become(self, name != "__class__") else _answer(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        _become(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        _become(self)
        object.__delattr__(self, name)

    def __repr__(self) -> str:
        return repr(self) if _become(self) else "<it is being made>"


def _own(late: Late) -> Attributes:
    space: Attributes = object.__getattribute__(late, "__dict__")
    return space


def _become(late: Late, wholly: bool = True) -> bool:
    """Whether it is the object by now: not, where making that asks for it, and not for its class alone."""
    with PATCHING:
        if not is_late(late):
            return True  # another thread was first
        state = _own(late)
        if "making" in state:
            return False
        if "made" not in state:
            state["making"] = True
            try:
                made = state["make"]()
                state["then"](Place(late, made))
            finally:
                del state["making"]
            state["made"] = made
        if wholly:
            made = state["made"]
            object.__setattr__(late, "__dict__", made.__dict__)
            object.__setattr__(late, "__class__", made.__class__)
        return wholly


def _answer(late: Late, name: str) -> Any:
    made = _own(late).get("made")
    return object.__getattribute__(late, name) if made is None else getattr(made, name)


def is_late(value: object) -> bool:
    """Whether it is still to become what it stands for."""
    return type(value) is Late


def when_made(place: Place, name: str, then: Callable[[Place], None]) -> Late | None:
    """Tells ``then`` of what the SDK has under a name: now, or when it is made, until when a Late stands
    there."""
    if name in place.space:
        then(place.below(name))
        return None
    made = place.declared(name)
    if isinstance(made, cached_property):
        late = place.space[name] = Late(partial(made.func, place.owner), then)
        return late
    if made is not None:
        then(place.below(name))
    return None
