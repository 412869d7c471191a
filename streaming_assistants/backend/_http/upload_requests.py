"""/uploads: a file that comes in parts."""

from __future__ import annotations

import hashlib

from .._engine import api_errors, checks, contents, file_shapes, files, objects
from .._engine.port import Json
from .._engine.store_port import Row, Store
from .context import ApiAnswer, Context
from .file_requests import drop_parts, expiry, form_with, kept


def create(ctx: Context) -> ApiAnswer:
    checks.fields(file_shapes.UPLOAD, ctx.body, ("bytes", "filename", "mime_type", "purpose"))
    upload = objects.upload(ctx.body, ctx.keeper.now())
    hidden = {"expires_after": ctx.body.get("expires_after")}
    ctx.tx.add("uploads", upload, expires_at=float(upload["expires_at"]), hidden=hidden)
    return ApiAnswer(upload)


def add_part(ctx: Context) -> ApiAnswer:
    form = form_with(ctx, "data")
    upload = _pending(ctx)
    checks.fields({}, ctx.body)
    if form.size > file_shapes.LARGEST_PART:
        raise api_errors.too_large(file_shapes.LARGEST_PART)
    now = ctx.keeper.now()
    part = {
        "id": objects.new_id("part"),
        "object": "upload.part",
        "created_at": now,
        "upload_id": upload["id"],
    }
    content_id = kept(ctx, form)
    hidden = {"bytes": form.size}
    ctx.tx.add("upload_parts", part, upload_id=upload["id"], content_id=content_id, hidden=hidden)
    return ApiAnswer(part)


def complete(ctx: Context) -> ApiAnswer:
    """Makes the file, of the parts in the order that is given."""
    checks.fields(file_shapes.UPLOAD_COMPLETE, ctx.body, ("part_ids",))
    row = _pending(ctx)
    upload = row["data"]
    parts = [_part(ctx, upload["id"], id) for id in ctx.body["part_ids"]]
    size = sum(part["hidden"]["bytes"] for part in parts)
    if size != upload["bytes"]:
        raise api_errors.bad(
            f"The upload is to have {upload['bytes']} bytes, but its parts have {size} bytes in all.",
            "part_ids",
        )
    content_ids = [part["content_id"] for part in parts]
    _check_sum(ctx, content_ids, size)
    now = ctx.keeper.now()
    body = {"purpose": upload["purpose"], "expires_after": row["hidden"]["expires_after"]}
    file = objects.file(upload["filename"], size, upload["purpose"], expiry(body, now), now)
    columns = {"purpose": file["purpose"], "content_id": upload["id"], "expires_at": file["expires_at"]}
    ctx.tx.add("stored_files", file, hidden={files.PARTS: content_ids}, **columns)
    drop_parts(ctx, upload["id"], but=frozenset(content_ids))
    changes = {"status": "completed", "file": file}
    return ApiAnswer(ctx.tx.change("uploads", upload["id"], changes, row=row, expires_at=None))


def cancel(ctx: Context) -> ApiAnswer:
    row = _pending(ctx)
    drop_parts(ctx, row["id"])
    return ApiAnswer(ctx.tx.change("uploads", row["id"], {"status": "cancelled"}, row=row, expires_at=None))


def _pending(ctx: Context) -> Row:
    """The upload, which still takes parts."""
    row = ctx.row("uploads", "upload", ctx.ids["upload_id"])
    status = row["data"]["status"]
    if status != "pending":
        raise api_errors.bad(f"Upload {row['id']} has status '{status}' and cannot be changed any more.")
    return row


def _part(ctx: Context, upload_id: str, id: str) -> Row:
    row = ctx.tx.get("upload_parts", id, upload_id=upload_id)
    if row is None:
        raise api_errors.bad(f"No part found with id '{id}' in upload '{upload_id}'.", "part_ids")
    return row


def _check_sum(ctx: Context, content_ids: list[str], size: int) -> None:
    """Compares what has come with the md5 that the client has of it, in hexadecimal digits."""
    expected = ctx.body.get("md5")
    if expected is None:
        return
    settings = ctx.files

    def digest(store: Store) -> Json:
        total = hashlib.md5(usedforsecurity=False)
        for piece in contents.read(store, settings, content_ids, size):
            total.update(piece)
            ctx.stay_seen()
        return total.hexdigest()

    actual = ctx.deed("md5", digest, lambda store: None, expected.lower())
    if actual != expected.lower():
        raise api_errors.bad(f"The md5 of the file is '{actual}', not '{expected}'.", "md5", "invalid_value")
