"""The releases that the library is asked on, how an environment for one is made, and what is said of them.

``RELEASES`` is the one list of SDK releases: nox and the documentation take it from here. Which one is the
newest is for the index to say, on the day that it is asked. Only the standard library is imported, so that
it runs where no SDK is installed:

    python -m tests.conformance.matrix run                asks every cell and writes docs/compatibility.md
    python -m tests.conformance.matrix run newest         asks what the index has today
    python -m tests.conformance.matrix run 2.30.0         asks one release, on the list or not
    python -m tests.conformance.matrix report             writes the page again, from the last results
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".conformance"

NEWEST = "newest"
"""Stands for a release, and is installed without a version; a cell's results say which one it was."""

RELEASES = (
    "1.1.2", "1.6.1", "1.13.4", "1.14.3", "1.16.2", "1.21.2", "1.30.5", "1.55.3", "1.66.5", "1.97.2",
    "1.109.1", "2.0.1", "2.23.0", "2.54.0", "3.0.0", "3.14.1", "3.52.0", NEWEST,
)  # fmt: skip
PYTHON = "3.11"
PYTHONS = re.findall(
    r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)
"""The classifiers are the list of Pythons; ``PYTHON`` is the one that the plain cells have."""


@dataclass(frozen=True)
class Cell:
    """One environment: a release, and what else is pinned there."""

    openai: str
    note: str = ""
    python: str = PYTHON
    extra: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.openai}-{re.sub('[^a-z0-9.]+', '-', self.note.lower())}" if self.note else self.openai

    def title(self, release: str | None = None) -> str:
        """For readers, with the release that was installed where that is known."""
        newest = "the newest" if release and self.openai == NEWEST else ""
        words = [release or self.openai, newest, self.note]
        return ", ".join(word for word in words if word)

    def packages(self) -> list[str]:
        """What to install, beside the library itself."""
        pinned = {re.split("[<>=]", package)[0] for package in self.extra}
        release = "openai" if self.openai == NEWEST else f"openai=={self.openai}"
        packages = [release, "typing_extensions>=4.7", *self.extra]
        if "wrapt" not in pinned:
            packages.append("wrapt>=1.14")
        if self.openai != NEWEST and _version(self.openai) < (1, 55, 3) and "httpx" not in pinned:
            packages.append("httpx<0.28")  # older SDKs give httpx a `proxies` argument that 0.28 refuses
        return packages


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


PLAIN = tuple(Cell(release) for release in RELEASES)
SPECIAL = (
    Cell(NEWEST, "pydantic 1", extra=("pydantic>=1.10.13,<2",)),
    Cell("1.30.5", "pydantic 1", extra=("pydantic>=1.10.13,<2",)),
    Cell(NEWEST, "oldest wrapt", extra=("wrapt>=1.14,<1.15",)),
    Cell(NEWEST, "wrapt 1", extra=("wrapt<2",)),
    Cell("1.30.5", "httpx 0.28", extra=("httpx>=0.28,<0.29",)),
    Cell(NEWEST, "httpx beside httpx2", extra=("httpx>=0.28,<0.29",)),
    *(Cell(NEWEST, f"Python {python}", python=python) for python in PYTHONS if python != PYTHON),
)
CELLS = (*PLAIN, *SPECIAL)


def chosen(words: Iterable[str]) -> list[Cell]:
    """The cells that are named; a release that is on no list gets a plain cell of its own."""
    words = list(words)
    if not words:
        return list(CELLS)
    found = [cell for cell in CELLS if cell.name in words or cell.openai in words]
    known = {cell.name for cell in found} | {cell.openai for cell in found}
    return [*found, *(Cell(word) for word in words if word not in known)]


def commands(cell: Cell) -> Iterator[list[str]]:
    """The arguments after ``python`` that run the suite in a cell's environment, from the repository."""
    for which in ("bare", "patched"):
        yield ["-m", "tests.conformance", f"--{which}", "--json", str(result_file(cell, which))]


def result_file(cell: Cell, which: str) -> Path:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ".gitignore").write_text("*\n")
    return RESULTS / f"{cell.name}.{which}.json"


class MissingPython(Exception):
    """The cell's Python is not here."""


# without nox ---------------------------------------------------------------------------------------------


def run(cell: Cell) -> bool:
    """Makes the cell's environment if there is none and runs the suite in it; whether patched is whole.

    An environment of the newest release is brought up to date where there is one.
    """
    python = python_of(cell)
    sys.stdout.write(f"{cell.title()}\n")
    sys.stdout.flush()
    if cell.openai == NEWEST or not python.exists():
        try:
            _make(python.parents[1], python, cell)
        except (subprocess.CalledProcessError, MissingPython) as error:
            sys.stdout.write(f"{cell.title()} was not asked: {error}\n")
            return False
    codes = [
        subprocess.run([python, *command], cwd=ROOT, check=False).returncode for command in commands(cell)
    ]
    return codes[-1] == 0


def python_of(cell: Cell) -> Path:
    folder = RESULTS.resolve() / "venv" / cell.name
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _make(folder: Path, python: Path, cell: Cell) -> None:
    install = ["install", "--quiet", "--upgrade"]
    if uv := shutil.which("uv"):
        if not python.exists():
            subprocess.run([uv, "venv", "--quiet", "--python", cell.python, folder], check=True)
        subprocess.run([uv, "pip", *install, "--python", python, *cell.packages()], check=True)
        return
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if cell.note.startswith("Python") and cell.python != running:
        raise MissingPython(f"it needs uv to find that Python; this one is {running}")
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", *install, *cell.packages()], check=True)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    options.add_argument("what", choices=("run", "report"))
    options.add_argument("cells", nargs="*", help="releases or names of cells; all when left out")
    given = options.parse_args()
    if given.what == "report":
        # its list of behaviours needs an SDK to import
        from tests.conformance.report import write

        return 0 if write(ROOT / "docs" / "compatibility.md", ROOT / "README.md") else 1
    cells = chosen(given.cells)
    whole = [run(cell) for cell in cells]
    report = [python_of(cells[-1]), "-m", "tests.conformance.matrix", "report"]
    return 0 if subprocess.run(report, cwd=ROOT, check=False).returncode == 0 and all(whole) else 1


def results() -> dict[str, dict[str, dict[str, object]]]:
    """By cell name: ``bare`` and ``patched``, as ``python -m tests.conformance --json`` wrote them."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for file in RESULTS.glob("*.json"):
        cell, which = file.name.removesuffix(".json").rsplit(".", 1)
        found.setdefault(cell, {})[which] = json.loads(file.read_text())
    return found


if __name__ == "__main__":
    raise SystemExit(main())
