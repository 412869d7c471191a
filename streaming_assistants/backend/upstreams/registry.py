"""The upstreams that have a name. A new one is a module of that name here, which says in ``UPSTREAM`` how it
is made and what it can do, and its name in :data:`UpstreamName`.

No module of an upstream is imported before that upstream is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .._engine.port import Upstream

UpstreamName: TypeAlias = Literal["responses", "chat", "echo"]
NAMES: tuple[str, ...] = get_args(UpstreamName)


@dataclass(frozen=True)
class BuiltIn:
    """How an upstream is made, and what it can do.

    ``options`` are those of LocalBackend that ``make`` takes. ``path`` is what is asked of the client's own
    server, None where nothing leaves the process. With ``vector_stores`` that server keeps the files that
    are searched.
    """

    make: Callable[..., Upstream]
    options: tuple[str, ...] = ()
    path: str | None = None
    vector_stores: bool = False


def built_in(name: str) -> BuiltIn:
    """Raises ValueError for a name that no upstream has."""
    if name not in NAMES:
        raise ValueError(f"There is no upstream {name!r}; there are {', '.join(NAMES)}.")
    entry: BuiltIn = importlib.import_module(f"{__package__}.{name}").UPSTREAM
    return entry


def with_server() -> dict[str, str]:
    """The names of the upstreams that ask the client's own server, each with the path that it asks."""
    paths = {name: built_in(name).path for name in NAMES}
    return {name: path for name, path in paths.items() if path is not None}


def upstream(given: str | Upstream, **options: object) -> Upstream:
    """The upstream that is meant, by its name or as a function. An option that is None is not given.

    Raises ValueError for an unknown name or an option that the upstream does not take, TypeError for what
    is neither a name nor a function.
    """
    asked = {name: value for name, value in options.items() if value is not None}
    if isinstance(given, str):
        chosen = built_in(given)
    elif callable(given):
        chosen = BuiltIn(lambda: given)
    else:
        raise TypeError(f"upstream= takes a str or a function, not {type(given).__name__}.")
    for name in asked:
        if name not in chosen.options:
            raise ValueError(_only_for(name))
    return chosen.make(**asked)


def files_here(given: str | Upstream) -> bool:
    """Whether a backend keeps files itself unless it is told otherwise: the upstream's server has none that
    a run could search."""
    if isinstance(given, str):
        return not built_in(given).vector_stores
    kinds = [entry.make for name in NAMES if not (entry := built_in(name)).vector_stores]
    made_here = any(isinstance(kind, type) and isinstance(given, kind) for kind in kinds)
    return made_here or bool(getattr(given, "offline", False))


def _only_for(option: str) -> str:
    takers = {name: entry.make.__name__ for name in NAMES if option in (entry := built_in(name)).options}
    named = " or ".join(f'upstream="{name}"' for name in takers)
    own = " or ".join(f"{make}({option}=...)" for make in takers.values())
    return f"{option}= is for {named}; {own} for one of your own."
