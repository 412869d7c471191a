"""How much is measured: all of it, or what a first look needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """``runs`` are what a number's spread is over, ``turns`` those of one run, of which the best counts."""

    quick: bool
    runs: int
    events: int
    turns: int
    streams: int
    sizes: tuple[int, ...]  # that a run grows to


FULL = Effort(quick=False, runs=5, events=2_000, turns=3, streams=1_000, sizes=(10, 100, 1_000))
QUICK = Effort(quick=True, runs=3, events=500, turns=2, streams=100, sizes=(10, 100))
