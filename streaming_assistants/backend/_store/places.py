"""Contents of files outside the database: at a folder, or at any URL that fsspec knows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .._engine.file_port import PIECE, Contents

_MARKS = "marks"
"""Where marks are, within the place: empty files, so that few names are listed to see them."""


def contents_at(place: str | os.PathLike[str]) -> Contents:
    """The contents kept at a folder, which is made where there is none, or at a URL.

    Raises ValueError for a URL of an unknown kind and for a place that cannot be used, ImportError where
    fsspec or what it needs is missing.
    """
    if not isinstance(place, (str, os.PathLike)):
        raise TypeError(f"files_at= takes a str or a path, not {type(place).__name__}.")
    try:
        return _contents_at(os.fspath(place))
    except OSError as error:
        raise ValueError(f"files_at={os.fspath(place)!r} cannot be used: {error}") from None


def _contents_at(text: str) -> Contents:
    if "://" not in text:
        return Folder(Path(text))
    if text.startswith("file://"):
        return Folder(Path(unquote(urlsplit(text).path)))
    return Bucket(text)


class Folder:
    """Contents as files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._marks = self._folder / _MARKS
        self._marks.mkdir(parents=True, exist_ok=True)

    def write(self, content_id: str, pieces: Iterable[bytes]) -> None:
        self.mark(content_id, True)
        with (self._folder / content_id).open("xb") as file:
            for piece in pieces:
                file.write(piece)

    def pieces(self, content_id: str) -> Iterator[bytes]:
        with (self._folder / content_id).open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def drop(self, content_id: str) -> None:
        (self._folder / content_id).unlink(missing_ok=True)
        self.mark(content_id, False)

    def mark(self, content_id: str, marked: bool) -> None:
        mark = self._marks / content_id
        if marked:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def marked(self) -> Sequence[str]:
        return [path.name for path in self._marks.iterdir()]


class Bucket:
    """Contents at a URL of fsspec: ``s3://bucket/prefix``, ``gs://``, ``memory://`` and their like."""

    def __init__(self, url: str) -> None:
        try:
            fsspec = import_module("fsspec")
        except ModuleNotFoundError:
            raise ImportError(
                f"files_at={url!r} needs fsspec, which is not installed: pip install "
                "'streaming_assistants[files]'. A folder needs nothing."
            ) from None
        try:
            self._system, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise ImportError(f"files_at={url!r} needs more than fsspec: {error}") from None
        self._root = root.rstrip("/")
        self._marks = f"{self._root}/{_MARKS}"
        self._system.makedirs(self._marks, exist_ok=True)

    def write(self, content_id: str, pieces: Iterable[bytes]) -> None:
        self.mark(content_id, True)
        with self._opened(content_id, "wb") as file:
            for piece in pieces:
                file.write(piece)

    def pieces(self, content_id: str) -> Iterator[bytes]:
        with self._opened(content_id, "rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def drop(self, content_id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(self._path(content_id))
        self.mark(content_id, False)

    def mark(self, content_id: str, marked: bool) -> None:
        path = f"{self._marks}/{content_id}"
        if marked:
            self._system.pipe_file(path, b"")
            return
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(path)

    def marked(self) -> Sequence[str]:
        self._system.invalidate_cache(self._marks)
        try:
            paths = self._system.ls(self._marks, detail=False)
        except FileNotFoundError:  # a bucket has no empty folders
            return []
        names = [path.rstrip("/").rpartition("/")[2] for path in paths]
        return [name for name in names if name and name != _MARKS]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _opened(self, name: str, mode: str) -> Any:
        return self._system.open(self._path(name), mode)
