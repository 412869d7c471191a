"""Installs when a program imports ``openai``, and not before: a program that never does pays nothing.

This file is read by itself, before the library and any package that it needs: it imports nothing of them.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

OURS, THEIRS = "streaming_assistants", "openai"


class Watch(importlib.abc.MetaPathFinder):
    """Stands before the other finders, and looks on while either of the two packages is imported."""

    def __init__(self) -> None:
        self._asking = threading.local()
        self._installed = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in (OURS, THEIRS) or getattr(self._asking, "now", False):
            return None
        self._asking.now = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._asking.now = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec

    def imported(self) -> None:
        """Installs once both are whole. Ours imports theirs, so that either may come first."""
        if self._installed or any(_is_under_way(name) for name in (OURS, THEIRS)):
            return
        self._installed = True
        try:
            importlib.import_module(OURS + ".auto")
        except Exception as error:  # noqa: BLE001 - one sentence, whatever it is
            said = f"{OURS} could not be installed into this program: {error}"
            if threading.current_thread() is not threading.main_thread():
                sys.stderr.write(said + "\n")  # nobody says what ends a thread
                sys.stderr.flush()
                _stop()
            raise SystemExit(said) from None


class _Loader(importlib.abc.Loader):
    """The loader of a package, which tells the watch when it is done."""

    def __init__(self, loader: importlib.abc.Loader, watch: Watch) -> None:
        self._loader = loader
        self._watch = watch

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        vars(spec)["_initializing"] = False  # it is whole, and would say so only after this
        self._watch.imported()


def _is_under_way(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and getattr(module.__spec__, "_initializing", False)


def _stop() -> None:
    """Stops the program from one of its threads: as Ctrl-C does, where it heeds that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN or not hasattr(signal, "pthread_kill"):
        os._exit(1)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def watch() -> None:
    """From now on, unless somebody does already."""
    if not any(
        type(finder).__name__ == "Watch" and type(finder).__module__ == __name__ for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, Watch())
