"""Keys in a file: one a line, with the project that it is for or without."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The name of a project."""


def project_name(text: str) -> str:
    """The name of a project as it is given; empty for that of nobody. Raises ValueError."""
    if text and not PROJECT.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name of a project: letters, digits, dots, dashes and underscores, 64 at most."
        )
    return text


def api_keys(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """The keys of a file of ``key`` and ``project:key`` lines, each with its projects in their order. Raises
    ValueError for a line that is neither, and for a file without any; OSError for one that cannot be read."""
    keys: dict[str, list[str]] = {}
    for project, key in _lines(path):
        keys.setdefault(key, []).append(project)
    if not keys:  # and nobody would have to show one
        raise ValueError(f"The file {os.fspath(path)} holds no key.")
    return keys


def upstream_keys(path: str | os.PathLike[str]) -> dict[str, str]:
    """The projects of a file of ``project:key`` lines, each with its key; a line without a project is for
    objects of no project. Raises ValueError and OSError."""
    return _by_project(_lines(path), f"The file {os.fspath(path)}")


def upstream_keys_in(text: str, name: str) -> dict[str, str]:
    """The same of a text with commas between its pairs, which ``name`` says where it stands."""
    pairs = (_pair(each.strip(), f"{name}, pair {at}") for at, each in enumerate(text.split(","), 1))
    return _by_project((pair for pair in pairs if pair is not None), name)


def _by_project(pairs: Iterable[tuple[str, str]], where: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for project, key in pairs:
        if project in keys:
            raise ValueError(f"{where} has two keys for the project {project!r}.")
        keys[project] = key
    return keys


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    text = Path(path).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        pair = _pair(line.strip(), f"Line {number} of {os.fspath(path)}")
        if pair is not None:
            yield pair


def _pair(line: str, where: str) -> tuple[str, str] | None:
    """The project and the key of a line; None for one that is empty or a comment. What is wrong with a line
    is said without the line: it holds a key."""
    if not line or line.startswith("#"):
        return None
    project, separator, key = line.rpartition(":")
    project, key = project.strip(), key.strip()
    if not key or not key.isascii() or " " in key or "\t" in key:
        raise ValueError(f"{where} is neither a key nor project:key.")
    if separator and not PROJECT.fullmatch(project):
        raise ValueError(f"{where} names no project before its colon.")
    return project, key
