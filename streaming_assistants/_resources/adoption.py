"""Makes any handler that a program brings one of ours."""

from __future__ import annotations

from typing import Any, cast

from streaming_assistants._io.handler_core import AsyncBase, SyncBase, check_callbacks
from streaming_assistants.handlers import AssistantEventHandler, AsyncAssistantEventHandler


def adopt(handler: object, *, is_async: bool) -> Any:
    """Makes any handler one of ours: a subclass of the SDK's own keeps its class as a base.

    None becomes a new handler. Raises TypeError for what is no handler of the client's colour.
    """
    ours = AsyncAssistantEventHandler if is_async else AssistantEventHandler
    if handler is None:
        return ours()
    if not isinstance(handler, ours):
        theirs = AsyncBase if is_async else SyncBase
        if theirs is object or not isinstance(handler, theirs):
            raise TypeError(
                f"event_handler: expected an instance of {ours.__name__}, as the client is "
                f"{'async' if is_async else 'sync'}, got {type(handler).__name__}"
            )
        # Not by assignment: its class may have an opinion on that.
        object.__setattr__(handler, "__class__", _adopted(type(handler), theirs, ours))
    check_callbacks(handler)
    return handler


class _Unannounced(SyncBase):
    """Keeps a class from its base's ``__init_subclass__``, which may want arguments or refuse it."""

    def __init_subclass__(cls) -> None: ...


class _AsyncUnannounced(AsyncBase):
    """The same for async handlers."""

    def __init_subclass__(cls) -> None: ...


def _adopted(given: Any, theirs: Any, ours: Any) -> type:
    """The class of an adopted handler: its own methods win over ours, and ours over the SDK's."""
    if given is theirs:
        return cast("type", ours)
    shield = _AsyncUnannounced if theirs is AsyncBase else _Unannounced
    # Its class knows the one that was made of it, for as long as that has handlers.
    for made in type.__subclasses__(given):
        if shield in made.__bases__:
            return made
    members = {"__module__": given.__module__, "__qualname__": given.__qualname__, "__slots__": ()}
    # type.__new__ itself: a metaclass would take it for a class that the program has written.
    bases: Any = (shield, given, ours)
    return cast("type", type.__new__(type(given), given.__name__, bases, members))
