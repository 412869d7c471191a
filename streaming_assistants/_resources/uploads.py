"""The helpers of vector stores that upload, attach and wait. See ``polling.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.plan import Invoke, Plan, Together
from streaming_assistants._protocol.status import is_pending_batch
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Model
from streaming_assistants.errors import FileUploadError, MalformedEventError, both

from .endpoint import Endpoint
from .operations import checked_id
from .polling import UNLIMITED, Helper, Wanted, Watch, made_by, polled, start
from .stores import CREATE_BATCH, CREATE_FILE, RETRIEVE_BATCH, RETRIEVE_FILE


def _called(endpoint: Endpoint, name: str, positional: tuple[str, ...] | None = None) -> Endpoint:
    of = endpoint.operation
    place = "file_batches" if "/file_batches" in of.path else "files"
    called = replace(of, name=name, positional=of.positional if positional is None else positional)
    return replace(endpoint, operation=called, path=f"vector_stores.{place}.{of.name}")


FILE_WATCH = Watch(_called(RETRIEVE_FILE, "poll"), "Vector store file", "file_id")
_ATTACH = _called(CREATE_FILE, "create")
BATCH_WATCH = Watch(_called(RETRIEVE_BATCH, "poll"), "File batch", "batch_id", is_pending_batch)


def poll_file(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``files.poll``."""
    return polled(FILE_WATCH, client, args, kwargs)


def poll_batch(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``file_batches.poll``."""
    return polled(BATCH_WATCH, client, args, kwargs)


def _store(bound: Arguments) -> Arguments:
    return {"vector_store_id": bound["vector_store_id"]}


def _attached(watch: Watch, create: Endpoint, *ids: str) -> Helper:
    """Attaches what is uploaded, and polls it: what the call names, or what the answer has as ``ids``."""

    def plan(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
        wanted = Wanted.taken(client, kwargs)
        bound = create.operation.bind(args, kwargs)
        request = create.request((), bound)

        def go() -> Plan[Model]:
            made = yield from start(client, create, request, wanted, *ids)
            named = {watch.id_name: bound.get(watch.id_name) or made.id}
            return (yield from watch.plan(client, wanted, {**named, **_store(bound)}))

        return go()

    return plan


create_file = _attached(FILE_WATCH, _called(CREATE_FILE, "create_and_poll", positional=("file_id",)))
"""``files.create_and_poll``."""

create_batch = _attached(BATCH_WATCH, _called(CREATE_BATCH, "create_and_poll"), "id")
"""``file_batches.create_and_poll``."""


def _uploaded(client: AnyClient, file: object) -> Callable[[], Model]:
    return partial(client.files.create, file=file, purpose="assistants")


def _one_file(client: AnyClient, kwargs: Arguments, name: str) -> tuple[Model, Plan[Model]]:
    """The file of a call, and the plan that uploads and attaches it."""
    file = kwargs.pop("file", None)
    if file is None:
        raise TypeError(f"{name}() missing 1 required keyword-only argument: 'file'")
    checked_id("vector_store_id", kwargs.get("vector_store_id"))
    _ATTACH.request((), {**kwargs, "file_id": "file-"})  # what is wrong with the call is said now

    def go() -> Plan[Model]:
        sent = _sdk.request(client, "POST", "/files")
        uploaded = yield from made_by(sent, _uploaded(client, file), UNLIMITED, "id")
        request = _ATTACH.request((), {**kwargs, "file_id": uploaded.id})
        attached = yield from start(client, _ATTACH, request, UNLIMITED)
        return uploaded.id, attached

    return file, go()


def upload(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``files.upload``: the file is attached; nobody waits for it."""
    _keyword_only("upload", args)
    _, attaching = _one_file(client, kwargs, "upload")

    def go() -> Plan[Model]:
        _, attached = yield from attaching
        return attached

    return go()


def upload_and_poll(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``files.upload_and_poll``."""
    _keyword_only("upload_and_poll", args)
    wanted = Wanted.taken(client, kwargs)
    _, attaching = _one_file(client, kwargs, "upload_and_poll")

    def go() -> Plan[Model]:
        file_id, _ = yield from attaching
        wanted_now = wanted.begun()
        ids = {"file_id": file_id, "vector_store_id": kwargs["vector_store_id"]}
        return (yield from FILE_WATCH.plan(client, wanted_now, ids))

    return go()


def _keyword_only(name: str, args: tuple[object, ...]) -> None:
    if args:
        raise TypeError(f"{name}() takes no positional arguments but {len(args)} were given")


def upload_batch(client: object, args: tuple[object, ...], kwargs: Arguments) -> Plan[Model]:
    """``file_batches.upload_and_poll``.

    Raises FileUploadError, which is also of the class of the first file's error, when a file cannot be
    uploaded; the others are uploaded all the same, and the error names them.
    """
    wanted = Wanted.taken(client, kwargs)
    files = _files(kwargs.pop("files", None))
    limit = _limit(kwargs.pop("max_concurrency", 5))
    given = list(kwargs.pop("file_ids", None) or ())
    create = _called(CREATE_BATCH, "upload_and_poll")
    bound = create.operation.bind(args, kwargs)
    create.request((), bound)  # what is wrong with the call is said now

    def go() -> Plan[Model]:
        made = yield Together([Invoke(_uploaded(client, file)) for file in files], limit)
        made = [each if isinstance(each, BaseException) else _with_id(client, each) for each in made]
        failed = {place: each for place, each in enumerate(made) if isinstance(each, BaseException)}
        uploaded = [each.id for each in made if not isinstance(each, BaseException)]
        if failed:
            said = f"{len(failed)} of {len(files)} files could not be uploaded"
            raise upload_error(said, uploaded, failed) from next(iter(failed.values()))
        request = create.request((), {**bound, "file_ids": [*given, *uploaded]})
        now = wanted.begun()
        try:
            batch = yield from start(client, create, request, now, "id")
        except openai.OpenAIError as error:
            raise upload_error("The batch could not be created", uploaded, {-1: error}) from error
        ids = {"batch_id": batch.id, "vector_store_id": bound["vector_store_id"]}
        return (yield from BATCH_WATCH.plan(client, now, ids))

    return go()


def upload_error(said: str, uploaded: list[str], failed: dict[int, BaseException]) -> FileUploadError:
    """The error, also of the first cause's class where that is one of the SDK's."""
    cause = next(iter(failed.values()))
    message = f"{said}: {cause}. Uploaded and not in a batch: {', '.join(uploaded) or 'none'}."
    kind = both(FileUploadError, type(cause)) if isinstance(cause, openai.OpenAIError) else FileUploadError
    error = kind.__new__(kind, message)
    # The cause's response, request and body; its constructor differs from class to class.
    vars(error).update(vars(cause) if kind is not FileUploadError else {})
    vars(error).update(message=message, uploaded=uploaded)
    error.failed = {place: each for place, each in failed.items() if place >= 0}
    error.args = (message,)
    return error


def _with_id(client: object, made: object) -> Model:
    """What was uploaded, or the error of an answer that does not say under which id."""
    if isinstance(getattr(made, "id", None), str):
        return made
    said = f"The answer to an upload has no text as its 'id': {made!r:.200}"
    return MalformedEventError(said, _sdk.request(client, "POST", "/files"), event="", data=b"")


def _files(value: object) -> list[object]:
    files = list(value) if _sdk.given(value) and isinstance(value, Iterable) else []
    if isinstance(value, (str, bytes)):
        raise TypeError(
            f"Expected a list of files for `files` but received {value!r:.80} ({type(value).__name__})"
        )
    if not files:
        raise ValueError(
            "No `files` provided to process. For files that are uploaded already, use `create_and_poll()`."
        )
    return files


def _limit(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"Expected a whole number for `max_concurrency` but received {value!r} ({type(value).__name__})"
        )
    if value < 1:
        raise ValueError(f"Expected `max_concurrency` to be 1 or more but received {value!r}")
    return value
