"""/vector_stores/{id}/files and /vector_stores/{id}/file_batches"""

from __future__ import annotations

from functools import partial

from .._engine import api_errors, checks, file_counts, file_shapes, objects, vector_stores
from .._engine.port import Json
from .._engine.store_port import Row
from .context import ApiAnswer, Context, deleted
from .store_requests import POLL_AFTER_MS, store_row


def create(ctx: Context) -> ApiAnswer:
    checks.fields(file_shapes.STORE_FILE, ctx.body, ("file_id",))
    store_id = store_row(ctx)["id"]
    vector_stores.attach_files(ctx.tx, ctx.keeper, store_id, [ctx.body], param="file_id")
    ctx.index(store_id)
    return _shown(_entry(ctx, store_id, ctx.body["file_id"])["data"])


def retrieve(ctx: Context) -> ApiAnswer:
    return _shown(_entry(ctx, store_row(ctx)["id"], ctx.ids["file_id"])["data"])


def update(ctx: Context) -> ApiAnswer:
    """Puts other attributes in the place of those that the file has in the store."""
    if "attributes" not in ctx.body:
        raise api_errors.required("attributes")
    checks.fields(file_shapes.STORE_FILE_UPDATE, ctx.body)
    store_id = store_row(ctx)["id"]
    row = _entry(ctx, store_id, ctx.ids["file_id"])
    changes = {"attributes": ctx.body["attributes"] or {}}
    return _shown(ctx.tx.change("store_files", row["id"], changes, row=row))


def remove(ctx: Context) -> ApiAnswer:
    """Takes the file out of the store; the file itself stays."""
    store_id, file_id = store_row(ctx)["id"], ctx.ids["file_id"]
    _entry(ctx, store_id, file_id)
    vector_stores.remove_file(ctx.tx, store_id, file_id)
    ctx.index(store_id)  # whoever does sweeps what was dropped
    return ApiAnswer(deleted(file_id, "vector_store.file"))


def index(ctx: Context) -> ApiAnswer:
    store_id = store_row(ctx)["id"]
    return _page(ctx, store_id, vector_store_id=store_id)


def create_batch(ctx: Context) -> ApiAnswer:
    checks.fields(file_shapes.BATCH, ctx.body)
    store = store_row(ctx)
    batch = {
        "id": objects.new_id("vsfb"),
        "object": "vector_store.files_batch",
        "created_at": ctx.keeper.now(),
        "vector_store_id": store["id"],
        "status": "in_progress",
        "file_counts": file_counts.no_files(),
    }
    entries, param = _entries(ctx.body)
    ctx.tx.add("file_batches", batch, vector_store_id=store["id"])
    vector_stores.attach_files(ctx.tx, ctx.keeper, store["id"], entries, batch_id=batch["id"], param=param)
    ctx.index(store["id"])
    return _shown(ctx.row("file_batches", "file batch", batch["id"])["data"])


def retrieve_batch(ctx: Context) -> ApiAnswer:
    return _shown(_batch(ctx, store_row(ctx))["data"])


def cancel_batch(ctx: Context) -> ApiAnswer:
    """Ends the indexing of those of its files that are not indexed yet."""
    row = _batch(ctx, store_row(ctx))
    status = row["data"]["status"]
    if status != "in_progress":
        raise api_errors.bad(f"Cannot cancel file batch with status '{status}'.")
    return _shown(vector_stores.cancel_batch(ctx.tx, row))


def batch_files(ctx: Context) -> ApiAnswer:
    batch = _batch(ctx, store_row(ctx))
    store_id = batch["vector_store_id"]
    return _page(ctx, store_id, vector_store_id=store_id, batch_id=batch["id"])


def _entries(body: Json) -> tuple[list[Json], str]:
    """The files of a batch, each with what is to be done with it, and the parameter that named them."""
    ids, given = body.get("file_ids"), body.get("files")
    if (ids is None) == (given is None):
        if ids is None:
            raise api_errors.required("file_ids")
        raise api_errors.bad("'file_ids' and 'files' are mutually exclusive.", "files")
    if given is not None:
        return given, "files"
    common = {key: body.get(key) for key in ("attributes", "chunking_strategy")}
    return [{"file_id": id, **common} for id in ids], "file_ids"


def _entry(ctx: Context, store_id: str, file_id: str) -> Row:
    row = ctx.tx.get("store_files", vector_stores.entry_id(store_id, file_id), lock=ctx.writes)
    if row is None:
        raise api_errors.missing_in_store(file_id, store_id)
    return row


def _batch(ctx: Context, store: Row) -> Row:
    return ctx.row("file_batches", "file batch", ctx.ids["batch_id"], vector_store_id=store["id"])


def _page(ctx: Context, store_id: str, **where: object) -> ApiAnswer:
    wanted = ctx.query.get("filter")
    if wanted:
        file_shapes.FILTER(wanted, "filter")
        where["status"] = wanted
    row_id = partial(vector_stores.entry_id, store_id)
    return ApiAnswer(ctx.listing("store_files", "file", where, row_id=row_id))


def _shown(made: Json) -> ApiAnswer:
    return ApiAnswer(made, poll_after_ms=POLL_AFTER_MS if made["status"] == "in_progress" else None)
