"""What a program is to have, from arguments or from the environment. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field

PREFIX = "STREAMING_ASSISTANTS_"
"""Of the names in the environment."""


@dataclass(frozen=True)
class Settings:
    """``backend`` is the name of an upstream, None where a server answers the API; ``store`` and ``models``
    are its; ``base_url`` is what every client asks, None for what each was made with."""

    backend: str | None = None
    store: str | None = None
    base_url: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    repair: bool = True
    resume: bool = False

    def __post_init__(self) -> None:
        for name in ("store", "models"):
            if getattr(self, name) and self.backend is None:
                raise ValueError(f"{name} is a backend's, and no backend is named.")


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that ``STREAMING_ASSISTANTS_BACKEND``, ``_STORE``, ``_BASE_URL`` and ``_MODELS`` make;
    what is empty is not set. Raises ValueError for what is no setting."""

    def said(name: str) -> str | None:
        return environment.get(PREFIX + name, "").strip() or None

    pairs = [pair.strip() for pair in (said("MODELS") or "").split(",")]
    return Settings(said("BACKEND"), said("STORE"), said("BASE_URL"), models_of(filter(None, pairs)))


def into_environment(settings: Settings, environment: MutableMapping[str, str]) -> None:
    """Puts settings where the processes that a program starts find them."""
    pairs = [f"{old}={new}" for old, new in settings.models.items()]
    values = {
        "BACKEND": settings.backend,
        "STORE": settings.store,
        "BASE_URL": settings.base_url,
        "MODELS": ",".join(pairs) or None,
    }
    for name, value in values.items():
        if value is None:
            environment.pop(PREFIX + name, None)
        else:
            environment[PREFIX + name] = value


def models_of(pairs: Iterable[str]) -> dict[str, str]:
    """``OLD=NEW`` pairs as a mapping. Raises ValueError for what is none.

    >>> models_of(["gpt-4=qwen3"])
    {'gpt-4': 'qwen3'}
    """
    models: dict[str, str] = {}
    for pair in pairs:
        old, separator, new = pair.partition("=")
        if not (separator and old.strip() and new.strip()):
            raise ValueError(f"{pair!r} is no OLD=NEW pair of models.")
        models[old.strip()] = new.strip()
    return models
