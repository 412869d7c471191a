"""What got slower than at a commit: both libraries measured in one run, in turns.

    python -m benchmarks.regress COMMIT [--runs 5] [--only events] [--limit 10]

The library of the commit is put into a temporary folder, beside these benchmarks; the other is the working
tree's, changes that are not committed included. Both use the SDK of this environment. What seems slower by
more than the limit, in percent, is measured once more, and counts where it is slower there, too. The exit
code is 1 where something is.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import flat, shapes, streaming
from .workers import Python

HOME = Path(__file__).parent.parent
LIBRARY = "streaming_assistants"


@dataclass
class Measured:
    """One number of both libraries, once for each run; less is better."""

    what: str
    unit: str
    measure: Callable[[Python], float]
    before: list[float] = field(default_factory=list)
    now: list[float] = field(default_factory=list)

    def run(self, before: Python, now: Python, count: int) -> None:
        for number in range(count):
            # Each is the first of a pair in every other run.
            pair = [(before, self.before), (now, self.now)]
            for python, numbers in pair if number % 2 else reversed(pair):
                numbers.append(self.measure(python))

    @property
    def ratios(self) -> list[float]:
        """How many times what it was, of each run."""
        return [now / before for before, now in zip(self.before, self.now, strict=True)]

    def slower(self, limit: float) -> bool:
        """Whether it takes so many times more: in the median of the runs, and at its best, too."""
        return statistics.median(self.ratios) > limit and min(self.now) / min(self.before) > limit

    def again(self) -> Measured:
        return Measured(self.what, self.unit, self.measure)

    def row(self) -> str:
        low, middle, high = min(self.ratios), statistics.median(self.ratios), max(self.ratios)
        was, now = statistics.median(self.before), statistics.median(self.now)
        return f"{low:7.2f}x{middle:7.2f}x{high:7.2f}x  {self.what:62}{was:10,.2f} -> {now:,.2f} {self.unit}"


def _event(shape: str, kind: str, whole: bool) -> Callable[[Python], float]:
    return lambda python: python.measure("streaming", shape, kind, whole=whole, who="ours")["ours"]


def _grown(what: str, callback: str, size: int) -> Callable[[Python], float]:
    return lambda python: python.measure("flat", what, callback, size)["ours"]


def _started(name: str) -> Callable[[Python], float]:
    return lambda python: python.measure("startup")[name]


def _streamed(python: Python) -> float:
    return 1e6 / python.measure("concurrency", "ours", 200)["events/s/core"]


def everything(only: list[str]) -> Iterator[Measured]:
    """What the table has of the library alone."""
    if "events" in only:
        for shape in shapes.SHAPES:
            for kind in streaming.KINDS:
                for whole in (True, False):
                    name = f"{shape}, {kind}, {'one chunk' if whole else 'one event a chunk'}"
                    yield Measured(name, "us", _event(shape, kind, whole))
    if "growth" in only:
        for what, callbacks in shapes.GROWING.items():
            for callback in callbacks:
                name = f"{what}, {callback}, at {flat.SIZES[1]}"
                yield Measured(name, "us", _grown(what, callback, flat.SIZES[1]))
    if "streams" in only:
        yield Measured("an event of 200 streams at once", "us", _streamed)
    if "start" in only:
        for name in ("import streaming_assistants", "first patch()", "patch()"):
            yield Measured(name, "ms", _started(name))


GROUPS = ("events", "growth", "streams", "start")


def checked_out(commit: str, folder: Path) -> Path:
    """A folder that has the library of the commit, and these benchmarks. Raises SystemExit for no commit."""
    command = ["git", "archive", "--format=tar", commit, LIBRARY]
    done = subprocess.run(command, cwd=HOME, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return beside(folder)


def beside(folder: Path) -> Path:
    """The folder, with these benchmarks beside what it has."""
    shutil.copytree(
        Path(__file__).parent, folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def python_of(folder: Path) -> Python:
    """A Python that has the library of the folder, and no other."""
    python = Python(folder)
    if not python.library.is_relative_to(folder.resolve()):
        python.close()
        raise SystemExit(f"expected the library of {folder}, got that of {python.library}")
    return python


def compare(before: Python, now: Python, todo: Iterator[Measured], runs: int, limit: float) -> list[Measured]:
    """Measures all of it and prints a row for each; what is slower, after a second look."""
    slower = []
    for measured in todo:
        measured.run(before, now, runs)
        print(measured.row(), flush=True)
        if not measured.slower(limit):
            continue
        again = measured.again()
        again.run(before, now, runs)
        print(again.row(), "(again)", flush=True)
        if again.slower(limit):
            slower.append(again)
    return slower


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", help="what git knows a commit by")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=GROUPS, action="append", help="may be given more than once")
    parser.add_argument("--limit", type=float, default=10.0, help="percent (10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve()
        old = checked_out(options.commit, tree)
        print(f"{'min':>8}{'median':>8}{'max':>8}  {'times what it took at ' + options.commit}")
        with python_of(old) as before, python_of(HOME) as now:
            todo = everything(options.only or list(GROUPS))
            slower = compare(before, now, todo, options.runs, 1 + options.limit / 100)
    if slower:
        print(f"\nslower by more than {options.limit:g}%:")
        for measured in slower:
            print(measured.row())
        sys.exit(1)
    print(f"\nnothing is slower by more than {options.limit:g}%")


if __name__ == "__main__":
    main()
