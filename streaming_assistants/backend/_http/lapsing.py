"""What has had its time goes: files, uploads and vector stores that a client lets expire."""

from __future__ import annotations

from .._engine import vector_stores
from .._engine.file_port import LapsingKind
from .context import Context, NeedsWrite
from .file_requests import drop_file, drop_parts

_KINDS: tuple[LapsingKind, ...] = ("stored_files", "uploads", "vector_stores")


def lapse(ctx: Context) -> None:
    """Before anything is answered about them: by the clock, no work and no timer has to do it."""
    now = ctx.keeper.clock()
    for kind in _KINDS:
        for seen in ctx.tx.lapsed(kind, now):
            if not ctx.writes:
                raise NeedsWrite
            row = ctx.tx.get(kind, seen["id"], lock=True)
            if row is None or row["expires_at"] is None or row["expires_at"] > now:
                continue  # another has seen to it
            if kind == "stored_files":
                drop_file(ctx, row)
            elif kind == "uploads":
                drop_parts(ctx, row["id"])
                ctx.tx.change("uploads", row["id"], {"status": "expired"}, row=row, expires_at=None)
            else:
                vector_stores.expire(ctx.tx, row)
                ctx.index(row["id"])
