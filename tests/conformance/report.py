"""Writes what the matrix found: ``docs/compatibility.md``, and in the README which releases were asked.

It says which defects have retired, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.conformance.defects import DEFECTS, behaviours
from tests.conformance.matrix import CELLS, PLAIN, RELEASES, Cell, chosen, results
from tests.conformance.registry import Case, load

Results = Mapping[str, Mapping[str, Any]]

INTRODUCTION = """\
# Compatibility

What code written against the Assistants API gets from each release of the `openai` SDK: from the SDK alone,
and from a client after `streaming_assistants.patch()`. Each of {count} behaviours is asked sync and async,
where both exist, and holds only if it holds in both. This page is written by `nox -s matrix`, which asks
every release anew; it is not edited by hand.
"""


def write(page: Path, readme: Path) -> bool:
    """Writes both once every release was asked; True when patched clients pass everything and no listed
    defect has retired.
    """
    cases, found = load(), results()
    missing = [release for release in RELEASES if not _asked(release, found)]
    if missing:
        sys.stdout.write(f"{page.name} stays as it is: {', '.join(missing)} not asked yet\n")
    else:
        page.parent.mkdir(exist_ok=True)
        page.write_text("\n".join(_lines(cases, found)) + "\n", encoding="utf-8")
        readme.write_text(claimed(readme.read_text(encoding="utf-8"), found), encoding="utf-8")
    retired = retired_defects(cases, found)
    for defect in retired:
        sys.stdout.write(f"{defect} no longer shows on any release: remove its repair\n")
    return not retired and not any(cell["patched"]["failed"] for cell in found.values() if "patched" in cell)


_CLAIM = re.compile(r"(?<=<!-- releases -->).*?(?=<!-- /releases -->)", re.DOTALL)


def claimed(text: str, found: Results) -> str:
    """``text`` with its claim of the releases that are tested."""
    releases = list(dict.fromkeys(_release(each, found) for each in RELEASES))
    claim = f"openai {releases[0]} to {releases[-1]}: {len(releases)} releases"
    return _CLAIM.sub(lambda _: claim, text)


def _asked(release: str, found: Results) -> bool:
    return {"bare", "patched"} <= found.get(release, {}).keys()


def _release(cell: str, found: Results) -> str:
    """The release of openai that a cell had."""
    return str(next(iter(found[cell].values()))["versions"]["openai"])


def retired_defects(cases: dict[str, Case], found: Results) -> list[str]:
    """Listed defects that the SDK alone shows on no release; nothing while a release has not been asked."""
    if any("bare" not in found.get(release, {}) for release in RELEASES):
        return []
    failing = {name for cell in found.values() if "bare" in cell for name in cell["bare"]["failed"]}
    shown = behaviours(cases)
    return [defect for defect in DEFECTS if not any(case.name in failing for case in shown[defect])]


def _lines(cases: dict[str, Case], found: Results) -> Iterator[str]:
    yield INTRODUCTION.format(count=len(cases))
    yield "## Releases\n"
    yield from _table(PLAIN, found)
    special = [cell for cell in CELLS if cell not in PLAIN and cell.name in found]
    listed = {cell.name for cell in CELLS}
    special += [cell for name in found if name not in listed for cell in chosen([name])]
    if special:
        yield "\n## Other environments\n"
        yield from _table(special, found)
    yield "\n## What the SDK alone does not do\n"
    yield "Per behaviour, the releases on which the SDK alone fails it. A patched client passes each of them,"
    yield "unless the first section says otherwise.\n"
    yield from _behaviours(cases, found)
    yield from _left(cases, found)


def _table(cells: tuple[Cell, ...] | list[Cell], found: Results) -> Iterator[str]:
    yield "| openai | Python, pydantic, transport | SDK alone | patched |"
    yield "|---|---|---|---|"
    for cell in cells:
        if got := found.get(cell.name):
            title = cell.title(_release(cell.name, found))
            yield f"| {title} | {_environment(got)} | {_score(got, 'bare')} | {_score(got, 'patched')} |"


def _environment(got: Mapping[str, Any]) -> str:
    versions = next(iter(got.values()))["versions"]
    transport = "httpx2" if "httpx2" in versions else "httpx"
    parts = [versions["python"], versions["pydantic"], f"{transport} {versions[transport]}"]
    return ", ".join(parts)


def _score(got: Mapping[str, Any], which: str) -> str:
    if which not in got:
        return "not asked"
    asked = got[which]["behaviours"] - len(got[which]["not_applicable"])
    return f"{len(got[which]['passed'])} of {asked}"


def _behaviours(cases: dict[str, Case], found: Results) -> Iterator[str]:
    for group, members in groupby(cases.values(), lambda case: case.group):
        rows = [(case, where) for case in members if (where := _failing(case, found, "bare"))]
        if rows:
            yield f"\n### {group.capitalize()}\n"
            yield "| behaviour | SDK alone fails on |"
            yield "|---|---|"
            for case, where in rows:
                yield f"| {case.sentence.replace('|', chr(92) + '|')} | {where} |"


def _failing(case: Case, found: Results, which: str) -> str:
    asked = [release for release in RELEASES if which in found.get(release, {})]
    failing = [release for release in asked if case.name in found[release][which]["failed"]]
    if failing and failing == asked:
        return "all"
    runs = [[_release(run[0], found), _release(run[-1], found)] for run in _neighbours(failing, asked)]
    return ", ".join(first if first == last else f"{first} to {last}" for first, last in runs)


def _neighbours(failing: list[str], asked: list[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for release in failing:
        if runs and asked.index(runs[-1][-1]) + 1 == asked.index(release):
            runs[-1].append(release)
        else:
            runs.append([release])
    return runs


def _left(cases: dict[str, Case], found: Results) -> Iterator[str]:
    left = [
        (cell, name)
        for cell, got in found.items()
        for name in got.get("patched", {}).get("failed", ())
        if name in cases
    ]
    if left:
        yield "\n## What a patched client does not do\n"
        for cell, name in left:
            yield f"- {cell}: {cases[name].sentence}"
