"""/files"""

from __future__ import annotations

from functools import partial

from .._engine import api_errors, checks, contents, file_shapes, files, objects, vector_stores
from .._engine.file_port import PIECE
from .._engine.port import Json
from .._engine.store_port import Row, Store
from .context import ApiAnswer, Context, Download
from .forms import Form

_ALL = 10_000
_BATCH_SECONDS = 30 * 86_400  # which files for the Batch API last, as the hosted API had it


def create(ctx: Context) -> ApiAnswer:
    body = with_numbers(ctx.body)
    form = form_with(ctx, "file")
    checks.fields(file_shapes.FILE, body, ("purpose",))
    now = ctx.keeper.now()
    made = objects.file(form.filename, form.size, body["purpose"], expiry(body, now), now)
    content_id = kept(ctx, form)
    ctx.tx.add(
        "stored_files", made, purpose=made["purpose"], content_id=content_id, expires_at=made["expires_at"]
    )
    return ApiAnswer(made)


def retrieve(ctx: Context) -> ApiAnswer:
    return ApiAnswer(files.file_row(ctx.tx, ctx.ids["file_id"])["data"])


def index(ctx: Context) -> ApiAnswer:
    purpose = ctx.query.get("purpose")
    where = {"purpose": purpose} if purpose else {}
    return ApiAnswer(ctx.listing("stored_files", "file", where, limits=(_ALL, _ALL)))


def remove(ctx: Context) -> ApiAnswer:
    id = ctx.ids["file_id"]
    if not drop_file(ctx, files.file_row(ctx.tx, id)):
        raise api_errors.missing("file", id)
    return ApiAnswer({"id": id, "object": "file", "deleted": True})


def content(ctx: Context) -> ApiAnswer:
    """What was uploaded; or what a tool made in a run, which has its content and nothing else here."""
    id = ctx.ids["file_id"]
    row = ctx.tx.get("stored_files", id)
    if row is not None:
        data = row["data"]
        return ApiAnswer(None, download=Download(files.content_ids(row), data["bytes"], data["filename"]))
    made = ctx.tx.file(id)
    if made is None:
        raise api_errors.missing("file", id)
    return ApiAnswer(None, download=Download((), len(made), id, made))


def drop_file(ctx: Context, row: Row) -> bool:
    """Deletes a file: out of every vector store, with its content. Whether it was there."""
    id = row["id"]
    for entry in ctx.tx.all("store_files", file_id=id):
        vector_stores.remove_file(ctx.tx, entry["vector_store_id"], id)
        ctx.index(entry["vector_store_id"])  # which frees what was indexed
    ctx.tx.get("stored_files", id, lock=True)
    for entry in ctx.tx.all("store_files", file_id=id):  # of a store that it has just been put into
        vector_stores.remove_file(ctx.tx, entry["vector_store_id"], id)
    if not ctx.tx.remove("stored_files", id):
        return False
    if (row["hidden"] or {}).get(files.PARTS) is None:
        ctx.drop_content(row["content_id"])
    else:
        drop_parts(ctx, row["content_id"])
    return True


def drop_parts(ctx: Context, upload_id: str, *, but: frozenset[str] = frozenset()) -> None:
    """Deletes the parts of an upload, with their contents."""
    for part in ctx.tx.all("upload_parts", upload_id=upload_id):
        if part["content_id"] not in but:
            ctx.tx.remove("upload_parts", part["id"])
            ctx.drop_content(part["content_id"])


def form_with(ctx: Context, name: str) -> Form:
    """The request's form, with a file of that name. Raises the API's 400."""
    form = ctx.form
    if form is None or form.part is None:
        if form is not None and name in form.fields:
            raise api_errors.bad(f"Invalid type for '{name}': expected a file.", name, "invalid_type")
        raise api_errors.required(name)
    if form.part != name:
        raise api_errors.bad(f"Unknown parameter: '{form.part}'.", form.part, "unknown_parameter")
    return form


def kept(ctx: Context, form: Form) -> str:
    """The id of the content that is the form's file, stored."""
    settings = ctx.files
    pieces = contents.pieces_of(form.file.read, PIECE)
    new = contents.new_content(settings)

    def keep(store: Store) -> str:
        contents.keep(store, settings, new, pieces, ctx.stay_seen)
        return new

    undo = partial(contents.drop, settings=settings, content_id=new)
    content_id: str = ctx.deed("content", keep, undo, new)
    ctx.kept.append(content_id)
    return content_id


def with_numbers(body: Json) -> Json:
    """The fields of a form, in which all is text, with the number that one of them is."""
    after = body.get("expires_after")
    if not isinstance(after, dict) or not str(after.get("seconds", "")).isdecimal():
        return body
    return {**body, "expires_after": {**after, "seconds": int(after["seconds"])}}


def expiry(body: Json, now: int) -> int | None:
    """When a file expires that is made now."""
    after = body.get("expires_after")
    if after is not None:
        return int(now + after["seconds"])
    return now + _BATCH_SECONDS if body["purpose"] == "batch" else None
