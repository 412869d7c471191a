"""Why a server refused, out of the body of its answer. Sans-IO.

OpenAI says ``{"error": {"message", "code", "param"}}``. Others say ``{"detail": ...}``, ``{"message": ...}``,
plain text, or any of these in a server-sent event.
"""

from __future__ import annotations

import contextlib
import json
import re

from .._engine.port import Json
from .._strict_json import from_upstream

_LONGEST = 500  # characters of a reason that is not an error object
_FRAMED = re.compile(r"^(?:data|error):\s*", re.M)


def reason(body: bytes) -> Json:
    """The error object of a refusal, with a ``message`` where there is one; empty for an empty body."""
    text = body.decode("utf-8", "replace").strip()
    for part in (text, *_FRAMED.split(text)[1:]):
        with contextlib.suppress(ValueError):  # plain text, or the end of a stream
            return _object(from_upstream(part.encode()))
    return _object(_FRAMED.sub("", text)) if text and not text.startswith("<") else {}


def _object(told: Json) -> Json:
    """The error object in what was decoded."""
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, dict):
        return {"message": _shown(told)} if told else {}
    for name in ("error", "detail"):
        inner = told.get(name)
        if isinstance(inner, dict):
            return inner if inner.get("message") else {**inner, "message": _shown(inner)}
        if inner:
            return {**told, "message": _shown(inner)}
    return told if told.get("message") else {"message": _shown(told)}


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
