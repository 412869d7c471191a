"""What is to be searched goes into vector stores at once, where the upstream's server has them."""

from __future__ import annotations

from .._engine import objects
from .._engine.port import Json
from .context import Context


def with_stores(ctx: Context, body: Json, *, of_thread: bool = False) -> Json:
    """The body with the stores that its ``vector_stores`` describe, made, in ``vector_store_ids``."""
    resources = body.get("tool_resources") or {}
    search = resources.get("file_search") or {}
    wanted = search.get("vector_stores")
    vector_stores = ctx.settings.vector_stores
    if not wanted or vector_stores is None:
        return body
    made = ctx.errand("stores", lambda: vector_stores.stores_made(wanted, of_thread=of_thread), [])
    with_ids = {name: value for name, value in search.items() if name != "vector_stores"}
    with_ids["vector_store_ids"] = [*(search.get("vector_store_ids") or []), *made]
    if of_thread:
        with_ids["filling"] = made  # a thread's runs wait for them
    return {**body, "tool_resources": {**resources, "file_search": with_ids}}


def attach(ctx: Context, thread: Json, messages: list[Json]) -> Json:
    """The thread, once what the messages attach for file_search is in its store."""
    vector_stores = ctx.settings.vector_stores
    if vector_stores is None:
        return thread
    search = thread["tool_resources"].get("file_search") or {}
    known = search.get("file_ids") or []
    new = [id for id in objects.attached(messages, "file_search") if id not in known]
    if not new:
        return thread
    ids = search.get("vector_store_ids") or []
    there = ids[0] if ids else None
    # Should another request give the thread a store meanwhile, that is the one, and it is asked for anew.
    made = ctx.done.get("stores") or []  # for this request, and of no use should it fail
    key = f"files {there} {new}"
    store_id = ctx.errand(key, lambda: vector_stores.files_added(there, new, made), there)
    with_files = {
        **search,
        "vector_store_ids": ids or [store_id],
        "file_ids": [*known, *new],
        "waiting": [*(search.get("waiting") or []), *new],
    }
    changes = {"tool_resources": {**thread["tool_resources"], "file_search": with_files}}
    return ctx.tx.change("threads", thread["id"], changes)


def with_notes(old: Json, body: Json) -> Json:
    """New ``tool_resources`` of a thread with what was noted of its store, while it keeps that store."""
    resources = body.get("tool_resources") or {}
    before = old["tool_resources"].get("file_search") or {}
    after = resources.get("file_search") or {}
    if not before or after.get("vector_store_ids") != before.get("vector_store_ids"):
        return body
    return {**body, "tool_resources": {**resources, "file_search": {**before, **after}}}
