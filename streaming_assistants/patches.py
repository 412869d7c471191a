"""What is put on one object in the place of what was there, and how it is taken away again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import wrapt

from . import _sdk

Method = Callable[..., Any]

_WRAPPERS: tuple[Any, ...] = (wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper)


class Patch:
    """One method of one object, replaced on the object itself; it knows the way back.

    ``warns`` says, at each call, whether the caller is told what the SDK deprecates.
    """

    def __init__(
        self, owner: Any, name: str, makes: Iterable[Callable[[Method], Method]], warns: Callable[[], bool]
    ) -> None:
        self._owner, self._name, self._warns = owner, name, warns
        self._had = name in vars(owner)
        self._before = vars(owner).get(name)
        self._on = True
        ours: Method = self._sdk_call
        for make in makes:
            ours = make(ours)
        self._ours = ours
        self._wrapper = wrapt.FunctionWrapper(self._beneath(), self._call)
        vars(owner)[name] = self._wrapper

    def undo(self) -> None:
        """Puts back what was there; under another library's wrapper it only steps aside."""
        self._on = False
        if vars(self._owner).get(self._name) is not self._wrapper:
            return
        if self._had:
            vars(self._owner)[self._name] = self._before
        else:
            del vars(self._owner)[self._name]

    def _beneath(self) -> Any:
        """What was there before; looked up anew, as another library may wrap the class later."""
        if self._had:
            return self._before
        found = inspect.getattr_static(type(self._owner), self._name, None)
        return self._absent() if found is None else found.__get__(self._owner, type(self._owner))

    def _absent(self) -> Method:
        """Carries the name of a method that the SDK does not have."""

        def absent(*_: Any, **__: Any) -> Any:
            raise AttributeError(f"{type(self._owner).__name__!r} object has no attribute {self._name!r}")

        absent.__name__ = self._name
        absent.__qualname__ = f"{type(self._owner).__name__}.{self._name}"
        return absent

    def _bottom(self) -> Any:
        """The SDK's own method, below other libraries' wrappers."""
        method = self._beneath()
        while isinstance(method, _WRAPPERS):
            method = method.__wrapped__
        return method

    def _sdk_call(self, *args: Any, **kwargs: Any) -> Any:
        # Its deprecation warning was given by then, by _call.
        return _sdk.undeprecated(self._bottom())(*args, **kwargs)

    def _call(self, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        beneath = self._beneath()
        if not self._on:
            return beneath(*args, **kwargs)
        if self._warns():
            _sdk.warn_deprecated(self._bottom())
        return _through(beneath, self._ours, args, kwargs)


class Placed:
    """One attribute that the SDK does not have, put on an object; it knows the way back."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._value = owner, name, value
        vars(owner)[name] = value

    def undo(self) -> None:
        """Takes it away, unless somebody put another thing in its place."""
        if vars(self._owner).get(self._name) is self._value:
            del vars(self._owner)[self._name]


def _through(beneath: Any, ours: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls ours where the chain of other libraries' wrappers ends, so that each of them sees the call."""
    if not isinstance(beneath, _WRAPPERS):
        return ours(*args, **kwargs)

    def inner(*inner_args: Any, **inner_kwargs: Any) -> Any:
        return _through(beneath.__wrapped__, ours, inner_args, inner_kwargs)

    return beneath._self_wrapper(inner, beneath._self_instance, args, kwargs)
