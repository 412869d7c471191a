"""Vectors as stores keep them: float32 in native order, of length 1, so that a product of two is a cosine."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from importlib import import_module
from math import isfinite, sqrt
from typing import Any

NEEDED = (
    "Searches with embedding_model= need numpy, sqlite-vec that this Python's sqlite3 can load, or a "
    "PostgreSQL server with pgvector: pip install 'streaming_assistants[vectors]' brings numpy."
)


def unit(values: Sequence[float]) -> bytes:
    """A vector as it is kept. Raises ValueError for one that points nowhere."""
    size = sqrt(sum(value * value for value in values))
    if not isfinite(size) or not size:
        raise ValueError("An embedding is not a vector of finite numbers.")
    return array("f", [value / size for value in values]).tobytes()


def numbers(vector: bytes) -> list[float]:
    """What :func:`unit` has kept."""
    return array("f", vector).tolist()


def similarity(cosine: float) -> float:
    """A cosine as a score between 0 and 1: what points elsewhere fits as little as what points away."""
    return min(1.0, max(0.0, cosine))


def numpy() -> Any:
    """Raises ImportError, in one sentence, where it is not installed."""
    try:
        return import_module("numpy")
    except ImportError:
        raise ImportError(NEEDED) from None


def nearest(blocks: Iterable[tuple[bytes, bytes]], vector: bytes, most: int) -> list[tuple[int, float]]:
    """The nearest passages, nearest first, exactly: their numbers and scores. A block is numbers as int64 and
    as many vectors; no more than one is held at once."""
    np = numpy()
    wanted = np.frombuffer(vector, np.float32)
    ids, cosines = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for seqs, of in blocks:
        ids.append(np.frombuffer(seqs, np.int64))
        cosines.append(np.frombuffer(of, np.float32).reshape(-1, wanted.size) @ wanted)
    every, of_each = np.concatenate(ids), np.concatenate(cosines)
    if most < of_each.size:
        near = of_each >= np.partition(of_each, -most)[-most]
        every, of_each = every[near], of_each[near]
    order = np.lexsort((every, -of_each))[:most]
    return [
        (id, similarity(cosine))
        for id, cosine in zip(every[order].tolist(), of_each[order].tolist(), strict=True)
    ]
