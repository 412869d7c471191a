"""Files of vector stores made searchable: work that goes on after a request, whoever made it. Sans-IO.

A file is claimed in the store, copied, read, cut, embedded, and stored passage by passage in transactions of
their own; it is found once it is ``completed``. Whoever indexes it may be killed at any time: another takes
it up from its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from streaming_assistants._protocol.plan import Outcome

from .._files.kinds import Unreadable
from .._files.spooled import Spooled
from . import claims
from .claims import Claim, Lost, claim, finish, give_back, left_behind, ours, store_passages
from .effects import Abandoned, Apart, Do, Events, Interrupted, Steps, Work
from .embedding import AT_ONCE, Waits, patiently
from .file_port import Passage, Unsearchable
from .file_settings import FileSettings
from .port import Call, Json, Sleep, UpstreamError
from .store_port import Row, StoreAway, StoreClosed, Transaction

__all__ = ["left_behind", "work"]

logger = logging.getLogger("streaming_assistants")

_FIRST_PAUSE = 0.1  # seconds until a store that was away is asked again; each pause is twice the last
_LONGEST_PAUSE = 5.0
_WITHOUT_VECTORS = 256  # passages that are read, and stored, at once

ResultT = TypeVar("ResultT")


def work(settings: FileSettings, store_ids: Sequence[str]) -> Work:
    """Indexes the files that nobody else does, those of these stores first; and gives passages vectors of the
    ``embedding_model`` that have others or none."""
    return Work(_Indexing(settings, store_ids).steps(), store_ids[0], what="The indexing of")


class _Indexing:
    def __init__(self, settings: FileSettings, store_ids: Sequence[str]) -> None:
        self._settings = settings
        self._store_ids = list(store_ids)
        self._waits = Waits()
        self._taken: str | None = None

    def steps(self) -> Steps[Events]:
        indexers = self._settings.indexers
        if not indexers.comes(self._store_ids):
            return ()
        working = True
        try:
            while working:
                wanted = indexers.next_wanted()
                while (claimed := (yield from self._do(partial(self._claim, wanted)))) is not None:
                    yield from self._index(claimed)
                if wanted is not None:
                    yield from self._embed_anew(wanted)
                else:
                    while (yield from self._do(lambda tx: tx.sweep_passages())):
                        pass
                    working = not indexers.goes()
        finally:
            if working:
                indexers.breaks_off()
        return ()

    def _claim(self, wanted: str | None, tx: Transaction) -> Claim | None:
        if self._taken is not None:  # by a transaction that did not hold
            self._settings.indexers.let_go(self._taken)
        claimed = claim(tx, self._settings, wanted)
        self._taken = None if claimed is None else claimed.entry_id
        return claimed

    def _index(self, claimed: Claim) -> Steps[None]:
        self._taken = None
        try:
            done = yield from self._indexed(claimed)
            if done is not None:
                yield from self._do(partial(finish, self._settings, claimed, done))
        finally:  # not before its end is stored, or another one of this process takes it once more
            self._settings.indexers.let_go(claimed.entry_id)

    def _indexed(self, claimed: Claim) -> Steps[Json]:
        """What becomes of a file; None where it is not to be indexed any more."""
        try:
            size = yield from self._read(claimed)
            return {"status": "completed", "usage_bytes": size}
        except Lost:
            logger.debug("File %s of %s is not to be indexed any more.", claimed.file_id, claimed.store_id)
            return None
        except (Abandoned, StoreClosed) as error:
            if isinstance(error, Abandoned):
                yield Do(partial(give_back, self._settings, claimed))
            raise
        except Unreadable as error:
            return _failed(error.code, str(error))
        except UpstreamError as error:
            return _failed("server_error", f"/embeddings does not embed the file: {error}")
        except Unsearchable as error:
            return _failed("server_error", str(error))
        except Exception as error:
            logger.exception("File %s of %s could not be indexed.", claimed.file_id, claimed.store_id)
            return _failed("server_error", f"The backend raised {type(error).__name__}.")

    def _read(self, claimed: Claim) -> Steps[int]:
        """Stores a file's passages; how many bytes they take."""
        reading = Spooled(claimed.filename, claimed.max_tokens, claimed.overlap)
        size = 0
        try:
            yield from self._copied(claimed, reading)
            at_once = _WITHOUT_VECTORS if self._settings.embedding_model is None else AT_ONCE
            while batch := (yield Apart(partial(reading.next, at_once))):
                passages = [Passage(_clean(text), start, end, place) for text, start, end, place in batch]
                vectors = yield from self._vectors(claimed, [passage.text for passage in passages])
                passages = [
                    passage._replace(vector=vector) for passage, vector in zip(passages, vectors, strict=True)
                ]
                yield from self._do(partial(store_passages, self._settings, claimed, passages))
                size += sum(len(each.text.encode()) + len(each.vector or b"") for each in passages)
        finally:
            reading.close()
        return size

    def _copied(self, claimed: Claim, reading: Spooled) -> Steps[None]:
        contents = self._settings.contents
        for content_id in claimed.content_ids:
            if contents is not None:
                yield Apart(partial(reading.take, contents.pieces(content_id)))
                continue
            for number in range(1 << 30):
                piece = yield from self._do(partial(_piece, content_id, number), writes=False)
                if piece is None:
                    break
                reading.take([piece])

    def _vectors(self, claimed: Claim, texts: Sequence[str]) -> Steps[Sequence[bytes | None]]:
        model = self._settings.embedding_model
        if model is None:
            return [None] * len(texts)
        plan = patiently(model, texts, self._waits)
        return (yield from self._asked(plan, partial(_still_ours, self._settings, claimed)))

    def _asked(
        self, plan: Iterator[Call | Sleep], look: Callable[[Transaction], object]
    ) -> Steps[list[bytes]]:
        """What a plan asks of the upstream, with a look at the store after each pause."""
        outcome = Outcome()
        while True:
            try:
                effect = outcome.into(plan)  # type: ignore[arg-type]
            except StopIteration as end:
                vectors: list[bytes] = end.value
                return vectors
            try:
                outcome = Outcome((yield effect))
            except Interrupted:
                outcome = Outcome()
            except UpstreamError as error:
                outcome = Outcome(error=error)
            if isinstance(effect, Sleep):
                yield from self._do(look, writes=False)

    def _do(self, action: Callable[[Transaction], ResultT], *, writes: bool = True) -> Steps[ResultT]:
        """A transaction, as soon as the store is there for it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                result: ResultT = yield Do(action, writes)
                return result
            except StoreAway as error:
                logger.warning("The store is away; indexing goes on when it is back: %s", error)
            with suppress(Interrupted):
                yield Sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _embed_anew(self, store_id: str) -> Steps[None]:
        """Gives the passages of a store vectors of the model that is asked for now, file by file. Where that
        cannot be done they keep what they have, and the next who asks for the store tries again."""
        settings, model = self._settings, self._settings.embedding_model
        if model is None or not (yield from self._do(partial(_outdated, settings, store_id), writes=False)):
            return
        after: int | None = None
        try:
            while (
                row := (yield from self._do(partial(_next_file, store_id, after), writes=False))
            ) is not None:
                after = row["seq"]
                if (row["hidden"] or {}).get("model") != model:
                    yield from self._embed_file(store_id, row, model)
        except UpstreamError as error:
            logger.warning(
                "Vectors of %s for %s wait: /embeddings does not answer: %s", model, store_id, error
            )
            return
        yield from self._do(partial(_all_of, store_id, model))

    def _embed_file(self, store_id: str, row: Row, model: str) -> Steps[None]:
        number = 0
        while True:
            read = partial(_passages, store_id, row["file_id"], number)
            passages: Sequence[Passage] = yield from self._do(read, writes=False)
            if not passages:
                break
            plan = patiently(model, [passage.text for passage in passages], self._waits)
            vectors = yield from self._asked(plan, _nothing)
            yield from self._do(partial(_put_vectors, store_id, row["file_id"], number, vectors, model))
            number += len(passages)
        yield from self._do(partial(_embedded, row, model))


def _failed(code: str, message: str) -> Json:
    return {"status": "failed", "usage_bytes": 0, "last_error": {"code": code, "message": message}}


def _clean(text: str) -> str:
    """What a parser found, without halves of characters, which no database takes."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _nothing(tx: Transaction) -> None:
    """Nobody has to be asked."""


def _still_ours(settings: FileSettings, claimed: Claim, tx: Transaction) -> None:
    ours(tx, settings, claimed)


def _piece(content_id: str, number: int, tx: Transaction) -> bytes | None:
    return tx.piece(content_id, number)


def _outdated(settings: FileSettings, store_id: str, tx: Transaction) -> bool:
    return claims.outdated(tx, settings, store_id)


def _next_file(store_id: str, after: int | None, tx: Transaction) -> Row | None:
    where = {"vector_store_id": store_id, "status": "completed"}
    page = tx.page("store_files", where, limit=1, ascending=True, after=after, before=None)
    return page.rows[0] if page.rows else None


def _passages(store_id: str, file_id: str, number: int, tx: Transaction) -> Sequence[Passage]:
    return tx.passages(store_id, file_id, after=number, limit=AT_ONCE)


def _put_vectors(
    store_id: str, file_id: str, number: int, vectors: Sequence[bytes], model: str, tx: Transaction
) -> None:
    tx.put_vectors(store_id, file_id, number, vectors, model)


def _embedded(row: Row, model: str, tx: Transaction) -> None:
    """The file has vectors of the model, unless it was put into the store anew meanwhile."""
    there = tx.get("store_files", row["id"], lock=True)
    if there is not None and there["seq"] == row["seq"]:
        tx.change("store_files", row["id"], {}, row=there, hidden={"model": model})


def _all_of(store_id: str, model: str, tx: Transaction) -> None:
    store = tx.get("vector_stores", store_id, lock=True)
    if store is not None:
        hidden = {**(store["hidden"] or {}), claims.MODELS: [model]}
        tx.change("vector_stores", store_id, {}, row=store, hidden=hidden)
