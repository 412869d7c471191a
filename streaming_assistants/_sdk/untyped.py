"""The SDK's objects, by names for what no type can say: their classes differ from release to release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

AnyClient: TypeAlias = Any
"""A client of either colour, of any release, with what its release has."""

Resource: TypeAlias = Any
"""What a client's methods are on: a namespace of it, a raw view of one, the client or the module itself."""

Attributes: TypeAlias = dict[str, Any]
"""What an object keeps as its own attributes."""

Model: TypeAlias = Any
"""What the SDK makes of an answer: a stream, an event, a run, a message, a delta, a page."""

HttpClient: TypeAlias = Any
"""A client of httpx or httpx2."""

HttpRequest: TypeAlias = Any
"""A request of httpx or httpx2."""

HttpResponse: TypeAlias = Any
"""A response of httpx or httpx2, or the SDK's own around one."""

Method: TypeAlias = Callable[..., Any]
"""A method of the SDK, or one of ours in its place."""

Arguments: TypeAlias = dict[str, Any]
"""Keyword arguments of such a method, or the options of the request that it makes."""
