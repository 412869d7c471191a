"""What the commands that work on a store have in common: their options, and what they say when it fails."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from streaming_assistants.backend._engine.store_port import StoreAway

from .console import complain


def command(
    commands: Any,
    run: Callable[[argparse.Namespace], int],
    name: str,
    help: str,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    """Adds a command that takes a store, and that ``run`` carries out."""
    made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, epilog=epilog)
    made.add_argument("--store", required=True, metavar="URL", help="a SQLAlchemy URL or an SQLite file")
    made.add_argument("--json", action="store_true", help="write everything as JSON")
    made.set_defaults(run=run)
    return made


def carried_out(given: argparse.Namespace, failed: str) -> int:
    """The exit code: that of the command, 1 where a package is missing, 2 where it failed, which is said
    after ``failed``."""
    try:
        return int(given.run(given))
    except ImportError as error:
        complain(str(error))
        return 1
    except (SQLAlchemyError, StoreAway, OSError, RuntimeError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        complain(f"{failed}: {reason}")
        return 2
