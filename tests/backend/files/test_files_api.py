"""Files as a client has them: by every method that an SDK has, and by plain requests for what it has not."""

from __future__ import annotations

import hashlib
import io
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._http.forms import FormReader
from tests.backend.conftest import JSON, Api
from tests.colours import done

MakeApi = Callable[..., Api]

UNKNOWN = "file-unknown"


async def uploaded(api: Api, name: str = "a.txt", content: Any = b"content", **more: Any) -> Any:
    """A file, as JSON: ``expires_after`` and their like go as newer SDKs send them."""
    return await form(api, "/files", {"purpose": "assistants", **more}, "file", name, content)


async def form(api: Api, path: str, fields: Any, part: str, name: str, content: Any) -> Any:
    options = {"headers": {"Content-Type": "multipart/form-data"}}
    files = [(part, (name, content))]
    return await done(api.client.post(path, cast_to=JSON, body=fields, files=files, options=options))


async def content(api: Api, id: str) -> bytes:
    # SDKs before 1.3 read it as text, with a method that newer ones have deprecated.
    read = getattr(api.client.files, "content", None)
    if read is None:
        return str(await done(api.client.files.retrieve_content(id))).encode()
    return bytes((await done(read(id))).content)


async def refusal(call: Any) -> dict[str, Any]:
    """The error of a call that must fail: of one that is to be made, or of one that is to be awaited."""
    with pytest.raises(openai.APIStatusError) as caught:
        await done(call() if callable(call) else call)
    return {"status": caught.value.status_code, **caught.value.response.json()["error"]}


@pytest.mark.every_store
async def test_a_file_from_its_upload_to_its_deletion(api: Api) -> None:
    files = api.client.files
    given = ("näme.txt", io.BytesIO("Größe".encode()))
    made = await done(files.create(file=given, purpose="assistants"))
    assert made.id.startswith("file-")
    assert len(made.id) == 29
    assert (made.object, made.bytes, made.filename) == ("file", 7, "näme.txt")
    assert (made.purpose, made.status) == ("assistants", "processed")
    assert (await done(files.retrieve(made.id))).created_at == made.created_at
    raw = await done(files.with_raw_response.retrieve(made.id))
    assert raw.http_response.json() == {
        "id": made.id,
        "object": "file",
        "bytes": 7,
        "created_at": made.created_at,
        "expires_at": None,
        "filename": "näme.txt",
        "purpose": "assistants",
        "status": "processed",
        "status_details": None,
    }
    assert await content(api, made.id) == "Größe".encode()
    assert (await done(files.wait_for_processing(made.id))).status == "processed"
    assert [file.id for file in (await done(files.list())).data] == [made.id]
    gone = await done(files.delete(made.id))
    assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
    assert (await refusal(lambda: files.delete(made.id)))["message"] == f"No file found with id '{made.id}'."
    assert (await done(files.list())).data == []
    with api.backend._app.store.read() as tx:
        assert tx.loose_contents() == []


async def test_what_is_given_as_bytes_or_as_a_path(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_bytes(b"# Note")
    made = await done(api.client.files.create(file=path, purpose="user_data"))
    assert (made.filename, made.bytes) == ("note.md", 6)
    empty = await done(api.client.files.create(file=("e.txt", b""), purpose="assistants"))
    assert (empty.bytes, await content(api, empty.id)) == (0, b"")


async def test_a_download_that_is_streamed(api: Api) -> None:
    if not hasattr(api.client.files, "with_streaming_response"):
        pytest.skip("this SDK has no with_streaming_response")
    data = bytes(range(256)) * 10_000
    made = await uploaded(api, content=data)
    got = bytearray()
    manager = api.client.files.with_streaming_response.content(made["id"])
    if api.sync:
        with manager as response:
            for chunk in response.iter_bytes():
                got += chunk
    else:
        async with manager as response:
            async for chunk in response.iter_bytes():
                got += chunk
    assert response.headers["content-length"] == str(len(data))
    assert got == data


async def test_a_list_is_filtered_and_paged(api: Api) -> None:
    ids = [(await uploaded(api, purpose=purpose))["id"] for purpose in ("assistants", "batch", "assistants")]
    assert [file["id"] for file in (await api.get("/files"))["data"]] == ids[::-1]
    page = await api.get("/files", order="asc", limit=2)
    assert ([file["id"] for file in page["data"]], page["has_more"]) == (ids[:2], True)
    rest = await api.get("/files", order="asc", after=page["last_id"])
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == (ids[2:], False)
    batch = await api.get("/files", purpose="batch")
    assert [file["id"] for file in batch["data"]] == [ids[1]]
    assert (await api.get("/files", limit=10_000))["first_id"] == ids[2]
    await api.delete(f"/files/{ids[0]}")
    after = await api.get("/files", order="asc", after=ids[0])
    assert [file["id"] for file in after["data"]] == ids[1:]
    error = await refusal(api.get("/files", limit=10_001))
    assert (error["param"], error["code"]) == ("limit", "integer_above_max_value")
    assert (await refusal(api.get("/files", after=UNKNOWN)))["status"] == 404


WRONG_FILES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"purpose": "answers"}, "file", "purpose", "Invalid value: 'answers'. Supported values are: 'assis"),
    ({}, "file", "purpose", "Missing required parameter: 'purpose'."),
    ({"purpose": "batch"}, "document", "document", "Unknown parameter: 'document'."),
    ({"purpose": "batch", "color": "red"}, "file", "color", "Unknown parameter: 'color'."),
    (
        {"purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 5}},
        "file",
        "expires_after.seconds",
        "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600",
    ),
    (
        {"purpose": "batch", "expires_after": {"anchor": "last_active_at", "seconds": 3600}},
        "file",
        "expires_after.anchor",
        "Invalid value: 'last_active_at'.",
    ),
]


@pytest.mark.parametrize(("fields", "part", "param", "message"), WRONG_FILES)
async def test_a_form_with_something_wrong(
    api: Api, fields: dict[str, Any], part: str, param: str, message: str
) -> None:
    error = await refusal(form(api, "/files", fields, part, "a.txt", b"x"))
    assert (error["status"], error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert error["message"].startswith(message)
    with api.backend._app.store.read() as tx:
        assert tx.loose_contents() == []


async def test_no_file_and_no_such_file(api: Api) -> None:
    error = await refusal(api.post("/files", {"purpose": "batch"}))
    assert (error["status"], error["message"]) == (400, "Missing required parameter: 'file'.")
    for path in (f"/files/{UNKNOWN}", f"/files/{UNKNOWN}/content"):
        error = await api.refused(path, method="get")
        assert (error["status"], error["message"]) == (404, f"No file found with id '{UNKNOWN}'.")
    assert (await api.refused(f"/files/{UNKNOWN}", method="delete"))["status"] == 404


async def test_an_upload_in_parts(api: Api) -> None:
    if not hasattr(api.client, "uploads"):
        pytest.skip("this SDK has no uploads")
    uploads = api.client.uploads
    upload = await done(
        uploads.create(bytes=9, filename="u.txt", mime_type="text/plain", purpose="assistants")
    )
    assert (upload.status, upload.bytes, upload.expires_at) == ("pending", 9, upload.created_at + 3600)
    parts = [await done(uploads.parts.create(upload.id, data=data)) for data in (b"one", b"two", b"six")]
    assert (parts[0].object, parts[0].upload_id) == ("upload.part", upload.id)
    ids = [parts[2].id, parts[0].id, parts[1].id]
    raw = await done(uploads.with_raw_response.complete(
        upload.id, part_ids=ids, md5=hashlib.md5(b"sixonetwo").hexdigest()
    ))  # fmt: skip
    whole = raw.parse()
    assert (whole.status, whole.file.bytes, whole.file.filename) == ("completed", 9, "u.txt")
    assert await content(api, whole.file.id) == b"sixonetwo"
    assert (await refusal(lambda: uploads.parts.create(upload.id, data=b"x")))["status"] == 400
    assert (await refusal(lambda: uploads.cancel(upload.id)))["status"] == 400
    await done(api.client.files.delete(whole.file.id))
    with api.backend._app.store.read() as tx:
        assert (tx.loose_contents(), tx.all("upload_parts")) == ([], [])


# Releases before 2 leave the file open that they read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_an_upload_by_the_sdks_helper(api: Api, tmp_path: Path) -> None:
    if not hasattr(getattr(api.client, "uploads", None), "upload_file_chunked"):
        pytest.skip("this SDK has no upload_file_chunked")
    path = tmp_path / "long.txt"
    path.write_bytes(b"0123456789" * 25)
    whole = await done(
        api.client.uploads.upload_file_chunked(
            file=path, mime_type="text/plain", purpose="assistants", part_size=100
        )
    )
    assert await content(api, whole.file.id) == path.read_bytes()


UPLOAD = {"bytes": 6, "filename": "u.txt", "mime_type": "text/plain", "purpose": "assistants"}


async def test_parts_that_do_not_make_the_file(api: Api) -> None:
    upload = await api.post("/uploads", UPLOAD)
    path = f"/uploads/{upload['id']}"
    parts = [(await form(api, f"{path}/parts", {}, "data", "p", data))["id"] for data in (b"abc", b"defg")]
    other = await api.post("/uploads", UPLOAD)
    foreign = (await form(api, f"/uploads/{other['id']}/parts", {}, "data", "p", b"abc"))["id"]
    error = await api.refused(f"{path}/complete", {"part_ids": parts})
    assert error["message"] == "The upload is to have 6 bytes, but its parts have 7 bytes in all."
    error = await api.refused(f"{path}/complete", {"part_ids": [parts[0], foreign]})
    assert error["message"].startswith(f"No part found with id '{foreign}'")
    error = await api.refused(f"{path}/complete", {"part_ids": [parts[0]] * 2, "md5": "0" * 32})
    assert (error["param"], error["code"]) == ("md5", "invalid_value")
    # Refused, it can be completed yet; and cancelled, it cannot.
    assert (await api.post(f"{path}/cancel"))["status"] == "cancelled"
    assert (await api.refused(f"{path}/complete", {"part_ids": parts}))["status"] == 400
    assert (await api.refused("/uploads/upload_none/cancel"))["status"] == 404
    error = await api.refused("/uploads", {**UPLOAD, "bytes": 9 * 1024**3})
    assert error["code"] == "integer_above_max_value"
    await api.post(f"/uploads/{other['id']}/cancel")
    with api.backend._app.store.read() as tx:
        assert tx.loose_contents() == []


async def test_files_and_uploads_expire_by_the_clock(make_api: MakeApi) -> None:
    now = [1_700_000_000.0]
    api = make_api("echo", clock=lambda: now[0])
    hour = {"expires_after": {"anchor": "created_at", "seconds": 3600}}
    short, kept = await uploaded(api, **hour), await uploaded(api)
    batch = await uploaded(api, purpose="batch")
    assert (short["expires_at"], kept["expires_at"]) == (int(now[0]) + 3600, None)
    assert batch["expires_at"] == int(now[0]) + 30 * 86_400
    upload = await api.post("/uploads", {**UPLOAD, **hour})
    part = await form(api, f"/uploads/{upload['id']}/parts", {}, "data", "p", b"abcdef")
    now[0] += 3599
    assert (await api.get(f"/files/{short['id']}"))["id"] == short["id"]
    now[0] += 1
    assert (await api.refused(f"/files/{short['id']}", method="get"))["status"] == 404
    assert [file["id"] for file in (await api.get("/files"))["data"]] == [batch["id"], kept["id"]]
    error = await api.refused(f"/uploads/{upload['id']}/complete", {"part_ids": [part["id"]]})
    assert "has status 'expired'" in error["message"]
    with api.backend._app.store.read() as tx:
        assert tx.loose_contents() == []


@pytest.mark.any_sdk
@pytest.mark.parametrize("place", ["store", "folder", "memory://streaming_assistants_test"])
async def test_a_large_body_is_never_whole_in_memory(make_api: MakeApi, tmp_path: Path, place: str) -> None:
    """60 MB each way."""
    at = {"store": None, "folder": tmp_path / "contents"}.get(place, place)
    size, block = 60_000_000, b"0123456789" * 100_000
    if place.startswith("memory:"):
        size = 2_000_000  # fsspec's own memory holds it
    api = make_api("echo", tmp_path / "a.db", files_at=at)

    class Endless(io.RawIOBase):
        """A file of ``size`` bytes that lies nowhere."""

        def __init__(self) -> None:
            self.left = size

        def readable(self) -> bool:
            return True

        def read(self, limit: int = -1) -> bytes:
            got = block[: min(self.left, len(block) if limit < 0 else limit)]
            self.left -= len(got)
            return got

    tracemalloc.start()
    try:
        made = await done(api.client.files.create(file=("big.txt", Endless()), purpose="assistants"))
        seen = 0
        manager = api.client.files.with_streaming_response.content(made.id)
        if api.sync:
            with manager as response:
                for chunk in response.iter_bytes():
                    seen += len(chunk)
        else:
            async with manager as response:
                async for chunk in response.iter_bytes():
                    seen += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (made.bytes, seen) == (size, size)
    assert peak < 20_000_000


@pytest.mark.any_sdk
async def test_contents_at_a_place_of_their_own(make_api: MakeApi, tmp_path: Path) -> None:
    place = tmp_path / "contents"
    api = make_api("echo", files_at=place)
    made = await uploaded(api, content=b"x" * 3_000_000)
    (path,) = [path for path in place.iterdir() if path.is_file()]
    assert path.stat().st_size == 3_000_000
    assert list((place / "marks").iterdir()) == []
    assert await content(api, made["id"]) == b"x" * 3_000_000
    await api.delete(f"/files/{made['id']}")
    assert [path for path in place.rglob("*") if path.is_file()] == []


@pytest.mark.any_sdk
@pytest.mark.parametrize("elsewhere", [False, True], ids=["store", "folder"])
def test_what_a_crash_has_left_is_swept(tmp_path: Path, elsewhere: bool) -> None:
    options: dict[str, Any] = {"files_at": tmp_path / "contents"} if elsewhere else {}
    client = openai.OpenAI(api_key="unused")
    with LocalBackend("echo", tmp_path / "a.db", **options) as backend:
        detach = backend.attach(client)
        kept = client.files.create(file=("a.txt", b"kept"), purpose="assistants")
        detach()
        settings = backend._app._settings.files
        assert settings is not None
        if settings.contents is not None:
            settings.contents.write("owner_dead.1", [b"left"])
            settings.contents.mark(next(p.name for p in (tmp_path / "contents").glob("owner_*.*")
                                        if not p.name.startswith("owner_dead")), True)  # fmt: skip
        else:
            with backend._app.store.write() as tx:
                tx.add_piece("owner_dead.1", 0, b"left")
    with LocalBackend("echo", tmp_path / "a.db", **options) as backend:
        backend.attach(client)
        assert client.files.content(kept.id).content == b"kept"
        with backend._app.store.read() as tx:
            assert tx.loose_contents() == []
        if elsewhere:
            assert len([path for path in (tmp_path / "contents").rglob("*") if path.is_file()]) == 1
    client.close()


@pytest.mark.any_sdk
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"files": "here"}, "files= takes 'local' or 'upstream', not 'here'."),
        ({"search": "often"}, "search= takes 'function' or 'always', not 'often'."),
        ({"files": "upstream", "files_at": "x"}, 'files_at= is for files that are kept here: files="local".'),
        ({"files": "upstream", "search": "always"}, "search= is for files that are kept here"),
        ({"files_at": "nosuch://bucket"}, "nosuch"),
        ({"files_at": "/dev/null/x"}, "files_at='/dev/null/x' cannot be used"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=".*".join(words.split(" "))):
        LocalBackend("echo", **options)


@pytest.mark.any_sdk
@pytest.mark.parametrize(
    ("module", "extra"), [("python_multipart.multipart", "backend"), ("fsspec", "files")]
)
def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, module: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'streaming_assistants\[{extra}\]'"):
        if extra == "files":
            LocalBackend("echo", files_at="memory://place")
        else:
            FormReader("multipart/form-data; boundary=B")


@pytest.mark.any_sdk
async def test_a_clock_that_stands_still_stalls_nothing(make_api: MakeApi) -> None:
    api = make_api("echo", clock=lambda: 1_700_000_000.0)
    store = await done(api.client.vector_stores.create())
    stores = api.client.vector_stores
    whole = await done(stores.file_batches.upload_and_poll(store.id, files=[("a.txt", b"Words.")]))
    assert (whole.status, whole.created_at) == ("completed", 1_700_000_000)


@pytest.mark.any_sdk
async def test_an_azure_client_and_one_of_responses_are_answered_here(colour: Any) -> None:
    client = colour.sdk_client(
        azure=True,
        api_key="unused",
        azure_endpoint="https://example.invalid",
        api_version="2024-05-01-preview",
    )
    with LocalBackend("responses", files="local") as backend:
        backend.attach(client)
        made = await done(client.files.create(file=("a.txt", b"words"), purpose="assistants"))
        assert (await done(client.files.content(made.id))).content == b"words"
        store = await done(client.vector_stores.create(file_ids=[made.id]))
        assert store.file_counts.total == 1
