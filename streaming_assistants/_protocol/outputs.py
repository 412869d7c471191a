"""What a tool gives, as the text that the model gets. Sans-IO."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from collections.abc import Iterable, Mapping

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Model


def written(value: object) -> str:
    """A str as it is, None as ``""``, all else as JSON.

    Raises TypeError or ValueError for what is no JSON, and for text that is no Unicode.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text.encode()  # half of a surrogate pair cannot be sent
    return text


def _plain(value: object) -> object:
    """What ``json`` can write in the place of ``value``."""
    if isinstance(value, pydantic.BaseModel):
        return _sdk.jsonable(value)
    if hasattr(type(value), "__fields__") and hasattr(value, "json"):  # a model of pydantic.v1, beside 2
        old: Model = value
        return json.loads(old.json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (uuid.UUID, decimal.Decimal, pathlib.PurePath)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview, type)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
