"""What a file is, by its name: which can be searched, and what reads them.

This package knows nothing of the rest of the library: a process of its own reads files with it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TypeAlias

Place: TypeAlias = "dict[str, str | int]"
"""Where a section is: ``{"page": 3}``, ``{"heading": "Terms"}``, ``{"sheet": "Q1"}``, or nothing."""

TEXT = frozenset(
    [
        ".c",
        ".cpp",
        ".cs",
        ".css",
        ".csv",
        ".go",
        ".java",
        ".js",
        ".json",
        ".php",
        ".py",
        ".rb",
        ".sh",
        ".tex",
        ".ts",
        ".txt",
    ],
)
MARKDOWN = frozenset({".md"})
APART = frozenset({".doc", ".docx", ".html", ".pdf", ".pptx", ".xlsx"})
"""Those whose parser runs in a process of its own."""

SEARCHABLE = TEXT | MARKDOWN | APART
"""The hosted API's list, and .csv and .xlsx."""

MAX_TOKENS = 5_000_000
"""Of a file, as the hosted API had it."""

TOO_LARGE = "The file could not be parsed because it is too large."


class Unreadable(Exception):
    """A file that says nothing. ``code`` is that of the API's ``last_error``."""

    def __init__(self, message: str, code: str = "invalid_file") -> None:
        super().__init__(message)
        self.code = code


def extension(filename: str) -> str:
    """Of a name from any system, in lower case, with its dot; empty where it has none."""
    return PurePosixPath(filename.replace("\\", "/")).suffix.lower()
