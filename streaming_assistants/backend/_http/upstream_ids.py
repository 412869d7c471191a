"""Ids of what an upstream's server keeps, which whoever shares a key there with others may not name."""

from __future__ import annotations

from collections.abc import Iterator

from .._engine import api_errors
from .._engine.port import Json
from .._engine.store_port import Transaction

_KINDS = {"file_id": "file", "file_ids": "file", "vector_store_ids": "vector store"}
_CALLERS_OWN = frozenset({"metadata", "function", "attributes", "response_format", "text"})


def refuse_theirs(tx: Transaction, body: Json) -> None:
    """Raises the API's 404 for the first id in a body of a file or a vector store that is not the project's:
    what it cannot have made there is somebody else's. Files that a tool made in its runs are its own."""
    for kind, id in _named(body):
        if kind != "file" or tx.file(id) is None:
            raise api_errors.missing(kind, id)


def _named(value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _KINDS:
                ids = inner if isinstance(inner, list) else [inner]
                yield from ((_KINDS[name], id) for id in ids if isinstance(id, str))
            elif name not in _CALLERS_OWN:
                yield from _named(inner)
