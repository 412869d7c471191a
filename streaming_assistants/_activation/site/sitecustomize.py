"""Python reads this when it starts, in a program that is run by ``python -m streaming_assistants run`` and in
the processes that it starts; then a ``sitecustomize`` of the user's, which this one stands before."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a path that ends on .py has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_run("_streaming_assistants_importing", os.path.join(os.path.dirname(_HERE), "importing.py")).watch()

_others = [path for path in sys.path if os.path.abspath(path or os.curdir) != _HERE]
_next = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _next is not None and _next.origin:
    _run("sitecustomize", _next.origin)
