"""Which packages are installed, and which extras of the library they make up."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform

LIBRARY = "streaming_assistants"

PACKAGES = (LIBRARY, "openai", "httpx", "httpx2", "pydantic", "wrapt")
"""What decides how the library behaves."""

EXTRAS = {
    "backend": ("sqlalchemy", "python_multipart"),
    "serve": ("sqlalchemy", "python_multipart", "starlette", "uvicorn"),
    "cli": ("rich",),
}
"""The modules that each extra of ours brings."""


def version(package: str) -> str | None:
    """The version of an installed package, None for one that is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed() -> dict[str, str]:
    """Package by package, with Python first; those that are absent are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        has = version(package)
        if has is not None:
            versions[package] = has
    return versions


def absent(extra: str) -> list[str]:
    """The modules of an extra that cannot be imported."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
