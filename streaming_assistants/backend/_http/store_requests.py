"""/vector_stores"""

from __future__ import annotations

from .._engine import checks, file_shapes, indexing, vector_stores
from .._engine.store_port import Row
from .context import ApiAnswer, Context, deleted

POLL_AFTER_MS = 100


def create(ctx: Context) -> ApiAnswer:
    checks.fields(file_shapes.STORE, ctx.body)
    store = vector_stores.make_store(ctx.tx, ctx.keeper, ctx.body)
    if ctx.body.get("file_ids"):
        ctx.index(store["id"])
    return _shown(store)


def retrieve(ctx: Context) -> ApiAnswer:
    return _shown(store_row(ctx)["data"])


def update(ctx: Context) -> ApiAnswer:
    """Only what the body names is changed."""
    checks.fields(file_shapes.STORE_UPDATE, ctx.body)
    return _shown(vector_stores.change_store(ctx.tx, store_row(ctx), ctx.body))


def remove(ctx: Context) -> ApiAnswer:
    """Deletes the store with what was indexed in it; its files stay."""
    id = store_row(ctx)["id"]
    ctx.tx.drop_passages(id)
    ctx.tx.remove("vector_stores", id)
    ctx.index(id)  # whoever does sweeps what was dropped
    return ApiAnswer(deleted(id, "vector_store"))


def index(ctx: Context) -> ApiAnswer:
    return ApiAnswer(ctx.page("vector_stores", "vector store"))


def store_row(ctx: Context) -> Row:
    """The store of the request's path. Files of it that somebody left behind are indexed from now on."""
    row = ctx.row("vector_stores", "vector store", ctx.ids["vector_store_id"])
    for id in indexing.left_behind(ctx.tx, ctx.files, [row["id"]]):
        ctx.index(id)
    return row


def _shown(store: object) -> ApiAnswer:
    busy = isinstance(store, dict) and store["status"] == "in_progress"
    return ApiAnswer(store, poll_after_ms=POLL_AFTER_MS if busy else None)
