"""How each database finds the passages whose vectors are nearest: with pgvector, or else in blocks of vectors
that numpy compares, or sqlite-vec where there is no numpy.

A block holds vectors of one model, of one length, of one vector store, one after the other, so that a search
reads few rows, however many passages there are.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from importlib import import_module
from itertools import islice

from sqlalchemy import Connection, delete, insert, select, text

from .._engine.file_port import Unsearchable
from .._search import vectors
from .passage_tables import vector_blocks as table

_MOST = 256  # vectors of a block
_FEW = 32
"""So many blocks that have fewer vectors than this are made one: files may be short."""

_LOCK = text("SELECT pg_advisory_xact_lock(1986359923, CAST(:store % 2147483647 AS integer))")
_ADD = text(
    "INSERT INTO passage_vectors (seq, store, model, vector) VALUES (:seq, :store, :model, "
    "CAST(:vector AS vector))"
)
_DROP = text("DELETE FROM passage_vectors WHERE seq = :seq")
_BY_PGVECTOR = text(
    "SELECT seq, 1 - (vector <=> CAST(:vector AS vector)) AS score FROM passage_vectors "
    "WHERE store = :store AND model = :model AND vector_dims(vector) * 4 = :size "
    "ORDER BY 2 DESC, 1 LIMIT :most"
)
_HAS_PGVECTOR = text("SELECT to_regclass('passage_vectors') IS NOT NULL")


def add(connection: Connection, store: int, model: str, of: Mapping[int, bytes]) -> None:
    """Gives passages, by their numbers, vectors; they have none."""
    if _has_pgvector(connection):
        told = {"store": store, "model": model}
        connection.execute(_ADD, [{"seq": seq, "vector": _literal(each), **told} for seq, each in of.items()])
        return
    _lock(connection, store)
    _add_blocks(connection, store, model, of)
    for size in {len(each) for each in of.values()}:
        _join(connection, store, model, size)


def drop(connection: Connection, store: int, seqs: Iterable[int]) -> None:
    """Takes the vectors from passages, by their numbers, of one store."""
    dropped = set(seqs)
    if not dropped:
        return
    if _has_pgvector(connection):
        connection.execute(_DROP, [{"seq": seq} for seq in dropped])
        return
    _lock(connection, store)
    touching = select(table.c.seq, table.c.seqs).where(
        table.c.store == store, table.c.first <= max(dropped), table.c.last >= min(dropped)
    )
    for block, held in connection.execute(touching).all():
        of = array("q", held)
        if dropped.isdisjoint(of):
            continue
        query = select(table.c.model, table.c.size, table.c.vectors).where(table.c.seq == block)
        model, size, packed = connection.execute(query).one()
        connection.execute(delete(table).where(table.c.seq == block))
        kept = {seq: packed[at * size : (at + 1) * size] for at, seq in enumerate(of) if seq not in dropped}
        _add_blocks(connection, store, model, kept)


def _add_blocks(connection: Connection, store: int, model: str, of: Mapping[int, bytes]) -> None:
    by_size: dict[int, list[int]] = {}
    for seq, vector in of.items():
        by_size.setdefault(len(vector), []).append(seq)
    blocks = [
        {
            "store": store,
            "model": model,
            "size": size,
            "count": len(part),
            "first": min(part),
            "last": max(part),
            "seqs": array("q", part).tobytes(),
            "vectors": b"".join([of[seq] for seq in part]),
        }
        for size, seqs in by_size.items()
        for part in (seqs[at : at + _MOST] for at in range(0, len(seqs), _MOST))
    ]
    if blocks:
        connection.execute(insert(table), blocks)


def _join(connection: Connection, store: int, model: str, size: int) -> None:
    """Makes one block of many that have few vectors each."""
    alike = (table.c.store == store, table.c.model == model, table.c.size == size)
    few = select(table.c.seq).where(*alike, table.c.count < _FEW).limit(_FEW)
    joined = connection.scalars(few).all()
    if len(joined) < _FEW:
        return
    query = select(table.c.seqs, table.c.vectors).where(table.c.seq.in_(joined)).order_by(table.c.seq)
    of: dict[int, bytes] = {}
    for seqs, packed in connection.execute(query).all():
        of.update((seq, packed[at * size : (at + 1) * size]) for at, seq in enumerate(array("q", seqs)))
    connection.execute(delete(table).where(table.c.seq.in_(joined)))
    _add_blocks(connection, store, model, of)


def nearest(
    connection: Connection, store: int, vector: bytes, model: str, most: int
) -> list[tuple[int, float]]:
    """The passages of a store that are nearest by the vectors of a model, nearest first; at least ``most``
    where there are as many. Raises Unsearchable."""
    by = vectors_by(connection)
    if by == "pgvector":
        asked = {"store": store, "model": model, "size": len(vector), "vector": _literal(vector)}
        rows = connection.execute(_BY_PGVECTOR, {**asked, "most": most})
        return [(seq, vectors.similarity(score)) for seq, score in rows]
    query = select(table.c.seqs, table.c.vectors).where(
        table.c.store == store, table.c.model == model, table.c.size == len(vector)
    )
    # Few are held at once, whatever the store has.
    blocks = ((seqs, packed) for seqs, packed in connection.execute(query.execution_options(yield_per=2)))
    if by == "numpy":
        return vectors.nearest(blocks, vector, most)
    far = nsmallest(most, _distances(connection, blocks, vector))
    return [(seq, vectors.similarity(1 - distance)) for distance, seq in far]


def vectors_by(connection: Connection) -> str:
    """What finds the nearest: ``pgvector``, ``numpy`` or ``sqlite-vec``. Raises Unsearchable."""
    if "vectors_by" not in connection.info:
        connection.info["vectors_by"] = _able(connection)
    by: str = connection.info["vectors_by"]
    return by


def _able(connection: Connection) -> str:
    if _has_pgvector(connection):
        return "pgvector"
    try:
        vectors.numpy()
    except ImportError as error:
        if connection.dialect.name == "sqlite" and _loads_sqlite_vec(connection):
            return "sqlite-vec"
        raise Unsearchable(str(error)) from None
    return "numpy"


def _has_pgvector(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql" and bool(connection.scalar(_HAS_PGVECTOR))


def _loads_sqlite_vec(connection: Connection) -> bool:
    """Whether the connection has sqlite-vec now: it is not installed everywhere, and not every Python's
    sqlite3 takes extensions."""
    driver = connection.connection.driver_connection
    try:
        sqlite_vec = import_module("sqlite_vec")
        driver.enable_load_extension(True)  # type: ignore[union-attr]
    except (ImportError, AttributeError):
        return False
    sqlite_vec.load(driver)
    driver.enable_load_extension(False)  # type: ignore[union-attr]
    return True


def _distances(
    connection: Connection, blocks: Iterable[tuple[bytes, bytes]], vector: bytes
) -> Iterator[tuple[float, int]]:
    """How far each passage of the blocks is, by sqlite-vec: many are asked for at once."""
    size = len(vector)
    for seqs, packed in blocks:
        each = enumerate(array("q", seqs))
        while part := list(islice(each, 100)):
            asked = ", ".join(f"vec_distance_cosine(?1, ?{at + 2})" for at in range(len(part)))
            of = [packed[at * size : (at + 1) * size] for at, _ in part]
            distances: Sequence[float] = connection.exec_driver_sql(f"SELECT {asked}", (vector, *of)).one()
            yield from zip(distances, (seq for _, seq in part), strict=True)


def _lock(connection: Connection, store: int) -> None:
    """One transaction at a time changes the blocks of a store: SQLite has one that writes at all."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"store": store})


def _literal(vector: bytes) -> str:
    return "[" + ",".join(map(repr, vectors.numbers(vector))) + "]"
