"""What is put on one object in the place of what was there, and how it is taken away again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CellType, FunctionType
from typing import TYPE_CHECKING, NamedTuple

import wrapt

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient, Method, Model

from .late import Place

if TYPE_CHECKING:
    from .capability import Capability

_WRAPPERS: tuple[type[Model], ...] = (wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper)


class _Wrapper(wrapt.FunctionWrapper):  # type: ignore[type-arg,unused-ignore]
    """What stands on the object: its name is the SDK's, its signature also has what we take."""

    _self_patch: ReplacedMethod

    @property
    def __signature__(self) -> inspect.Signature:
        return self._self_patch.signature()

    @property
    def __func__(self) -> Method:
        """The SDK's function, with our signature: inspect looks there first, for a method."""
        method: Model = self.__wrapped__
        function: Method = method.__func__
        if not isinstance(function, FunctionType):
            return function
        made = _copied(function, function.__closure__)
        signature = self.__signature__
        of = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        vars(made)["__signature__"] = signature.replace(parameters=[of, *signature.parameters.values()])
        return made


class ReplacedMethod:
    """One method of one object, replaced on the object itself; it knows the way back.

    ``makes`` are put over the SDK's own when it is first called, innermost first, for ``needed``, whose
    parameters the method has besides those of the SDK's own. ``warns`` says, at each call, whether the
    caller is told what the SDK deprecates.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        makes: Iterable[Callable[[Method], Method]],
        warns: Callable[[], bool],
        needed: Sequence[Capability] = (),
    ) -> None:
        self._place, self._name, self._makes, self._warns = place, name, makes, warns
        self._needed = needed
        self._had = name in place.space
        self._before: Method | None = place.space.get(name)
        self._on = True
        self._ours: Method | None = None
        self._wrapper = _Wrapper(self._beneath(), self._call)
        self._wrapper._self_patch = self
        place.space[name] = self._wrapper

    def undo(self) -> None:
        """Puts back what was there; under another library's wrapper it only steps aside."""
        self._on = False
        space = self._place.space
        if space.get(self._name) is not self._wrapper:
            return
        if self._had:
            space[self._name] = self._before
        else:
            del space[self._name]

    def signature(self) -> inspect.Signature:
        """That of what was there, with what is taken besides."""
        needed = [each for each in self._needed if each.is_needed()]
        if self._had or self._place.declared(self._name) is not None:
            known = inspect.signature(self._beneath())
        else:
            leads = next((each.leads for each in needed if each.leads), ())
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            known = inspect.Signature([inspect.Parameter(name, kind) for name in leads])
        taken = {name for each in needed for name in each.takes}
        last = [each for each in known.parameters.values() if each.kind is each.VAR_KEYWORD]
        first = [each for each in known.parameters.values() if each not in last]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_sdk.NOT_GIVEN)
            for name in sorted(taken - known.parameters.keys())
        ]
        return known.replace(parameters=[*first, *added, *last])

    def _beneath(self) -> Method:
        """What was there before; looked up anew, as another library may wrap the class later."""
        if self._before is not None:
            return self._before
        declared = self._place.declared(self._name)
        return self._absent() if declared is None else declared.__get__(self._place.owner, self._place.kind)

    def _absent(self) -> Method:
        """Carries the name of a method that the SDK does not have."""
        kind = self._place.kind.__name__

        def absent(*_: object, **__: object) -> object:
            raise AttributeError(f"{kind!r} object has no attribute {self._name!r}")

        absent.__name__ = self._name
        absent.__qualname__ = f"{kind}.{self._name}"
        return absent

    def _bottom(self) -> Method:
        """The SDK's own method, below other libraries' wrappers."""
        method = self._beneath()
        while (layer := _layer(method)) is not None:
            method = layer.below
        return method

    def _sdk_call(self, *args: object, **kwargs: object) -> Model:
        # Its deprecation warning was given by then, by _call.
        return _sdk.undeprecated(self._bottom())(*args, **kwargs)

    def _made(self) -> Method:
        ours = self._ours
        if ours is None:
            ours = self._sdk_call
            for make in self._makes:
                ours = make(ours)
            self._ours = ours
        return ours

    def _call(
        self, wrapped: object, instance: object, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Model:
        beneath = self._beneath()
        if self._warns() and self._needed and not any(each.may_be_needed() for each in self._needed):
            self.undo()  # the SDK was judged since, and is sound
        if not self._on:
            return beneath(*args, **kwargs)
        if self._warns():
            _sdk.warn_deprecated(self._bottom())
        return _through(beneath, self._made(), args, kwargs)


class AddedAttribute:
    """One attribute that the SDK does not have, put on an object; it knows the way back."""

    def __init__(self, place: Place, name: str, value: object) -> None:
        self._place, self._name, self._value = place, name, value
        place.space[name] = value

    def undo(self) -> None:
        """Takes it away, unless somebody put another thing in its place."""
        if self._place.space.get(self._name) is self._value:
            del self._place.space[self._name]


def through(client: AnyClient, path: str, ours: Callable[[], Model], kwargs: Mapping[str, object]) -> Model:
    """Calls ours as if it were the client's method at ``path``: other libraries' wrappers of that see it."""
    resource, _, name = path.rpartition(".")
    owner = client
    for each in resource.split("."):
        owner = getattr(owner, each, None)
    method = getattr(owner, name, None)
    return ours() if method is None else _through(method, lambda *_, **__: ours(), (), dict(kwargs))


def _through(beneath: Method, ours: Method, args: tuple[object, ...], kwargs: dict[str, object]) -> Model:
    """Calls ours where the chain of other libraries' wrappers ends, so that each of them sees the call."""
    layer = _layer(beneath)
    if layer is None:
        return ours(*args, **kwargs)

    @functools.wraps(layer.below)  # for tracers that name what they see after it
    def inner(*inner_args: object, **inner_kwargs: object) -> Model:
        return _through(layer.below, ours, inner_args, inner_kwargs)

    return layer.around(inner)(*args, **kwargs)


class _Layer(NamedTuple):
    """One wrapper: what it wraps, and itself around something else."""

    below: Method
    around: Callable[[Method], Method]


def _layer(method: Model) -> _Layer | None:
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
    def function(_: object, *args: object, **kwargs: object) -> Model:
        return method(*args, **kwargs)

    return function
