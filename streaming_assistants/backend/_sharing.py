"""Backends that several clients have in common: those of one address and key, and those of one process."""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from streaming_assistants._sdk.untyped import AnyClient

from ._local import LocalBackend, own
from .upstreams import registry

_Key: TypeAlias = "tuple[int, str, str, str]"

_BY_ADDRESS: weakref.WeakValueDictionary[_Key, LocalBackend] = weakref.WeakValueDictionary()
"""As long as one of their clients lives. Who patches does so one after the other."""


def resolve(spec: str | LocalBackend, client: AnyClient = None) -> LocalBackend:
    """The backend that ``patch(client, backend=...)`` means: one by the name of its upstream, or itself.

    Where the upstream is a server, clients of one address and one key share it, as they would have shared
    what that server kept. Raises TypeError and ValueError for what is none.
    """
    if isinstance(spec, LocalBackend):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"backend= takes a str or a LocalBackend, not {type(spec).__name__}.")
    if client is None or registry.built_in(spec).path is None:
        return own(spec)
    key = _key(spec, client)
    made = _BY_ADDRESS.get(key)
    if made is None or made.closing:
        made = _BY_ADDRESS[key] = own(spec)
    return made


def _key(spec: str, client: AnyClient) -> _Key:
    secret = hashlib.sha256(str(client.api_key).encode()).hexdigest()
    return os.getpid(), spec, str(client.base_url), secret


class ProcessBackend(LocalBackend):
    """One backend for all clients of a process, made by ``make``. A process that forks off has one of its
    own, on the same store: all that a LocalBackend is made of is asked of the one that is here."""

    def __init__(self, make: Callable[[], LocalBackend]) -> None:
        self._make = make
        self._at: dict[
            int, LocalBackend
        ] = {}  # those of parents, too: their connections are not ours to close
        self._making = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_unlocked, weakref.ref(self)))
        self.here()

    def here(self) -> LocalBackend:
        """That of this process."""
        with self._making:
            pid = os.getpid()
            if pid not in self._at:
                self._at[pid] = self._make()
            return self._at[pid]

    def __getattr__(self, name: str) -> object:
        if name in ("_make", "_at", "_making"):
            raise AttributeError(name)
        return getattr(self.here(), name)


def _unlocked(forked: weakref.ref[ProcessBackend]) -> None:
    """The thread that may have held the lock is not in this process."""
    backend = forked()
    if backend is not None:
        backend._making = threading.Lock()
