"""The JSON schema of a function's arguments, as ``strict`` function calling takes it. Sans-IO."""

from __future__ import annotations

from streaming_assistants._json import Json

_NAMED = ("properties", "$defs", "definitions")


def strict(schema: dict[str, Json]) -> dict[str, Json]:
    """``schema`` with every property required and no other allowed.

    Raises TypeError for what strict calling cannot say: an object of any properties.
    """
    return _object(schema, "the arguments")


def _strict(value: Json, where: str) -> Json:
    if isinstance(value, list):
        return [_strict(each, where) for each in value]
    return _object(value, where) if isinstance(value, dict) else value


def _object(node: dict[str, Json], where: str) -> dict[str, Json]:
    # A reference stands alone, and one thing of which all holds is that thing: pydantic 1 writes it so.
    all_of = node.get("allOf")
    if isinstance(all_of, list) and len(all_of) == 1 and isinstance(all_of[0], dict):
        node = {**{name: each for name, each in node.items() if name != "allOf"}, **all_of[0]}
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    made: dict[str, Json] = {}
    for name, each in node.items():
        if name in _NAMED and isinstance(each, dict):
            made[name] = {inner: _strict(one, inner) for inner, one in each.items()}
        elif name in ("enum", "const"):
            made[name] = each
        elif name not in ("default", "discriminator"):
            made["anyOf" if name == "oneOf" else name] = _strict(each, where)
    if node.get("type") == "object":
        if node.get("additionalProperties") not in (None, False) or "properties" not in node:
            raise TypeError(f"strict=True: {where} may have any property; say which by a model")
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    return made
