"""``ids.csv``: what has become of what, so that whoever moves things goes on where it was."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

_HEAD = ("kind", "old", "new", "items", "state")


class Entry(NamedTuple):
    """The ``new`` id of something, and how many ``items`` of it are there; ``done`` when all are."""

    new: str
    items: int
    done: bool


class Ledger:
    """Each change is a line at the end of the file, whose last line about something holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], Entry] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row.get("state"):  # a line that a crash has cut has none
                        entry = Entry(row["new"], int(row["items"] or 0), row["state"] == "done")
                        self._entries[row["kind"], row["old"]] = entry
        self.write_anew()
        self._file = path.open("a", newline="", encoding="utf-8")

    def get(self, kind: str, old: str) -> Entry | None:
        return self._entries.get((kind, old))

    def note(self, kind: str, old: str, entry: Entry) -> None:
        """Writes it down before anything else happens."""
        self._entries[kind, old] = entry
        csv.writer(self._file).writerow(_row(kind, old, entry))
        self._file.flush()

    def write_anew(self) -> None:
        """Writes the file with one line for each."""
        beside = self._path.with_suffix(".csv.new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_HEAD)
            writer.writerows(_row(kind, old, entry) for (kind, old), entry in self._entries.items())
        os.replace(beside, self._path)

    def close(self) -> None:
        self._file.close()
        self.write_anew()


def _row(kind: str, old: str, entry: Entry) -> tuple[str, str, str, int, str]:
    return kind, old, entry.new, entry.items, "done" if entry.done else "open"
