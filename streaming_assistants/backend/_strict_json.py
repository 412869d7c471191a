"""JSON from elsewhere, read strictly: what is taken can be stored, sent on and shown again. Sans-IO."""

from __future__ import annotations

import json
import math
import re

from ._engine.port import Json

DEEPEST = 100
"""How many arrays and objects may stand within each other; readers of JSON give up at some such number."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decoded(body: bytes | bytearray) -> Json:
    """The value of a JSON text in UTF-8. Raises ValueError, also for what only Python takes for JSON."""
    text = body.decode("utf-8-sig")
    try:
        value = _STRICT.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        _check_depth(value)
    if _SURROGATE.search(body):
        _check_surrogates(value)
    return value


def from_upstream(data: bytes) -> Json:
    """The value of a server's JSON. What it cannot say in JSON (``NaN``) is None. Raises ValueError."""
    try:
        # What a server sends is UTF-8 but for its first letters, which tell.
        encoding = "utf-8" if data[:2] == b'{"' else json.detect_encoding(data)
        return _LENIENT.decode(data.decode(encoding, "surrogatepass"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _none(_: str) -> None:
    return None


def _finite_or_none(text: str) -> float | None:
    value = float(text)
    return None if math.isinf(value) else value


# Made once: one for each event costs more than the event.
_LENIENT = json.JSONDecoder(parse_constant=_none, parse_float=_finite_or_none)


def _refused(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


_STRICT = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[Json] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        if not inner:
            return
        level = inner
    raise ValueError("it is nested too deep")


def _check_surrogates(value: Json) -> None:
    # Half of a character has no UTF-8: neither a database nor another server takes it.
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None
