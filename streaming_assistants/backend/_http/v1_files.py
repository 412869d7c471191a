"""/assistants/{id}/files and /threads/{id}/messages/{id}/files: of assistants=v1, SDKs before 1.21."""

from __future__ import annotations

from .._engine import api_errors, checks, objects
from .._engine.port import Json
from .assistants import assistant_row
from .context import ApiAnswer, Context, deleted, listed
from .file_search import refuse_unknown
from .threads import message_row


def index(ctx: Context) -> ApiAnswer:
    assistant = assistant_row(ctx)["data"]
    return ApiAnswer(listed([_of_assistant(assistant, id) for id in objects.file_ids(assistant)]))


def create(ctx: Context) -> ApiAnswer:
    """Lets the assistant's tools use a file that has been uploaded."""
    checks.fields({"file_id": checks.text()}, ctx.body, ("file_id",))
    assistant, id = assistant_row(ctx)["data"], ctx.body["file_id"]
    refuse_unknown(ctx, [id])
    _keep(ctx, assistant, [*(known for known in objects.file_ids(assistant) if known != id), id])
    return ApiAnswer(_of_assistant(assistant, id))


def retrieve(ctx: Context) -> ApiAnswer:
    assistant = assistant_row(ctx)["data"]
    return ApiAnswer(_of_assistant(assistant, _known(ctx, objects.file_ids(assistant))))


def remove(ctx: Context) -> ApiAnswer:
    """Takes the file from the assistant; the upload itself stays."""
    assistant = assistant_row(ctx)["data"]
    id = _known(ctx, objects.file_ids(assistant))
    _keep(ctx, assistant, [known for known in objects.file_ids(assistant) if known != id])
    return ApiAnswer(deleted(id, "assistant.file"))


def of_message(ctx: Context) -> ApiAnswer:
    message = message_row(ctx)["data"]
    return ApiAnswer(listed([_of_message(message, id) for id in _attached(message)]))


def of_message_one(ctx: Context) -> ApiAnswer:
    message = message_row(ctx)["data"]
    return ApiAnswer(_of_message(message, _known(ctx, _attached(message))))


def _attached(message: Json) -> list[str]:
    return [each["file_id"] for each in message["attachments"] if each.get("file_id")]


def _known(ctx: Context, ids: list[str]) -> str:
    id = ctx.ids["file_id"]
    if id not in ids:
        raise api_errors.missing("file", id)
    return id


def _keep(ctx: Context, assistant: Json, ids: list[str]) -> None:
    resources = objects.resources_of(assistant["tool_resources"], assistant["tools"], ids)
    ctx.tx.change("assistants", assistant["id"], {"tool_resources": resources})


def _of_assistant(assistant: Json, id: str) -> Json:
    made = assistant["created_at"]
    return {"id": id, "object": "assistant.file", "created_at": made, "assistant_id": assistant["id"]}


def _of_message(message: Json, id: str) -> Json:
    made = message["created_at"]
    return {"id": id, "object": "thread.message.file", "created_at": made, "message_id": message["id"]}
