"""Functions that a run may call: what the model is told of them, and how they are called.

Names and rules are those of ``openai.lib.beta.agents``, as far as the Assistants API has the same.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    get_type_hints,
    overload,
)

from . import _sdk
from ._json import Json
from ._protocol.strict_schema import strict as strict_schema

if TYPE_CHECKING:
    from openai.types.beta import FunctionToolParam
    from openai.types.shared_params import FunctionDefinition

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
SelfT = TypeVar("SelfT")

ToolErrorStage: TypeAlias = Literal["arguments", "execution", "output"]
"""Where a call failed: before the function, in it, or with what it gave."""

# Not an Iterable, which a dict is, too: mypy would not find one type for the tools in it.
ToolHandlers: TypeAlias = Sequence[Callable[..., object]] | Mapping[str, Callable[..., object]]
"""What ``tool_handlers=`` takes. Any other iterable will do as a list."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class ToolError:
    """A tool call that failed, for ``on_tool_error=``. The model is told none of it.

    ``error`` is the exception itself: pydantic's for invalid arguments, the function's own, a TimeoutError
    for ``tool_timeout=``, a TypeError or ValueError for an output that is not JSON.
    """

    error: Exception
    tool_name: str
    call_id: str
    run_id: str
    thread_id: str
    stage: ToolErrorStage


class FunctionTool(Generic[P, R]):
    """A function, and what the model is told of it. Called directly, it is the function.

    Made by :func:`function_tool`. In a class it is a method: of an object it is bound to that.
    """

    name: str
    description: str
    strict: bool
    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool = False,
    ) -> None:
        given: Any = function
        self._descriptor: Any = given if isinstance(given, (staticmethod, classmethod)) else None
        self._is_unbound = isinstance(given, classmethod)
        if self._descriptor is not None:
            given = given.__func__
        if not callable(given):
            raise TypeError(f"function_tool: expected a function, got {given!r:.80}")
        functools.update_wrapper(cast(Any, self), given, updated=())  # sets __wrapped__
        self.name = getattr(given, "__name__", "") if name is None else name
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "function_tool: expected as name 1 to 64 letters, digits, '_' and '-', "
                f"got {self.name!r} for {given!r:.80}; say another by name="
            )
        # That of functools.partial itself says nothing of the function.
        described = given.func if isinstance(given, functools.partial) else given
        self.description = (inspect.getdoc(described) or "") if description is None else description
        self.strict = strict

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self.__wrapped__(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<FunctionTool {self.name}>"

    def __set_name__(self, owner: type, name: str) -> None:
        # Not that of a function from elsewhere, which a class only keeps.
        home = getattr(self.__wrapped__, "__qualname__", "").rpartition(".")[0]
        if self._descriptor is None and home == owner.__qualname__:
            self._descriptor, self._is_unbound = self.__wrapped__, True

    @overload
    def __get__(
        self: FunctionTool[Concatenate[SelfT, Q], R], instance: None, owner: type[SelfT]
    ) -> FunctionTool[Concatenate[SelfT, Q], R]: ...
    @overload
    def __get__(
        self: FunctionTool[Concatenate[SelfT, Q], R], instance: SelfT, owner: type[SelfT] | None = None
    ) -> FunctionTool[Q, R]: ...
    def __get__(self: Any, instance: object, owner: type | None = None) -> Any:
        """The tool of an object, whose method it is."""
        if self._descriptor is None or (instance is None and not isinstance(self._descriptor, classmethod)):
            return self
        bound = self._descriptor.__get__(instance, owner)
        return FunctionTool(bound, name=self.name, description=self.description, strict=self.strict)

    @property
    def definition(self) -> FunctionToolParam:
        """What ``tools=`` takes: ``{"type": "function", "function": {...}}``, a new one each time.

        Raises TypeError for a signature that no schema can be made of.
        """
        function: FunctionDefinition = {"name": self.name, "parameters": copy.deepcopy(self._schema)}
        if self.description:
            function["description"] = self.description
        if self.strict:
            function["strict"] = True
        return {"type": "function", "function": function}

    def _checked(self) -> _sdk.ArgumentsModel:
        """What validates the arguments. Raises TypeError for a function that cannot be called by name."""
        if self._is_unbound:
            raise TypeError(f"{self.name}() is a method: give that of an object, not that of the class")
        return self._model

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        every = list(inspect.signature(self.__wrapped__).parameters.values())
        named = every[1:] if self._is_unbound else every
        for parameter in named:
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise TypeError(f"{self.name}() cannot be a tool: {str(parameter)!r} is not given by name")
        return named

    @cached_property
    def _model(self) -> _sdk.ArgumentsModel:
        hints = _annotations(self.__wrapped__, self._parameters, self.name)
        fields = {
            each.name: (hints.get(each.name, Any), ... if each.default is each.empty else each.default)
            for each in self._parameters
        }
        with self._named_errors():
            return _sdk.ArgumentsModel(fields)

    @cached_property
    def _schema(self) -> dict[str, Json]:
        for parameter in self._parameters:
            if parameter.annotation is parameter.empty:
                raise TypeError(
                    f"{self.name}() needs an annotation for {parameter.name!r}, to tell the model what it is"
                )
        model = self._model
        with self._named_errors():
            schema = model.schema()
            return strict_schema(schema) if self.strict else schema

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except TypeError as error:
            raise TypeError(f"{self.name}() cannot be a tool: {error}") from error


@overload
def function_tool(
    function: Callable[P, R],
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = False,
) -> FunctionTool[P, R]: ...
@overload
def function_tool(
    function: None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = False,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def function_tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = False,
) -> Any:
    """Makes a function a tool: as ``@function_tool``, ``@function_tool(name=...)`` or by a call.

    Its ``definition`` is what ``tools=`` takes, and it can be given in ``tool_handlers=``. The name is that
    of the function, the description its docstring, the schema made of its annotations by pydantic
    (``Annotated[str, Field(description="...")]`` says more). ``strict`` asks the model to keep to the schema,
    in which every parameter is required then. Functions, methods and ``async def`` will do; positional-only
    parameters, ``*args`` and ``**kwargs`` will not. Above ``@classmethod`` and ``@staticmethod``.

    Raises TypeError for what is no function, ValueError for a name that the API refuses. What the signature
    lacks is said by ``definition``.
    """
    if function is None:
        return functools.partial(function_tool, name=name, description=description, strict=strict)
    return FunctionTool(function, name=name, description=description, strict=strict)


def is_async_def(function: object) -> bool:
    """Whether a call of it gives a coroutine, as far as its declaration tells."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )


def _annotations(
    function: Callable[..., object], parameters: list[inspect.Parameter], name: str
) -> dict[str, Any]:
    """The annotations of the parameters alone: what a function returns may be known to type checkers only."""
    source = inspect.unwrap(function)
    source = getattr(source, "__func__", source)
    source = getattr(source, "func", source)  # of a functools.partial
    said = {each.name: each.annotation for each in parameters if each.annotation is not each.empty}
    nonlocals = inspect.getclosurevars(source).nonlocals if inspect.isfunction(source) else {}
    try:
        return get_type_hints(
            types.SimpleNamespace(__annotations__=said),
            globalns=getattr(source, "__globals__", None),
            localns=dict(nonlocals),
            include_extras=True,
        )
    except NameError as error:
        raise TypeError(
            f"{name}() cannot be a tool: an annotation names what its module does not know: {error}"
        ) from error
