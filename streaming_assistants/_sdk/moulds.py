"""Objects like one that is there, with other values in a few places: how the many of a stream are made.

Nearly every event of a stream is like the one before it but for a string, and so is what is handed to a
callback. pydantic's general construction of a model costs twice as much as setting the four slots of an
instance, its validator more than that, and half of what then remains is going over a plan of what to set. So
the plan is written down as a function, as dataclasses writes an ``__init__``. What is written are names of
fields and keys; values are bound, whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import pydantic

from .basemodels import PYDANTIC_1, extras, fields_set, make, setters

Place: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of fields, keys of dicts, indexes of lists."""

DEEPEST, LARGEST = 20, 200
"""Levels and values that an object may have to be made this way."""


def mould(sample: object, places: Sequence[Place | None]) -> Callable[..., Any]:
    """A function that makes objects like ``sample`` of the values for ``places``, in their order.

    A value for None is taken and not used.

    They have the sample's classes, and the same fields set, in the same order. Nothing that can change is
    shared between two of them but what is given. Raises ValueError for a place that the sample does not have,
    and for a sample that is too deep or too large to be worth it.
    """
    plan = _Plan(places)
    whole = plan.written(sample, ())
    if plan.missing:
        raise ValueError(f"expected an object with {plan.missing}, got {sample!r:.80}")
    source = "\n    ".join((f"def made({', '.join(plan.names)}):", *plan.lines, f"return {whole}"))
    exec(compile(source, "<mould>", "exec"), plan.bound)
    made: Callable[..., Any] = plan.bound["made"]
    return made


class _Plan:
    """The lines of a function that makes an object, from inside out, and what their names are bound to."""

    def __init__(self, places: Sequence[Place | None]) -> None:
        self.names = [f"given_{number}" for number in range(len(places))]
        self.given = {place: self.names[at] for at, place in enumerate(places) if place is not None}
        self.missing = set(self.given)
        self.lines: list[str] = []
        self.bound: dict[str, Any] = {"make": make}
        self._slots = setters()
        names = ("set_values", "set_fields", "set_extra", "set_private") if self._slots else ()
        self.bound.update(zip(names, self._slots, strict=True), new=object.__new__)

    def written(self, value: object, at: Place) -> str:
        """The expression for ``value``; what comes before it is in ``lines``."""
        if at in self.given:
            self.missing.discard(at)
            return self.given[at]
        if len(at) > DEEPEST or len(self.bound) > LARGEST:
            raise ValueError(f"expected {DEEPEST} levels and {LARGEST} values at most")
        if isinstance(value, pydantic.BaseModel):
            return self._model(value, at)
        if isinstance(value, dict):
            return self._dict(value, at)
        if isinstance(value, list):
            return f"[{', '.join(self.written(item, (*at, place)) for place, item in enumerate(value))}]"
        return "None" if value is None else self._bind("value", value)

    def _dict(self, values: Mapping[str, object], at: Place) -> str:
        items = (f"{name!r}: {self.written(value, (*at, name))}" for name, value in values.items())
        return f"{{{', '.join(items)}}}"

    def _model(self, model: pydantic.BaseModel, at: Place) -> str:
        kind = self._bind("kind", type(model))
        values = self._dict(vars(model), at)
        fields = f"{{{', '.join(map(repr, sorted(fields_set(model)))) or '*()'}}}"
        extra = "{}" if PYDANTIC_1 else self._dict(extras(model), at)
        made = f"model_{len(self.lines)}"
        if self._slots:
            self.lines.append(
                f"{made} = new({kind}); set_values({made}, {values}); set_fields({made}, {fields}); "
                f"set_extra({made}, {extra}); set_private({made}, None)"
            )
        else:
            self.lines.append(f"{made} = make({kind}, {{**{values}, **{extra}}}, {fields})")
        return made

    def _bind(self, kind: str, value: object) -> str:
        name = f"{kind}_{len(self.bound)}"
        self.bound[name] = value
        return name
