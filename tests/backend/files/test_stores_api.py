"""Vector stores as a client has them: what each request answers, counts and refuses, whoever indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend._engine import vector_stores
from streaming_assistants.backend._http.routes import App
from tests.backend.conftest import Api

from .test_files_api import refusal, uploaded

MakeApi = Callable[..., Api]

AUTO = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
NO_FILES = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


@pytest.fixture(autouse=True)
def nobody_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files stay ``in_progress`` until a test has them indexed."""
    monkeypatch.setattr(App, "_indexing", lambda *_: ())


def indexed(api: Api, store_id: str, file_id: str, status: str = "completed", **changes: Any) -> None:
    with api.backend._app.store.write() as tx:
        vector_stores.set_file(tx, store_id, file_id, {"status": status, **changes})


def counts(**some: int) -> dict[str, int]:
    return {**NO_FILES, **some, "total": sum(some.values())}


async def several(api: Api, many: int, name: str = "a.txt") -> list[str]:
    return [(await uploaded(api, name))["id"] for _ in range(many)]


async def store_of(api: Api, *ids: str, **more: Any) -> str:
    return (await api.post("/vector_stores", {"file_ids": list(ids), **more}))["id"]


@pytest.mark.every_store
async def test_a_store_from_its_creation_to_its_deletion(api: Api) -> None:
    made = await api.post("/vector_stores", {"name": "Terms", "metadata": {"a": "1"}, "description": "d"})
    assert made == {
        "id": made["id"],
        "object": "vector_store",
        "created_at": made["created_at"],
        "name": "Terms",
        "description": "d",
        "usage_bytes": 0,
        "file_counts": NO_FILES,
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": made["created_at"],
        "metadata": {"a": "1"},
    }
    path = f"/vector_stores/{made['id']}"
    assert made["id"].startswith("vs_")
    assert await api.get(path) == made
    changed = await api.post(
        path, {"name": "Rules", "expires_after": {"anchor": "last_active_at", "days": 2}}
    )
    assert (changed["name"], changed["metadata"], changed["description"]) == ("Rules", {"a": "1"}, "d")
    assert changed["expires_at"] == changed["last_active_at"] + 2 * 86_400
    changed = await api.post(path, {"expires_after": None, "metadata": None})
    assert (changed["expires_after"], changed["expires_at"], changed["metadata"]) == (None, None, {})
    (file_id,) = await several(api, 1)
    await api.post(f"{path}/files", {"file_id": file_id})
    assert await api.delete(path) == {"id": made["id"], "object": "vector_store.deleted", "deleted": True}
    error = await api.refused(path, method="get")
    assert (error["status"], error["message"]) == (404, f"No vector store found with id '{made['id']}'.")
    assert (await api.get(f"/files/{file_id}"))["id"] == file_id  # which is its own


async def test_stores_are_listed_page_by_page(api: Api) -> None:
    ids = [(await api.post("/vector_stores", {}))["id"] for _ in range(3)]
    first = await api.get("/vector_stores", limit=2)
    assert ([store["id"] for store in first["data"]], first["has_more"]) == ([ids[2], ids[1]], True)
    rest = await api.get("/vector_stores", after=first["last_id"])
    assert ([store["id"] for store in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    before = await api.get("/vector_stores", before=ids[0], order="desc")
    assert [store["id"] for store in before["data"]] == [ids[2], ids[1]]
    assert (await refusal(api.get("/vector_stores", limit=101)))["code"] == "integer_above_max_value"


@pytest.mark.every_store
async def test_the_files_of_a_store_are_counted_as_they_get_on(api: Api) -> None:
    ids = await several(api, 3)
    store_id = await store_of(api, *ids)
    path = f"/vector_stores/{store_id}"
    store = await api.get(path)
    assert (store["status"], store["file_counts"]) == ("in_progress", counts(in_progress=3))
    made = await api.get(f"{path}/files/{ids[0]}")
    assert made == {
        "id": ids[0],
        "object": "vector_store.file",
        "created_at": made["created_at"],
        "vector_store_id": store_id,
        "status": "in_progress",
        "last_error": None,
        "usage_bytes": 0,
        "chunking_strategy": AUTO,
        "attributes": {},
    }
    indexed(api, store_id, ids[0], usage_bytes=70)
    indexed(api, store_id, ids[1], "failed", last_error={"code": "invalid_file", "message": "No text."})
    store = await api.get(path)
    assert store["file_counts"] == counts(in_progress=1, completed=1, failed=1)
    assert (store["status"], store["usage_bytes"]) == ("in_progress", 70)
    indexed(api, store_id, ids[2], usage_bytes=30)
    store = await api.get(path)
    assert (store["status"], store["usage_bytes"]) == ("completed", 100)
    assert (await api.get(f"{path}/files/{ids[1]}"))["last_error"]["code"] == "invalid_file"
    # Taken out of the store, a file is counted no more, and is still there.
    gone = await api.delete(f"{path}/files/{ids[0]}")
    assert gone == {"id": ids[0], "object": "vector_store.file.deleted", "deleted": True}
    store = await api.get(path)
    assert (store["file_counts"], store["usage_bytes"]) == (counts(completed=1, failed=1), 30)
    assert (await api.get(f"/files/{ids[0]}"))["id"] == ids[0]
    error = await api.refused(f"{path}/files/{ids[0]}", method="get")
    assert error["message"] == f"No file found with id '{ids[0]}' in vector store '{store_id}'."


async def test_files_are_listed_by_their_status_and_page_by_page(api: Api) -> None:
    ids = await several(api, 4)
    store_id = await store_of(api, *ids)
    path = f"/vector_stores/{store_id}/files"
    for id in ids[:3]:
        indexed(api, store_id, id)
    listed = await api.get(path, order="asc")
    assert [file["id"] for file in listed["data"]] == ids
    page = await api.get(path, order="asc", filter="completed", limit=2)
    assert ([file["id"] for file in page["data"]], page["has_more"]) == (ids[:2], True)
    page = await api.get(path, order="asc", filter="completed", after=page["last_id"])
    assert ([file["id"] for file in page["data"]], page["has_more"]) == (ids[2:3], False)
    page = await api.get(path, order="asc", filter="in_progress", after=ids[1])  # which is none of them
    assert [file["id"] for file in page["data"]] == ids[3:]
    page = await api.get(path, before=ids[1])
    assert [file["id"] for file in page["data"]] == ids[:1:-1]
    await api.delete(f"{path}/{ids[1]}")
    page = await api.get(path, order="asc", after=ids[1])
    assert [file["id"] for file in page["data"]] == ids[2:]
    error = await refusal(api.get(path, filter="done"))
    assert (error["param"], error["code"]) == ("filter", "invalid_value")


async def test_attributes_are_replaced(api: Api) -> None:
    (file_id,) = await several(api, 1)
    store_id = await store_of(api)
    path = f"/vector_stores/{store_id}/files"
    given = {"year": 2020, "draft": True, "by": "Ada"}
    static = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 100}}
    body = {"file_id": file_id, "attributes": given, "chunking_strategy": static}
    made = await api.post(path, body)
    assert (made["attributes"], made["chunking_strategy"]) == (given, static)
    changed = await api.post(f"{path}/{file_id}", {"attributes": {"year": 2021}})
    assert changed["attributes"] == {"year": 2021}
    # The same once more, indexed already, is not indexed again; cut another way, it is.
    indexed(api, store_id, file_id)
    assert (await api.post(path, {**body, "attributes": {"n": 1}}))["status"] == "completed"
    again = await api.post(path, {"file_id": file_id})
    assert (again["status"], again["chunking_strategy"]) == ("in_progress", AUTO)
    assert (await api.get(f"/vector_stores/{store_id}"))["file_counts"] == counts(in_progress=1)
    for wrong in ({"a": []}, {"a": "x" * 513}, {str(n): 1 for n in range(17)}, "x"):
        error = await api.refused(f"{path}/{file_id}", {"attributes": wrong})
        assert error["param"].startswith("attributes")
    error = await api.refused(f"{path}/{file_id}", {})
    assert error["message"] == "Missing required parameter: 'attributes'."


@pytest.mark.every_store
async def test_a_batch_from_its_creation_to_its_end(api: Api) -> None:
    ids = await several(api, 3)
    store_id = await store_of(api)
    path = f"/vector_stores/{store_id}/file_batches"
    made = await api.post(path, {"file_ids": ids, "attributes": {"a": 1}})
    assert made == {
        "id": made["id"],
        "object": "vector_store.files_batch",
        "created_at": made["created_at"],
        "vector_store_id": store_id,
        "status": "in_progress",
        "file_counts": counts(in_progress=3),
    }
    path = f"{path}/{made['id']}"
    indexed(api, store_id, ids[0])
    assert (await api.get(path))["file_counts"] == counts(in_progress=2, completed=1)
    listed = await api.get(f"{path}/files", order="asc")
    assert [(file["id"], file["attributes"]) for file in listed["data"]] == [(id, {"a": 1}) for id in ids]
    listed = await api.get(f"{path}/files", filter="completed")
    assert [file["id"] for file in listed["data"]] == ids[:1]
    cancelled = await api.post(f"{path}/cancel")
    assert (cancelled["status"], cancelled["file_counts"]) == ("cancelled", counts(completed=1, cancelled=2))
    store = await api.get(f"/vector_stores/{store_id}")
    assert (store["status"], store["file_counts"]) == ("completed", counts(completed=1, cancelled=2))
    error = await api.refused(f"{path}/cancel")
    assert error["message"] == "Cannot cancel file batch with status 'cancelled'."
    indexed(api, store_id, ids[1], "failed")
    assert (await api.get(path))["status"] == "cancelled"


async def test_a_batch_of_files_each_in_its_own_way(api: Api) -> None:
    ids = await several(api, 2)
    store_id = await store_of(api)
    path = f"/vector_stores/{store_id}/file_batches"
    static = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    files = [{"file_id": ids[0], "attributes": {"n": 1}}, {"file_id": ids[1], "chunking_strategy": static}]
    batch = await api.post(path, {"files": files})
    first, last = (await api.get(f"{path}/{batch['id']}/files", order="asc"))["data"]
    assert (first["attributes"], first["chunking_strategy"]) == ({"n": 1}, AUTO)
    assert (last["attributes"], last["chunking_strategy"]) == ({}, static)
    for id in ids:
        indexed(api, store_id, id, "failed", last_error={"code": "invalid_file", "message": "No."})
    assert (await api.get(f"{path}/{batch['id']}"))["status"] == "failed"
    for body in ({}, {"files": files, "file_ids": ids}, {"file_ids": [f"file-{n}" for n in range(2001)]}):
        assert (await api.refused(path, body))["status"] == 400
    # What is in the store already is in a new batch then.
    again = await api.post(path, {"file_ids": [ids[0]], "chunking_strategy": {"type": "auto"}})
    assert again["file_counts"] == counts(in_progress=1)
    assert (await api.get(f"/vector_stores/{store_id}"))["file_counts"] == counts(in_progress=1, failed=1)
    old, new = f"{path}/{batch['id']}", f"{path}/{again['id']}"
    assert (await api.get(old))["file_counts"] == counts(failed=1)
    await api.post(f"/vector_stores/{store_id}/files", {"file_id": ids[0], "attributes": {"n": 2}})
    assert [file["attributes"] for file in (await api.get(f"{new}/files"))["data"]] == [{"n": 2}]
    assert (await api.get(new))["file_counts"] == counts(in_progress=1)


@pytest.mark.every_store
async def test_a_file_that_is_deleted_leaves_every_store(api: Api) -> None:
    ids = await several(api, 2)
    first, second = await store_of(api, *ids), await store_of(api, *ids)
    batch = await api.post(f"/vector_stores/{first}/file_batches", {"file_ids": ids})
    indexed(api, second, ids[0], usage_bytes=9)
    await api.delete(f"/files/{ids[0]}")
    for store_id in (first, second):
        listed = await api.get(f"/vector_stores/{store_id}/files")
        assert [file["id"] for file in listed["data"]] == ids[1:]
        store = await api.get(f"/vector_stores/{store_id}")
        assert (store["file_counts"], store["usage_bytes"]) == (counts(in_progress=1), 0)
    left = await api.get(f"/vector_stores/{first}/file_batches/{batch['id']}")
    assert left["file_counts"] == counts(in_progress=1)


WRONG_STORES: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"name": 3}, "name", "invalid_type"),
    ({"colour": "red"}, "colour", "unknown_parameter"),
    ({"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor", "invalid_value"),
    (
        {"expires_after": {"anchor": "last_active_at", "days": 366}},
        "expires_after.days",
        "integer_above_max_value",
    ),
    ({"chunking_strategy": {"type": "semantic"}}, "chunking_strategy.type", "invalid_value"),
    ({"file_ids": ["file-none"]}, None, None),
    ({"metadata": {"a": "x" * 513}}, "metadata.a", "string_above_max_length"),
]


@pytest.mark.parametrize(("body", "param", "code"), WRONG_STORES)
async def test_what_no_store_can_be_made_of(
    api: Api, body: dict[str, Any], param: str | None, code: str | None
) -> None:
    error = await api.refused("/vector_stores", body)
    assert (error["param"], error["code"]) == (param, code)
    assert (await api.get("/vector_stores"))["data"] == []


@pytest.mark.parametrize(
    ("size", "overlap", "param"),
    [
        (99, 0, "max_chunk_size_tokens"),
        (4097, 0, "max_chunk_size_tokens"),
        (800, 401, "chunk_overlap_tokens"),
        (800, -1, "chunk_overlap_tokens"),
    ],
)
async def test_chunks_that_cannot_be_cut(api: Api, size: int, overlap: int, param: str) -> None:
    static = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}
    error = await api.refused("/vector_stores", {"chunking_strategy": {"type": "static", "static": static}})
    assert error["param"] == f"chunking_strategy.static.{param}"


async def test_a_file_that_cannot_be_searched_is_refused_at_once(api: Api) -> None:
    text, image = (await uploaded(api, "A.TXT"))["id"], (await uploaded(api, "p.PNG"))["id"]
    store_id = await store_of(api)
    words = (
        "Files with extensions [.png] are not supported for retrieval. See the file search documentation for "
        "the list."
    )
    path = f"/vector_stores/{store_id}"
    for where, body, param in (
        (f"{path}/files", {"file_id": image}, "file_id"),
        (f"{path}/file_batches", {"file_ids": [text, image]}, "file_ids"),
        ("/vector_stores", {"file_ids": [image]}, "file_ids"),
    ):
        error = await api.refused(where, body)
        assert (error["status"], error["message"]) == (400, words)
        assert (error["param"], error["code"]) == (param, "unsupported_file")
    assert (await api.get(path))["file_counts"] == NO_FILES
    error = await api.refused(f"{path}/files", {"file_id": "file-none"})
    assert (error["status"], error["message"]) == (404, "No file found with id 'file-none'.")
    error = await api.refused("/vector_stores/thread_1", method="get")
    assert error["message"] == "Invalid 'vector_store_id': 'thread_1'. Expected an ID that begins with 'vs'."


async def test_a_store_holds_so_many_files(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_stores, "MOST_FILES", 2)
    ids = await several(api, 3)
    store_id = await store_of(api, *ids[:2])
    error = await api.refused(f"/vector_stores/{store_id}/files", {"file_id": ids[2]})
    assert error["message"] == "A vector store holds at most 2 files."
    assert (await api.get(f"/vector_stores/{store_id}"))["file_counts"]["total"] == 2


async def test_a_store_expires_by_the_clock(make_api: MakeApi) -> None:
    now = [1_700_000_000.0]
    api = make_api("echo", clock=lambda: now[0])
    ids = await several(api, 2)
    days = {"expires_after": {"anchor": "last_active_at", "days": 1}}
    store_id = await store_of(api, ids[0], **days)
    path = f"/vector_stores/{store_id}"
    now[0] += 86_000
    await api.post(f"{path}/files", {"file_id": ids[1]})  # which is use
    now[0] += 86_000
    store = await api.get(path)
    assert (store["status"], store["last_active_at"]) == ("in_progress", 1_700_086_000)
    assert store["expires_at"] == 1_700_086_000 + 86_400
    now[0] += 400
    listed = await api.get("/vector_stores")
    assert [store["status"] for store in listed["data"]] == ["expired"]
    error = await api.refused(f"{path}/files", {"file_id": ids[0]})
    assert (error["message"], error["code"]) == (
        f"Vector store {store_id} is expired.",
        "vector_store_expired",
    )
    assert (await api.post(path, {"name": "still"}))["status"] == "expired"
    assert (await api.get(f"/files/{ids[0]}"))["id"] == ids[0]
    with api.backend._app.store.read() as tx:
        assert vector_stores.usable(tx, api.backend._keeper, [store_id, "vs_none"]) == []


def attaching(*ids: str, tool: str = "file_search", **more: Any) -> dict[str, Any]:
    tools = [{"type": tool}]
    return {"role": "user", "content": "See.", "attachments": [{"file_id": id, "tools": tools} for id in ids]}


WEEK = {"anchor": "last_active_at", "days": 7}


@pytest.mark.every_store
async def test_attachments_go_into_the_threads_own_store(api: Api) -> None:
    ids = await several(api, 3)
    thread = await api.post("/threads", {"messages": [attaching(ids[0])]})
    (store_id,) = thread["tool_resources"]["file_search"]["vector_store_ids"]
    store = await api.get(f"/vector_stores/{store_id}")
    assert (store["expires_after"], store["file_counts"]["total"]) == (WEEK, 1)
    path = f"/threads/{thread['id']}"
    await api.post(f"{path}/messages", attaching(*ids[:2]))
    image = (await uploaded(api, "p.png"))["id"]
    await api.post(f"{path}/messages", attaching(image, tool="code_interpreter"))
    listed = await api.get(f"/vector_stores/{store_id}/files", order="asc")
    assert [file["id"] for file in listed["data"]] == ids[:2]
    assert (await api.get(path))["tool_resources"] == thread["tool_resources"]
    # With a message that is refused, nothing is put anywhere.
    for wrong in (image, "file-none"):
        await api.refused(f"{path}/messages", attaching(ids[2], wrong))
    assert len((await api.get(f"{path}/messages"))["data"]) == 3
    assert (await api.get(f"/vector_stores/{store_id}"))["file_counts"]["total"] == 2
    # A store that is gone is no store to put anything into.
    await api.delete(f"/vector_stores/{store_id}")
    await api.post(f"{path}/messages", attaching(ids[2]))
    (other,) = (await api.get(path))["tool_resources"]["file_search"]["vector_store_ids"]
    assert other != store_id
    assert (await api.get(f"/vector_stores/{other}"))["file_counts"]["total"] == 1


async def test_stores_that_resources_describe_are_made(api: Api) -> None:
    ids = await several(api, 1)
    described = {"file_search": {"vector_stores": [{"file_ids": ids, "metadata": {"a": "1"}}]}}
    thread = await api.post("/threads", {"tool_resources": described})
    assistant = await api.post(
        "/assistants", {"model": "m", "tools": [{"type": "file_search"}], "tool_resources": described}
    )
    stores = [
        await api.get(f"/vector_stores/{id}")
        for made in (thread, assistant)
        for id in made["tool_resources"]["file_search"]["vector_store_ids"]
    ]
    assert [store["expires_after"] for store in stores] == [WEEK, None]
    assert {store["metadata"]["a"] for store in stores} == {"1"}
    assert [store["file_counts"]["total"] for store in stores] == [1, 1]
    bad = {"file_search": {"vector_stores": [{"file_ids": ["file-none"]}]}}
    assert (await api.refused("/threads", {"tool_resources": bad}))["status"] == 404
    assert len((await api.get("/vector_stores"))["data"]) == 2
    updated = await api.post(f"/threads/{thread['id']}", {"tool_resources": described})
    assert updated["tool_resources"]["file_search"]["vector_store_ids"] != [stores[0]["id"]]


async def test_v1s_files_of_a_message_are_searched_where_they_can_be(api: Api) -> None:
    text, image = (await several(api, 1))[0], (await uploaded(api, "p.png"))["id"]
    thread_id = await api.thread()
    await api.post(
        f"/threads/{thread_id}/messages", {"role": "user", "content": "See.", "file_ids": [text, image]}
    )
    resources = (await api.get(f"/threads/{thread_id}"))["tool_resources"]
    (store_id,) = resources["file_search"]["vector_store_ids"]
    listed = await api.get(f"/vector_stores/{store_id}/files")
    assert [file["id"] for file in listed["data"]] == [text]


async def test_what_a_request_names_has_to_be_there(make_api: MakeApi) -> None:
    api = make_api("echo")
    store = {"file_search": {"vector_store_ids": ["vs_none"]}}
    code = {"code_interpreter": {"file_ids": ["file-none"]}}
    attached = attaching("file-none", tool="code_interpreter")
    thread_id, assistant_id = await api.thread("one"), await api.assistant()
    paths = ("/threads", "/assistants", f"/threads/{thread_id}", f"/assistants/{assistant_id}")
    named = [(path, "vs_none", {"model": "m", "tool_resources": store}) for path in paths]
    named += [(path, "file-none", {"model": "m", "tool_resources": code}) for path in paths]
    run = {"assistant_id": assistant_id}
    named += [
        ("/threads", "file-none", {"messages": [attached]}),
        (f"/threads/{thread_id}/messages", "file-none", attached),
        (f"/threads/{thread_id}/runs", "file-none", {**run, "additional_messages": [attached]}),
        ("/threads/runs", "vs_none", {**run, "tool_resources": store}),
        (f"/assistants/{assistant_id}/files", "file-none", {"file_id": "file-none"}),
    ]
    for path, id, body in named:
        if path.startswith("/threads") and "model" in body:
            body = {key: value for key, value in body.items() if key != "model"}
        error = await api.refused(path, body)
        word = "vector store" if id == "vs_none" else "file"
        assert (error["status"], error["message"]) == (404, f"No {word} found with id '{id}'."), path
    lenient = make_api("echo", strict=False)
    assert (await lenient.post("/threads", {"tool_resources": store}))["tool_resources"] == store
