"""What came of an import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

MOST_ERRORS = 1000
"""Errors that a report keeps, of which it tells all."""


@dataclass
class ImportReport:
    """``stored`` and ``known`` count objects by their type (``thread.message``): those that were stored now,
    and those that were there already, which stay as they are. ``errors`` are what is wrong, by the number of
    the line or of the object, from 1: the first thousand, of ``failed`` in all. ``implied`` are threads that
    only their messages tell of, ``without_content`` files that nothing has the content of."""

    stored: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    failed: int = 0
    implied: int = 0
    without_content: int = 0
    to_index: int = 0
    """Files of vector stores that the next backend of the store has to index."""
    on_error: Callable[[int, str], object] | None = field(default=None, repr=False)

    def wrong(self, line: int, reason: str) -> None:
        """Notes an error, and tells it."""
        self.failed += 1
        if len(self.errors) < MOST_ERRORS:
            said = self.errors.get(line)
            self.errors[line] = reason if said is None else f"{said}; {reason}"
        if self.on_error is not None:
            self.on_error(line, reason)

    def count(self, type: str, *, stored: int = 0, known: int = 0) -> None:
        for counts, more in ((self.stored, stored), (self.known, known)):
            if more:
                counts[type] = counts.get(type, 0) + more
