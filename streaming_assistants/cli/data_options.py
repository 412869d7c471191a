"""What the commands that move data are told alike: the store, where contents lie, points in time."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from streaming_assistants.backend import LocalBackend


def add_store(parser: argparse.ArgumentParser) -> None:
    """``--store`` and what belongs to it."""
    add = parser.add_argument
    add("--store", required=True, help="the store: a path or a SQLAlchemy URL, as `serve --store` takes it")
    add("--files-at", metavar="PLACE", help="where the store's files lie, as `serve --files-at` takes it")
    add("--files", metavar="DIR", type=Path, help="a folder with contents of files, each under its id")


@contextlib.contextmanager
def backend(given: argparse.Namespace, *, there: bool) -> Iterator[LocalBackend]:
    """The backend of the store; with ``there`` it has to exist. Raises ValueError."""
    scheme, separator, path = given.store.partition("://")
    file = Path(path.partition("?")[0].removeprefix("/") if separator else given.store)
    if not separator or scheme.startswith("sqlite"):
        if there and not file.is_file():
            raise ValueError(f"There is no store {file}.")
        if not file.parent.is_dir():
            raise ValueError(f"There is no folder {file.parent} for the store.")
    with LocalBackend("echo", given.store, files="local", files_at=given.files_at) as made:
        yield made


def point_in_time(text: str) -> float:
    """Seconds since the epoch of a number of them, or of a date (UTC where it says nothing else)."""
    with contextlib.suppress(ValueError):
        return float(text)
    try:
        said = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time (2026-08-26, or seconds)") from None
    return (said if said.tzinfo else said.replace(tzinfo=timezone.utc)).timestamp()


def ids_in(path: str) -> list[str]:
    """The ids in a file: one a line, or the first column of a CSV, with or without a head; ``#`` begins a
    comment."""
    with open(os.fspath(path), encoding="utf-8-sig") as file:
        lines = (line.partition("#")[0].split(",")[0].strip().strip('"') for line in file)
        return list(dict.fromkeys(line for line in lines if line not in ("", "id", "thread", "thread_id")))
