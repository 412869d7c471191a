"""``doctor``: what the installed SDK has, what the library adds and repairs, whether a server answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from streaming_assistants import patch

from . import needs
from .console import complain, screen
from .families import families, shown_defects
from .needs import NOBODY, Row
from .screen import Cell, Screen, Style
from .server_check import ServerCheck, ask
from .versions import EXTRAS, LIBRARY, installed


def run(given: argparse.Namespace) -> int:
    """Examines, shows what it saw, and gives back the exit code."""
    client = needs.probe()
    rows = needs.judged(client, repair=not given.no_repair)
    if not any(row.capability == "beta.threads" for row in rows):
        patch(client, repair=not given.no_repair)
    try:
        asked = needs.selected(rows, given.strict, client) if given.strict is not None else []
    except needs.UnknownCapability as error:
        complain(str(error))
        return 2
    lacking = [row for row in asked if not row.sound]
    endpoint = ask(given.base_url, given.api_version) if given.base_url else None
    well = not lacking and (endpoint is None or endpoint.answers)
    if given.json:
        sys.stdout.write(json.dumps(_report(rows, lacking, endpoint, well), indent=2) + "\n")
    else:
        out = screen(plain=given.plain)
        _show(out, rows, endpoint, every=given.all)
        if given.strict is not None:
            _show_verdict(out, asked, lacking)
    return 0 if well else 1


def _report(
    rows: list[Row], lacking: list[Row], endpoint: ServerCheck | None, well: bool
) -> dict[str, object]:
    return {
        "ok": well,
        "versions": installed(),
        "capabilities": [row._asdict() for row in rows],
        "defects": shown_defects(map(needs.judgement, rows)),
        "lacking": [row.capability for row in lacking],
        "endpoint": endpoint and endpoint._asdict(),
    }


def _show(out: Screen, rows: list[Row], endpoint: ServerCheck | None, *, every: bool) -> None:
    has = installed()
    out.title(
        f"{LIBRARY} {has.pop(LIBRARY, '(source tree)')} on openai {has.pop('openai')}",
        ", ".join(f"{'Python' if name == 'python' else name} {version}" for name, version in has.items()),
    )
    apart = {"OpenAI()", *EXTRAS}
    table = [row for row in rows if row.capability not in apart]
    counts = Counter(row.provider for row in table)
    out.section("Capabilities: " + ", ".join(f"{count} from {name}" for name, count in counts.items()))
    _show_table(out, table, every=every)

    defects = shown_defects(map(needs.judgement, table))
    repaired = all(row.sound for row in table)
    if defects:
        does = "repairs" if repaired else "leaves (repair=False)"
        out.section(f"Defects of the SDK that patch() {does}")
        for shows in defects:
            out.item(shows, "" if repaired else "warn")

    out.section("Extras")
    for row in rows:
        if row.capability in EXTRAS:
            out.line(row.capability, row.reason, "" if row.sound else "warn")
        elif row.capability in apart and not row.sound:
            out.line("trouble", row.reason, "bad")

    out.section("Endpoint")
    if endpoint is None:
        out.line("", "not asked; --base-url URL asks one", "dim")
        return
    out.line("asked", endpoint.url)
    out.line("said", endpoint.said, "good" if endpoint.answers else "bad")
    if endpoint.advice:
        out.line("do", endpoint.advice)


def _show_table(out: Screen, table: list[Row], *, every: bool) -> None:
    if every or any(row.provider == NOBODY for row in table):
        out.table(
            ["capability", "provider", "why"],
            [
                [(row.capability, ""), (row.provider, _style(row)), (_short(row.reason), "dim")]
                for row in table
            ],
        )
        return
    rows: list[list[Cell]] = []
    for family in families(map(needs.judgement, table)):
        alone, patched = family.alone, family.patched
        left: Style = "dim" if alone == "sound" else "warn"
        right: Style = "warn" if "stay" in patched else "dim" if patched == "the SDK's own" else "good"
        rows.append([(family.name, ""), (alone, left), (patched, right)])
    out.table(["capability", "the SDK alone", "patched"], rows)


def _style(row: Row) -> Style:
    if not row.sound:
        return "bad" if row.provider == NOBODY else "warn"
    return "dim" if row.provider == "sdk" else "good"


def _short(reason: str) -> str:
    """A reason in a table's cell: what there is to say of each defect stands below it."""
    kind, _, said = reason.partition(": ")
    if kind != "defective":
        return reason
    count = len(said.split("; "))
    return f"{count} defect{'s' if count > 1 else ''}"


def _show_verdict(out: Screen, asked: list[Row], lacking: list[Row]) -> None:
    if not lacking:
        out.section(f"Strict: each of {len(asked)} capabilities has a sound provider")
        return
    out.section(f"Strict: {len(lacking)} of {len(asked)} capabilities have no sound provider")
    for row in lacking:
        out.line("lacking", f"{row.capability}: {row.reason}", "bad")
