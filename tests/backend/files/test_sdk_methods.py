"""Every method that the installed SDK has for files, uploads and vector stores, on a backend that keeps them:
under both names of the namespace, in either colour, in process and through a server."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants.backend import LocalBackend
from tests.clients import Colour
from tests.colours import done

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

VIEWS = ("with_raw_response", "with_streaming_response", "files", "file_batches", "parts")


@pytest.fixture(params=["in process", "served"])
async def client(request: pytest.FixtureRequest, colour: Colour) -> AsyncIterator[Any]:
    if request.param == "in process":
        with LocalBackend("echo") as backend:
            yield sa.patch(colour.sdk_client(api_key="unused"), backend=backend)
        return
    from tests.backend.served import served  # which skips where nothing can serve

    with served(LocalBackend("echo"), openai.AsyncOpenAI(api_key="unused")) as url:
        yield sa.patch(colour.bare(url))


def methods(resource: Any) -> set[str]:
    """The names of what a client may call."""
    return {
        name
        for name in dir(resource)
        if not name.startswith("_") and name not in VIEWS and inspect.isroutine(getattr(resource, name))
    }


def namespaces(client: Any) -> Iterator[Any]:
    for owner in (client, client.beta):
        if hasattr(owner, "vector_stores"):
            yield owner.vector_stores


async def upload(client: Any, name: str = "a.txt") -> str:
    return str((await done(client.files.create(file=(name, b"Some words."), purpose="assistants"))).id)


async def first(page: Any) -> Any:
    """The first object of a page that a list gave."""
    return (await done(page)).data[0]


async def test_files(client: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Some words.")
    files = client.files
    id = (await done(files.create(file=tmp_path / "a.txt", purpose="assistants"))).id
    calls: dict[str, Callable[[], Any]] = {
        "retrieve": lambda: files.retrieve(id),
        "list": lambda: files.list(purpose="assistants"),
        "content": lambda: files.content(id),
        "retrieve_content": lambda: files.retrieve_content(id),
        "wait_for_processing": lambda: files.wait_for_processing(id),
        "delete": lambda: files.delete(id),
    }
    assert methods(files) <= {"create", *calls}
    got = {name: await done(call()) for name, call in calls.items() if hasattr(files, name)}
    assert got["retrieve"].id == id
    assert [file.id for file in got["list"].data] == [id]
    if "content" in got:
        assert got["content"].content == b"Some words."
    if "retrieve_content" in got:
        assert got["retrieve_content"] == "Some words."
    assert got["delete"].deleted is True


# Releases before 2 leave the file open that they read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_uploads(client: Any, tmp_path: Path) -> None:
    if not hasattr(client, "uploads"):
        pytest.skip("this SDK has no uploads")
    (tmp_path / "a.txt").write_bytes(b"Some words.")
    uploads = client.uploads
    assert methods(uploads) <= {"create", "complete", "cancel", "upload_file_chunked"}
    assert methods(uploads.parts) == {"create"}
    given = {"bytes": 3, "filename": "a.txt", "mime_type": "text/plain", "purpose": "assistants"}
    upload = await done(uploads.create(**given))
    part = await done(uploads.parts.create(upload.id, data=b"abc"))
    whole = await done(uploads.complete(upload.id, part_ids=[part.id]))
    assert (await done(client.files.content(whole.file.id))).content == b"abc"
    assert (await done(uploads.cancel((await done(uploads.create(**given))).id))).status == "cancelled"
    if hasattr(uploads, "upload_file_chunked"):
        chunked = uploads.upload_file_chunked(
            file=tmp_path / "a.txt", mime_type="text/plain", purpose="assistants"
        )
        assert (await done(chunked)).file.bytes == 11


async def test_vector_stores(client: Any) -> None:
    for stores in namespaces(client):
        file_id = await upload(client)
        made = await done(stores.create(name="Terms", file_ids=[file_id]))
        await done(stores.files.poll(file_id, vector_store_id=made.id))
        assert (await done(stores.retrieve(made.id))).file_counts.completed == 1
        if hasattr(stores, "search"):
            (hit,) = (await done(stores.search(made.id, query="words"))).data
            assert (hit.file_id, hit.filename, hit.content[0].text) == (file_id, "a.txt", "Some words.")
        assert (await done(stores.update(made.id, name="Rules"))).name == "Rules"
        assert (await first(stores.list(limit=1))).name == "Rules"
        raw = await done(stores.with_raw_response.retrieve(made.id))
        assert raw.parse().id == made.id
        assert (await done(stores.delete(made.id))).deleted is True
        assert methods(stores) <= {"create", "retrieve", "update", "list", "delete", "search"}


async def test_files_of_a_vector_store(client: Any) -> None:
    for stores in namespaces(client):
        id, files = (await done(stores.create())).id, stores.files
        file_id = await upload(client)
        made = await done(files.create(id, file_id=file_id))
        assert made.id == file_id
        assert (await done(files.poll(file_id, vector_store_id=id))).status == "completed"
        assert (await done(files.retrieve(file_id, vector_store_id=id))).usage_bytes > 0
        assert (await first(files.list(id, filter="completed"))).id == file_id
        if hasattr(files, "content"):
            assert (await first(files.content(file_id, vector_store_id=id))).text == "Some words."
        if hasattr(files, "update"):
            changed = await done(files.update(file_id, vector_store_id=id, attributes={"a": "b"}))
            assert changed.attributes == {"a": "b"}
        other = await upload(client)
        polled = await done(files.create_and_poll(vector_store_id=id, file_id=other))
        assert (polled.id, polled.status) == (other, "completed")
        sent = await done(files.upload(vector_store_id=id, file=("b.txt", b"x")))
        whole = await done(files.upload_and_poll(vector_store_id=id, file=("c.txt", b"y")))
        assert whole.status == "completed"
        assert (await done(files.delete(sent.id, vector_store_id=id))).deleted is True
        assert (await done(stores.retrieve(id))).file_counts.total == 3
        known = {"create", "retrieve", "list", "update", "poll", "create_and_poll", "upload"}
        assert methods(files) <= {*known, "upload_and_poll", "delete", "content"}


async def test_file_batches(client: Any) -> None:
    for stores in namespaces(client):
        id, batches = (await done(stores.create())).id, stores.file_batches
        made = await done(batches.create(id, file_ids=[await upload(client)]))
        assert made.file_counts.total == 1
        assert (await done(batches.poll(made.id, vector_store_id=id))).status == "completed"
        assert (await done(batches.retrieve(made.id, vector_store_id=id))).status == "completed"
        assert (await first(batches.list_files(made.id, vector_store_id=id))).status == "completed"
        with pytest.raises(openai.BadRequestError, match="Cannot cancel file batch with status 'completed'"):
            await done(batches.cancel(made.id, vector_store_id=id))
        polled = await done(batches.create_and_poll(id, file_ids=[await upload(client)]))
        assert polled.file_counts.completed == 1
        given = [("d.txt", b"x"), ("e.md", b"y")]
        whole = await done(batches.upload_and_poll(id, files=given, file_ids=[await upload(client)]))
        assert whole.file_counts.completed == 3
        known = {"create", "retrieve", "list_files", "cancel", "poll", "create_and_poll", "upload_and_poll"}
        assert methods(batches) <= known
