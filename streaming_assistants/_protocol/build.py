"""Models from JSON that does not fit them: what servers other than OpenAI's send.

A release of the SDK refuses a field that is missing, a status that it does not know, a part that came
after it. Here nothing is lost: a value that fits no annotation stays as it is, a missing field is its
default or None, and a part is the model that its ``type`` names. Refused is only what a stream is put
together from and cannot be: an index that is no number, a list of parts that is none.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Literal, Union, get_args, get_origin

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json

from . import models

_SCALARS: dict[str, type] = {
    "index": int,
    **dict.fromkeys(("arguments", "id", "input", "logs", "message_id", "refusal"), str),
    **dict.fromkeys(("status", "type", "value"), str),
}
_STRUCTURES = frozenset(
    {
        "annotations",
        "code_interpreter",
        "content",
        "function",
        "message_creation",
        "outputs",
        "required_action",
        "step_details",
        "submit_tool_outputs",
        "text",
        "tool_calls",
    }
)


def build(model: type[pydantic.BaseModel], value: dict[str, Json], *, refuses: bool = True) -> Json:
    """``model`` from a JSON object, leniently. Raises ValueError for what no stream can be made of.

    ``refuses`` is for what comes in; what was taken is put together without asking again.
    """
    for name in value.keys() & _SCALARS.keys() if refuses else ():
        if not isinstance(value[name], (_SCALARS[name], types.NoneType)):
            raise ValueError(f"expected {_SCALARS[name].__name__} as {name!r}, got {value[name]!r:.80}")
    if model is models.OpenPart:
        return opened(value)
    values: dict[str, Json] = {}
    given: set[str] = set()
    rest = dict(value)
    for name, alias, annotation, default in _fields(model):
        if alias in rest:
            given_value = rest.pop(alias)
            if refuses and name in _STRUCTURES and not _is_structure(annotation, given_value):
                raise ValueError(f"expected another shape as {name!r}, got {given_value!r:.80}")
            values[name] = fit(annotation, given_value, refuses)
            given.add(name)
        else:
            values[name] = default
    return _sdk.make(model, {**values, **rest}, given | rest.keys())


def fit(annotation: Json, value: Json, refuses: bool) -> Json:
    """``value`` as ``annotation`` says, as far as it can be."""
    if isinstance(value, dict):
        model = _choose(_models_in(annotation), value)
        return value if model is None else build(model, value, refuses=refuses)
    if isinstance(value, list):
        item = _item_of(annotation)
        return value if item is None else [fit(item, entry, refuses) for entry in value]
    return value


def opened(value: Json, levels: int = 50) -> Json:
    """JSON that no model is known for: objects with attributes, as deep as anybody looks."""
    if not levels:
        return value
    if isinstance(value, list):
        return [opened(item, levels - 1) for item in value]
    if not isinstance(value, dict):
        return value
    values = {name: opened(inner, levels - 1) for name, inner in value.items()}
    return _sdk.make(models.OpenPart, values, set(values))


def _is_structure(annotation: Json, value: Json) -> bool:
    """Whether ``value`` is an object or a list of objects where ``annotation`` wants one; None is either."""
    if value is None:
        return True
    item = _item_of(annotation)
    if item is not None and _models_in(item):
        return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return isinstance(value, dict) or not _models_in(annotation)


def grown(model: type[pydantic.BaseModel], value: dict[str, Json]) -> Json:
    """The same from what was taken before."""
    return build(model, value, refuses=False)


def part(kind: str, value: dict[str, Json]) -> Json:
    """A content block, annotation or tool call from JSON, by its ``type``; ``kind`` is a key of VARIANTS."""
    kinds, tag = models.VARIANTS[kind], value.get("type")
    name = kinds.get(tag) if isinstance(tag, str) else None
    return grown(models.model(name) if name else models.OpenPart, value)


@cache
def _fields(model: type[pydantic.BaseModel]) -> tuple[tuple[str, str, Json, Json], ...]:
    return tuple((name, alias, kind, default) for name, alias, kind, _, default in _sdk.fields_of(model))


def _members(annotation: Json) -> Iterable[Json]:
    """The alternatives of an annotation, Optional, Union and Annotated taken apart."""
    origin = _origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin is Union or origin is types.UnionType:
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _origin(annotation: Json) -> object:
    # Of no type that could never be what it is compared with.
    return get_origin(annotation)


def _models_in(annotation: Json) -> list[type[pydantic.BaseModel]]:
    return [m for m in _members(annotation) if isinstance(m, type) and issubclass(m, pydantic.BaseModel)]


def _item_of(annotation: Json) -> Json:
    for member in _members(annotation):
        if _origin(member) is list:
            return get_args(member)[0]
    return None


def _choose(
    candidates: list[type[pydantic.BaseModel]], value: dict[str, Json]
) -> type[pydantic.BaseModel] | None:
    if not candidates:
        return None
    tag = value.get("type")
    if not isinstance(tag, str):
        # Left out, or no name, which the model refuses: its fields tell which one it is.
        return max(candidates, key=lambda model: sum(alias in value for _, alias, _, _ in _fields(model)))
    tags = {expected: candidate for candidate in candidates for expected in _tags(candidate)}
    if not tags:
        return candidates[0]
    if tag in tags:
        return tags[tag]
    # A part that came after this release of the SDK: the table that its siblings are in knows more.
    for table in models.VARIANTS.values():
        if tag in table and tags.keys() & table.keys() and models.model(table[tag]) not in candidates:
            siblings = {models.model(table[known]) for known in tags.keys() & table.keys()}
            if siblings & set(candidates):
                return models.model(table[tag])
    return models.OpenPart


@cache
def _tags(model: type[pydantic.BaseModel]) -> tuple[str, ...]:
    for name, _, annotation, _ in _fields(model):
        if name == "type":
            return tuple(v for m in _members(annotation) if _origin(m) is Literal for v in get_args(m))
    return ()
