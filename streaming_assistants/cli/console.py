"""Where the commands write: the one place of the package that chooses a screen and writes to the console.

A command says what to show. ``Plain`` (in ``screen.py``) shows it as lines of text; ``Terminal`` (in
``terminal.py``) shows the same in colour and moves while it waits.
"""

from __future__ import annotations

import sys
from typing import TextIO

from .screen import Plain, Screen


def screen(*, plain: bool = False, file: TextIO | None = None) -> Screen:
    """The screen for standard output: colours in a terminal that has them, where rich is installed."""
    out = file or sys.stdout
    if plain or not out.isatty():
        return Plain(out)
    try:
        from .terminal import Terminal  # its packages are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return Plain(out)
    made = Terminal(out)
    return made if made.moves else Plain(out)


def complain(text: str) -> None:
    """Says on standard error why a command cannot do what it was asked for."""
    sys.stderr.write(f"{text}\n")
