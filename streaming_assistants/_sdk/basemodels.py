"""The SDK's models, and pydantic 1 and 2 behind one set of functions."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, TypeAlias, TypeVar, cast

import openai
import pydantic

JSON: TypeAlias = Any
"""Decoded JSON."""

ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)

PYDANTIC_1 = not hasattr(pydantic.BaseModel, "model_validate")


@cache
def base_model() -> type[pydantic.BaseModel]:
    """The SDK's own BaseModel: extra fields allowed, ``to_dict`` where the release has it."""
    public = getattr(openai, "BaseModel", None)
    return cast("type[pydantic.BaseModel]", public or importlib.import_module("openai._models").BaseModel)


def find(places: tuple[tuple[str, str], ...]) -> type[pydantic.BaseModel] | None:
    """The first class of the SDK at one of ``places``, each (module below ``openai.types``, name)."""
    for module, name in places:
        try:
            model = getattr(importlib.import_module(f"openai.types.{module}"), name, None)
        except ImportError:
            continue
        if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
            return model
    return None


def fields_of(model: type[pydantic.BaseModel]) -> list[tuple[str, str, JSON, bool, JSON]]:
    """(name, alias, annotation, required, default) of each field, the same from pydantic 1 and 2."""
    if PYDANTIC_1:
        legacy = cast("Mapping[str, Any]", model.__fields__)
        return [(n, f.alias, f.outer_type_, bool(f.required), f.default) for n, f in legacy.items()]
    return [
        (name, field.alias or name, field.annotation, field.is_required(), _default(field))
        for name, field in model.model_fields.items()
    ]


def _default(field: JSON) -> JSON:
    # A required field has the marker PydanticUndefined for its default.
    return None if field.is_required() else field.get_default(call_default_factory=True)


def make(model: type[ModelT], values: dict[str, JSON], given: set[str]) -> ModelT:
    """An instance as it stands, nothing validated; ``given`` are the fields that were set."""
    # pydantic's own function, because the SDK's override rebuilds every nested model.
    construct = pydantic.BaseModel.construct if PYDANTIC_1 else pydantic.BaseModel.model_construct
    own = [name for name in ("cls", "_fields_set") if name in values]  # of the function, not of a field
    kept = {name: values[name] for name in own}
    rest = {name: value for name, value in values.items() if name not in kept} if kept else values
    made = cast("Any", construct).__func__(model, _fields_set=given, **rest)
    if kept:
        (made.__dict__ if PYDANTIC_1 else made.__pydantic_extra__).update(kept)
    return cast(ModelT, made)


def extras(model: pydantic.BaseModel) -> Mapping[str, JSON]:
    """The values of a model that has no field for them."""
    extra = vars(model) if PYDANTIC_1 else model.__pydantic_extra__
    return extra or {}


def is_model(value: object) -> bool:
    """Whether it is an instance of a model."""
    return _is_model_class(type(value))  # type: ignore[arg-type]  # a class is hashable


@lru_cache(maxsize=256)
def _is_model_class(kind: type) -> bool:
    # Asked of the class: pydantic's own answer for an instance costs as much as making one.
    return issubclass(kind, pydantic.BaseModel)


def fields_set(model: pydantic.BaseModel) -> set[str]:
    """The names of what was set of a model, whether it has a field for it or not."""
    return model.__fields_set__ if PYDANTIC_1 else model.__pydantic_fields_set__


def dump(model: JSON) -> dict[str, JSON]:
    """What was set of a model, as plain JSON values under the names of the API."""
    if PYDANTIC_1:
        return cast("dict[str, JSON]", model.dict(exclude_unset=True, by_alias=True))
    # warnings=False: a lenient model may hold what its annotation does not allow
    return cast("dict[str, JSON]", model.model_dump(exclude_unset=True, by_alias=True, warnings=False))


def jsonable(model: pydantic.BaseModel) -> dict[str, JSON]:
    """All of a model as plain JSON values, under its own names."""
    if PYDANTIC_1:
        return cast("dict[str, JSON]", json.loads(model.json()))
    return model.model_dump(mode="json")


def changed(model: ModelT, **values: object) -> ModelT:
    """A shallow copy of ``model`` with other values of its fields; ``model`` itself stays as it is."""
    if PYDANTIC_1:
        return model.copy(update=values)
    if not setters() or model.__pydantic_private__ is not None:
        return model.model_copy(update=values)
    # What model_copy() does, at a third of its cost.
    made = object.__new__(type(model))
    set_values, set_fields, set_extra, set_private = setters()
    set_values(made, {**vars(model), **values})
    set_fields(made, model.model_fields_set.union(values))
    set_extra(made, model.__pydantic_extra__ and model.__pydantic_extra__.copy())
    set_private(made, None)
    return made


_SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


@cache
def setters() -> tuple[Callable[[object, object], None], ...]:
    """What sets the values, the fields set, the values without a field, and what is private, of an instance.

    None of it where the pydantic that is installed has other slots.
    """
    slots = vars(pydantic.BaseModel)
    return tuple(slots[name].__set__ for name in _SLOTS) if all(name in slots for name in _SLOTS) else ()


def json_validator(model: type[ModelT]) -> Callable[[bytes], ModelT] | None:
    """The model's validator for raw JSON; None under pydantic 1, which has none worth the name."""
    if PYDANTIC_1:
        return None
    # The SDK defers building its models; until then the validator is a mock of pydantic's.
    model.model_rebuild()
    return cast("Callable[[bytes], ModelT]", cast(Any, model).__pydantic_validator__.validate_json)


def json_parser() -> Callable[[bytes], JSON]:
    """The fastest parser of UTF-8 JSON; raises ValueError for what is neither, and for more (see loads)."""
    try:
        from pydantic_core import from_json
    except ImportError:
        return json.loads
    return from_json


def loads(data: bytes) -> JSON:
    """Whatever ``json.loads`` reads; raises ValueError for what it does not.

    pydantic's parser is faster, but refuses half of a surrogate pair, and what is nested 200 deep.
    """
    try:
        return json_parser()(data)
    except (ValueError, RecursionError):
        try:
            return json.loads(data)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
