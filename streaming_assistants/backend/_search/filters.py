"""Filters on the attributes of files, as the API has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from .._engine.checks import array, boolean, number, one_of, shaped, tagged, text
from .._engine.port import Json

_ORDERED: Mapping[str, Callable[[Json, Json], bool]] = {
    "gt": lambda there, value: there > value,
    "gte": lambda there, value: there >= value,
    "lt": lambda there, value: there < value,
    "lte": lambda there, value: there <= value,
}


def checked(filters: Json, name: str = "filters") -> None:
    """Raises the API's 400 for what is no filter."""
    _FILTER(filters, name)


def matches(filters: Json, attributes: Mapping[str, Json] | None) -> bool:
    """Whether a file with these attributes passes filters that have been checked; None is passed by all.

    An attribute that is not there, or is of another type than the value, equals nothing and is neither
    greater nor less: ``ne`` and ``nin`` let it pass.
    """
    if filters is None:
        return True
    kind = filters["type"]
    if kind == "and":
        return all(matches(each, attributes) for each in filters["filters"])
    if kind == "or":
        return any(matches(each, attributes) for each in filters["filters"])
    there, value = (attributes or {}).get(filters["key"]), filters["value"]
    if kind in ("in", "nin"):
        return (kind == "in") is any(_equal(there, each) for each in value)
    if kind in ("eq", "ne"):
        return (kind == "eq") is _equal(there, value)
    return _kind(there) is _kind(value) and bool(_ORDERED[kind](there, value))


def _equal(there: Json, value: Json) -> bool:
    return _kind(there) is _kind(value) and bool(there == value)


def _kind(value: Json) -> type:
    return float if type(value) is int else type(value)


_ANY_NUMBER = number(-inf, inf)
_ONE = one_of(text(), _ANY_NUMBER, boolean)


def _comparison(*value: Callable[[Json, str], None]) -> Callable[[Json, str], None]:
    return shaped({"type": text(), "key": text(), "value": one_of(*value)}, "key", "value")


_COMPOUND = shaped({"type": text(), "filters": array(checked, 1000)}, "filters")
_FILTER = tagged(
    {
        **dict.fromkeys(("eq", "ne"), _comparison(_ONE)),
        **dict.fromkeys(_ORDERED, _comparison(_ANY_NUMBER, text())),
        **dict.fromkeys(("in", "nin"), _comparison(array(_ONE, 1000))),
        **dict.fromkeys(("and", "or"), _COMPOUND),
    }
)
