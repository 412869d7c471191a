"""What a behaviour is, and the list of all of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.kit import Kit

COLOURS = ("sync", "async")
Body = Callable[["Kit"], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """``sentence`` says the behaviour to a maintainer; ``defects`` names entries of ``defects.py``."""

    name: str
    group: str
    sentence: str
    body: Body
    colours: tuple[str, ...] = COLOURS
    defects: tuple[str, ...] = ()


CASES: dict[str, Case] = {}


class Group:
    """A theme of behaviours: ``case`` registers a function, whose name and docstring name the behaviour."""

    def __init__(self, name: str) -> None:
        self.name = name

    def case(self, *defects: str, only: str | None = None) -> Callable[[Body], Body]:
        def register(body: Body) -> Body:
            sentence = " ".join((inspect.getdoc(body) or "").split())
            self.add(body.__name__.strip("_").replace("_", "-"), sentence, body, *defects, only=only)
            return body

        return register

    def add(self, name: str, sentence: str, body: Body, *defects: str, only: str | None = None) -> None:
        if name in CASES:
            raise ValueError(f"two behaviours are called {name!r}")
        if not sentence:
            raise ValueError(f"behaviour {name!r} has no sentence")
        CASES[name] = Case(name, self.name, sentence, body, (only,) if only else COLOURS, defects)


def load() -> dict[str, Case]:
    """All behaviours, by name, in the order of their files."""
    from tests.conformance import cases

    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    return CASES
