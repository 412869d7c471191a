"""The screen of a terminal, by rich (the extra ``cli``)."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .screen import LABEL, Cell, Style, Tell, Write, folded

_STYLES = {
    "": "default",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "bright_black",
    "strong": "bold",
}

_FONTS = "Fira Code, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


class Terminal:
    """Colours, and lines that move while something is waited for."""

    def __init__(self, file: TextIO) -> None:
        self._console = Console(file=file, highlight=False)
        self._still = False

    @property
    def moves(self) -> bool:
        """Whether the terminal understands more than plain lines."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def title(self, text: str, more: str) -> None:
        self._console.print(Text(text, "bold cyan"))
        self._console.print(Text(more, _STYLES["dim"]))

    def section(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, "bold"))

    def line(self, label: str, text: str, style: Style = "") -> None:
        for number, part in enumerate(folded(text, max(20, self._console.width - LABEL - 3))):
            self._console.print(self._label("" if number else label) + Text(part, _STYLES[style]))

    def item(self, text: str, style: Style = "") -> None:
        for number, part in enumerate(folded(text, max(20, self._console.width - 5))):
            bullet = Text("    " if number else "  - ", _STYLES["dim"])
            self._console.print(bullet + Text(part, _STYLES[style]))

    def _label(self, label: str) -> Text:
        return Text(f"  {label:<{LABEL}}", _STYLES["dim"])

    @contextlib.contextmanager
    def saying(self, label: str) -> Iterator[Write]:
        said: list[str] = []
        if self._still:
            yield said.append
            self.line(label, "".join(said), "good")
            return
        self._console.print(self._label(label), end="")
        try:
            yield lambda text: self._console.print(Text(text, "green"), end="", soft_wrap=True)
        finally:
            self._console.print()

    @contextlib.contextmanager
    def waiting(self, label: str) -> Iterator[Tell]:
        last = ""

        def tell(state: str, detail: str) -> None:
            nonlocal last
            last = f"{state} ({detail})"
            spinner.update(text=Text(last, "yellow"))

        # The name of the spinner's place is the label's, so that nothing jumps when it ends.
        spinner = Spinner("dots", text=Text("", "yellow"), style="yellow")
        live = None if self._still else Live(Padding(spinner, (0, 0, 0, LABEL)), console=self._console,
                                             refresh_per_second=12, transient=True)  # fmt: skip
        with live or contextlib.nullcontext():
            yield tell
        if last:
            self.line(label, last)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        table = Table(box=SIMPLE_HEAD, header_style=_STYLES["dim"], pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, _STYLES[style]) for text, style in row))
        self._console.print(Padding(table, (0, 0, 0, 2)))


class Recorder(Terminal):
    """A terminal of a fixed width that keeps what it showed, for a picture."""

    def __init__(self, file: TextIO, *, width: int = 84) -> None:
        super().__init__(file)
        shown = file if file.isatty() else io.StringIO()
        self._console = Console(
            file=shown,
            highlight=False,
            record=True,
            width=width,
            force_terminal=True,
            color_system="truecolor",
        )
        self._still = True  # a picture would hold every frame of what moves

    def svg(self, title: str) -> str:
        """The picture of what was shown, as SVG without references to anything outside."""
        picture = self._console.export_svg(title=title, unique_id="demo", clear=False)
        picture = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", picture, flags=re.DOTALL)
        return picture.replace("Fira Code, monospace", _FONTS)
