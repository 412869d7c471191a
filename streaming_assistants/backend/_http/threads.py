"""/threads and /threads/{id}/messages"""

from __future__ import annotations

import re
from collections.abc import Callable

from .._engine import api_errors, checks, lifecycle, objects, refusals, shapes
from .._engine.port import Json
from .._engine.store_port import Row, RowKind
from .context import ApiAnswer, Context, deleted
from .file_search import attach, with_notes, with_stores
from .streamed_messages import streamed_messages


def create(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.THREAD, ctx.body)
    return ApiAnswer(add_thread(ctx, ctx.body))


def add_thread(ctx: Context, body: Json, name: str = "") -> Json:
    """Stores a thread with its messages; ``name`` is the thread's within the request, with a dot."""
    if ctx.strict:
        refusals.messages(body.get("messages"), f"{name}messages")
    now = ctx.keeper.now()
    thread = objects.thread(with_stores(ctx, body, of_thread=True), now)
    ctx.tx.add("threads", thread)
    thread = attach(ctx, thread, body.get("messages") or [])
    for given in body.get("messages") or []:
        message = objects.message(given, thread["id"], now)
        ctx.tx.add("messages", message, thread_id=thread["id"])
    return thread


def index(ctx: Context) -> ApiAnswer:
    """Newest first, by the usual parameters, and those with every pair of ``metadata[key]=value``. The hosted
    API had no such list."""
    names = ((name, _METADATA.fullmatch(name)) for name in ctx.query)
    metadata = {match[1]: ctx.query[name] for name, match in names if match is not None}
    where = {"metadata": metadata} if metadata else {}
    return ApiAnswer(ctx.listing("threads", "thread", where))


_METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)


def retrieve(ctx: Context) -> ApiAnswer:
    return ApiAnswer(thread_row(ctx)["data"])


def update(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.THREAD_UPDATE, ctx.body)
    thread = thread_row(ctx)
    id = thread["id"]
    body = with_notes(thread["data"], with_stores(ctx, ctx.body, of_thread=True))
    changes = {key: value or {} for key, value in body.items()}
    return ApiAnswer(ctx.tx.change("threads", id, changes))


def remove(ctx: Context) -> ApiAnswer:
    id = thread_row(ctx)["id"]
    active = ctx.tx.newest("runs", thread_id=id, active=True)
    if active is not None:
        ctx.tx.get("runs", active["id"], lock=True)  # whoever drives it finishes its writing first
    ctx.tx.remove("threads", id)
    interrupts = [] if active is None else [active["id"]]
    return ApiAnswer(deleted(id, "thread"), interrupts=interrupts)


def add_message(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.MESSAGE, ctx.body, ("role", "content"))
    if ctx.strict:
        refusals.message(ctx.body)
    thread = thread_row(ctx)
    thread_id = thread["id"]
    active = lifecycle.active_run(ctx.tx, ctx.keeper, thread_id)
    if active is not None:
        raise api_errors.busy_for_message(thread_id, active["id"])
    attach(ctx, thread["data"], [ctx.body])
    message = objects.message(ctx.body, thread_id, ctx.keeper.now())
    ctx.tx.add("messages", message, thread_id=thread_id)
    return ApiAnswer(message)


def retrieve_message(ctx: Context) -> ApiAnswer:
    return ApiAnswer(message_row(ctx)["data"])


def update_message(ctx: Context) -> ApiAnswer:
    return with_metadata(ctx, "messages", message_row)


def remove_message(ctx: Context) -> ApiAnswer:
    id = message_row(ctx)["id"]
    ctx.tx.remove("messages", id)
    return ApiAnswer(deleted(id, "thread.message"))


def messages(ctx: Context) -> ApiAnswer:
    """A page; with ``stream=true`` the growth of the newest assistant's message, as Astra streams it."""
    thread_id = thread_row(ctx)["id"]
    if ctx.query.get("stream") == "true":
        hears = ctx.settings.hears_others
        work = streamed_messages(thread_id, ctx.keeper, ctx.project, hears_others=hears)
        return ApiAnswer(None, work, stream=True)
    where = {"thread_id": thread_id}
    if ctx.query.get("run_id"):
        where["run_id"] = ctx.query["run_id"]
    return ApiAnswer(ctx.page("messages", "message", **where))


def with_metadata(ctx: Context, kind: RowKind, row: Callable[[Context], Row]) -> ApiAnswer:
    """The object with the metadata of the body, for what can be changed in nothing else."""
    checks.fields(shapes.METADATA_UPDATE, ctx.body)
    id = row(ctx)["id"]
    changes = {"metadata": ctx.body["metadata"] or {}} if "metadata" in ctx.body else {}
    return ApiAnswer(ctx.tx.change(kind, id, changes))


def thread_row(ctx: Context) -> Row:
    return ctx.row("threads", "thread", ctx.ids["thread_id"])


def message_row(ctx: Context) -> Row:
    thread_id = thread_row(ctx)["id"]
    return ctx.row("messages", "message", ctx.ids["message_id"], thread_id=thread_id)
