"""What a run does with the files that the backend keeps: waits for them, searches and reads them. Sans-IO."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias
from urllib.parse import unquote

from streaming_assistants._protocol.plan import Outcome

from . import files, indexing, vector_stores
from .effects import Abandoned, Begin, Do, Steps, WorkEffect
from .file_settings import FileSettings
from .held_run import Lost, Stopped
from .port import Call, Calls, Indexed, Json, ReadFile, Search, Sleep, UpstreamError
from .searching import Question, embedded, hits
from .store_port import StoreAway, StoreClosed, Transaction

logger = logging.getLogger("streaming_assistants")

INDEXING_SECONDS = 60.0
"""How long a run waits for files to be searchable; the hosted API waited as long and then went on."""

_LOOK_SECONDS = 5.0  # between two tries to have files indexed that nobody is at

_CONTENT = re.compile(r"/files/([^/]+)/content")

Asked: TypeAlias = Search | Indexed | ReadFile
Ask: TypeAlias = Callable[[WorkEffect], Steps[Outcome]]


def own(settings: FileSettings | None, piece: Call) -> ReadFile | None:
    """The file whose content a request is for, where the backend keeps files: the server has no such file."""
    match = _CONTENT.fullmatch(piece.path) if settings is not None and piece.method == "GET" else None
    return match and ReadFile(unquote(match[1]))


def done(settings: FileSettings | None, asked: Asked, ask: Ask) -> Steps[Outcome]:
    """What came of something that an upstream asks of the backend's files; ``ask`` makes the requests that it
    takes. A fault of ours is told the upstream like one of its server's."""
    try:
        if settings is None:
            raise UpstreamError("This backend keeps no files of its own.", 404)
        if isinstance(asked, Search):
            return Outcome((yield from _found(settings, asked, ask)))
        if isinstance(asked, Indexed):
            return Outcome((yield from _indexed(settings, asked, ask)))
        return Outcome((yield from _content(settings, asked)))
    except UpstreamError as error:
        return Outcome(error=error)
    except (Lost, Stopped, Abandoned, StoreAway, StoreClosed):
        raise
    except Exception as error:
        logger.exception("%s failed.", type(asked).__name__)
        return Outcome(error=UpstreamError(f"The search of files raised {type(error).__name__}: {error}"))


def _found(settings: FileSettings, asked: Search, ask: Ask) -> Steps[object]:
    vectors = yield from _called(embedded(settings, [asked.query]), ask)
    question = Question([asked.query], None, asked.limit, asked.ranking)

    def look(tx: Transaction) -> object:
        stores = vector_stores.usable(tx, settings.keeper, asked.vector_store_ids)
        return hits(tx, settings, stores, question, vectors) if stores else []

    return (yield Do(look, writes=False))


def _called(calls: Calls, ask: Ask) -> Steps[Json]:
    outcome = Outcome()
    while True:
        try:
            call = outcome.into(calls)
        except StopIteration as end:
            return end.value
        outcome = yield from ask(call)


def _indexed(settings: FileSettings, asked: Indexed, ask: Ask) -> Steps[object]:
    yield Do(partial(_use, settings, asked))
    look_at = 0.0
    for waited, pause in _pauses():
        waiting, behind = yield Do(partial(_look, settings, asked.vector_store_ids), writes=False)
        if behind and waited >= look_at:
            yield Begin(indexing.work(settings, behind))
            look_at = waited + _LOOK_SECONDS
        if not waiting:
            return None
        yield from ask(Sleep(pause))
    logger.warning("Files are not searchable after %g s; the run goes on.", INDEXING_SECONDS)
    return None


def _look(settings: FileSettings, store_ids: Sequence[str], tx: Transaction) -> tuple[bool, list[str]]:
    """Whether files are still to be indexed, and the stores whose files nobody is at."""
    waiting = any(_unindexed(tx, id) for id in store_ids)
    return waiting, indexing.left_behind(tx, settings, store_ids)


def _use(settings: FileSettings, asked: Indexed, tx: Transaction) -> None:
    """Notes that the stores are used. Raises UpstreamError for one that has expired: with the hosted API runs
    failed then, too, and did not answer as if its files had never been."""
    for id in sorted(asked.vector_store_ids):
        row = tx.get("vector_stores", id)
        if row is None:
            logger.warning("There is no vector store %s, so a run finds nothing in it.", id)
        elif vector_stores.expired(settings.keeper, row):
            raise UpstreamError(
                f"The vector store {id} has expired. Make a new one of its files, and give the thread or the "
                "assistant that one."
            )
        else:
            vector_stores.used(tx, settings.keeper, id)


def _unindexed(tx: Transaction, store_id: str) -> bool:
    where = {"vector_store_id": store_id, "status": "in_progress"}
    return bool(tx.page("store_files", where, limit=1, ascending=True, after=None, before=None).rows)


def _pauses() -> Iterator[tuple[float, float]]:
    """As long as a run waits: how many seconds it has, and those to the next look."""
    waited, pause = 0.0, 0.02
    while waited < INDEXING_SECONDS:
        yield waited, pause
        waited, pause = waited + pause, min(pause * 2, 0.5)


def _content(settings: FileSettings, asked: ReadFile) -> Steps[object]:
    def read(tx: Transaction) -> Json:
        row = tx.get("stored_files", asked.file_id)
        if row is None:
            return tx.file(asked.file_id)  # one that a tool made
        return b"".join(files.content(tx, row, settings.contents))

    content = yield Do(read, writes=False)
    if content is None:
        raise UpstreamError(f"No file found with id '{asked.file_id}'.", 404)
    return content
