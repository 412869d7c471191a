"""``store``: looks at the database of a service, brings it forward, drops what is old, and counts."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from streaming_assistants.backend._store import pruning, upkeep

from .console import screen
from .screen import Screen
from .store_commands import carried_out
from .store_commands import command as store_command

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"(\d+)([mhdw])")


def main(argv: Sequence[str]) -> int:
    """``python -m streaming_assistants store``: 0 is well, 1 a store that is not as it should be, 2 a call
    that makes no sense or a store that cannot be reached."""
    return carried_out(_parser().parse_args(argv), "The store cannot be used")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants store",
        description="The database of a service: its version, its size, and what can go.",
    )
    commands = parser.add_subparsers(metavar="command", required=True)

    runs = {"check": _check, "upgrade": _upgrade, "prune": _prune, "stats": _stats}

    def command(name: str, help: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return store_command(commands, runs[name], name, help, epilog)

    command(
        "check",
        "say which version the store has and what it lacks; change nothing",
        "Exit codes: 0 all is there; 1 there is no store, or it is of another version, or something is "
        "missing; 2 the call makes no sense, or the store cannot be reached.",
    )
    command("upgrade", "bring the store to this release's version, or make a new one")
    prune = command("prune", "drop threads that nobody has touched for long, with all that belongs to them")
    prune.add_argument(
        "--older-than",
        type=_age,
        required=True,
        metavar="AGE",
        help="30d, 12h, 4w: since the last message or run",
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would go, and drop nothing")
    command("stats", "count what is in the store, with its sizes and its active runs")
    return parser


def _check(given: argparse.Namespace) -> int:
    checked = upkeep.check(given.store)
    if given.json:
        _write({"ok": checked.sound, **checked._asdict()})
        return 0 if checked.sound else 1
    out = screen()
    if checked.version is None:
        out.line("version", "none: there is no store yet; it is made when it is opened", "bad")
    elif checked.version > checked.wanted:
        told = f"{checked.version}, of a later release; this one reads versions up to {checked.wanted}"
        out.line("version", told, "bad")
    elif checked.version < checked.wanted:
        told = f"{checked.version}; `store upgrade`, or opening it, brings it to {checked.wanted}"
        out.line("version", told, "warn")
    else:
        out.line("version", str(checked.version), "good")
    for each in checked.missing:
        out.line("missing", each, "bad")
    return 0 if checked.sound else 1


def _upgrade(given: argparse.Namespace) -> int:
    before, after = upkeep.upgrade(given.store)
    if given.json:
        _write({"before": before, "after": after})
    elif before is None:
        screen().line("version", f"{after}; the store is new", "good")
    elif before == after:
        screen().line("version", f"{after}, as it was", "good")
    else:
        screen().line("version", f"{after}; it was {before}", "good")
    return 0


def _prune(given: argparse.Namespace) -> int:
    if given.json:
        pruned = pruning.prune(given.store, given.older_than, dry_run=given.dry_run)
        _write({"dry_run": given.dry_run, **pruned._asdict()})
        return 0
    out = screen()
    with out.waiting("threads") as tell:
        pruned = pruning.prune(
            given.store,
            given.older_than,
            dry_run=given.dry_run,
            told=lambda so_far: tell("looked through", f"{so_far.threads} to go"),
        )
    out.section("Would be dropped" if given.dry_run else "Dropped")
    for kind, count in pruned._asdict().items():
        out.line(_named(kind), f"{count:,}")
    return 0


def _stats(given: argparse.Namespace) -> int:
    counted = upkeep.stats(given.store)
    if given.json:
        _write(counted._asdict())
        return 0
    out = screen()
    out.title(f"Schema version {counted.version}, {_size(counted.bytes)}", _who(counted))
    out.section("Objects")
    sizes = counted.table_bytes
    out.table(
        ("kind", "count", "size"),
        [
            ((_named(kind), ""), (f"{count:,}", ""), (_size(sizes[kind]) if kind in sizes else "", "dim"))
            for kind, count in counted.objects.items()
        ],
    )
    _show_ages(out, counted)
    return 0


def _show_ages(out: Screen, counted: upkeep.Stats) -> None:
    out.section("Active runs")
    for status, count in counted.active_runs.items():
        out.item(f"{count:,} {status}")
    if counted.oldest_active_run is None:
        out.item("none")
    else:
        out.item(f"the oldest of {_time(counted.oldest_active_run)}")
    if counted.oldest_thread is not None:
        out.section("Oldest thread")
        out.item(_time(counted.oldest_thread))


def _who(counted: upkeep.Stats) -> str:
    return "one process is seen" if counted.processes == 1 else f"{counted.processes} processes are seen"


def _named(kind: str) -> str:
    return kind.replace("_", " ")


def _size(count: int) -> str:
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" else f"{size:.1f} {units[0]}"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(text: str) -> float:
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: 30d, 12h, 4w")
    return float(int(match[1]) * _UNITS[match[2]])


def _write(told: object) -> None:
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
