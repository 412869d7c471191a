"""``export``: gives out what a store holds, as JSON Lines or as OpenAI's Conversations."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from . import data_options
from .console import complain

_PROG = "python -m streaming_assistants export"


def main(argv: Sequence[str]) -> int:
    """0 where all is out, 1 where something failed, 2 for what makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        threads = [*given.thread, *(data_options.ids_in(given.threads) if given.threads else ())]
        with data_options.backend(given, there=True) as backend:
            chosen = {
                "threads": threads or None,
                "assistants": given.assistant or None,
                "since": given.since,
                "until": given.until,
            }
            if given.files is not None:
                given.files.mkdir(parents=True, exist_ok=True)
            count = 0
            for each in backend.export_objects(**chosen, files=given.files):
                sys.stdout.write(json.dumps(each) + "\n")
                count += 1
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    complain(f"{count:,} objects")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Write what a store holds to standard output, an object a line, as `import` takes it.",
        epilog="Without a choice it is everything; with one, the threads that fit and what they refer to.",
    )
    add = parser.add_argument
    data_options.add_store(parser)
    add("--thread", action="append", default=[], metavar="ID", help="this thread; may be repeated")
    add("--threads", metavar="FILE", help="the threads whose ids stand in a file, one a line")
    add("--assistant", action="append", default=[], metavar="ID", help="threads with runs of this assistant")
    add("--since", type=data_options.point_in_time, metavar="TIME", help="threads made then or later")
    add("--until", type=data_options.point_in_time, metavar="TIME", help="threads made before then")
    return parser
