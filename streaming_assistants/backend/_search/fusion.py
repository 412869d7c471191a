"""Rankings made into one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_K = 60
"""How slowly a place lower in a ranking counts for less: the constant of those who described the way."""


def fused(rankings: Sequence[Sequence[KeyT]]) -> list[tuple[KeyT, float]]:
    """Reciprocal-rank fusion: best first, each with a score between 0 and 1. What is first in every ranking
    has 1, and what is first in one of two and not in the other a half."""
    scores: dict[KeyT, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + (_K + 1) / (_K + place)
    ranked = sorted(scores.items(), key=lambda each: -each[1])
    return [(key, min(1.0, score / len(rankings))) for key, score in ranked]
