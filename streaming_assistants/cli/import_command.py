"""``import``: takes objects of the API into a store, from files or from a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import openai

from streaming_assistants.backend._data.report import ImportReport
from streaming_assistants.backend._data.server_objects import Refused, ServerObjects

from . import data_options
from .api_requests import ApiRequests, client_for
from .console import complain
from .progress import progress

_PROG = "python -m streaming_assistants import"


def main(argv: Sequence[str]) -> int:
    """0 where all is stored, 1 where some lines are wrong or something failed, 2 for what makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.threads and not given.url:
        parser.error("--threads is for --from URL")
    if bool(given.file) == bool(given.url):
        parser.error("name files, - for standard input, or --from URL")
    if given.files is not None and not given.files.is_dir():
        parser.error(f"there is no folder {given.files}")
    try:
        with data_options.backend(given, there=False) as backend, ExitStack() as open_files:
            source = _Server(given) if given.url else _Files(given.file, open_files)
            with progress("importing", source.lines) as tell:
                report = backend.import_objects(
                    source.read(),
                    files=given.files,
                    newest_first=given.newest_first,
                    project=given.project,
                    on_error=lambda line, reason: complain(f"{source.place(line)}: {reason}"),
                    on_progress=tell,
                )
    except (openai.OpenAIError, Refused) as error:
        parser.exit(1, f"{parser.prog}: {given.url}: {' '.join(str(error).split())}\n")
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    _tell(report)
    return 1 if report.failed or source.lacking else 0


class _Server:
    """The objects of a server; ``lacking`` counts what it lacks or refuses."""

    lines = None

    def __init__(self, given: argparse.Namespace) -> None:
        self.lacking = 0
        self._url = given.url
        self._threads = data_options.ids_in(given.threads) if given.threads else []
        self._ask = ApiRequests(client_for(given.url, given.api_version))

    def read(self) -> Iterator[object]:
        return ServerObjects(self._ask, self._note).read(self._threads)

    def _note(self, words: str) -> None:
        self.lacking += 1
        complain(words)

    def place(self, number: int) -> str:
        return f"{self._url}, object {number}"


class _Files:
    """The lines of files, one after another. ``lines`` is how many there are, None of a pipe."""

    lacking = 0

    def __init__(self, names: Sequence[str], opened: ExitStack) -> None:
        self._files: list[tuple[str, BinaryIO]] = []
        self._ends: list[int] = []
        for name in names:
            path = Path(name)
            file = sys.stdin.buffer if name == "-" else opened.enter_context(path.open("rb"))
            self._files.append((name, file))
        self.lines = None if "-" in names else sum(_count(file) for _, file in self._files)

    def read(self) -> Iterator[object]:
        count = 0
        for _, file in self._files:
            for line in file:
                count += 1
                yield line if line.endswith(b"\n") else line + b"\n"
            self._ends.append(count)

    def place(self, line: int) -> str:
        """The file and the line in it, of a line of all."""
        before = 0
        for (name, _), end in zip(self._files, chain(self._ends, [line]), strict=False):
            if line <= end:
                return f"{'standard input' if name == '-' else name}:{line - before}"
            before = end
        return f"{self._files[len(self._ends)][0]}:{line - before}"


def _count(file: BinaryIO) -> int:
    lines = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
    file.seek(0)
    return lines


def _tell(report: ImportReport) -> None:
    for kind in sorted({*report.stored, *report.known}):
        stored, known = report.stored.get(kind, 0), report.known.get(kind, 0)
        also = f", {known:,} there already" if known else ""
        complain(f"{kind}: {stored:,} stored{also}")
    for count, words in (
        (report.implied, "threads that only their messages tell of were made"),
        (report.without_content, "files have no content"),
        (report.to_index, "files of vector stores are indexed by the next backend that serves the store"),
        (report.failed, "errors"),
    ):
        if count:
            complain(f"{count:,} {words}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Store objects of the Assistants API as they are: JSON Lines of assistants, threads, "
        "messages, runs, steps, files and vector stores, in any order.",
        epilog="What is there already stays as it is: the same import may be repeated. Exit codes: 0 all is "
        "stored; 1 lines are wrong, each told on standard error, and the rest is stored; 2 the call makes no "
        "sense.",
    )
    add = parser.add_argument
    add(
        "file", nargs="*", metavar="FILE", help="JSON Lines, list responses or an export; - is standard input"
    )
    data_options.add_store(parser)
    add("--newest-first", action="store_true", help="each list begins with its newest, as the API's do")
    add("--project", default="", metavar="NAME", help="whose the objects are, on a store with projects")
    add(
        "--from",
        dest="url",
        metavar="URL",
        help="read a server of the API instead, by its base URL; its key is OPENAI_API_KEY",
    )
    add(
        "--threads", metavar="FILE", help="with --from: the ids of threads, one a line, or the first of a CSV"
    )
    add("--api-version", metavar="DATE", help="with --from: Azure's")
    return parser
