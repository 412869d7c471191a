"""Every benchmark as one table, ratios first, each with its goal and its spread over five runs.

    python -m benchmarks [--quick] [--only GROUP] [--write]

What is compared in a line is measured side by side in each run, in turns, in processes of that run. Needs
Linux for the memory, node and npm for openai-node; what cannot be measured is left out. ``--write`` puts the
table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import openai

from . import backend, groups
from .effort import FULL, QUICK, Effort
from .node import Node, installed
from .table import Line, judged, rendered
from .workers import Python

DOCS = Path(__file__).parent.parent / "docs" / "performance.md"
GROUPS = ("events", "growth", "streams", "start", "backend")


def measured(effort: Effort, only: list[str]) -> tuple[str, str]:
    """The table, under what was measured on, and a sentence about the goals."""
    folder = installed() if "events" in only else None
    runs: list[groups.Numbers] = []
    version = ""
    for number in range(effort.runs):
        print(f"run {number + 1} of {effort.runs}", file=sys.stderr, flush=True)
        numbers: groups.Numbers = {}
        # New processes each run: where a process lies in memory is a part of the spread.
        with contextlib.ExitStack() as processes:
            python = processes.enter_context(Python())
            node = None if folder is None else processes.enter_context(Node(folder))
            if node is not None:
                version = node.version
            if "events" in only:
                numbers |= groups.events(python, node, effort)
            if "growth" in only:
                numbers |= groups.sizes(python, effort)
        if "streams" in only:
            numbers |= groups.streams(effort)
        if "start" in only:
            numbers |= groups.start(effort)
        runs.append(numbers)

    def of(name: str) -> list[float]:
        return [numbers[name] for numbers in runs if name in numbers]

    sdk = f"openai {openai.__version__}"
    made: dict[str, Callable[[], list[Line]]] = {
        "events": lambda: groups.event_lines(of, sdk, f"openai-node {version}"),
        "growth": lambda: groups.size_lines(of, effort),
        "streams": lambda: groups.stream_lines(of, sdk),
        "start": lambda: groups.start_lines(of, sdk),
        "backend": lambda: backend.lines(effort),
    }
    names = {
        "events": f"an event, microseconds of processor time; runs of {effort.events:,} deltas",
        "growth": "an event of a run that has grown",
        "streams": f"{effort.streams:,} async streams at once",
        "start": "start-up, processor time",
        "backend": "the backend",
    }
    head = f"{sdk}, Python {platform.python_version()}, {platform.machine()}, {effort.runs} runs"
    lines = {group: made[group]() for group in GROUPS if group in only}
    table = rendered({names[group]: lines[group] for group in lines})
    return f"{head}\n\n{table}", judged([line for each in lines.values() for line in each])


def write(text: str, said: str) -> None:
    """Puts the table between the markers of docs/performance.md, and the sentence below it."""
    page = DOCS.read_text(encoding="utf-8")
    between = re.compile(r"(<!-- numbers: .*? -->\n).*?(<!-- end of numbers -->\n)", re.DOTALL)
    changed, count = between.subn(lambda found: f"{found[1]}```\n{text}\n```\n\n{said}\n{found[2]}", page)
    if count != 1:
        raise SystemExit(f"expected one place for the numbers in {DOCS}, got {count}")
    DOCS.write_text(changed, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="three shorter runs and fewer streams: two minutes"
    )
    parser.add_argument("--only", choices=GROUPS, action="append", help="may be given more than once")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table, said = measured(QUICK if options.quick else FULL, options.only or list(GROUPS))
    print(f"{table}\n\n{said}")
    if options.write:
        write(table, said)


if __name__ == "__main__":
    main()
