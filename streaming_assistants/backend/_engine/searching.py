"""What a question finds in vector stores: by its words, and where there are vectors by meaning. Sans-IO."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from .._search.fusion import fused
from . import embedding
from .file_port import Hit
from .file_settings import FileSettings
from .port import Calls, Json, UpstreamError
from .store_port import Transaction

logger = logging.getLogger("streaming_assistants")

_EMBEDDING_SECONDS = 10.0
"""How long a search waits for the vector of its question."""

_DEEP = 50
"""How far down each ranking is read that is fused with another."""


class Question(NamedTuple):
    """``filters`` and ``ranking`` are the API's ``filters`` and ``ranking_options``, checked."""

    queries: Sequence[str]
    filters: Json = None
    limit: int = 10
    ranking: Json = None


def embedded(settings: FileSettings, texts: Sequence[str]) -> Calls:
    """The vectors of questions; None where they are searched for by words alone: there is no
    ``embedding_model``, or ``/embeddings`` does not answer."""
    if settings.embedding_model is None or not any(text.strip() for text in texts):
        return None
    try:
        call = embedding.asked(settings.embedding_model, texts, seconds=_EMBEDDING_SECONDS)
        return embedding.vectors_of((yield call), texts)
    except UpstreamError as error:
        logger.warning("This search goes by words alone: /embeddings does not answer: %s", error)
        return None


def hits(
    tx: Transaction, settings: FileSettings, store_ids: Sequence[str], question: Question, vectors: Json
) -> list[Hit]:
    """What a question finds, best first, of several queries each passage by the one that it fits best.

    By words a score is how much of the query a passage has; by words and vectors it is what reciprocal-
    rank fusion gives: 1 for what is first by both, a half for what is first by one. ``ranker: none`` fuses
    nothing and goes by vectors where there are some. ``vectors`` are those of :func:`embedded`.
    """
    ranking = question.ranking or {}
    fuses = ranking.get("ranker") != "none"
    best: dict[tuple[str, str, int], Hit] = {}
    for number, query in enumerate(question.queries):
        vector = None if vectors is None else vectors[number]
        for hit in _ranked(tx, settings, store_ids, question, query, vector, fuses):
            known = best.get(_passage(hit))
            if known is None or known.score < hit.score:
                best[_passage(hit)] = hit
    threshold = ranking.get("score_threshold") or 0.0
    passing = (hit for hit in best.values() if hit.score >= threshold)
    return sorted(passing, key=lambda hit: -hit.score)[: question.limit]


def _ranked(
    tx: Transaction,
    settings: FileSettings,
    store_ids: Sequence[str],
    question: Question,
    query: str,
    vector: bytes | None,
    fuses: bool,
) -> Sequence[Hit]:
    model = settings.embedding_model
    if vector is None or model is None:
        return tx.keyword_hits(store_ids, query, question.filters, question.limit)
    deep = max(_DEEP, question.limit) if fuses else question.limit
    near = tx.vector_hits(store_ids, vector, model, question.filters, deep)
    if not fuses:
        return near
    said = tx.keyword_hits(store_ids, query, question.filters, deep)
    if not near:  # nothing there has a vector of this model yet
        return said[: question.limit]
    every = {_passage(hit): hit for hit in (*near, *said)}
    ranked = fused([[_passage(hit) for hit in near], [_passage(hit) for hit in said]])
    return [every[key]._replace(score=score) for key, score in ranked[: question.limit]]


def _passage(hit: Hit) -> tuple[str, str, int]:
    return hit.vector_store_id, hit.file_id, hit.start
