"""A second copy of the SDK's code, for probes: what programs put on the SDK's classes is not on it.

A probe asks what the SDK does, and tracers wrap the SDK: a probe through its classes is a call that they
see and record, and one through a class whose ``__init__`` calls ``patch()`` does not end. So the
modules that a request passes are executed once more, out of the same files and under other names, for
probes alone. Types, models and errors are the process's own.
"""

from __future__ import annotations

import builtins
import importlib
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from types import CodeType, ModuleType
from typing import cast

import openai
import typing_extensions

from .basemodels import JSON

_PREFIX = f"{__name__}."

_MODULES = (
    "openai._base_client",
    "openai._client",
    "openai._legacy_response",
    "openai._resource",
    "openai._response",
    "openai._streaming",
    "openai.lib._assistants_runs",
    "openai.lib._assistants_threads",
    "openai.lib._vector_stores",
    "openai.lib.azure",
    "openai.lib.streaming",
    "openai.lib.streaming._assistants",
    "openai.pagination",
    "openai.resources.beta",
    "openai.resources.beta.beta",
)
_TREES = (
    "openai.resources.beta.assistants",
    "openai.resources.beta.threads",
    "openai.resources.beta.vector_stores",
    "openai.resources.vector_stores",
)
"""What is executed anew: modules, and packages with all that is in them."""

_FOLDERS = ("openai", "openai.lib", "openai.resources")
"""Packages that hold it. Their own files are read when something in them is asked for: that costs time."""


def untouched(module: str) -> ModuleType:
    """The SDK's module of that name, as its file has it. Raises ImportError where there is none."""
    with _IMPORTING:
        return _copy().module(module)


def as_shipped(kind: JSON) -> JSON:
    """A class of the SDK without what programs put on it; any other class is given back.

    So is the class itself in a program that was compiled, where there is no code to execute.
    """
    name = kind.__module__
    if not _is_copied(name):
        return kind
    try:
        return vars(untouched(name)).get(kind.__name__, kind)
    except ImportError:
        return kind


_IMPORTING = threading.RLock()
"""The SDK imports some of its modules when they are first used, in whatever thread."""


@cache
def _copy() -> _Copy:
    return _Copy()


class _Copy:
    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._read: set[str] = set()
        self._is_packed = PathFinder.find_spec("openai._client", openai.__path__) is None
        self._stand_ins = {
            "importlib": _changed(importlib, import_module=self._import_module),
            "logging": _changed(logging, getLogger=_silent),
            "typing_extensions": _changed(typing_extensions, deprecated=_undecorated),
            "warnings": _changed(warnings, warn=_unheard, deprecated=_undecorated),
        }
        self._builtins = {**vars(builtins), "__import__": self._import}

    def module(self, name: str) -> ModuleType:
        if name in self._stand_ins:
            return self._stand_ins[name]
        if _is_unneeded(name):
            return cast(ModuleType, _UNNEEDED)
        if not _is_copied(name):
            return importlib.import_module(name)
        made = self._modules.get(name)
        return self._executed(name) if made is None else made

    def _executed(self, name: str) -> ModuleType:
        spec = self._spec(name)
        made = self._modules[name] = ModuleType(_PREFIX + name)
        sys.modules[made.__name__] = made  # pydantic looks up there where a model was made
        made.__file__, made.__package__ = spec.origin, name.rpartition(".")[0]
        if spec.submodule_search_locations is not None:
            made.__path__, made.__package__ = list(spec.submodule_search_locations), name
        vars(made)["__builtins__"] = self._builtins
        if name in _FOLDERS:
            vars(made)["__getattr__"] = lambda wanted: self._of_folder(made, spec, wanted)
            return made
        try:
            exec(_code(spec), vars(made))
        except BaseException:
            del self._modules[name]
            raise
        return made

    def _of_folder(self, folder: ModuleType, spec: ModuleSpec, wanted: str) -> JSON:
        with _IMPORTING:
            if self._found(f"{spec.name}.{wanted}", folder.__path__) is not None:
                return vars(folder).setdefault(wanted, self.module(f"{spec.name}.{wanted}"))
            if spec.name == "openai":  # its own file sets the process up
                return getattr(openai, wanted)
            if spec.name not in self._read:
                self._read.add(spec.name)
                exec(_code(spec), vars(folder))
            if wanted not in vars(folder):
                raise AttributeError(f"module {spec.name!r} has no attribute {wanted!r}")
            return vars(folder)[wanted]

    def _spec(self, name: str) -> ModuleSpec:
        parent = name.rpartition(".")[0]
        spec = openai.__spec__ if not parent else self._found(name, self.module(parent).__path__)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec

    def _found(self, name: str, path: Iterable[str]) -> ModuleSpec | None:
        """Where it lies. Not through sys.meta_path: tracers hang on there, and wait for imports.

        That alone knows in a program that was packed into one file.
        """
        return find_spec(name) if self._is_packed else PathFinder.find_spec(name, list(path))

    def _import(
        self,
        name: str,
        globals: Mapping[str, JSON] | None = None,
        locals: object = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """``__import__`` of the modules that are executed here."""
        if level:
            name = resolve_name("." * level + name, (globals or {})["__package__"])
        if name not in self._stand_ins and not _is_copied(name) and not _is_unneeded(name):
            return builtins.__import__(name, globals, None, fromlist or (), 0)
        with _IMPORTING:
            module = self.module(name)
            if not fromlist:
                return self.module(name.partition(".")[0])
            for wanted in fromlist:
                if not hasattr(module, wanted):
                    vars(module)[wanted] = self.module(f"{name}.{wanted}")
            return module

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        with _IMPORTING:
            # A module says its own name, for the package.
            return self.module(resolve_name(name, package).removeprefix(_PREFIX))


def _code(spec: ModuleSpec) -> CodeType:
    get_code: Callable[[str], CodeType | None] | None = getattr(spec.loader, "get_code", None)
    code = None if get_code is None else get_code(spec.name)
    if code is None:
        raise ImportError(f"no code of {spec.name!r}", name=spec.name)
    return code


def _is_copied(name: str) -> bool:
    return name in (*_MODULES, *_FOLDERS) or any(f"{name}.".startswith(f"{tree}.") for tree in _TREES)


def _is_unneeded(name: str) -> bool:
    return name.startswith("openai.resources.") and not _is_copied(name)


class _Unneeded:
    """A module of resources that no probe asks, all that is in it, and what becomes of that."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __getattr__(self, _: str) -> _Unneeded:
        return self

    def __call__(self, *_: object, **__: object) -> _Unneeded:
        return self


_UNNEEDED: JSON = _Unneeded()


def _changed(module: ModuleType, **values: JSON) -> ModuleType:
    made = ModuleType(module.__name__)
    vars(made).update(vars(module), **values)
    return made


def _silent(name: str | None = None) -> logging.Logger:
    """A logger that nobody hears, and whose filters are on no other."""
    made = logging.Logger(name or "")
    made.disabled = True
    return made


def _undecorated(*_: object, **__: object) -> JSON:
    return lambda function: function


def _unheard(*_: object, **__: object) -> None: ...
