"""Checks of request bodies. A check takes a value and the name it goes by, and raises the API's 400.

SHAPE = {"model": text(256), "tools": array(TOOL, 128)}
fields(SHAPE, body, required=("model",))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .api_errors import ApiError, bad
from .port import Json

Check = Callable[[Json, str], None]
Shape = Mapping[str, Check]

_IDENTIFIER = re.compile("[a-zA-Z0-9_-]+")
_NAMES = {str: "a string", bool: "a boolean", int: "an integer", float: "a decimal", list: "an array"}


def anything(value: Json, name: str) -> None:
    """For what only the upstream can judge."""


def text(longest: int | None = None) -> Check:
    def check(value: Json, name: str) -> None:
        if not isinstance(value, str):
            raise _wrong_type(name, "a string", value)
        if longest is not None and len(value) > longest:
            raise bad(
                f"Invalid '{name}': string too long. Expected a string with maximum length {longest}, but "
                f"got a string with length {len(value)} instead.",
                name,
                "string_above_max_length",
            )

    return check


def identifier(longest: int) -> Check:
    """The name of a function: letters, digits, underscores and dashes."""
    check_text = text(longest)

    def check(value: Json, name: str) -> None:
        check_text(value, name)
        if not _IDENTIFIER.fullmatch(value):
            raise bad(
                f"Invalid '{name}': string does not match pattern. Expected a string that matches the "
                f"pattern '^{_IDENTIFIER.pattern}$'.",
                name,
                "invalid_value",
            )

    return check


def boolean(value: Json, name: str) -> None:
    if not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)


def number(low: float, high: float) -> Check:
    def check(value: Json, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong_type(name, "a decimal", value)
        _within(value, name, low, high, "decimal")

    return check


def integer(low: int, high: int | None = None) -> Check:
    def check(value: Json, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(name, "an integer", value)
        _within(value, name, low, high, "integer")

    return check


def choice(*allowed: str) -> Check:
    def check(value: Json, name: str) -> None:
        if not isinstance(value, str):
            raise _wrong_type(name, f"one of {_list(allowed)}", value)
        if value not in allowed:
            raise bad(
                f"Invalid value: '{value}'. Supported values are: {_list(allowed)}.", name, "invalid_value"
            )

    return check


def array(item: Check, longest: int) -> Check:
    def check(value: Json, name: str) -> None:
        if not isinstance(value, list):
            raise _wrong_type(name, "an array", value)
        if len(value) > longest:
            raise bad(
                f"Invalid '{name}': array too long. Expected an array with maximum length {longest}, but got "
                f"an array with length {len(value)} instead.",
                name,
                "array_above_max_length",
            )
        for index, entry in enumerate(value):
            item(entry, f"{name}[{index}]")

    return check


def metadata(value: Json, name: str) -> None:
    """At most 16 pairs; keys of up to 64 characters, values of up to 512."""
    if not isinstance(value, dict):
        raise _wrong_type(name, "an object", value)
    if len(value) > 16:
        raise bad(
            f"Invalid '{name}': too many properties. Expected an object with at most 16 properties, but "
            f"got an object with {len(value)} properties instead.",
            name,
            "object_above_max_properties",
        )
    for key, entry in value.items():
        if len(key) > 64:
            raise bad(
                f"Invalid property name in '{name}': '{key}' is too long. Expected a property name with "
                f"maximum length 64, but got a property name with length {len(key)} instead.",
                name,
                "property_name_above_max_length",
            )
        text(512)(entry, f"{name}.{key}")


def one_of(*checks: Check) -> Check:
    """The first check that passes; when none does, the complaint of the one that fits the type."""

    def check(value: Json, name: str) -> None:
        complaints = [error for each in checks if (error := _complaint(each, value, name))]
        if len(complaints) < len(checks):
            return
        fitting = [error for error in complaints if error.body["error"]["code"] != "invalid_type"]
        raise (fitting or complaints)[0]

    return check


def _complaint(check: Check, value: Json, name: str) -> ApiError | None:
    try:
        check(value, name)
    except ApiError as error:
        return error
    return None


def shaped(shape: Shape, *required: str) -> Check:
    """An object of these fields; None stands for a field that is left out."""

    def check(value: Json, name: str) -> None:
        fields(shape, value, required, name)

    return check


def tagged(kinds: Mapping[str, Check], old: tuple[str, ...] = ()) -> Check:
    """An object whose ``type`` says which check applies; ``old`` ones are taken and no longer named."""
    check_kind = choice(*(kind for kind in kinds if kind not in old))

    def check(value: Json, name: str) -> None:
        if not isinstance(value, dict):
            raise _wrong_type(name, "an object", value)
        if "type" not in value:
            raise _required(f"{name}.type")
        if value["type"] not in old:
            check_kind(value["type"], f"{name}.type")
        kinds[value["type"]](value, name)

    return check


def fields(shape: Shape, body: Json, required: tuple[str, ...] = (), name: str = "") -> None:
    if not isinstance(body, dict):
        raise _wrong_type(name or "body", "an object", body)
    prefix = f"{name}." if name else ""
    for key in body:
        if key not in shape:
            raise bad(f"Unknown parameter: '{prefix}{key}'.", prefix + key, "unknown_parameter")
    for key in required:
        if body.get(key) is None:
            raise _required(prefix + key)
    for key, value in body.items():
        if value is not None:
            shape[key](value, prefix + key)


def _required(name: str) -> ApiError:
    return bad(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _wrong_type(name: str, expected: str, value: Json) -> ApiError:
    got = "null" if value is None else _NAMES.get(type(value), "an object")
    return bad(
        f"Invalid type for '{name}': expected {expected}, but got {got} instead.", name, "invalid_type"
    )


def _within(value: float, name: str, low: float, high: float | None, kind: str) -> None:
    for wrong, words, limit in (
        (value < low, "below minimum", f">= {low}"),
        (high is not None and value > high, "above maximum", f"<= {high}"),
    ):
        if wrong:
            bound = "min" if words.startswith("below") else "max"
            raise bad(
                f"Invalid '{name}': {kind} {words} value. Expected a value {limit}, but got {value} instead.",
                name,
                f"{kind}_{words.split()[0]}_{bound}_value",
            )


def _list(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    if len(quoted) == 1:
        return quoted[0]
    joined = ", ".join(quoted[:-1])
    return f"{joined}{',' if len(quoted) > 2 else ''} and {quoted[-1]}"
