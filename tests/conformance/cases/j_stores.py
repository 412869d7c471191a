"""Vector stores, their files and file batches, under both names."""

from __future__ import annotations

from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises
from tests.conformance.registry import Group
from tests.conformance.script import error, reply
from tests.objects import batch, deleted, store_file, uploaded, vector_store

stores = Group("vector stores")
STORE = "/vector_stores/vs_1"
FILES = f"{STORE}/files"
BATCHES = f"{STORE}/file_batches"


def both_paths(client: Any) -> list[Any]:
    return [client.vector_stores, client.beta.vector_stores]


def stores_of(client: Any) -> Any:
    """The resource by the name that this SDK has for it, for behaviours that are not about the name."""
    return client.vector_stores if hasattr(client, "vector_stores") else client.beta.vector_stores


@stores.case()
async def both_names(t: Kit) -> None:
    """`client.vector_stores` and `client.beta.vector_stores` both work."""
    t.answers("GET", STORE, reply(vector_store()))
    for resource in both_paths(t.client()):
        equal((await t.value(resource.retrieve("vs_1"))).name, "books")


@stores.case()
async def both_names_poll(t: Kit) -> None:
    """The polling helpers of files and file batches work under both names."""
    t.answers("GET", f"{FILES}/file_1", reply(store_file()))
    t.answers("GET", f"{BATCHES}/vsfb_1", reply(batch(completed=1)))
    for resource in both_paths(t.client()):
        equal((await t.value(resource.files.poll("file_1", vector_store_id="vs_1"))).status, "completed")
        equal(
            (await t.value(resource.file_batches.poll("vsfb_1", vector_store_id="vs_1"))).status, "completed"
        )


@stores.case()
async def store_life(t: Kit) -> None:
    """Vector stores are created, retrieved, updated and deleted."""
    t.answers("POST", "/vector_stores", reply(vector_store("in_progress")))
    t.answers("GET", STORE, reply(vector_store()))
    t.answers("POST", STORE, reply(vector_store()))
    t.answers("DELETE", STORE, reply(deleted("vs_1", "vector_store.deleted")))
    resource = stores_of(t.client())
    equal((await t.value(resource.create(name="books", file_ids=["file_1"]))).status, "in_progress")
    equal((await t.value(resource.retrieve("vs_1"))).file_counts.completed, 1)
    equal((await t.value(resource.update("vs_1", name="more"))).id, "vs_1")
    equal((await t.value(resource.delete("vs_1"))).deleted, True)
    equal([r["json"] for r in t.seen("POST")], [{"name": "books", "file_ids": ["file_1"]}, {"name": "more"}])


@stores.case()
async def store_pages(t: Kit) -> None:
    """`vector_stores.list()` iterates over all pages."""
    t.pages("/vector_stores", [vector_store()], [{**vector_store(), "id": "vs_2"}])
    listed = stores_of(t.client()).list()
    equal([one.id async for one in t.each(listed)], ["vs_1", "vs_2"])


@stores.case()
async def store_files_life(t: Kit) -> None:
    """Files are attached to a vector store, retrieved, listed and detached."""
    t.answers("POST", FILES, reply(store_file("in_progress")))
    t.answers("GET", f"{FILES}/file_1", reply(store_file()))
    t.pages(FILES, [store_file()])
    t.answers("DELETE", f"{FILES}/file_1", reply(deleted("file_1", "vector_store.file.deleted")))
    files = stores_of(t.client()).files
    equal((await t.value(files.create("vs_1", file_id="file_1"))).status, "in_progress")
    equal((await t.value(files.retrieve("file_1", vector_store_id="vs_1"))).status, "completed")
    equal([one.id async for one in t.each(files.list("vs_1"))], ["file_1"])
    equal((await t.value(files.delete("file_1", vector_store_id="vs_1"))).deleted, True)


@stores.case()
async def store_batches_life(t: Kit) -> None:
    """File batches are created, retrieved, listed and cancelled."""
    t.answers("POST", BATCHES, reply(batch("in_progress", in_progress=1)))
    t.answers("GET", f"{BATCHES}/vsfb_1", reply(batch(completed=1)))
    t.pages(f"{BATCHES}/vsfb_1/files", [store_file()])
    t.answers("POST", f"{BATCHES}/vsfb_1/cancel", reply(batch("cancelled", cancelled=1)))
    batches = stores_of(t.client()).file_batches
    equal((await t.value(batches.create("vs_1", file_ids=["file_1"]))).file_counts.in_progress, 1)
    equal((await t.value(batches.retrieve("vsfb_1", vector_store_id="vs_1"))).status, "completed")
    equal([one.id async for one in t.each(batches.list_files("vsfb_1", vector_store_id="vs_1"))], ["file_1"])
    equal((await t.value(batches.cancel("vsfb_1", vector_store_id="vs_1"))).status, "cancelled")


@stores.case()
async def store_header(t: Kit) -> None:
    """Vector store requests carry `OpenAI-Beta: assistants=v2`."""
    t.answers("GET", STORE, reply(vector_store()))
    await t.value(stores_of(t.client()).retrieve("vs_1"))
    equal(t.seen()[0]["headers"].get("openai-beta"), "assistants=v2")


# polling -------------------------------------------------------------------------------------------------


@stores.case()
async def file_poll(t: Kit) -> None:
    """`files.poll()` waits until the file is processed; a failed file ends it too."""
    files = stores_of(t.client()).files
    for status in ("completed", "failed", "cancelled"):
        t.answers("GET", f"{FILES}/file_1", reply(store_file("in_progress")), reply(store_file(status)))
        with t.naps() as naps:
            equal((await t.value(files.poll("file_1", vector_store_id="vs_1"))).status, status)
        equal(naps, [1])


@stores.case()
async def file_create_and_poll(t: Kit) -> None:
    """`files.create_and_poll()` attaches a file and gives it when it is processed."""
    t.answers("POST", FILES, reply(store_file("in_progress")))
    t.answers("GET", f"{FILES}/file_1", reply(store_file("in_progress")), reply(store_file()))
    files = stores_of(t.client()).files
    with t.naps():
        final = await t.value(files.create_and_poll("file_1", vector_store_id="vs_1"))
    equal(final.status, "completed")


@stores.case()
async def file_upload_and_poll(t: Kit) -> None:
    """`files.upload()` and `files.upload_and_poll()` upload with purpose `assistants` and attach the file."""
    t.answers("POST", "/files", reply(uploaded()))
    t.answers("POST", FILES, reply(store_file("in_progress")))
    t.answers("GET", f"{FILES}/file_1", reply(store_file()))
    files = stores_of(t.client()).files
    equal((await t.value(files.upload(vector_store_id="vs_1", file=("a.txt", b"text")))).id, "file_1")
    with t.naps():
        final = await t.value(files.upload_and_poll(vector_store_id="vs_1", file=("a.txt", b"text")))
    equal(final.status, "completed")
    assert "assistants" in t.seen("POST", "/files")[0]["text"], "the purpose is missing"


@stores.case("poll_interval_is_read_once")
async def file_poll_header(t: Kit) -> None:
    """`files.poll()` reads `openai-poll-after-ms` anew each time."""
    answers = [reply(store_file("in_progress"), openai_poll_after_ms=ms) for ms in ("70", "30")]
    t.answers("GET", f"{FILES}/file_1", *answers, reply(store_file()))
    with t.naps() as naps:
        await t.value(stores_of(t.client()).files.poll("file_1", vector_store_id="vs_1"))
    equal(naps, [0.07, 0.03])


@stores.case("unknown_status_polls_for_ever")
async def file_poll_unknown_status(t: Kit) -> None:
    """`files.poll()` ends at a status that nobody knows."""
    t.answers("GET", f"{FILES}/file_1", reply(store_file("in_progress")), reply(store_file("quarantined")))
    with t.naps():
        final = await t.value(stores_of(t.client()).files.poll("file_1", vector_store_id="vs_1"))
    equal(final.status, "quarantined")


@stores.case("polling_has_no_deadline")
async def file_poll_deadline(t: Kit) -> None:
    """`files.poll(max_wait_seconds=)` ends with an `APITimeoutError` that is a `TimeoutError` too."""
    t.answers("GET", f"{FILES}/file_1", reply(store_file("in_progress")))
    files = stores_of(t.client()).files
    with raises(openai.APITimeoutError, TimeoutError):
        await t.value(
            files.poll("file_1", vector_store_id="vs_1", poll_interval_ms=10, max_wait_seconds=0.05)
        )


@stores.case()
async def file_poll_deadline_as_the_newest_sdk(t: Kit) -> None:
    """`files.poll(max_wait_seconds=)` ends with the builtin `TimeoutError`, as the newest SDK has it."""
    t.answers("GET", f"{FILES}/file_1", reply(store_file("in_progress")))
    files = stores_of(t.client()).files
    with raises(TimeoutError):
        await t.value(
            files.poll("file_1", vector_store_id="vs_1", poll_interval_ms=10, max_wait_seconds=0.05)
        )


@stores.case()
async def batch_poll(t: Kit) -> None:
    """`file_batches.poll()` waits until the batch is processed."""
    answers = [reply(batch("in_progress", in_progress=1)), reply(batch(completed=1))]
    t.answers("GET", f"{BATCHES}/vsfb_1", *answers)
    with t.naps() as naps:
        final = await t.value(stores_of(t.client()).file_batches.poll("vsfb_1", vector_store_id="vs_1"))
    equal((final.status, final.id, naps), ("completed", "vsfb_1", [1]))


@stores.case("cancelled_batch_polls_for_ever")
async def batch_poll_ends_at_cancelled(t: Kit) -> None:
    """`file_batches.poll()` ends when the batch is cancelled, though its counts say in progress."""
    t.answers("GET", f"{BATCHES}/vsfb_1", reply(batch("cancelled", in_progress=1)))
    with t.naps():
        final = await t.value(stores_of(t.client()).file_batches.poll("vsfb_1", vector_store_id="vs_1"))
    equal(final.status, "cancelled")


@stores.case("polling_has_no_deadline")
async def batch_poll_deadline(t: Kit) -> None:
    """`file_batches.poll(max_wait_seconds=)` ends with an `APITimeoutError`."""
    t.answers("GET", f"{BATCHES}/vsfb_1", reply(batch("in_progress", in_progress=1)))
    batches = stores_of(t.client()).file_batches
    with raises(openai.APITimeoutError):
        await t.value(
            batches.poll("vsfb_1", vector_store_id="vs_1", poll_interval_ms=10, max_wait_seconds=0.05)
        )


@stores.case()
async def batch_create_and_poll(t: Kit) -> None:
    """`file_batches.create_and_poll()` creates a batch and gives it, under its own id, when it is
    processed.
    """
    t.answers("POST", BATCHES, reply(batch("in_progress", in_progress=1)))
    t.answers(
        "GET", f"{BATCHES}/vsfb_1", reply(batch("in_progress", in_progress=1)), reply(batch(completed=1))
    )
    batches = stores_of(t.client()).file_batches
    with t.naps():
        final = await t.value(batches.create_and_poll("vs_1", file_ids=["file_1"]))
    equal((final.id, final.status), ("vsfb_1", "completed"))


@stores.case()
async def batch_upload_and_poll(t: Kit) -> None:
    """`file_batches.upload_and_poll()` uploads the files and makes one batch of them and of the ids given."""
    t.answers("POST", "/files", *(reply(uploaded(f"file_{n}")) for n in (1, 2, 3)))
    t.answers("POST", BATCHES, reply(batch("in_progress", in_progress=4)))
    t.answers("GET", f"{BATCHES}/vsfb_1", reply(batch(completed=4)))
    files = [(f"{name}.txt", b"text") for name in "abc"]
    batches = stores_of(t.client()).file_batches
    with t.naps():
        await t.value(batches.upload_and_poll("vs_1", files=files, file_ids=["file_0"], max_concurrency=2))
    (request,) = t.seen("POST", BATCHES)
    equal(sorted(request["json"]["file_ids"]), ["file_0", "file_1", "file_2", "file_3"])


@stores.case("failed_upload_loses_the_others")
async def batch_upload_with_a_failure(t: Kit) -> None:
    """A file that fails to upload does not lose the others: the error carries the ids of those uploaded."""
    t.answers("POST", "/files", reply(uploaded("file_1")), error(400, "too large"), reply(uploaded("file_3")))
    files = [(f"{name}.txt", b"text") for name in "abc"]
    batches = stores_of(t.client()).file_batches
    with raises(Exception) as caught:
        await t.value(batches.upload_and_poll("vs_1", files=files, max_concurrency=1))
    shown = f"{caught.error} {vars(caught.error)}"
    equal([id for id in ("file_1", "file_3") if id in shown], ["file_1", "file_3"])
