"""``worker``: drives the runs of a store that somebody else serves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from streaming_assistants.backend._serve.working import work

from . import run_options
from .run_options import line


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m streaming_assistants worker``: works until it is told to end, or answers with 2 for what
    makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants worker",
        description="More hands for the runs of a store: takes over what other processes leave behind. It "
        "listens on no port.",
        epilog="The upstream's key comes from OPENAI_API_KEY.",
    )
    run_options.add(parser)
    given = parser.parse_args(argv)
    try:
        work(**run_options.read(given), announce=_announce)
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {line(error)}\n")
    return 0


def _announce(told: str) -> None:
    sys.stdout.write(told)
    sys.stdout.flush()
