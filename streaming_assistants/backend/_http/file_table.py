"""The routes of files, uploads and vector stores, where a backend keeps them itself."""

from __future__ import annotations

from collections.abc import Callable

from . import file_requests
from .context import ApiAnswer, Context

FILE_TABLE: list[tuple[str, str, Callable[[Context], ApiAnswer]]] = [
    ("POST", "/files", file_requests.create),
    ("GET", "/files", file_requests.index),
    ("GET", "/files/{file_id}", file_requests.retrieve),
    ("DELETE", "/files/{file_id}", file_requests.remove),
    ("GET", "/files/{file_id}/content", file_requests.content),
]
