"""Decoded JSON: what the wire holds, which no release of the SDK needs to know."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any value of JSON. A recursive type would have every member asked for its kind before it is read; what has
a known shape has a type of its own, and what is only looked at is an object."""
