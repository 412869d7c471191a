"""What an endpoint is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .._engine import api_errors
from .._engine.api_types import Deleted, Listed
from .._engine.effects import Errand, Work
from .._engine.event_log import Reads
from .._engine.event_port import Entry
from .._engine.file_settings import FileSettings
from .._engine.lifecycle import Keeper, Stretch
from .._engine.port import Calls, Json, Upstream, UpstreamError, VectorStoreCalls
from .._engine.run import Execution
from .._engine.store_port import Row, RowKind, Store, Transaction, parent_of
from .forms import Form


class NeedsWrite(Exception):
    """A request that only reads has found something to put right first: it is run again with a write
    transaction."""


class NeedsErrand(Exception):
    """A request needs something done at the upstream's server first: it is run again with the result."""

    def __init__(self, errand: Errand) -> None:
        super().__init__(errand.key)
        self.errand = errand


@dataclass(frozen=True)
class Settings:
    """What is the same for every request of a backend. ``vector_stores`` are those of the upstream's server,
    ``files`` says how files and vector stores are kept here: it is one or the other, or neither.
    ``hears_others`` says whether the store tells of what other processes commit."""

    keeper: Keeper
    upstream: Upstream
    models: Mapping[str, str]
    generating: bool
    strict: bool
    vector_stores: VectorStoreCalls | None
    files: FileSettings | None = None
    hears_others: bool = False

    def work(
        self, stretch: Stretch, begun: Sequence[Entry] = (), *, last: int = 0, project: str | None = None
    ) -> Work:
        """A run as it is driven; ``begun`` are the events of what has been done already, as they are stored,
        or else ``last`` is the number of the last one that is stored."""
        execution = Execution(
            stretch,
            self.keeper,
            self.upstream,
            models=self.models,
            generating=self.generating,
            files=self.files,
        )
        run = stretch.queued
        return Work(
            execution.steps(),
            run["thread_id"],
            run["id"],
            project=project,
            run=run,
            claim=stretch.claim,
            begun=begun,
            last=begun[-1].number if begun else last,
            growing=execution,
        )


def _nothing() -> None: ...


@dataclass(frozen=True)
class Deed:
    """Something long that a request needs done in no transaction of its own; undone should the request be
    refused after it."""

    key: str
    do: Callable[[Store], Json]
    undo: Callable[[Store], object]


class NeedsDeed(Exception):
    """A request needs something done outside of its transaction first: it is run again with the result."""

    def __init__(self, deed: Deed) -> None:
        super().__init__(deed.key)
        self.deed = deed


class Download(NamedTuple):
    """A file's contents, one after another, as the body of an answer; or its ``content`` as it is."""

    content_ids: Sequence[str]
    size: int
    filename: str
    content: bytes | None = None


@dataclass(frozen=True)
class ApiAnswer:
    """``work`` goes on after the answer; with ``stream`` its events are the answer. So are those of the run
    that ``reads`` names, and ``download`` is one. ``interrupts`` are the runs whose drivers
    have to look at the store now."""

    data: Json
    work: Work | None = None
    stream: bool = False
    include: bool = False
    poll_after_ms: int | None = None
    interrupts: Sequence[str] = ()
    download: Download | None = None
    reads: Reads | None = None


@dataclass(frozen=True)
class Context:
    """One request within one transaction. ``query`` holds the last value of each parameter, ``include``
    whether contents of file search results were asked for, ``v1`` whether the client speaks
    assistants=v1, ``last_event_id`` the header of that name, ``form`` the form that the body is, whose
    fields are ``body``, ``stay_seen`` says that this backend lives, to be called while something takes long.
    ``done`` is what came of :meth:`errand` and :meth:`deed`, ``wanted`` and ``deeds`` what is still to be
    done.

    ``to_index`` are the vector stores that somebody has to index files of when the transaction is committed,
    ``kept`` the contents that it refers to now and ``dropped`` those that it does not any more. ``project``
    is whose objects there are: ``tx`` shows no others. With ``callers_key`` the upstream is asked with the
    caller's own key, which nobody else has.
    """

    settings: Settings
    tx: Transaction
    writes: bool
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    include: bool
    v1: bool = False
    last_event_id: str | None = None
    done: Mapping[str, Json] = field(default_factory=dict)
    wanted: list[Errand] = field(default_factory=list)
    form: Form | None = None
    stay_seen: Callable[[], object] = _nothing
    deeds: list[Deed] = field(default_factory=list)
    to_index: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    project: str = ""
    callers_key: bool = False

    @property
    def keeper(self) -> Keeper:
        return self.settings.keeper

    @property
    def strict(self) -> bool:
        return self.settings.strict

    def errand(self, key: str, calls: Callable[[], Calls], meanwhile: Json) -> Json:
        """What came of the calls at the upstream's server. They are done once for a request, between two
        transactions, and only when nothing refuses the rest of it: until then ``meanwhile`` stands for the
        result, and what this transaction changes is undone and done again."""
        if key not in self.done:
            self.wanted.append(Errand(key, calls()))
            return meanwhile
        result = self.done[key]
        if isinstance(result, UpstreamError):
            raise api_errors.of_upstream(result)
        return result

    def deed(
        self, key: str, do: Callable[[Store], Json], undo: Callable[[Store], object], meanwhile: Json
    ) -> Json:
        """What came of something long, which is done as an errand is: once, and when nothing refuses the
        rest."""
        if key not in self.done:
            self.deeds.append(Deed(key, do, undo))
            return meanwhile
        return self.done[key]

    @property
    def files(self) -> FileSettings:
        """How files are kept here, for endpoints that are there only where they are."""
        assert self.settings.files is not None
        return self.settings.files

    def drop_content(self, content_id: str) -> None:
        """Drops a content once this transaction is committed."""
        if self.files.contents is not None:
            self.files.contents.mark(content_id, True)
        self.dropped.append(content_id)

    def index(self, store_id: str) -> None:
        """Has somebody index the files of a vector store that wait for it, once this is committed."""
        if store_id not in self.to_index:
            self.to_index.append(store_id)

    def row(self, kind: RowKind, word: str, id: str, **where: object) -> Row:
        """The row, or the API's 404. ``word`` is the API's for it."""
        row = self.tx.get(kind, id, lock=self.writes, **where)
        if row is None:
            raise api_errors.missing(word, id)
        return row

    def page(self, kind: RowKind, word: str, **where: object) -> Listed:
        """The list envelope of what fits, by the request's limit, order and cursors."""
        return self.listing(kind, word, where)

    def listing(
        self,
        kind: RowKind,
        word: str,
        where: Mapping[str, object],
        limits: tuple[int, int] = (20, 100),
        row_id: Callable[[str], str] = str,
    ) -> Listed:
        """:meth:`page` with more told: ``limits`` are the limit where none is given and the highest,
        ``row_id`` makes a row's id of the id in a cursor."""
        ascending = self._order() == "asc"
        page = self.tx.page(
            kind,
            where,
            limit=self._limit(*limits),
            ascending=ascending,
            after=self._cursor(kind, word, "after", row_id, where),
            before=self._cursor(kind, word, "before", row_id, where),
        )
        return listed([row["data"] for row in page.rows], more=page.more)

    def _limit(self, default: int, highest: int) -> int:
        given = self.query.get("limit", str(default))
        try:
            limit = int(given)
        except ValueError:
            raise api_errors.bad(
                f"Invalid type for 'limit': expected an integer, but got '{given}' instead.",
                "limit",
                "invalid_type",
            ) from None
        for wrong, words, code in (
            (limit < 1, "below minimum value. Expected a value >= 1", "integer_below_min_value"),
            (
                limit > highest,
                f"above maximum value. Expected a value <= {highest}",
                "integer_above_max_value",
            ),
        ):
            if wrong:
                raise api_errors.bad(
                    f"Invalid 'limit': integer {words}, but got {limit} instead.", "limit", code
                )
        return limit

    def _order(self) -> str:
        order = self.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise api_errors.bad(
                f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'.",
                "order",
                "invalid_value",
            )
        return order

    def _cursor(
        self, kind: RowKind, word: str, name: str, row_id: Callable[[str], str], where: Mapping[str, object]
    ) -> int | None:
        id = self.query.get(name)
        if not id:
            return None
        # Of the same thread (of the same run, for steps), but any of its messages if one run's are listed.
        whole = parent_of(kind)
        scope = {whole: where[whole]} if whole in where else {} if whole == "id" else where
        seq = self.tx.seq(kind, row_id(id), **scope)
        if seq is None:
            raise api_errors.missing(word, id)
        return seq


def listed(data: list[Json], *, more: bool = False) -> Listed:
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }


def deleted(id: str, kind: str) -> Deleted:
    return {"id": id, "object": f"{kind}.deleted", "deleted": True}
