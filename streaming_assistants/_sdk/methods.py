"""The SDK's own methods, below whatever programs put on its classes: looked at, and not called."""

from __future__ import annotations

import inspect
from functools import cache
from types import CodeType, FunctionType

from .untouched import as_shipped
from .untyped import Method


def own_method(kind: type, name: str) -> Method | None:
    """The function that a class of the SDK has for a method in the SDK's own file; None where it has none.

    Wrappers are looked through. Where one does not say what it wraps, or a program gave the class a method
    that the SDK does not have, the file itself is asked, which takes long.
    """
    placed = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    if placed is None:
        return None
    function = _innermost(placed)
    if _is_the_sdks(function) or not _is_the_sdks(kind):
        return function
    shipped = getattr(as_shipped(kind), name, None)
    return None if shipped is None else _innermost(shipped)


def _innermost(placed: Method) -> Method:
    function: Method = getattr(placed, "__func__", placed)
    while (below := getattr(function, "__wrapped__", None)) is not None:
        function = below
    return function


def _is_the_sdks(thing: object) -> bool:
    # A function's module is what functools.wraps() says it is; its globals are where it was written.
    made_in = getattr(thing, "__globals__", {}).get("__name__") if isinstance(thing, FunctionType) else None
    return str(made_in or getattr(thing, "__module__", "")).startswith("openai.")


def own_methods(kind: type) -> list[str]:
    """The names of the methods that a class of the SDK has by itself, in their order."""
    return [name for name in vars(kind) if not name.startswith("_") and callable(vars(kind)[name])]


@cache
def parameters(function: Method) -> frozenset[str]:
    """The names that a function takes, without those of ``*`` and ``**``."""
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType) and not hasattr(function, "__wrapped__"):
        return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return frozenset(inspect.signature(function).parameters)


@cache
def says(function: Method, word: str) -> bool:
    """Whether a function has ``word`` among the constants of its code."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and word in code.co_consts
