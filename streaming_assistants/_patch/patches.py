"""What is put on one object in the place of what was there, and how it is taken away again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CellType, FunctionType
from typing import Any, NamedTuple

import wrapt

from streaming_assistants import _sdk

Method = Callable[..., Any]

_WRAPPERS: tuple[Any, ...] = (wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper)


class _Wrapper(wrapt.FunctionWrapper):  # type: ignore[type-arg,unused-ignore]
    """What stands on the object: its name is the SDK's, its signature also has what we take."""

    _self_patch: ReplacedMethod
    _self_takes: frozenset[str]
    _self_leads: tuple[str, ...]

    @property
    def __signature__(self) -> inspect.Signature:
        found = inspect.signature(self._self_patch._beneath())
        if not self._self_patch.replaces:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            found = inspect.Signature([inspect.Parameter(name, kind) for name in self._self_leads])
        last = [each for each in found.parameters.values() if each.kind is each.VAR_KEYWORD]
        known = [each for each in found.parameters.values() if each not in last]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_sdk.NOT_GIVEN)
            for name in sorted(self._self_takes - found.parameters.keys())
        ]
        return found.replace(parameters=[*known, *added, *last])

    @property
    def __func__(self) -> Any:
        """The SDK's function, with our signature: inspect looks there first, for a method."""
        method: Any = self.__wrapped__
        function = method.__func__
        if not isinstance(function, FunctionType):
            return function
        made = _copied(function, function.__closure__)
        signature = self.__signature__
        of = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        vars(made)["__signature__"] = signature.replace(parameters=[of, *signature.parameters.values()])
        return made


class ReplacedMethod:
    """One method of one object, replaced on the object itself; it knows the way back.

    ``warns`` says, at each call, whether the caller is told what the SDK deprecates; ``takes`` names the
    parameters that the method has besides those of the SDK's own, ``leads`` those that come first, by
    place or by name, where the SDK does not have it.
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        makes: Iterable[Callable[[Method], Method]],
        warns: Callable[[], bool],
        takes: Iterable[str] = (),
        leads: tuple[str, ...] = (),
    ) -> None:
        self._owner, self._name, self._warns = owner, name, warns
        self._had = name in vars(owner)
        self._before = vars(owner).get(name)
        self._on = True
        ours: Method = self._sdk_call
        for make in makes:
            ours = make(ours)
        self._ours = ours
        self._wrapper = _Wrapper(self._beneath(), self._call)
        self._wrapper._self_patch = self
        self._wrapper._self_takes = frozenset(takes)
        self._wrapper._self_leads = leads
        vars(owner)[name] = self._wrapper

    @property
    def replaces(self) -> bool:
        """Whether the SDK has the method."""
        return self._had or hasattr(type(self._owner), self._name)

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

        def absent(*_: object, **__: object) -> Any:
            raise AttributeError(f"{type(self._owner).__name__!r} object has no attribute {self._name!r}")

        absent.__name__ = self._name
        absent.__qualname__ = f"{type(self._owner).__name__}.{self._name}"
        return absent

    def _bottom(self) -> Any:
        """The SDK's own method, below other libraries' wrappers."""
        method = self._beneath()
        while (layer := _layer(method)) is not None:
            method = layer.below
        return method

    def _sdk_call(self, *args: object, **kwargs: object) -> Any:
        # Its deprecation warning was given by then, by _call.
        return _sdk.undeprecated(self._bottom())(*args, **kwargs)

    def _call(
        self, wrapped: object, instance: object, args: tuple[object, ...], kwargs: dict[str, Any]
    ) -> Any:
        beneath = self._beneath()
        if not self._on:
            return beneath(*args, **kwargs)
        if self._warns():
            _sdk.warn_deprecated(self._bottom())
        return _through(beneath, self._ours, args, kwargs)


class AddedAttribute:
    """One attribute that the SDK does not have, put on an object; it knows the way back."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._value = owner, name, value
        vars(owner)[name] = value

    def undo(self) -> None:
        """Takes it away, unless somebody put another thing in its place."""
        if vars(self._owner).get(self._name) is self._value:
            del vars(self._owner)[self._name]


def through(client: object, path: str, ours: Callable[[], object], kwargs: Mapping[str, object]) -> Any:
    """Calls ours as if it were the client's method at ``path``: other libraries' wrappers of that see it."""
    resource, _, name = path.rpartition(".")
    owner = client
    for each in resource.split("."):
        owner = getattr(owner, each, None)
    method = getattr(owner, name, None)
    return ours() if method is None else _through(method, lambda *_, **__: ours(), (), dict(kwargs))


def _through(beneath: object, ours: Method, args: tuple[object, ...], kwargs: dict[str, Any]) -> Any:
    """Calls ours where the chain of other libraries' wrappers ends, so that each of them sees the call."""
    layer = _layer(beneath)
    if layer is None:
        return ours(*args, **kwargs)

    @functools.wraps(layer.below)  # for tracers that name what they see after it
    def inner(*inner_args: object, **inner_kwargs: object) -> Any:
        return _through(layer.below, ours, inner_args, inner_kwargs)

    return layer.around(inner)(*args, **kwargs)


class _Layer(NamedTuple):
    """One wrapper: what it wraps, and itself around something else."""

    below: Any
    around: Callable[[Method], Method]


def _layer(method: Any) -> _Layer | None:
    patch = getattr(method, "_self_patch", None)
    if patch is not None:
        return _Layer(patch._beneath(), lambda inner: inner)
    if isinstance(method, _WRAPPERS):
        return _Layer(
            method.__wrapped__,
            lambda inner: (
                lambda *args, **kwargs: method._self_wrapper(inner, method._self_instance, args, kwargs)
            ),
        )
    owner, function = getattr(method, "__self__", None), getattr(method, "__func__", method)
    below = getattr(function, "__wrapped__", None)
    if not isinstance(function, FunctionType) or below is None or _sdk.is_own(function):
        return None
    # A plain function that closes over what it wraps (functools.wraps): the same one, closed over another.
    cells = function.__closure__ or ()
    if not any(cell.cell_contents is below for cell in cells):
        return None

    def around(inner: Method) -> Method:
        replaced = inner if owner is None else _unbound(inner)
        swapped = tuple(CellType(replaced) if cell.cell_contents is below else cell for cell in cells)
        made = _copied(function, swapped)
        return made if owner is None else made.__get__(owner)

    return _Layer(below if owner is None else below.__get__(owner), around)


def _copied(function: FunctionType, closure: tuple[CellType, ...] | None) -> FunctionType:
    defaults = function.__defaults__
    made = FunctionType(function.__code__, function.__globals__, function.__name__, defaults, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(made, function)
    return made


def _unbound(method: Method) -> Method:
    @functools.wraps(method)
    def function(_: object, *args: object, **kwargs: object) -> Any:
        return method(*args, **kwargs)

    return function
