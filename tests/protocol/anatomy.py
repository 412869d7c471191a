"""What two objects are compared by, and what they may not share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic

from streaming_assistants import _sdk


def anatomy(value: Any) -> Any:
    """Everything that can be told of a value: classes, the order of names, what was set, types of values."""
    if isinstance(value, pydantic.BaseModel):
        return (
            type(value).__name__,
            [(name, anatomy(inner)) for name, inner in vars(value).items()],
            [(name, anatomy(inner)) for name, inner in _sdk.extras(value).items()],
            sorted(_sdk.fields_set(value)),
        )
    if isinstance(value, dict):
        return [(name, anatomy(inner)) for name, inner in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [anatomy(inner) for inner in value]
    return type(value).__name__, repr(value)


def changeable(value: Any) -> Iterator[int]:
    """The identities of what can be changed of a value."""
    if isinstance(value, pydantic.BaseModel):
        yield from (id(value), id(_sdk.fields_set(value)))
        yield from changeable(vars(value))
        if extra := _sdk.extras(value):
            yield from changeable(extra)
    elif isinstance(value, (dict, list)):
        yield id(value)
        for inner in value.values() if isinstance(value, dict) else value:
            yield from changeable(inner)


def spoil(value: Any) -> None:
    """Changes all that can be changed of a value, as a careless callback might."""
    if isinstance(value, pydantic.BaseModel):
        for name, inner in list(vars(value).items()):
            spoil(inner)
            if isinstance(inner, str) and name != "id":
                vars(value)[name] = "spoilt"
        _sdk.fields_set(value).clear()
    elif isinstance(value, (dict, list)):
        for inner in list(value.values() if isinstance(value, dict) else value):
            spoil(inner)
        value.clear()
