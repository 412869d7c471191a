"""Passages of files, and how a search finds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from sqlalchemy import Connection, delete, func, insert, select, update

from .._engine.file_port import Hit, Passage, Unsearchable
from .._engine.port import Json
from .._engine.vector_stores import entry_id
from .._search.filters import matches
from .._search.ranking import Posting, Ranked, scored
from .._search.words import asked, of_each
from . import passage_index as index
from . import passage_vectors as by_vectors
from .file_tables import store_files, stored_files, vector_stores
from .passage_tables import passage_texts
from .passage_tables import passages as table

_SWEPT = 200
_OFTEN = 1_000
_MOST_SAID = 50_000
"""Rows of the index that are read for a word at most."""


class PassageRows:
    """What the port says a transaction can do with passages."""

    connection: Connection

    def add_passages(
        self, vector_store_id: str, file_id: str, passages: Sequence[Passage], model: str | None
    ) -> None:
        place = self._place(vector_store_id, file_id)
        if place is None or not passages:
            return
        store, entry = place
        last = func.coalesce(func.max(table.c.number), -1)
        first = self.connection.execute(select(last).where(table.c.entry == entry)).scalar_one() + 1
        seqs = index.new_seqs(self.connection, len(passages))
        said = dict(zip(seqs, of_each([(each.text, each.start) for each in passages]), strict=True))
        rows = [
            {
                "seq": seq,
                "store": store,
                "entry": entry,
                "number": first + at,
                "length": len(said[seq]),
                "start": passage.start,
                "end": passage.end,
                "text": passage.text,
                "place": dict(passage.place),
            }
            for at, (seq, passage) in enumerate(zip(seqs, passages, strict=True))
        ]
        self.connection.execute(insert(table), [_columns(row, table.c) for row in rows])
        self.connection.execute(insert(passage_texts), [_columns(row, passage_texts.c) for row in rows])
        index.add_words(self.connection, store, said)
        of_model = {
            seq: passage.vector
            for seq, passage in zip(seqs, passages, strict=True)
            if passage.vector is not None
        }
        if model is not None and of_model:
            by_vectors.add(self.connection, store, model, of_model)

    def put_vectors(
        self, vector_store_id: str, file_id: str, after: int, vectors: Sequence[bytes], model: str
    ) -> None:
        place = self._place(vector_store_id, file_id)
        if place is None or not vectors:
            return
        query = select(table.c.seq).where(table.c.entry == place[1], table.c.number >= after)
        seqs = self.connection.scalars(query.order_by(table.c.number).limit(len(vectors))).all()
        if seqs:
            by_vectors.drop(self.connection, place[0], seqs)
            by_vectors.add(self.connection, place[0], model, dict(zip(seqs, vectors, strict=False)))

    def drop_passages(self, vector_store_id: str, file_id: str | None = None) -> None:
        if file_id is None:
            dropped = table.c.store.in_(self._stores([vector_store_id]))
        else:
            place = self._place(vector_store_id, file_id)
            dropped = table.c.entry.in_([] if place is None else place[1:])
        self.connection.execute(update(table).where(dropped).values(entry=None))

    def sweep_passages(self) -> bool:
        query = (
            select(table.c.seq, table.c.store, passage_texts.c.text)
            .join(passage_texts, passage_texts.c.seq == table.c.seq)
            .where(table.c.entry.is_(None))
            .order_by(table.c.seq)  # which lie beside each other
            .limit(_SWEPT)
        )
        rows = [(seq, store, text) for seq, store, text in self.connection.execute(query)]
        if rows:
            index.drop_words(self.connection, rows)
            for store in sorted({store for _, store, _ in rows}):
                by_vectors.drop(self.connection, store, [seq for seq, of, _ in rows if of == store])
            self.connection.execute(delete(table).where(table.c.seq.in_([row[0] for row in rows])))
        return len(rows) == _SWEPT

    def passages(self, vector_store_id: str, file_id: str, *, after: int, limit: int) -> Sequence[Passage]:
        place = self._place(vector_store_id, file_id)
        if place is None:
            return []
        query = (
            select(passage_texts.c.text, table.c.start, table.c.end, passage_texts.c.place)
            .join(table, passage_texts.c.seq == table.c.seq)
            .where(table.c.entry == place[1], table.c.number >= after)
            .order_by(table.c.number)
            .limit(limit)
        )
        return [Passage(*row) for row in self.connection.execute(query)]

    def keyword_hits(
        self, vector_store_ids: Sequence[str], query: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        stores = self._stores(vector_store_ids)
        searched = (table.c.store.in_(stores), table.c.entry.is_not(None))
        totals = select(func.count(), func.coalesce(func.sum(table.c.length), 0)).where(*searched)
        count, length = self.connection.execute(totals).one()
        said = self._postings(stores, asked(query), count, limit if filters is None else _MOST_SAID)
        ranked = scored(said, index.length_of, count, int(length))
        return self._hits(((index.seq_of(named), score) for named, score in ranked), filters, limit)

    def vector_hits(
        self, vector_store_ids: Sequence[str], vector: bytes, model: str, filters: Json, limit: int
    ) -> Sequence[Hit]:
        stores = self._stores(vector_store_ids)
        most = limit
        while True:
            near = [by_vectors.nearest(self.connection, store, vector, model, most) for store in stores]
            hits = self._hits(sorted((each for of in near for each in of), key=_best), filters, limit)
            if len(hits) == limit or all(len(each) != most for each in near):
                return hits
            most *= 8  # what is nearest did not pass the filters, or is not to be found yet

    def check_vectors(self) -> None:
        """Raises ImportError where nothing here can search by vectors."""
        try:
            by_vectors.vectors_by(self.connection)
        except Unsearchable as error:
            raise ImportError(str(error)) from None

    def _postings(
        self, stores: Sequence[int], question: Mapping[str, int], count: int, enough: int
    ) -> list[Posting]:
        """Who says the words of a question. A word that a third of many passages say hardly tells one from
        another: it is looked for only where the rarer ones have found too little."""
        said: list[Posting] = []
        often: list[tuple[str, int, int]] = []
        for word, times in question.items():
            saying = sum(index.count_saying(self.connection, store, word) for store in stores)
            if saying > max(_OFTEN, count / 3):
                often.append((word, times, saying))
            else:
                said.append(Posting(times, self._saying(stores, word) if saying else {}, saying))
        found = len({seq for posting in said for seq in posting.passages})
        for word, times, saying in often:
            here = {} if found >= enough else self._saying(stores, word)
            said.append(Posting(times, here, saying))
        return said

    def _saying(self, stores: Sequence[int], word: str) -> dict[int, int]:
        of = [index.postings(self.connection, store, word, _MOST_SAID) for store in stores]
        return {named: times for some in of for named, times in some.items()} if len(of) > 1 else of[0]

    def _hits(self, ranked: Ranked, filters: Json, limit: int) -> list[Hit]:
        """The first that can be found and whose file passes the filters."""
        files: dict[int, Json] = {}  # by their entries, None for those that do not pass
        chosen: list[tuple[int, float, Json]] = []
        each = iter(ranked)
        while len(chosen) < limit and (batch := list(islice(each, max(2 * limit, 20)))):
            query = select(table.c.seq, table.c.entry).where(table.c.seq.in_(_numbers(batch)))
            entry_of = {row[0]: row[1] for row in self.connection.execute(query)}
            self._read_files(files, set(entry_of.values()) - set(files), filters)
            passing = ((seq, score, files.get(entry_of.get(seq, 0))) for seq, score in batch)
            chosen += [(seq, score, file) for seq, score, file in passing if file is not None]
        return self._shown(chosen[:limit])

    def _read_files(self, files: dict[int, Json], entries: Iterable[int | None], filters: Json) -> None:
        query = select(store_files.c.seq, store_files.c.data).where(
            store_files.c.seq.in_(entries), store_files.c.status == "completed"
        )
        for entry, data in self.connection.execute(query):
            files[entry] = data if matches(filters, data["attributes"]) else None

    def _shown(self, chosen: Sequence[tuple[int, float, Json]]) -> list[Hit]:
        columns = (table.c.seq, passage_texts.c.text, passage_texts.c.place)
        query = select(*columns, table.c.start, table.c.end).join(table, passage_texts.c.seq == table.c.seq)
        seqs = [seq for seq, _, _ in chosen]
        texts = {row.seq: row for row in self.connection.execute(query.where(table.c.seq.in_(seqs)))}
        file_ids = {file["id"] for _, _, file in chosen}
        named = select(stored_files.c.id, stored_files.c.data).where(stored_files.c.id.in_(file_ids))
        names = {id: data["filename"] for id, data in self.connection.execute(named)}
        return [
            Hit(
                vector_store_id=file["vector_store_id"],
                file_id=file["id"],
                filename=names.get(file["id"], ""),
                score=score,
                text=texts[seq].text,
                attributes=file["attributes"] or {},
                place=texts[seq].place,
                start=texts[seq].start,
                end=texts[seq].end,
            )
            for seq, score, file in chosen
        ]

    def _stores(self, vector_store_ids: Sequence[str]) -> list[int]:
        """The numbers of those that are there."""
        query = select(vector_stores.c.seq).where(vector_stores.c.id.in_(vector_store_ids))
        return list(self.connection.scalars(query))

    def _place(self, vector_store_id: str, file_id: str) -> tuple[int, int] | None:
        """The numbers of a store and of a file's row in it."""
        entry = select(store_files.c.seq).where(store_files.c.id == entry_id(vector_store_id, file_id))
        store = select(vector_stores.c.seq).where(vector_stores.c.id == vector_store_id)
        places = self.connection.scalar(store), self.connection.scalar(entry)
        return None if places[0] is None or places[1] is None else (places[0], places[1])


def _columns(row: dict[str, Json], columns: Iterable[object]) -> dict[str, Json]:
    return {column.name: row[column.name] for column in columns}  # type: ignore[attr-defined]


def _numbers(ranked: Sequence[tuple[int, float]]) -> list[int]:
    return [seq for seq, _ in ranked]


def _best(each: tuple[int, float]) -> tuple[float, int]:
    return -each[1], each[0]
