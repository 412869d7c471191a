"""JSON that fits a JSON Schema, made without a model: what echo says under a ``response_format``, and the
arguments of a function that it has to call. Sans-IO.

It knows the keywords that structured outputs and tools use. What it makes is checked by the same rules,
so that it either fits or is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time

from .._engine.port import Json

_DEEP = 3  # levels down to which lists have an entry and optional things are there
_DEEPEST = 40
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}
_FORMATS = {
    "date-time": datetime(2026, 1, 1).isoformat() + "Z",
    "date": date(2026, 1, 1).isoformat(),
    "time": time(12).isoformat() + "Z",
    "duration": "P1D",
    "email": "echo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Unfit(Exception):
    """No JSON could be made; the message says why."""


def as_json(text: str, schema: Json) -> str:
    """JSON text that fits: ``text`` itself where it does, else one made up with ``text`` in its strings.

    Raises :class:`Unfit` for a schema that nothing simple fits.
    """
    try:
        if fits(json.loads(text), schema):
            return text
    except ValueError:
        pass  # words, then
    return json.dumps(sample(schema, text), ensure_ascii=False)


def sample(schema: Json, text: str) -> Json:
    """A value that fits the schema. Raises :class:`Unfit`."""
    try:
        made = _Maker(schema, text).make(schema, 0)
    except (AttributeError, TypeError, ValueError, re.error) as error:
        raise Unfit(f"the schema is malformed ({error})") from error
    if not fits(made, schema):
        raise Unfit(f"{json.dumps(made)[:200]} is the best that was found, and does not fit")
    return made


def fits(value: Json, schema: Json) -> bool:
    """Whether a value fits a schema."""
    return _Rules(schema).hold(value, schema, 0)


def _resolved(schema: Json, root: Json) -> Json:
    """The schema without its ``$ref``, which may have other keywords beside it."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema
        path = str(schema["$ref"]).removeprefix("#").strip("/")
        target = root
        for name in path.split("/") if path else ():
            step = name.replace("~1", "/").replace("~0", "~")
            target = target.get(step) if isinstance(target, dict) else None
        if target is None:
            raise Unfit(f"{schema['$ref']!r} leads nowhere")
        beside = {name: each for name, each in schema.items() if name != "$ref"}
        schema = {**target, **beside} if isinstance(target, dict) else target
    raise Unfit("a $ref leads back to itself")


class _Rules:
    def __init__(self, root: Json) -> None:
        self._root = root

    def hold(self, value: Json, schema: Json, depth: int) -> bool:
        schema = _resolved(schema, self._root)
        if isinstance(schema, bool):
            return schema
        if depth > _DEEPEST:
            raise Unfit("the schema goes too deep")
        return all(self._each(value, schema, depth + 1))

    def _each(self, value: Json, schema: Json, depth: int) -> Iterator[bool]:
        kinds = schema.get("type")
        if kinds is not None:
            yield any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
        if "const" in schema:
            yield value == schema["const"]
        if "enum" in schema:
            yield value in schema["enum"]
        for each in schema.get("allOf") or ():
            yield self.hold(value, each, depth)
        if "anyOf" in schema:
            yield any(self.hold(value, each, depth) for each in schema["anyOf"])
        if "oneOf" in schema:
            yield [self.hold(value, each, depth) for each in schema["oneOf"]].count(True) == 1
        if "not" in schema:
            yield not self.hold(value, schema["not"], depth)
        if isinstance(value, dict):
            yield from self._object(value, schema, depth)
        elif isinstance(value, list):
            yield from self._array(value, schema, depth)
        elif isinstance(value, str):
            yield schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
            yield "pattern" not in schema or bool(re.search(schema["pattern"], value))
        elif _is(value, "number"):
            yield schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
            yield schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
            step = schema.get("multipleOf")
            yield not step or math.isclose(value / step, round(value / step), abs_tol=1e-9)

    def _object(self, value: Json, schema: Json, depth: int) -> Iterator[bool]:
        known = schema.get("properties") or {}
        yield set(schema.get("required") or ()) <= value.keys()
        yield schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", math.inf)
        for name, each in value.items():
            yield self.hold(each, known.get(name, schema.get("additionalProperties", True)), depth)

    def _array(self, value: Json, schema: Json, depth: int) -> Iterator[bool]:
        first = schema.get("prefixItems") or []
        yield schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
        yield not schema.get("uniqueItems") or all(each not in value[:at] for at, each in enumerate(value))
        for at, each in enumerate(value):
            yield self.hold(each, first[at] if at < len(first) else schema.get("items", True), depth)


class _Maker:
    def __init__(self, root: Json, text: str) -> None:
        self._root = root
        self._rules = _Rules(root)
        self._text = text

    def make(self, schema: Json, depth: int) -> Json:
        schema = _resolved(schema, self._root)
        if schema is False or depth > _DEEPEST:
            raise Unfit("the schema lets nothing pass" if schema is False else "the schema goes too deep")
        if schema is True:
            return self._text
        for each in schema.get("allOf") or ():
            schema = _both(schema, _resolved(each, self._root))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._first(schema["enum"], schema, depth)
        for name in ("anyOf", "oneOf"):
            if schema.get(name):
                beside = {key: each for key, each in schema.items() if key != name}
                return self._made(
                    [_both(beside, _resolved(each, self._root)) for each in schema[name]], depth
                )
        kinds = schema.get("type") or _kind_of(schema)
        if isinstance(kinds, list):
            return self._made([{**schema, "type": kind} for kind in kinds], depth)
        return self._of(kinds, schema, depth)

    def _made(self, schemas: list[Json], depth: int) -> Json:
        """For the first schema that something can be made for: null comes last, and first when it is deep."""
        schemas = sorted(schemas, key=lambda each: (each.get("type") == "null") == (depth <= _DEEP))
        reason = Unfit("the schema has no alternatives")
        for each in schemas:
            try:
                return self.make(each, depth + 1)
            except Unfit as error:  # noqa: PERF203 - the next alternative may do
                reason = error
        raise reason

    def _of(self, kind: str, schema: Json, depth: int) -> Json:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._first(self._strings(schema), schema, depth)
        if kind in ("number", "integer"):
            return self._first(_numbers(schema, kind == "integer"), schema, depth)
        if kind in ("boolean", "null"):
            return True if kind == "boolean" else None
        raise Unfit(f"{kind!r} is no type of JSON")

    def _first(self, candidates: Iterable[Json], schema: Json, depth: int) -> Json:
        for each in candidates:
            if self._rules.hold(each, schema, depth):
                return each
        raise Unfit(f"nothing was found for {json.dumps(schema)[:200]}")

    def _object(self, schema: Json, depth: int) -> Json:
        known, required = schema.get("properties"), schema.get("required") or []
        if known is None and not required:
            return {"text": self._text} if schema.get("additionalProperties", True) is True else {}
        names = [name for name in known or {} if name in required or depth <= _DEEP]
        names += [name for name in required if name not in names]
        beyond = schema.get("additionalProperties", True)
        return {name: self.make((known or {}).get(name, beyond), depth + 1) for name in names}

    def _array(self, schema: Json, depth: int) -> Json:
        first, rest = schema.get("prefixItems") or [], schema.get("items", True)
        wanted = 1 if depth <= _DEEP and rest is not False else 0
        count = min(max(wanted, len(first), schema.get("minItems", 0)), schema.get("maxItems", math.inf))
        schemas = [*first, *[rest] * max(0, count - len(first))][:count]
        return [self.make(each, depth + 1) for each in schemas]

    def _strings(self, schema: Json) -> Iterator[str]:
        if schema.get("format") in _FORMATS:
            yield _FORMATS[schema["format"]]
        text = self._text[: schema.get("maxLength")]
        yield text.ljust(schema.get("minLength", 0), ".")
        yield from self._text.split()
        for filler in "a0A":
            yield from (filler * count for count in range(1, 41))


def _numbers(schema: Json, whole: bool) -> Iterator[float]:
    """Candidates, the plainest first."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    yield from (1, 0)
    for bound, way in ((low, 1), (high, -1)):
        if bound is not None:
            step = schema.get("multipleOf") or 1
            near = (math.ceil if way > 0 else math.floor)(bound / step) * step
            yield from (near, near + way * step)
    if not whole:
        yield from (bound for bound in (low, high) if bound is not None)
        if low is not None and high is not None:
            yield (low + high) / 2


def _both(one: Json, other: Json) -> Json:
    """One schema for two that hold at once."""
    if isinstance(other, bool):
        return one if other else {"enum": []}
    merged = {**one, **other}
    if "properties" in merged:
        merged["properties"] = {**(one.get("properties") or {}), **(other.get("properties") or {})}
    if "required" in merged:
        merged["required"] = [*(one.get("required") or ()), *(other.get("required") or ())]
    return merged


def _kind_of(schema: Json) -> str:
    """The type of a schema that does not say it."""
    if {"properties", "required", "additionalProperties"} & schema.keys():
        return "object"
    if {"items", "prefixItems", "minItems"} & schema.keys():
        return "array"
    if {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} & schema.keys():
        return "number"
    return "string"


def _is(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, ()))
