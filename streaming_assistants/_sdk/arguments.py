"""What a function takes, as a model of pydantic 1 or 2: it validates arguments and says their JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pydantic

from .basemodels import JSON, PYDANTIC_1


class ArgumentsModel:
    """A model of ``parameters``: (annotation, default) by name, with ``...`` for no default.

    Raises TypeError for an annotation that pydantic cannot validate.
    """

    def __init__(self, parameters: Mapping[str, tuple[JSON, JSON]]) -> None:
        # Fields have names of their own: a model has attributes and methods that a parameter may be called.
        self._names = {f"argument_{place}": name for place, name in enumerate(parameters)}
        fields = dict(zip(self._names, parameters.values(), strict=True))
        settings: dict[str, JSON] = {"extra": "forbid", "alias_generator": self._alias}
        config: JSON = type("Config", (), settings) if PYDANTIC_1 else settings
        create: JSON = pydantic.create_model
        try:
            self._model: JSON = create("Arguments", __config__=config, **fields)
        except (TypeError, RuntimeError, NameError) as error:
            raise TypeError(f"an annotation that cannot be validated: {error}") from error

    def _alias(self, field: str) -> str:
        return self._names.get(field, field)  # pydantic 1 also asks for the items of a list

    def validated(self, arguments: Mapping[str, JSON]) -> dict[str, JSON]:
        """The values by name. Raises pydantic's ValidationError, which is a ValueError."""
        read = self._model.parse_obj if PYDANTIC_1 else self._model.model_validate
        made = read(dict(arguments))
        # Not a dump, which would turn the models in it into dicts.
        return {name: getattr(made, field) for field, name in self._names.items()}

    def schema(self) -> dict[str, JSON]:
        """The JSON schema, without the titles that pydantic gives by itself.

        Raises TypeError for an annotation that pydantic validates and has no schema for.
        """
        make = self._model.schema if PYDANTIC_1 else self._model.model_json_schema
        try:
            made = make(by_alias=True)
        except (RuntimeError, ValueError) as error:  # ValueError: of pydantic 1
            raise TypeError(f"an annotation that has no JSON schema: {error}") from error
        properties = made["properties"]
        for field, name in self._names.items():
            if name not in properties:  # pydantic 1 warns, and leaves it out
                raise TypeError(f"an annotation that has no JSON schema: that of {name!r}")
            if PYDANTIC_1 and self._model.__fields__[field].allow_none:
                properties[name] = _or_null(properties[name])
        return cast("dict[str, JSON]", _untitled(made, "Arguments"))


_ABOUT = ("default", "description", "title")


def _or_null(said: dict[str, JSON]) -> dict[str, JSON]:
    """The schema of a parameter that may be None, as pydantic 2 says it: pydantic 1 keeps that to itself."""
    about = {key: each for key, each in said.items() if key in _ABOUT}
    kind = {key: each for key, each in said.items() if key not in _ABOUT}
    return {"anyOf": [kind, {"type": "null"}], **about} if kind else said


def faults(error: Exception) -> list[tuple[str, str]]:
    """(where, what kind of fault) of each fault that pydantic found: nothing of what was found faulty."""
    if not isinstance(error, pydantic.ValidationError):
        return []
    return [(".".join(map(str, each["loc"])), str(each["type"])) for each in error.errors()]


def _untitled(value: JSON, key: str) -> JSON:
    if isinstance(value, list):
        return [_untitled(each, "") for each in value]
    if not isinstance(value, dict):
        return value
    of_names = key in ("properties", "$defs", "definitions")
    return {
        name: _untitled(each, name)
        for name, each in value.items()
        if of_names or name != "title" or each not in (key, key.replace("_", " ").strip().title())
    }
