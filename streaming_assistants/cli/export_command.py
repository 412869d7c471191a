"""``export``: gives out what a store holds, as JSON Lines or as OpenAI's Conversations."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import openai

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._data.exporting import Selection
from streaming_assistants.backend._data.server_objects import Refused

from . import data_options
from .api_requests import ApiRequests, client_for
from .console import complain
from .progress import progress

_PROG = "python -m streaming_assistants export"


def main(argv: Sequence[str]) -> int:
    """0 where all is out, 1 where something failed, 2 for what makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.to is not None and given.out is None:
        parser.error("--to conversations needs --out DIR")
    try:
        threads = [*given.thread, *(data_options.ids_in(given.threads) if given.threads else ())]
        with data_options.backend(given, there=True) as backend:
            chosen = Selection(
                frozenset(threads) if threads else None,
                frozenset(given.assistant) if given.assistant else None,
                given.since,
                given.until,
                given.project,
            )
            if given.to is not None:
                return _move(backend, given, chosen)
            if given.files is not None:
                given.files.mkdir(parents=True, exist_ok=True)
            count = 0
            for each in backend.export_objects(**chosen._asdict(), files=given.files):
                sys.stdout.write(json.dumps(each) + "\n")
                count += 1
    except (openai.OpenAIError, Refused) as error:
        parser.exit(1, f"{parser.prog}: {' '.join(str(error).split())}\n")
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    complain(f"{count:,} objects")
    return 0


def _move(backend: LocalBackend, given: argparse.Namespace, chosen: Selection) -> int:
    """Moves threads to OpenAI's Conversations; 1 where one of them did not arrive."""
    send = None
    if not given.dry_run:
        pause = 60.0 / given.requests_per_minute if given.requests_per_minute else 0.0
        send = ApiRequests(client_for(given.base_url, None), pause=pause)
    with progress("moving threads", None) as tell:
        moved = backend._move(send, given.out, chosen, tell)
    for thread_id, reason in moved.errors.items():
        complain(f"{thread_id}: {reason}")
    would = "would be " if given.dry_run else ""
    complain(
        f"{moved.conversations:,} conversations {would}made of {moved.items:,} items, "
        f"{moved.there:,} were there, {moved.files:,} files {would}uploaded, "
        f"{moved.assistants:,} assistants {would}written down"
    )
    return 1 if moved.errors else 0


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
    add("--project", metavar="NAME", help="what is of this project, on a store with projects")
    add("--to", choices=["conversations"], help="make OpenAI conversations of the threads instead")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="with --to: where assistants.json and ids.csv go; by the latter "
        "the same command goes on where it was ended",
    )
    add("--dry-run", action="store_true", help="with --to: count what there is, and send nothing")
    add("--base-url", metavar="URL", help="with --to: default OPENAI_BASE_URL, else OpenAI's")
    add("--requests-per-minute", type=int, metavar="N", help="with --to: ask no more often")
    return parser
