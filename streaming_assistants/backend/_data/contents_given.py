"""Contents of files that come in: as base64 in the object, as bytes, or by name from a folder."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from pathlib import Path

from .._engine.contents import pieces_of
from .._engine.file_port import PIECE
from .._engine.port import Json
from .incoming import Wrong


def given_content(file: Json, content: object, folder: Path | None) -> tuple[int, Iterator[bytes]] | None:
    """The size of a file's content and its pieces; None where it is nowhere. Raises :class:`Wrong`."""
    if content is None:
        path = None if folder is None else _in_folder(file, folder)
        return None if path is None else (path.stat().st_size, _of_path(path))
    if isinstance(content, str):
        try:
            content = base64.b64decode(content.rpartition(",")[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise Wrong(f"the content of {file['id']} is no base64: {error}") from None
    if not isinstance(content, (bytes, bytearray)):
        raise Wrong(f"the content of {file['id']} is neither base64 nor bytes")
    size = file.get("bytes")
    if isinstance(size, int) and size not in (0, len(content)):
        raise Wrong(f"{file['id']} has {size:,} bytes, its content {len(content):,}")
    return len(content), pieces_of(io.BytesIO(content).read, PIECE)


def _in_folder(file: Json, folder: Path) -> Path | None:
    """A file by its id, with or without an extension, or by its name where its size is right."""
    id: str = file["id"]
    filename, size = file.get("filename"), file.get("bytes")
    if Path(id).name != id:  # it leads out of the folder
        return None
    names = [folder / id, folder / f"{id}{Path(filename or '').suffix}"]
    for path in names:
        if path.is_file():
            return path
    if not isinstance(filename, str) or Path(filename).name != filename:
        return None
    path = folder / filename
    if not path.is_file() or (isinstance(size, int) and size not in (0, path.stat().st_size)):
        return None
    return path


def _of_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from pieces_of(file.read, PIECE)
