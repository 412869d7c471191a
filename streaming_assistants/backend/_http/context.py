"""What an endpoint is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .._engine import api_errors
from .._engine.api_types import Deleted, Listed
from .._engine.effects import Errand, Work
from .._engine.file_settings import FileSettings
from .._engine.lifecycle import Keeper
from .._engine.port import Calls, Json, Upstream, UpstreamError, VectorStoreCalls
from .._engine.store_port import Row, RowKind, Transaction


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
    ``files`` says how files and vector stores are kept here: it is one or the other, or neither."""

    keeper: Keeper
    upstream: Upstream
    models: Mapping[str, str]
    generating: bool
    strict: bool
    vector_stores: VectorStoreCalls | None
    files: FileSettings | None = None


@dataclass(frozen=True)
class ApiAnswer:
    """``work`` goes on after the answer; with ``stream`` its events are the answer. ``interrupts`` are
    the runs whose drivers have to look at the store now."""

    data: Json
    work: Work | None = None
    stream: bool = False
    include: bool = False
    poll_after_ms: int | None = None
    interrupts: Sequence[str] = ()


@dataclass(frozen=True)
class Context:
    """One request within one transaction. ``query`` holds the last value of each parameter, ``include``
    whether contents of file search results were asked for, ``v1`` whether the client speaks
    assistants=v1, ``done`` what came of :meth:`errand`, and ``wanted`` the errands still to be done."""

    settings: Settings
    tx: Transaction
    writes: bool
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    include: bool
    v1: bool = False
    done: Mapping[str, Json] = field(default_factory=dict)
    wanted: list[Errand] = field(default_factory=list)

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

    def row(self, kind: RowKind, word: str, id: str, **where: object) -> Row:
        """The row, or the API's 404. ``word`` is the API's for it."""
        row = self.tx.get(kind, id, lock=self.writes, **where)
        if row is None:
            raise api_errors.missing(word, id)
        return row

    def page(self, kind: RowKind, word: str, **where: object) -> Listed:
        """The list envelope of what fits, by the request's limit, order and cursors."""
        ascending = self._order() == "asc"
        page = self.tx.page(
            kind,
            where,
            limit=self._limit(),
            ascending=ascending,
            after=self._cursor(kind, word, "after", where),
            before=self._cursor(kind, word, "before", where),
        )
        return listed([row["data"] for row in page.rows], more=page.more)

    def _limit(self) -> int:
        given = self.query.get("limit", "20")
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
            (limit > 100, "above maximum value. Expected a value <= 100", "integer_above_max_value"),
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

    def _cursor(self, kind: RowKind, word: str, name: str, where: Mapping[str, object]) -> int | None:
        id = self.query.get(name)
        if not id:
            return None
        # Of the same thread (of the same run, for steps), but any of its messages if one run's are listed.
        scope = {"thread_id": where["thread_id"]} if "thread_id" in where else where
        seq = self.tx.seq(kind, id, **scope)
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
