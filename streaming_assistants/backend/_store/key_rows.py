"""Keys, projects and their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from .._engine.key_port import NO_LIMITS, Key, Limits, Used
from .file_tables import stored_files, upload_parts, uploads, vector_stores
from .json_members import members
from .schema import VERSION, about, runs
from .service_tables import key_projects, keys, projects, request_counts


class KeyRows:
    """What the port says a transaction can do with keys and projects."""

    connection: Connection

    def unfit(self) -> str | None:
        version = self.connection.scalar(select(about.c.version))
        if version == VERSION:
            return None
        return f"The store has schema version {version}, and this server reads version {VERSION}."

    def add_key(self, id: str, digest: str, opens: Sequence[str], now: float) -> None:
        if self.connection.scalar(select(keys.c.id).where(keys.c.hash == digest)) is not None:
            raise ValueError("There is such a key already.")
        for project in opens:
            self._know(project, now)
        values = {"id": id, "project": opens[0], "hash": digest, "created_at": now}
        self.connection.execute(insert(keys), values)
        rows = [{"key_id": id, "project": project} for project in dict.fromkeys(opens)]
        self.connection.execute(insert(key_projects), rows)

    def key(self, digest: str) -> Key | None:
        row = self.connection.execute(
            select(keys).where(keys.c.hash == digest, keys.c.revoked_at.is_(None))
        ).one_or_none()
        return None if row is None else self._key(row)

    def all_keys(self) -> Sequence[Key]:
        query = select(keys).order_by(keys.c.created_at, keys.c.id)
        return [self._key(row) for row in self.connection.execute(query).all()]

    def keyed(self) -> bool:
        return self.connection.scalar(select(keys.c.id).limit(1)) is not None

    def revoke_key(self, id: str, now: float) -> bool:
        fits = (keys.c.id == id, keys.c.revoked_at.is_(None))
        return bool(self.connection.execute(update(keys).where(*fits).values(revoked_at=now)).rowcount)

    def limits(self, project: str, *, lock: bool = False) -> Limits:
        query = select(projects).where(projects.c.id == project)
        row = self.connection.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()
        return NO_LIMITS if row is None else _limits(row)

    def set_limits(self, project: str, limits: Limits, now: float) -> None:
        self._know(project, now)
        self.connection.execute(update(projects).where(projects.c.id == project).values(limits._asdict()))

    def all_projects(self) -> Sequence[tuple[str, Limits]]:
        rows = self.connection.execute(select(projects).order_by(projects.c.id))
        return [(row.id, _limits(row)) for row in rows]

    def count_request(self, project: str, minute: int) -> int:
        query = self._into(request_counts).values(project=project, minute=minute, requests=1)
        more = {"requests": request_counts.c.requests + 1}
        self.connection.execute(query.on_conflict_do_update(index_elements=["project", "minute"], set_=more))
        # SQLite returns rows since 3.35 only; the row is locked by now.
        fits = (request_counts.c.project == project, request_counts.c.minute == minute)
        return int(self.connection.scalar(select(request_counts.c.requests).where(*fits)) or 0)

    def forget_requests(self, before: int) -> None:
        self.connection.execute(delete(request_counts).where(request_counts.c.minute < before))

    def used(self, project: str) -> Used:
        active = select(func.count()).where(text("active"), runs.c.project == project).select_from(runs)
        pending = members(uploads.c.data)["status"].as_string() == "pending"
        parts = (
            select(func.sum(_number(upload_parts.c.hidden["bytes"])))
            .join(uploads, uploads.c.id == upload_parts.c.upload_id)
            .where(uploads.c.project == project, pending)
        )
        sizes = (
            select(func.sum(_number(members(stored_files.c.data)["bytes"]))).where(
                stored_files.c.project == project
            ),
            select(func.sum(_number(members(vector_stores.c.data)["usage_bytes"]))).where(
                vector_stores.c.project == project
            ),
            parts,
        )
        stored = sum(int(self.connection.scalar(query) or 0) for query in sizes)
        return Used(int(self.connection.scalar(active) or 0), stored)

    def _key(self, row: Any) -> Key:
        query = select(key_projects.c.project).where(key_projects.c.key_id == row.id)
        opens = self.connection.scalars(query.order_by(key_projects.c.project)).all()
        others = (each for each in opens if each != row.project)
        return Key(row.id, (row.project, *others), row.created_at, row.revoked_at)

    def _know(self, project: str, now: float) -> None:
        self.connection.execute(
            self._into(projects).values(id=project, created_at=now).on_conflict_do_nothing()
        )

    def _into(self, table: Any) -> Any:
        dialect: Any = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)


def _limits(row: Any) -> Limits:
    return Limits(row.runs, row.requests_per_minute, row.storage)


def _number(value: Any) -> Any:
    """A number in JSON: files add up to more than an integer of PostgreSQL holds."""
    return cast(value.as_string(), BigInteger)
