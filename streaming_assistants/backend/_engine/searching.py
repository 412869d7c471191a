"""What a question finds in vector stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .file_port import Hit
from .file_settings import FileSettings
from .port import Calls, Json
from .store_port import Transaction


class Question(NamedTuple):
    queries: Sequence[str]
    filters: Json = None
    limit: int = 10
    ranking: Json = None


def embedded(settings: FileSettings, texts: Sequence[str]) -> Calls:
    yield from ()
    return None


def hits(
    tx: Transaction, settings: FileSettings, store_ids: Sequence[str], question: Question, vectors: Json
) -> list[Hit]:
    return list(tx.keyword_hits(store_ids, question.queries[0], None, question.limit))
