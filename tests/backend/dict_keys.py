"""Keys, projects and limits in the store of dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streaming_assistants.backend._engine.key_port import NO_LIMITS, Key, Limits, Used


class DictKeys:
    """The part of its transaction that ``_engine/key_port.py`` asks for."""

    _table: Any
    _rows: Any
    _put: Any

    def unfit(self) -> str | None:
        return None

    def add_key(self, id: str, digest: str, projects: Sequence[str], now: float) -> None:
        if any(row["digest"] == digest for row in self._table("keys").values()):
            raise ValueError("There is such a key already.")
        for project in projects:
            self._put("projects", project, {"limits": self.limits(project)})
        opens = (projects[0], *sorted(set(projects[1:]) - {projects[0]}))
        self._put("keys", id, {"key": Key(id, opens, now), "digest": digest})

    def key(self, digest: str) -> Key | None:
        fits = (row["key"] for row in self._table("keys").values() if row["digest"] == digest)
        return next((key for key in fits if key.revoked_at is None), None)

    def all_keys(self) -> Sequence[Key]:
        return [row["key"] for row in self._table("keys").values()]

    def keyed(self) -> bool:
        return bool(self._table("keys"))

    def revoke_key(self, id: str, now: float) -> bool:
        row = self._table("keys").get(id)
        if row is None or row["key"].revoked_at is not None:
            return False
        self._put("keys", id, {**row, "key": row["key"]._replace(revoked_at=now)})
        return True

    def limits(self, project: str, *, lock: bool = False) -> Limits:
        row = self._table("projects").get(project)
        return NO_LIMITS if row is None else row["limits"]

    def set_limits(self, project: str, limits: Limits, now: float) -> None:
        self._put("projects", project, {"limits": limits})

    def all_projects(self) -> Sequence[tuple[str, Limits]]:
        return sorted((name, row["limits"]) for name, row in self._table("projects").items())

    def count_request(self, project: str, minute: int) -> int:
        counted = self._table("request_counts").get(f"{project} {minute}", {"requests": 0})["requests"] + 1
        self._put("request_counts", f"{project} {minute}", {"requests": counted, "minute": minute})
        return int(counted)

    def forget_requests(self, before: int) -> None:
        for id, row in list(self._table("request_counts").items()):
            if row["minute"] < before:
                del self._table("request_counts")[id]

    def used(self, project: str) -> Used:
        runs = self._rows("runs", project=project, active=True)
        pending = [
            row for row in self._rows("uploads", project=project) if row["data"]["status"] == "pending"
        ]
        parts = [part for row in pending for part in self._rows("upload_parts", upload_id=row["id"])]
        stored = sum(row["data"]["bytes"] for row in self._rows("stored_files", project=project))
        stored += sum(row["data"]["usage_bytes"] for row in self._rows("vector_stores", project=project))
        return Used(len(runs), stored + sum(part["hidden"]["bytes"] for part in parts))
