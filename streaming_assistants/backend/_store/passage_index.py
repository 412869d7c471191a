"""How each database finds passages by their words: with FTS5 or a tsvector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

from sqlalchemy import Connection, Executable, text

from .._engine.file_port import Unsearchable
from .._search.words import words

_NO_WORDS = (
    "The sqlite3 of this Python has no FTS5, which searching files takes: use a Python whose sqlite3 has it, "
    "or a store in PostgreSQL."
)


_LONGEST = (1 << 14) - 1
"""Words of a passage that count for its length. What finds a passage names it by its number and its length,
the last 14 bits, so that nothing else has to be read to rank it."""

_ENOUGH = 64
"""Times that a passage says a word: more are as good."""

_TIMES = {times: f"_{times}" for times in range(_ENOUGH + 1)}


def _occurrences() -> str:
    """Bounds between what ``ts_rank`` says of a word that is there once, twice, and so on: it is the sum of
    the reciprocals of the squares up to there, over all of them."""
    bounds, rank = [], 0.0
    for times in range(1, _ENOUGH + 1):
        more = 6 / pi**2 / times**2
        bounds.append(f"{rank + more / 2:.7f}")
        rank += more
    return ", ".join(bounds)


_HAS_FTS5 = text("SELECT 1 FROM sqlite_master WHERE name = 'passage_occurrences'")
_SEQS = {
    "sqlite": text(
        "WITH RECURSIVE next(seq) AS (SELECT coalesce(max(seq), 0) + 1 FROM passages "
        "UNION ALL SELECT seq + 1 FROM next LIMIT :count) SELECT seq FROM next"
    ),
    "postgresql": text(
        "SELECT nextval(pg_get_serial_sequence('passages', 'seq')) FROM generate_series(1, :count)"
    ),
}
_ADD_WORDS = {
    "sqlite": text("INSERT INTO passage_words (rowid, words) VALUES (:seq << 14 | :length, :words)"),
    "postgresql": text(
        "INSERT INTO passage_words (seq, length, words) VALUES (:seq, :length, CAST(:words AS tsvector))"
    ),
}
_DROP_WORDS = text(
    "INSERT INTO passage_words (passage_words, rowid, words) VALUES ('delete', :seq << 14 | :length, :words)"
)
_POSTINGS = {
    "sqlite": text(
        "SELECT doc, CAST(substr(term, length(:word) + 2) AS integer) FROM passage_occurrences "
        "WHERE term >= :word || '_' AND term < :word || '`' "  # which comes next after the line
        "UNION ALL SELECT doc, 1 FROM passage_occurrences WHERE term = :word LIMIT :most"
    ),
    "postgresql": text(
        "SELECT seq << 14 | length, "
        "greatest(width_bucket(CAST(ts_rank('{1, 1, 1, 1}', words, asked.word) AS float8), "
        f"CAST(ARRAY[{_occurrences()}] AS float8[])), 1) "
        "FROM passage_words, (SELECT CAST(quote_literal(:word) AS tsquery) AS word) AS asked "
        "WHERE words @@ asked.word LIMIT :most"
    ),
}
_COUNT = {
    "sqlite": text(
        "SELECT (SELECT coalesce(sum(doc), 0) FROM passage_counts "
        "WHERE term >= :word || '_' AND term < :word || '`') "
        "+ (SELECT coalesce(sum(doc), 0) FROM passage_counts WHERE term = :word)"
    ),
    "postgresql": text(
        "SELECT count(*) FROM passage_words WHERE words @@ CAST(quote_literal(:word) AS tsquery)"
    ),
}


def new_seqs(connection: Connection, count: int) -> list[int]:
    """Numbers for that many passages."""
    return list(connection.scalars(_SEQS[connection.dialect.name], {"count": count}))


def add_words(connection: Connection, store: int, said: Mapping[int, Sequence[str]]) -> None:
    """Has passages, by their numbers, found by the words that they say."""
    _need_words(connection)
    told = _tokens if connection.dialect.name == "sqlite" else _lexemes
    rows = [
        {"seq": seq, "length": min(len(each), _LONGEST), "words": told(store, each)}
        for seq, each in said.items()
    ]
    connection.execute(_ADD_WORDS[connection.dialect.name], rows)


def drop_words(connection: Connection, texts: Sequence[tuple[int, int, str]]) -> None:
    """Has passages not found any more: the number of each, its store's, and its text. PostgreSQL drops what
    belongs to a passage with it."""
    if connection.dialect.name == "sqlite":
        of_each = ((seq, store, words(said)) for seq, store, said in texts)
        rows = [
            {"seq": seq, "length": min(len(said), _LONGEST), "words": _tokens(store, said)}
            for seq, store, said in of_each
        ]
        connection.execute(_DROP_WORDS, rows)


def postings(connection: Connection, store: int, word: str, most: int) -> dict[int, int]:
    """The passages of a store that say a word, each with how often, as far as ``most`` rows go. A
    passage is named by its number and its length in one: see :func:`seq_of`."""
    _need_words(connection)
    query = _POSTINGS[connection.dialect.name]
    rows = plain_rows(connection, query, {"word": f"{_named(store)}_{word}", "most": most})
    return dict(rows)


def seq_of(named: int) -> int:
    """The number of a passage that :func:`postings` names."""
    return named >> 14


def length_of(named: int) -> int:
    """The words of a passage that :func:`postings` names."""
    return named & _LONGEST


def count_saying(connection: Connection, store: int, word: str) -> int:
    """How many passages of a store say a word."""
    return connection.scalar(_COUNT[connection.dialect.name], {"word": f"{_named(store)}_{word}"}) or 0


def plain_rows(
    connection: Connection, query: Executable, asked: Mapping[str, object] | None = None
) -> list[Any]:
    """What a query gives, as the driver gives it: a search reads thousands of rows."""
    result = connection.execute(query, asked)
    rows = list(result.cursor.fetchall()) if result.cursor is not None else []
    result.close()
    return rows


def _need_words(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.scalar(_HAS_FTS5) is None:
        raise Unsearchable(_NO_WORDS)


def _named(store: int) -> str:
    """The number of a store before its words. Below 0 are stores that came from elsewhere; a minus would part
    a word in two."""
    return str(store).replace("-", "n")


def _tokens(store: int, said: Sequence[str]) -> str:
    """What FTS5 is told; 64 times are as good as more."""
    suffix, most = _TIMES.get, _TIMES[_ENOUGH]
    told = [word if times == 1 else word + suffix(times, most) for word, times in Counter(said).items()]
    named = _named(store)
    return f"{named}_" + f" {named}_".join(told) if told else ""


def _lexemes(store: int, said: Sequence[str]) -> str:
    """A tsvector's literal. Of a word's places only their number counts."""
    named = _named(store)
    return " ".join(
        f"'{named}_{word}':{','.join(map(str, range(1, min(times, _ENOUGH) + 1)))}"
        for word, times in Counter(said).items()
    )
