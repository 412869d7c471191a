"""The tables of passages, and what each database finds them by. Importing this adds them to the schema's.

A passage without ``entry`` has been dropped: nothing finds it, and it is swept away piece by piece, so that
no transaction takes as long as a store is large. The words of a passage have the number of its vector store
before them: a search reads what is in its stores and nothing of others'.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Connection, ForeignKey, Index, Integer, LargeBinary, String, Table, text
from sqlalchemy.exc import DBAPIError, OperationalError

from .schema import SafeText, Seq, metadata

passages = Table(
    "passages",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("store", Seq),  # seq of the vector store
    Column("entry", Seq),  # seq of the file's row in store_files
    Column("number", Integer, nullable=False),  # among the file's
    Column("length", Integer, nullable=False),  # in words
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
)
Index("passages_by_store", passages.c.store, passages.c.entry, passages.c.seq, passages.c.length)
Index("passages_by_entry", passages.c.entry, passages.c.number)

# Apart, so that what ranks passages reads rows of a few bytes.
passage_texts = Table(
    "passage_texts",
    metadata,
    Column("seq", Seq, ForeignKey("passages.seq", ondelete="CASCADE"), primary_key=True),
    Column("text", SafeText, nullable=False),
    Column("place", JSON, nullable=False),
)

# Vectors in blocks: what a search reads of them is a few rows, each of many. Not used with pgvector.
vector_blocks = Table(
    "vector_blocks",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("store", Seq, nullable=False),  # seq of the vector store
    Column("model", String(255), nullable=False),
    Column("size", Integer, nullable=False),  # of a vector, in bytes
    Column("count", Integer, nullable=False),
    Column("first", Seq, nullable=False),  # the least and the greatest of ``seqs``
    Column("last", Seq, nullable=False),
    Column("seqs", LargeBinary, nullable=False),  # the passages, as int64
    Column("vectors", LargeBinary, nullable=False),  # theirs, in the same order, as float32
)
Index(
    "vector_blocks_by_store",
    vector_blocks.c.store,
    vector_blocks.c.model,
    vector_blocks.c.size,
    vector_blocks.c.count,
)

# The words are kept where they can be found and nowhere else: of a passage that goes they are told anew.
# Each is there once, named with how often the passage says it (``1_rent``, ``1_rent_2``), without its places.
_FTS5 = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS passage_words "
    "USING fts5(words, content='', columnsize=0, detail=none, tokenize=\"ascii tokenchars '_'\")",
    "CREATE VIRTUAL TABLE IF NOT EXISTS passage_occurrences USING fts5vocab(passage_words, instance)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS passage_counts USING fts5vocab(passage_words, row)",
)
# Rows of up to a page are neither compressed nor put elsewhere: a search reads many of them.
_POSTGRES = (
    "CREATE TABLE IF NOT EXISTS passage_words (seq bigint PRIMARY KEY REFERENCES passages ON DELETE CASCADE, "
    "length integer NOT NULL, words tsvector NOT NULL) WITH (toast_tuple_target = 8160)",
    "ALTER TABLE passage_words ALTER COLUMN words SET STORAGE MAIN",
    "CREATE INDEX IF NOT EXISTS passage_words_by_word ON passage_words USING gin (words)",
    "ALTER TABLE vector_blocks ALTER COLUMN vectors SET STORAGE EXTERNAL",
)
_PGVECTOR = (
    "CREATE TABLE IF NOT EXISTS passage_vectors "
    "(seq bigint PRIMARY KEY REFERENCES passages ON DELETE CASCADE, "
    "store bigint NOT NULL, model varchar(255) NOT NULL, vector vector NOT NULL) "
    "WITH (toast_tuple_target = 8160)",
    "ALTER TABLE passage_vectors ALTER COLUMN vector SET STORAGE MAIN",
    "CREATE INDEX IF NOT EXISTS passage_vectors_by_store ON passage_vectors (store, model)",
)


def prepared(connection: Connection) -> bool:
    """Whether there is nothing to prepare."""
    if connection.dialect.name == "postgresql":
        return connection.scalar(text("SELECT to_regclass('passage_words')")) is not None
    names = "'passage_words', 'passage_occurrences', 'passage_counts'"
    named = text(f"SELECT count(*) FROM sqlite_master WHERE name IN ({names})")
    return bool(connection.scalar(named) == len(_FTS5))


def prepare(connection: Connection) -> None:
    """Makes what SQLAlchemy has no tables for, within the transaction that makes the schema."""
    if connection.dialect.name == "postgresql":
        if not prepared(connection):
            pgvector = _PGVECTOR if _has_pgvector(connection) else ()
            for statement in (*_POSTGRES, *pgvector):
                connection.execute(text(statement))
        return
    try:
        for statement in _FTS5:
            connection.execute(text(statement))
    except OperationalError as error:
        if "no such module" not in str(error):
            raise  # without FTS5 all but searching works


def _has_pgvector(connection: Connection) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError:  # the server has not got it, or this user may not
        return False
    return True
