"""The API's objects in what an export holds: JSON Lines, list responses, nested documents. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .._engine.port import Json
from .._strict_json import decoded

KINDS = {
    "assistant": "assistants",
    "file": "stored_files",
    "vector_store": "vector_stores",
    "vector_store.file": "store_files",
    "vector_store.files_batch": "file_batches",
    "vector_store.file_batch": "file_batches",
    "thread": "threads",
    "thread.message": "messages",
    "thread.run": "runs",
    "thread.run.step": "steps",
}
"""What an object says it is, and the kind of its row."""

_SAID_ELSEWHERE = ("assistant.file", "thread.message.file")  # v1: the object itself lists its files
_NESTING = (dict, list)
_USERS = ("metadata", "attributes")  # in which "object" is a name like any other
_LONGEST = 1 << 26  # bytes of a document of many lines
_OPEN, _CLOSED = (b"{", b"["), (b"}", b"]", b"},", b"],")


class Given(NamedTuple):
    """A value of JSON: the line on which it begins, from 1, and its bytes, as far as they are known."""

    line: int
    value: Json
    size: int = 0


class Malformed(NamedTuple):
    """What a line holds that is no JSON, in words."""

    line: int
    reason: str


def documents(lines: Iterable[bytes], start: int = 1) -> Iterator[Given | Malformed]:
    """The JSON of each line; a document may also stand over many lines, indented. ``start`` is the number of
    the first line."""
    begun, first, size = [b""], 0, 0
    for number, line in enumerate(lines, start):
        text = line.rstrip()
        if first:
            begun.append(line)
            size += len(line)
            if text in _CLOSED or size > _LONGEST:
                yield _document(first, b"".join(begun).rstrip().rstrip(b","))
                first = 0
        elif text in _OPEN:
            begun, first, size = [line], number, len(line)
        elif text and text not in _CLOSED:
            yield _document(number, text)
    if first:
        yield Malformed(first, "the document that begins here does not end")


def _document(line: int, text: bytes) -> Given | Malformed:
    try:
        return Given(line, decoded(text), len(text))
    except ValueError as error:
        return Malformed(line, f"it is no JSON: {error}")


def objects_of(value: Json, kind: str | None = None) -> Iterator[Json]:
    """The API's objects in a value, whole before part: itself, those of a list response, and those that an
    export nests into another or into members of its own. ``kind`` is what it says that it is."""
    kind = _said(value) if kind is None else kind
    if kind in KINDS:
        nested = [
            name
            for name, each in value.items()
            if type(each) in _NESTING and name not in _USERS and _holds_objects(each)
        ]
        if not nested or nested == ["file"]:
            yield value
            return
        yield {name: each for name, each in value.items() if name not in nested}
        for name in nested:
            yield from objects_of(value[name])
        return
    parts = [each for name, each in value.items() if name not in _USERS] if isinstance(value, dict) else value
    for each in parts if isinstance(parts, list) else ():
        if isinstance(each, (dict, list)):
            yield from objects_of(each)


def _holds_objects(value: Json) -> bool:
    if type(value) is dict and value.get("object") == "list":
        value = value.get("data")
    first = value[0] if type(value) is list and value else value
    return _said(first) in KINDS


def _said(value: Json) -> str | None:
    """What a value says that it is."""
    kind = value.get("object") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def needless(value: Json) -> bool:
    """Whether a value says nothing that other objects do not say, or nothing at all."""
    if isinstance(value, dict) and value.get("object") in _SAID_ELSEWHERE:
        return True
    return isinstance(value, dict) and value.get("object") == "list" and not value.get("data")
