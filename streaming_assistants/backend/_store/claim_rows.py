"""Who drives which run, and which backends live."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from .._engine.claim_port import NOBODY, RUNS, Driven
from .._engine.port import Json
from .._engine.rows import Row
from . import schema


class ClaimRows:
    """The part of a transaction that ``_engine/claim_port.py`` describes."""

    connection: Connection
    changed: set[Json]

    def owner(self, id: str) -> Row | None:
        query = select(schema.owners).where(schema.owners.c.id == id)
        return self.connection.execute(query).mappings().one_or_none()

    def owners(self, *, lock: bool = False) -> Sequence[Row]:
        query = select(schema.owners).order_by(schema.owners.c.id)
        query = query.with_for_update(key_share=True) if lock else query
        return self.connection.execute(query).mappings().all()

    def seen(
        self, id: str, place: str, pid: int, started: str, now: float, *, lease: float, drives: bool = False
    ) -> None:
        values = {
            "place": place, "pid": pid, "started": started, "seen_at": now, "lease": lease, "drives": drives
        }  # fmt: skip
        # In one statement: two threads of a backend may say for the first time that it lives.
        dialect: Any = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        query = dialect.insert(schema.owners).values(id=id, **values)
        self.connection.execute(query.on_conflict_do_update(index_elements=["id"], set_=values))

    def forget_unseen(self, now: float) -> None:
        owners = schema.owners.c
        unseen = select(owners.id).where(owners.seen_at + owners.lease < now)
        # Those that another looks at are left: two who wait for each other's rows would be a deadlock.
        unseen = unseen.with_for_update(key_share=True, skip_locked=True)
        self.connection.execute(delete(schema.owners).where(owners.id.in_(unseen)))

    def stop_driving(self, id: str) -> None:
        query = update(schema.owners).where(schema.owners.c.id == id)
        self.connection.execute(query.values(drives=False))

    def forget(self, id: str) -> None:
        self.connection.execute(delete(schema.owners).where(schema.owners.c.id == id))

    def driven(self) -> Sequence[Driven]:
        return [Driven(*row) for row in self.connection.execute(_DRIVEN)]

    def runs_of(
        self, owners: Sequence[str], limit: int | None = None, *, lock: bool = False
    ) -> Sequence[Row]:
        query = _of_owners(limit is not None, lock)
        given: dict[str, object] = {"owners": list(owners), **({} if limit is None else {"most": limit})}
        return self.connection.execute(query, given).mappings().all()

    def lapsed_runs(self, now: float) -> Sequence[Row]:
        return self.connection.execute(_LAPSED, {"now": now}).mappings().all()

    def give_back(self, owner: str) -> bool:
        given = bool(self.connection.execute(_GIVE_BACK, {"giver": owner}).rowcount)
        if given:
            self.changed.add(RUNS)
        return given


# By the words of the index: SQLite knows it by them.
_ACTIVE = text("active")

_runs = schema.runs
_DRIVEN = (
    select(_runs.c.owner, func.count(), func.min(_runs.c.expires_at)).where(_ACTIVE).group_by(_runs.c.owner)
)
_LAPSED = select(_runs).where(_ACTIVE, _runs.c.expires_at <= bindparam("now")).order_by(_runs.c.seq)
_GIVE_BACK = update(_runs).where(_ACTIVE, _runs.c.owner == bindparam("giver")).values(owner=NOBODY)


@lru_cache(maxsize=4)
def _of_owners(limited: bool, lock: bool) -> Select[Any]:
    owned = _runs.c.owner.in_(bindparam("owners", expanding=True))
    query = select(_runs).where(_ACTIVE, owned).order_by(_runs.c.seq)
    if limited:
        query = query.limit(bindparam("most"))
    # A lock that inserts of child rows do not wait for: they would deadlock with each other.
    return query.with_for_update(key_share=True, skip_locked=True) if lock else query
