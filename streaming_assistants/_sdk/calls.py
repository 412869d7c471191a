"""Calling the SDK's methods: deprecation warnings, raw responses, timeouts and retries."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Dict, cast  # noqa: UP035

import openai

from .basemodels import JSON

# Dict and not dict: on Python 3.10 the latter passes for a class, and the SDK trips over it.
JSON_OBJECT = Dict[str, object]  # noqa: UP006
"""``cast_to`` for a plain request whose answer is wanted as it came (1.1 refuses ``object``)."""


_OWN = ("streaming_assistants", "openai", "wrapt", "typing_extensions", "warnings")


def _is_deprecated(method: JSON) -> bool:
    """Whether it is the function that ``deprecated`` made: functools.wraps() copies the mark to others."""
    function = getattr(method, "__func__", method)
    return hasattr(function, "__deprecated__") and _made_in(function) in ("typing_extensions", "warnings")


def _made_in(function: JSON) -> str:
    return str(getattr(function, "__globals__", {}).get("__name__", ""))


def is_own(function: JSON) -> bool:
    """Whether the SDK made a function, or the decorator by which it deprecates one."""
    return _made_in(function).startswith("openai.") or _is_deprecated(function)


def deprecated_methods(kind: type) -> list[str]:
    """The methods of a resource class that warn when they are called."""
    return [
        name for name, method in vars(kind).items() if not name.startswith("_") and _is_deprecated(method)
    ]


def undeprecated(method: JSON) -> JSON:
    """The SDK's method below the decorators that warn of it; some are decorated twice."""
    owner = getattr(method, "__self__", None)
    function: JSON = getattr(method, "__func__", method)
    plain = function
    while _is_deprecated(function) or _made_in(function).startswith("openai."):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        if _is_deprecated(function):
            plain = inner
        function = inner
    return plain if owner is None else plain.__get__(owner, type(owner))


def warn_deprecated(method: JSON) -> None:
    """Gives the warning of a method that the SDK deprecates, once, at the line of the code that called it."""
    if not _is_deprecated(method):
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OWN:
        level, frame = level + 1, frame.f_back
    warnings.warn(str(method.__deprecated__), DeprecationWarning, stacklevel=level)


RAW_HEADER = {"X-Stainless-Raw-Response": "true"}
"""Asks a client's own ``get`` and ``post`` for the response, as ``with_raw_response`` does."""


def raw(method: Callable[..., JSON]) -> Callable[..., JSON]:
    """The form of a method that ``with_raw_response`` has: it gives the response."""

    @functools.wraps(method)
    def call(*args: JSON, **kwargs: JSON) -> JSON:
        return method(
            *args, **{**kwargs, "extra_headers": {**(kwargs.get("extra_headers") or {}), **RAW_HEADER}}
        )

    return call


UNREADABLE = (ValueError, AttributeError)
"""What the SDK raises for a body that it cannot read: some releases trip over a missing content type."""


def read(response: JSON) -> tuple[JSON, Mapping[str, str], JSON]:
    """(object, headers, request) of a raw response."""
    return response.parse(), response.headers, response.http_request


def capped(timeout: JSON, seconds: float) -> JSON:
    """A timeout of the SDK or its transport with no part of it longer than ``seconds``."""
    if timeout is None or isinstance(timeout, (int, float)):
        return min(timeout, seconds) if timeout is not None else seconds
    if isinstance(timeout, tuple):
        return type(timeout)(seconds if part is None else min(part, seconds) for part in timeout)
    parts = {name: getattr(timeout, name) for name in ("connect", "read", "write", "pool")}
    return type(timeout)(**{name: seconds if v is None else min(v, seconds) for name, v in parts.items()})


def retry_seconds(client: JSON, error: Exception, failures: int) -> float | None:
    """How long the client itself would wait before it tries again, None where it would not."""
    response = getattr(error, "response", None)
    left = client.max_retries - failures
    worth = (
        isinstance(error, openai.APIConnectionError) if response is None else client._should_retry(response)
    )
    if left <= 0 or not worth:
        return None
    options = importlib.import_module("openai._models").FinalRequestOptions.construct(method="get", url="/")
    headers = None if response is None else response.headers
    return cast("float", client._calculate_retry_timeout(left, options, headers))
