"""How well passages fit the words of a question: BM25, the same on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop
from math import log
from typing import NamedTuple, TypeAlias

_K1 = 1.2
_B = 0.75


Ranked: TypeAlias = "Iterable[tuple[int, float]]"
"""Passages by their numbers with their scores, best first."""


class Posting(NamedTuple):
    """A word of the question: how often the question says it, and how often each passage does, by the
    passage's number; and how many passages say it, where these are not all."""

    times: int
    passages: Mapping[int, int]
    saying: int | None = None


def scored(postings: Sequence[Posting], length_of: Callable[[int], int], passages: int, words: int) -> Ranked:
    """The passages that say one of the words at least, best first, each with its score.

    ``length_of`` says how many words one has; ``passages`` and ``words`` are how many there are in all
    that is searched. A score is how much of the question a passage has, between 0 and 1: 1 for what says as
    much as a passage of average length that says each of the words once. Rare words are more of it, and one
    that no passage says is as much as if a single one did.
    """
    average = words / passages if passages else 1.0
    scores: dict[int, float] = {}
    most = 0.0
    spread, base = _K1 * _B / (average or 1.0), _K1 * (1 - _B)
    for times, said, of_all in postings:
        saying = len(said) if of_all is None else of_all
        of = max(saying, 1)
        weight = times * log(1 + (max(passages - of, 0) + 0.5) / (of + 0.5))
        most += weight
        for passage, count in said.items():
            share = weight * count / (count + base + spread * length_of(passage))
            scores[passage] = scores.get(passage, 0.0) + share
    most /= 1 + _K1
    return _best_first(scores, most)


def _best_first(scores: Mapping[int, float], most: float) -> Iterator[tuple[int, float]]:
    """As far as somebody reads. By their numbers where they fit as well: the same order whoever asks."""
    ranked = [(-score, passage) for passage, score in scores.items()]
    heapify(ranked)
    while ranked:
        score, passage = heappop(ranked)
        yield passage, min(1.0, -score / most)
