"""The one table: a line for each goal, its ratio first, and each number with its spread over the runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("min", "median", "max", "goal", "", "of", "ours: min, median, max", "the other's")


@dataclass(frozen=True)
class Line:
    """One number, once for each run.

    A ratio where there is something ``other`` that was measured beside ``ours`` in each run: how many times
    ``ours`` it is, or with ``share`` which part of it ``ours`` is; else the number itself. ``goal`` bounds
    the median: from below for what should be much, from above for a ``share`` or a number by itself, and
    the other way round with ``more`` (of what ``ours`` should be much).
    """

    what: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float] = ()
    goal: float | None = None
    share: bool = False
    more: bool = False

    @property
    def numbers(self) -> list[float]:
        """What is shown first: a ratio for each run, or the number of each."""
        if not self.other:
            return list(self.ours)
        pairs = zip(self.ours, self.other, strict=True)
        return [mine / theirs if self.share or self.more else theirs / mine for mine, theirs in pairs]

    @property
    def met(self) -> bool | None:
        """Whether the median is within the goal; None where there is none."""
        if self.goal is None:
            return None
        median = statistics.median(self.numbers)
        return median >= self.goal if self._at_least else median <= self.goal

    @property
    def _at_least(self) -> bool:
        return self.more or (bool(self.other) and not self.share)

    def cells(self) -> tuple[str, ...]:
        mark = "x" if self.other else ""
        goal = "" if self.goal is None else f"{'>=' if self._at_least else '<='} {self.goal:g}{mark}"
        judged = {True: "ok", False: "MISSED", None: ""}[self.met]
        shown = [f"{number:,.2f}{mark}" for number in _spread(self.numbers)]
        ours, other = (
            " ".join(map(_short, _spread(each))) + f" {self.unit}" if each else ""
            for each in (self.ours if self.other else (), self.other)
        )
        what = self.what if self.other or not self.unit else f"{self.what}, {self.unit}"
        return (*shown, goal, judged, what, ours, other)


def judged(lines: Sequence[Line]) -> str:
    """A sentence for the page: which goals were missed."""
    missed = [line.cells() for line in lines if line.met is False]
    if not missed:
        return "Every goal was met."
    named = "; ".join(
        f"{what} ({median} where the goal is {goal})" for _, median, _, goal, _, what, *_ in missed
    )
    return f"Missed on the machine that measured this: {named}."


def _spread(numbers: Sequence[float]) -> tuple[float, float, float]:
    return min(numbers), statistics.median(numbers), max(numbers)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1_000 else f"{number:.3g}"


def rendered(groups: dict[str, list[Line]]) -> str:
    """The table, each group under its name."""
    rows = [HEAD, *(line.cells() for lines in groups.values() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    left = {HEAD.index("of"), HEAD.index("goal") + 1}

    def shown(row: Sequence[str]) -> str:
        cells = [
            f"{cell:{'<' if column in left else '>'}{widths[column]}}" for column, cell in enumerate(row)
        ]
        return "  ".join(cells).rstrip()

    made = [shown(HEAD)]
    for name, lines in groups.items():
        if lines:
            made += ["", f"-- {name}", *(shown(line.cells()) for line in lines)]
    return "\n".join(made)
