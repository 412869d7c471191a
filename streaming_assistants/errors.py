"""The library's errors. Each is also one of the SDK's, so that code which catches those keeps working."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast

import openai

if TYPE_CHECKING:
    from ._sdk.untyped import HttpRequest, Model

ErrorT = TypeVar("ErrorT", bound=BaseException)

_Recipe: TypeAlias = "type[BaseException] | tuple[_Recipe, ...]"
"""An exception's class as pickle can write it: of one that :func:`both` made, those that it is made of."""


class _Kept(NamedTuple):
    """An exception as what it is made of: its class, arguments and attributes."""

    recipe: _Recipe
    args: tuple[object, ...]
    state: dict[str, object]


def _reduce(self: BaseException) -> tuple[Callable[..., BaseException], _Kept]:
    """For pickle and copy, which would call a constructor with the message alone."""
    return _restored, _kept(self)


def _kept(error: BaseException) -> _Kept:
    state = {name: _packed(each) for name, each in vars(error).items()}
    return _Kept(_recipe(type(error)), error.args, state)


def _copied(error: BaseException) -> BaseException:
    return _restored(_recipe(type(error)), error.args, vars(error))


def _restored(recipe: _Recipe, args: tuple[object, ...], state: dict[str, object]) -> BaseException:
    kind = _kind(recipe)
    error = kind.__new__(kind, *args)
    vars(error).update({name: _unpacked(each) for name, each in state.items()})
    error.args = args
    return error


def _packed(value: object) -> object:
    """``value`` with the exceptions in it taken apart: the SDK's own cannot be pickled."""
    if isinstance(value, BaseException):
        return _kept(value)
    return {name: _packed(each) for name, each in value.items()} if type(value) is dict else value


def _unpacked(value: object) -> object:
    if isinstance(value, _Kept):
        return _restored(*value)
    return {name: _unpacked(each) for name, each in value.items()} if type(value) is dict else value


def _recipe(kind: type[BaseException]) -> _Recipe:
    kinds = vars(kind).get("_kinds")
    return kind if kinds is None else tuple(map(_recipe, kinds))


def _kind(recipe: _Recipe) -> type[BaseException]:
    return both(*map(_kind, recipe)) if isinstance(recipe, tuple) else recipe


def both(first: type[ErrorT], *others: type[BaseException]) -> type[ErrorT]:
    """One class of several, named like the first, whose objects can be pickled and copied."""
    return cast("type[ErrorT]", _both((first, *others)))


@cache
def _both(kinds: tuple[type, ...]) -> type:
    ways = {"__reduce__": _reduce, "__copy__": _copied, "_kinds": kinds}
    return type(kinds[0].__name__, kinds, {"__module__": kinds[0].__module__, **ways})


class StreamingAssistantsError(openai.OpenAIError):
    """The base of every error that this library raises by itself. Each can be pickled and copied."""

    __reduce__ = _reduce
    __copy__ = _copied


class MalformedEventError(StreamingAssistantsError, openai.APIError):
    """A frame of a stream that is no event: invalid JSON, invalid UTF-8, or data of another shape.

    Also an answer that is no object of the API, while something is polled. ``event`` is the frame's event
    name (``""`` for none), ``body`` the data as it came.
    """

    def __init__(self, message: str, request: HttpRequest, *, event: str, data: bytes) -> None:
        openai.APIError.__init__(self, message, request, body=None)
        self.body = data
        self.event = event


class IncompleteStreamError(StreamingAssistantsError, openai.APIConnectionError):
    """A stream ended cleanly before its run did, and the server could not say how the run ended.

    ``run_id`` and ``thread_id`` name the run (None where the stream ended before it named one);
    ``status`` is the last status that the server told.
    """

    def __init__(
        self,
        message: str,
        request: HttpRequest,
        *,
        run_id: str | None,
        thread_id: str | None,
        status: str | None,
    ) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=request)
        self.run_id = run_id
        self.thread_id = thread_id
        self.status = status


class ToolRoundsError(StreamingAssistantsError, RuntimeError):
    """A run still calls functions after ``max_rounds=`` submits of outputs.

    It is left at ``requires_action``; ``run_id`` and ``thread_id`` name it. ``attempted`` are the ids of the
    calls that were begun, ``completed`` of those that had an output, in their order.
    """

    def __init__(self, message: str, *, run_id: str, thread_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.thread_id = thread_id
        self.attempted: tuple[str, ...] = ()
        self.completed: tuple[str, ...] = ()


class NoFinalObjectError(StreamingAssistantsError, RuntimeError):
    """``get_final_run()`` and its like, on a stream that held no such object."""


class PollTimeoutError(StreamingAssistantsError, openai.APITimeoutError, TimeoutError):
    """``max_wait_seconds`` passed before what was polled came to its end, which is left as it is.

    ``id`` names the run, file or batch, None where the answer that would name it did not come in time;
    ``status`` is the last one that the server told, None where it told none.
    """

    def __init__(self, message: str, request: HttpRequest, *, id: str | None, status: str | None) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=request)
        self.id = id
        self.status = status


class RunFailedError(StreamingAssistantsError, openai.APIError):
    """A run ended ``failed``, ``expired``, ``cancelled`` or ``incomplete``, under ``raise_on_failure=True``.

    ``run`` is the run, ``last_error`` (``code`` and ``message``) and ``incomplete_details`` (``reason``) are
    its own, None where it has none. ``code`` is that of ``last_error``, ``body`` the whole of it.
    """

    def __init__(self, message: str, request: HttpRequest, *, run: Model, body: object) -> None:
        openai.APIError.__init__(self, message, request, body=body)
        self.body = body  # releases before 1.3 do not keep it
        self.run = run
        self.last_error = getattr(run, "last_error", None)
        self.incomplete_details = getattr(run, "incomplete_details", None)


class FileUploadError(StreamingAssistantsError):
    """``file_batches.upload_and_poll`` could not upload every file, or not make the batch of them.

    ``uploaded`` holds the ids of the files that were uploaded: pass them as ``file_ids`` of the next try.
    ``failed`` holds the exceptions by the file's place in ``files``. It is also of the class of the first
    of them, where that is one of the SDK's.
    """

    message: str
    uploaded: list[str]
    failed: dict[int, BaseException]


class StalledPagesError(StreamingAssistantsError, RuntimeError):
    """A server answered with the same page again: it ignores ``after``. ``page`` is that page."""

    def __init__(self, message: str, page: Model) -> None:
        super().__init__(message)
        self.page = page

    def __reduce__(self) -> tuple[Callable[..., BaseException], _Kept]:
        # A page holds its client, which no other process can have.
        made, kept = _reduce(self)
        names = ("data", "has_more", "first_id", "last_id")
        page = types.SimpleNamespace(**{name: getattr(self.page, name, None) for name in names})
        return made, kept._replace(state={**kept.state, "page": page})
