"""What a command can show, and how that looks as lines of text: for pipes, logs and places without rich."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, TextIO

Style = Literal["", "good", "bad", "warn", "dim", "strong"]
Cell = tuple[str, Style]
Write = Callable[[str], None]
Tell = Callable[[str, str], None]

LABEL = 9
"""The width of the labels before a line."""


class Screen(Protocol):
    """What a command can show."""

    def title(self, text: str, more: str) -> None:
        """The first line of a command."""

    def section(self, text: str) -> None:
        """A heading."""

    def line(self, label: str, text: str, style: Style = "") -> None:
        """A line under a heading; a long one is folded."""

    def item(self, text: str, style: Style = "") -> None:
        """A line of a list."""

    def saying(self, label: str) -> contextlib.AbstractContextManager[Write]:
        """A line that grows: each call adds a piece of text to it at once."""
        ...

    def waiting(self, label: str) -> contextlib.AbstractContextManager[Tell]:
        """A line that changes while something is waited for: each call says the state, and a detail."""
        ...

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A table."""


class Plain:
    """Lines of text, without escape codes."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stdout

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def title(self, text: str, more: str) -> None:
        self._write(f"{text}\n{more}\n")

    def section(self, text: str) -> None:
        self._write(f"\n{text}\n")

    def line(self, label: str, text: str, style: Style = "") -> None:
        lines = folded(text, max(40, shutil.get_terminal_size().columns) - LABEL - 2)
        for number, part in enumerate(lines):
            self._write(f"  {label if not number else '':<{LABEL}}{part}\n")

    def item(self, text: str, style: Style = "") -> None:
        self._write(f"  - {text}\n")

    @contextlib.contextmanager
    def saying(self, label: str) -> Iterator[Write]:
        self._write(f"  {label:<{LABEL}}")
        try:
            yield self._write
        finally:
            self._write("\n")

    @contextlib.contextmanager
    def waiting(self, label: str) -> Iterator[Tell]:
        last = ""

        def tell(state: str, detail: str) -> None:
            nonlocal last
            if state != last:  # a detail alone is not worth a line
                self.line(label, f"{state} ({detail})")
            last = state

        yield tell

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        texts = [list(columns), *([text for text, _ in row] for row in rows)]
        widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
        for row in texts:
            cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
            self._write(f"  {'  '.join(cells).rstrip()}\n")


def folded(text: str, width: int) -> list[str]:
    """The lines of a text, none longer than ``width`` where words allow."""
    return [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    ]
