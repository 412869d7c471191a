"""/assistants"""

from __future__ import annotations

from .._engine import checks, lifecycle, objects, refusals, run_params, shapes
from .._engine.store_port import Row
from .context import ApiAnswer, Context, deleted
from .file_search import with_stores


def create(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.ASSISTANT, ctx.body, ("model",))
    assistant = objects.assistant(ctx.body, ctx.keeper.now())
    if ctx.strict:
        refusals.assistant(ctx.body, assistant, ctx.settings.models, v1=ctx.v1)
    stores = with_stores(ctx, ctx.body)
    if stores is not ctx.body:
        assistant = objects.assistant(stores, ctx.keeper.now())
    ctx.tx.add("assistants", assistant, hidden={"given": run_params.given(ctx.body)})
    return ApiAnswer(assistant)


def retrieve(ctx: Context) -> ApiAnswer:
    return ApiAnswer(assistant_row(ctx)["data"])


def update(ctx: Context) -> ApiAnswer:
    """Only what the body names is changed."""
    checks.fields(shapes.ASSISTANT, ctx.body)
    row = assistant_row(ctx)
    old, hidden = row["data"], row["hidden"] or {}
    made = objects.assistant({**old, **ctx.body, "model": ctx.body.get("model") or old["model"]}, 0)
    if ctx.strict:
        refusals.assistant(ctx.body, made, ctx.settings.models, v1=ctx.v1)
    stores = with_stores(ctx, ctx.body)
    if stores is not ctx.body:
        made = objects.assistant({**made, "tool_resources": stores["tool_resources"]}, 0)
    named = {key for key in ctx.body if key in old}
    if named & {"tools", "tool_resources"} or "file_ids" in ctx.body:
        named |= {"tools", "tool_resources"}
    changes = {key: made[key] for key in named}
    given = run_params.given({**dict.fromkeys(hidden.get("given") or (), True), **ctx.body})
    hidden = {**hidden, "given": given}
    return ApiAnswer(ctx.tx.change("assistants", old["id"], changes, row=row, hidden=hidden))


def remove(ctx: Context) -> ApiAnswer:
    id = assistant_row(ctx)["id"]
    ended = lifecycle.end_for_deleted_assistant(ctx.tx, ctx.keeper, id)
    ctx.tx.remove("assistants", id)
    return ApiAnswer(deleted(id, "assistant"), interrupts=ended)


def index(ctx: Context) -> ApiAnswer:
    return ApiAnswer(ctx.page("assistants", "assistant"))


def assistant_row(ctx: Context) -> Row:
    return ctx.row("assistants", "assistant", ctx.ids["assistant_id"])
