"""What requests about files and vector stores may hold, as the API reference has it."""

from __future__ import annotations

from . import api_errors
from .checks import Check, array, choice, fields, integer, metadata, shaped, tagged, text
from .port import Json

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")

LARGEST_UPLOAD = 8 * 1024**3
"""Bytes of a file that is uploaded in parts."""

LARGEST_PART = 64 * 1024**2

_EXPIRES = shaped(
    {"anchor": choice("created_at"), "seconds": integer(3600, 30 * 86_400)}, "anchor", "seconds"
)
FILE: dict[str, Check] = {"purpose": choice(*PURPOSES), "expires_after": _EXPIRES}
UPLOAD: dict[str, Check] = {
    "bytes": integer(1, LARGEST_UPLOAD),
    "filename": text(),
    "mime_type": text(),
    **FILE,
}
UPLOAD_COMPLETE: dict[str, Check] = {"part_ids": array(text(), 10_000), "md5": text()}


def attributes(value: Json, name: str) -> None:
    """At most 16 pairs; values are strings of up to 512 characters, numbers or booleans."""
    if not isinstance(value, dict):
        fields({}, value, name=name)  # raises
    plain = {key: "" for key, each in value.items() if isinstance(each, (bool, int, float))}
    metadata({**value, **plain}, name)


def _static(value: Json, name: str) -> None:
    fields(
        {"max_chunk_size_tokens": integer(100, 4096), "chunk_overlap_tokens": integer(0)},
        value,
        ("max_chunk_size_tokens", "chunk_overlap_tokens"),
        name,
    )
    if value["chunk_overlap_tokens"] * 2 > value["max_chunk_size_tokens"]:
        raise api_errors.bad(
            f"Invalid '{name}.chunk_overlap_tokens': it must not exceed half of 'max_chunk_size_tokens'.",
            f"{name}.chunk_overlap_tokens",
            "invalid_value",
        )


CHUNKING = tagged(
    {
        "auto": shaped({"type": text()}),
        "static": shaped({"type": text(), "static": _static}, "static"),
    }
)
_STORE_EXPIRES = shaped({"anchor": choice("last_active_at"), "days": integer(1, 365)}, "anchor", "days")
STORE_UPDATE: dict[str, Check] = {
    "name": text(),
    "expires_after": _STORE_EXPIRES,
    "metadata": metadata,
}
STORE: dict[str, Check] = {
    **STORE_UPDATE,
    "description": text(),
    "file_ids": array(text(), 10_000),
    "chunking_strategy": CHUNKING,
}
_HOW = {"attributes": attributes, "chunking_strategy": CHUNKING}
STORE_FILE: dict[str, Check] = {"file_id": text(), **_HOW}
STORE_FILE_UPDATE: dict[str, Check] = {"attributes": attributes}
MOST_OF_BATCH = 2000
BATCH: dict[str, Check] = {
    "file_ids": array(text(), MOST_OF_BATCH),
    "files": array(shaped(STORE_FILE, "file_id"), MOST_OF_BATCH),
    **_HOW,
}
FILTER = choice("in_progress", "completed", "failed", "cancelled")
