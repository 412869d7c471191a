"""What is to be searched goes into vector stores at once: our own, or those of the upstream's server."""

from __future__ import annotations

from .._engine import api_errors, objects, vector_stores
from .._engine.port import Json
from .._files import kinds
from .context import Context


def with_stores(ctx: Context, body: Json, *, of_thread: bool = False) -> Json:
    """The body with the stores that its ``vector_stores`` describe, made, in ``vector_store_ids``."""
    resources = body.get("tool_resources") or {}
    search = resources.get("file_search") or {}
    wanted = search.get("vector_stores")
    theirs = ctx.settings.vector_stores
    if ctx.settings.files is not None and ctx.strict:
        for id in search.get("vector_store_ids") or []:
            vector_stores.store_row(ctx.tx, id)
        code = resources.get("code_interpreter") or {}
        refuse_unknown(ctx, [*(code.get("file_ids") or []), *(body.get("file_ids") or [])])
    if not wanted:
        return body
    if ctx.settings.files is not None:
        made = [_made(ctx, store, of_thread=of_thread) for store in wanted]
    elif theirs is not None:
        made = ctx.errand("stores", lambda: theirs.stores_made(wanted, of_thread=of_thread), [])
    else:
        return body
    with_ids = {name: value for name, value in search.items() if name != "vector_stores"}
    with_ids["vector_store_ids"] = [*(search.get("vector_store_ids") or []), *made]
    if of_thread and ctx.settings.files is None:
        with_ids["filling"] = made  # a thread's runs wait for them
    return {**body, "tool_resources": {**resources, "file_search": with_ids}}


def attach(ctx: Context, thread: Json, messages: list[Json]) -> Json:
    """The thread, once what the messages attach for file_search is in its store."""
    if ctx.settings.files is not None:
        return _attached_here(ctx, thread, messages)
    theirs = ctx.settings.vector_stores
    if theirs is None:
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
    store_id = ctx.errand(key, lambda: theirs.files_added(there, new, made), there)
    with_files = {
        **search,
        "vector_store_ids": ids or [store_id],
        "file_ids": [*known, *new],
        "waiting": [*(search.get("waiting") or []), *new],
    }
    changes = {"tool_resources": {**thread["tool_resources"], "file_search": with_files}}
    return ctx.tx.change("threads", thread["id"], changes)


def _made(ctx: Context, store: Json, *, of_thread: bool) -> str:
    """The id of a store of ours, made as ``tool_resources.file_search.vector_stores`` describes it."""
    expiry = {"expires_after": vector_stores.THREAD_EXPIRY} if of_thread else {}
    id: str = vector_stores.make_store(ctx.tx, ctx.keeper, {**store, **expiry})["id"]
    ctx.index(id)
    return id


def _attached_here(ctx: Context, thread: Json, messages: list[Json]) -> Json:
    """Puts attachments into the thread's own store here, which is made where there is none that holds."""
    given = [each for message in messages for each in message.get("attachments") or []]
    refuse_unknown(ctx, [each["file_id"] for each in given if each.get("file_id")])
    new = _searchable(ctx, messages)
    if not new:
        return thread
    search = thread["tool_resources"].get("file_search") or {}
    stores = vector_stores.usable(ctx.tx, ctx.keeper, search.get("vector_store_ids") or [])
    store_id = stores[0] if stores else _made(ctx, {}, of_thread=True)
    vector_stores.attach_files(ctx.tx, ctx.keeper, store_id, [{"file_id": id} for id in new])
    ctx.index(store_id)
    if stores:
        return thread
    resources = {**thread["tool_resources"], "file_search": {**search, "vector_store_ids": [store_id]}}
    return ctx.tx.change("threads", thread["id"], {"tool_resources": resources})


def refuse_unknown(ctx: Context, ids: list[str]) -> None:
    """Raises the API's 404 for the first that is no file where files are kept here: none that was uploaded or
    that a tool made."""
    for id in ids if ctx.settings.files is not None and ctx.strict else ():
        if ctx.tx.get("stored_files", id) is None and ctx.tx.file(id) is None:
            raise api_errors.missing("file", id)


def _searchable(ctx: Context, messages: list[Json]) -> list[str]:
    """The files that messages attach for file_search. A file of assistants=v1's ``file_ids`` is attached for
    every tool, so that only one that can be searched is meant for this one."""
    new = objects.attached(messages, "file_search")
    for id in [id for message in messages for id in message.get("file_ids") or []]:
        row = ctx.tx.get("stored_files", id)
        if row is None:
            raise api_errors.missing("file", id)
        if vector_stores.extension(row) in kinds.SEARCHABLE:
            new.append(id)
    return list(dict.fromkeys(new))


def with_notes(old: Json, body: Json) -> Json:
    """New ``tool_resources`` of a thread with what was noted of its store, while it keeps that store."""
    resources = body.get("tool_resources") or {}
    before = old["tool_resources"].get("file_search") or {}
    after = resources.get("file_search") or {}
    if not before or after.get("vector_store_ids") != before.get("vector_store_ids"):
        return body
    return {**body, "tool_resources": {**resources, "file_search": {**before, **after}}}
