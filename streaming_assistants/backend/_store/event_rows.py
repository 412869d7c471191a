"""The events of runs, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select

from .._engine.event_port import LARGEST_BATCH, Claim, EventBatch
from .._engine.port import Json
from .schema import runs
from .service_tables import run_events

_later = run_events.alias()


class EventRows:
    """What the port says a transaction can do with events."""

    connection: Connection
    changed: set[Json]

    def held(self, claims: Mapping[str, Claim]) -> Mapping[str, bool]:
        query = select(runs.c.id, runs.c.owner, runs.c.claim).where(runs.c.id.in_(sorted(claims)))
        # Not those that somebody else has locked: what is said of others does not wait for them.
        query = query.order_by(runs.c.id).with_for_update(key_share=True, skip_locked=True)
        rows = self.connection.execute(query).all()
        return {id: (owner, number) == claims[id] for id, owner, number in rows}

    def add_events(self, batches: Sequence[EventBatch], at: float) -> None:
        if batches:
            self.connection.execute(insert(run_events), [{**batch._asdict(), "at": at} for batch in batches])
            self.changed.update(batch.run_id for batch in batches)

    def last_event(self, run_id: str) -> int:
        query = select(func.max(run_events.c.last)).where(run_events.c.run_id == run_id)
        return int(self.connection.scalar(query) or 0)

    def events(self, after: Mapping[str, int], limit: int) -> Sequence[EventBatch]:
        columns = [run_events.c[name] for name in EventBatch._fields]
        first, last = run_events.c.first, run_events.c.last
        # By the first, which the key has: a batch that holds the next one begins not far before it.
        beyond = [
            and_(run_events.c.run_id == id, first > number - LARGEST_BATCH, last > number)
            for id, number in after.items()
        ]
        query = select(*columns).where(or_(*beyond)).order_by(run_events.c.run_id, first)
        return [EventBatch(*row) for row in self.connection.execute(query.limit(limit))]

    def drop_events(self, before: float) -> None:
        old = select(run_events.c.run_id).where(run_events.c.at < before).distinct()
        newer = exists().where(_later.c.run_id == run_events.c.run_id, _later.c.at >= before)
        over = exists().where(runs.c.id == run_events.c.run_id, ~runs.c.active)
        lapsed = old.where(over, ~newer)
        self.connection.execute(delete(run_events).where(run_events.c.run_id.in_(lapsed)))
