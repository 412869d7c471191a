"""A transaction as one project sees it: what stands alone carries the project's name, and what others have
is not there.

What belongs to something else (messages, runs, files of a vector store) is reached through that, so that
nothing else has to be asked for by its project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from . import admission
from .files import PARTS
from .key_port import NO_LIMITS, Limits
from .port import Json
from .store_port import Page, Row, RowKind, Transaction

ALONE: frozenset[RowKind] = frozenset({"assistants", "threads", "stored_files", "uploads", "vector_stores"})
"""The kinds whose objects are part of nothing else."""


def scoped(tx: Transaction, project: str | None, limits: Limits = NO_LIMITS) -> Transaction:
    """The transaction for one project, within its limits; for no project it sees everything.

    ``limits`` are those of a moment ago: where there are some, the store is asked for those of now.
    """
    return tx if project is None else cast("Transaction", _Scoped(tx, project, limits))


class _Scoped:
    def __init__(self, tx: Transaction, project: str, limits: Limits) -> None:
        self._tx = tx
        self._project = project
        self._limits = limits

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)

    def _where(self, kind: RowKind, where: Mapping[str, object]) -> dict[str, object]:
        return {**where, "project": self._project} if kind in ALONE else dict(where)

    def add(self, kind: RowKind, data: Json, **columns: object) -> int:
        if self._limits != NO_LIMITS:
            self._keep_within(kind, data, columns)
        if kind in ALONE or kind == "runs":
            columns["project"] = self._project
        return self._tx.add(kind, data, **columns)

    def get(self, kind: RowKind, id: str, *, lock: bool = False, **where: object) -> Row | None:
        return self._tx.get(kind, id, lock=lock, **self._where(kind, where))

    def change(
        self, kind: RowKind, id: str, changes: Json, *, row: Row | None = None, **columns: object
    ) -> Json | None:
        if row is None and kind in ALONE:
            row = self.get(kind, id, lock=True)
            if row is None:
                return None
        return self._tx.change(kind, id, changes, row=row, **columns)

    def remove(self, kind: RowKind, id: str) -> bool:
        if kind in ALONE and self.get(kind, id) is None:
            return False
        return self._tx.remove(kind, id)

    def seq(self, kind: RowKind, id: str, **where: object) -> int | None:
        return self._tx.seq(kind, id, **self._where(kind, where))

    def all(self, kind: RowKind, **where: object) -> Sequence[Row]:
        return self._tx.all(kind, **self._where(kind, where))

    def newest(self, kind: RowKind, **where: object) -> Row | None:
        return self._tx.newest(kind, **self._where(kind, where))

    def page(
        self,
        kind: RowKind,
        where: Mapping[str, object],
        *,
        limit: int,
        ascending: bool,
        after: int | None,
        before: int | None,
    ) -> Page:
        where = self._where(kind, where)
        return self._tx.page(kind, where, limit=limit, ascending=ascending, after=after, before=before)

    def keep_file(self, id: str, filename: str, content: bytes) -> None:
        self._tx.keep_file(id, filename, content, project=self._project)

    def file(self, id: str) -> bytes | None:
        return self._tx.file(id, project=self._project)

    def _keep_within(self, kind: RowKind, data: Json, columns: Mapping[str, object]) -> None:
        """Raises the API's 429 for what the project has no room for."""
        if kind == "runs" and self._limits.runs is not None:
            limit = self._tx.limits(self._project, lock=True).runs  # one after the other: nobody slips by
            running = 0 if limit is None else self._tx.used(self._project).runs
            if limit is not None and running >= limit:
                raise admission.too_many_runs(self._project, limit, running)
        size = _size(kind, data, columns)
        if size is not None and self._limits.storage is not None:
            limit = self._tx.limits(self._project, lock=True).storage
            if limit is not None:
                stored = self._tx.used(self._project).storage
                if stored + size > limit:
                    raise admission.storage_full(self._project, limit, stored, size)


def _size(kind: RowKind, data: Json, columns: Mapping[str, object]) -> int | None:
    """How many bytes an object brings; None where it is none that is stored for its bytes."""
    hidden = columns.get("hidden")
    told = hidden if isinstance(hidden, dict) else {}
    if kind == "stored_files" and PARTS not in told:  # which were counted as they came
        return int(data["bytes"])
    if kind == "upload_parts":
        return int(told["bytes"])
    return 0 if kind == "store_files" else None
