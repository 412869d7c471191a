"""Whether a thing goes on, by its status: runs, a vector store's files, batches of them. Sans-IO."""

from __future__ import annotations

PENDING = frozenset({"queued", "in_progress", "cancelling", "generating"})
"""The statuses of what goes on. Every other, known or not, is an end."""

ACTIVE = PENDING | {"requires_action"}
"""The statuses of a run that keeps its thread from taking messages and other runs."""


def status_of(thing: object) -> str | None:
    """What a model says as its ``status``, if it is a text."""
    status = getattr(thing, "status", None)
    return status if isinstance(status, str) else None


def is_pending(thing: object) -> bool:
    """Whether a run or a vector store's file goes on."""
    return status_of(thing) in PENDING


def is_active(run: object) -> bool:
    """Whether a run keeps its thread busy: one that waits for tool outputs does."""
    return status_of(run) in ACTIVE


def is_pending_batch(batch: object) -> bool:
    """Whether a file batch goes on: its status says so, and only where it has none its counts."""
    status = status_of(batch)
    if status is not None:
        return status in PENDING
    return bool(getattr(getattr(batch, "file_counts", None), "in_progress", 0))
