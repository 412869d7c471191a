"""``keys``: who may ask a service, as which project, and how much."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from streaming_assistants.backend._engine.key_port import Limits
from streaming_assistants.backend._serve.key_files import project_name
from streaming_assistants.backend._store import key_upkeep
from streaming_assistants.backend._store.key_upkeep import Project

from .console import complain, screen
from .store_commands import carried_out
from .store_commands import command as store_command

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_NONE = "none"


def main(argv: Sequence[str]) -> int:
    """``python -m streaming_assistants keys``: 0 is well, 1 a key that is not there, 2 a call that makes no
    sense or a store that cannot be reached."""
    return carried_out(_parser().parse_args(argv), "This cannot be done")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants keys",
        description="The keys of a service and the limits of its projects. A store that has keys serves "
        "nobody without one.",
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    runs = {"add": _add, "list": _list, "revoke": _revoke, "limit": _limit}

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return store_command(commands, runs[name], name, help)

    add = command("add", "make a key, and show it this once")
    add.add_argument(
        "--project",
        action="append",
        required=True,
        type=_project,
        metavar="NAME",
        help="what the key opens; the first is meant where a request names none; may be repeated",
    )
    _add_limits(add)
    add.add_argument("--stdin", action="store_true", help="take the key from standard input")
    command("list", "list the keys by their ids, and the projects with their limits")
    revoke = command("revoke", "take a key back: servers heed that within a second")
    revoke.add_argument("id", metavar="ID", help="as `keys list` shows it")
    limit = command("limit", "set limits of a project, or take them away")
    limit.add_argument(
        "--project", required=True, type=_project, metavar="NAME", help="'' for what belongs to no project"
    )
    _add_limits(limit)
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--runs", type=_number, metavar="N", help="runs at once; none for no limit")
    add("--requests-per-minute", type=_number, metavar="N", help="none for no limit")
    add("--storage", type=_size, metavar="SIZE", help="10GB, 500MB: files, and what is indexed of them")


def _add(given: argparse.Namespace) -> int:
    own = sys.stdin.readline().strip() if given.stdin else None
    if own is not None and len(own) < 16:
        complain("A key has 16 characters at least.")
        return 2
    limits, _ = _limits(given)
    made = key_upkeep.add_key(given.store, given.project, limits, own)
    if given.json:
        _write({"id": made.id, "key": None if own else made.key, "projects": given.project})
    else:
        out = screen()
        out.line("id", made.id)
        if not own:
            out.line("key", made.key, "strong")
            out.line("", "It is shown this once, and kept nowhere.", "dim")
    return 0


def _list(given: argparse.Namespace) -> int:
    keys, projects = key_upkeep.all_keys(given.store), key_upkeep.all_projects(given.store)
    if given.json:
        _write({"keys": [key._asdict() for key in keys], "projects": [_plain(each) for each in projects]})
        return 0
    out = screen()
    out.section("Keys")
    rows = [
        (
            key.id,
            ", ".join(_named(each) for each in key.projects),
            _time(key.created_at),
            _state(key.revoked_at),
        )
        for key in keys
    ]
    out.table(("id", "projects", "made", ""), [[(cell, "") for cell in row] for row in rows])
    if projects:
        out.section("Projects")
        _show(projects)
    return 0


def _revoke(given: argparse.Namespace) -> int:
    if not key_upkeep.revoke_key(given.store, given.id):
        complain(f"There is no key {given.id} that could be revoked.")
        return 1
    if given.json:
        _write({"id": given.id, "revoked": True})
    else:
        screen().line("revoked", given.id, "good")
    return 0


def _limit(given: argparse.Namespace) -> int:
    changes, gone = _limits(given)
    made = key_upkeep.limit(given.store, given.project, changes or Limits(), gone)
    if given.json:
        _write(_plain(made))
    else:
        _show([made])
    return 0


def _show(projects: Sequence[Project]) -> None:
    rows = []
    for each in projects:
        limits, used = each.limits, each.used
        runs = f"{used.runs} of {_shown(limits.runs)}"
        storage = f"{_bytes(used.storage)} of {_shown(limits.storage, _bytes)}"
        rows.append([_named(each.name), runs, _shown(limits.requests_per_minute), storage])
    columns = ("project", "runs at once", "requests a minute", "storage")
    screen().table(columns, [[(cell, "") for cell in row] for row in rows])


def _limits(given: argparse.Namespace) -> tuple[Limits | None, list[str]]:
    """The limits that are set, and the names of those that are taken away."""
    asked = {name: getattr(given, name) for name in Limits._fields}
    named = {name: value for name, value in asked.items() if value not in (None, _NONE)}
    return Limits(**named) if named else None, [name for name, value in asked.items() if value == _NONE]


def _plain(project: Project) -> dict[str, object]:
    return {"project": project.name, "limits": project.limits._asdict(), "used": project.used._asdict()}


def _named(project: str) -> str:
    return project or "''"


def _shown(limit: int | None, shown: object = None) -> str:
    if limit is None:
        return "any"
    return _bytes(limit) if shown is not None else f"{limit:,}"


def _bytes(count: int) -> str:
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" else f"{size:.1f} {units[0]}"


def _state(revoked_at: float | None) -> str:
    return "" if revoked_at is None else f"revoked {_time(revoked_at)}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _project(text: str) -> str:
    try:
        return project_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> int | str:
    if text.lower() == _NONE:
        return _NONE
    if not (text.isdecimal() and int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _size(text: str) -> int | str:
    match = _SIZE.fullmatch(text.strip())
    if text.lower() == _NONE or match is None:
        if text.lower() == _NONE:
            return _NONE
        raise argparse.ArgumentTypeError(f"{text!r} is no size: 10GB, 500MB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _write(told: object) -> None:
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
