"""Classes whose clients are patched as they are made."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from streaming_assistants._sdk.untyped import AnyClient, Method

KEY = "_streaming_assistants_class"

ClientClass: TypeAlias = "type[Any]"


class _Making(threading.local):
    """What this thread makes: clients that are not ready, and whether they are left alone."""

    def __init__(self) -> None:
        self.under_way: set[int] = set()
        self.left_alone = False


_MAKING = _Making()


@contextmanager
def left_alone() -> Iterator[None]:
    """Clients that are made within are whoever makes them's to patch."""
    before, _MAKING.left_alone = _MAKING.left_alone, True
    try:
        yield
    finally:
        _MAKING.left_alone = before


class PatchedClass:
    """Has ``patch`` told of each client that a class makes, its subclasses' too, once the client is ready."""

    def __init__(self, kind: ClientClass, patch: Callable[[AnyClient], object]) -> None:
        self._kind = kind
        self._patch = patch
        self._is_on = True
        self._own = "__init__" in vars(kind)
        self._below: Method = kind.__init__
        self._wrapper = self._made()
        kind.__init__ = self._wrapper
        setattr(kind, KEY, self)

    def take_back(self) -> None:
        """What another program has put on top stays, and ours steps aside beneath it."""
        self._is_on = False
        if KEY in vars(self._kind):
            delattr(self._kind, KEY)
        if vars(self._kind).get("__init__") is not self._wrapper:
            return
        if self._own:
            self._kind.__init__ = self._below
        else:
            del self._kind.__init__

    def _made(self) -> Method:
        below = self._below

        @functools.wraps(below)
        def __init__(client: AnyClient, *args: object, **kwargs: object) -> None:
            under_way = _MAKING.under_way
            if not self._is_on or _MAKING.left_alone or id(client) in under_way:
                below(client, *args, **kwargs)
                return
            under_way.add(id(client))  # a base class of its own may be such a class too
            try:
                below(client, *args, **kwargs)
            finally:
                under_way.discard(id(client))
            self._patch(client)

        return __init__


def patched_class(kind: ClientClass) -> PatchedClass | None:
    """What was made of a class itself, not of one that it derives from."""
    made: PatchedClass | None = vars(kind).get(KEY)
    return made
