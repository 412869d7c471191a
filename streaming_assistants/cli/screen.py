"""Where the commands write: the one place of the package that writes to the console.

A command says what to show. :class:`Plain` shows it as lines of text, for pipes, logs and places without
rich; ``Terminal`` (in ``terminal.py``) shows the same in colour and moves while it waits.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, TextIO

Style = Literal["", "good", "bad", "warn", "dim", "strong"]
Cell = tuple[str, Style]
Say = Callable[[str], None]
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

    def saying(self, label: str) -> contextlib.AbstractContextManager[Say]:
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
    def saying(self, label: str) -> Iterator[Say]:
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


def screen(*, plain: bool = False, file: TextIO | None = None) -> Screen:
    """The screen for standard output: colours in a terminal that has them, where rich is installed."""
    out = file or sys.stdout
    if plain or not out.isatty():
        return Plain(out)
    try:
        from .terminal import Terminal
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return Plain(out)
    made = Terminal(out)
    return made if made.moves else Plain(out)


def complain(text: str) -> None:
    """Says on standard error why a command cannot do what it was asked for."""
    sys.stderr.write(f"{text}\n")
