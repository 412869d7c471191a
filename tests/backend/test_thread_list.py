"""``GET /threads``: the list that the hosted API had not, and the backend's own."""

from __future__ import annotations

import pytest

from .conftest import Api

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk, pytest.mark.every_store]


async def made(api: Api, count: int = 5) -> list[str]:
    return [(await api.post("/threads", {"metadata": {"user": str(n % 2)}}))["id"] for n in range(count)]


async def test_newest_first_by_the_usual_parameters(api: Api) -> None:
    ids = await made(api)
    page = await api.get("/threads", limit=2)
    assert [each["id"] for each in page["data"]] == [ids[4], ids[3]]
    assert (page["object"], page["has_more"], page["last_id"]) == ("list", True, ids[3])
    assert [each["id"] for each in (await api.get("/threads", order="asc", after=ids[1]))["data"]] == ids[2:]
    assert [each["id"] for each in (await api.get("/threads", before=ids[3]))["data"]] == ids[:3:-1]
    assert (await api.refused("/threads?limit=101", method="get"))["status"] == 400


async def test_by_metadata_and_after_what_was_deleted(api: Api) -> None:
    ids = await made(api)
    query = {"metadata[user]": "0", "limit": 2}
    page = await api.get("/threads", **query)
    assert [each["id"] for each in page["data"]] == [ids[4], ids[2]]
    for each in page["data"]:
        await api.delete(f"/threads/{each['id']}")
    page = await api.get("/threads", **query, after=page["last_id"])
    assert [each["id"] for each in page["data"]] == [ids[0]]
    refused = await api.refused("/threads?after=thread_none", method="get")
    assert (refused["status"], refused["message"]) == (404, "No thread found with id 'thread_none'.")


async def test_the_backend_lists_what_it_holds(api: Api) -> None:
    ids = await made(api)
    assistant = await api.assistant(metadata={"of": "tests"})
    run = await api.post(f"/threads/{ids[0]}/runs", {"assistant_id": assistant, "instructions": "Hi."})
    await api.settled(run)
    backend = api.backend
    assert [each["id"] for each in backend.threads()] == ids[::-1]
    assert [each["id"] for each in backend.threads(metadata={"user": "1"}, order="asc")] == [ids[1], ids[3]]
    assert [each["id"] for each in backend.assistants(metadata={"of": "tests"})] == [assistant]
    assert [each["id"] for each in backend.runs(thread_id=ids[0])] == [run["id"]]
    assert list(backend.runs(active=True)) == []
    with pytest.raises(ValueError, match="order="):
        list(backend.threads(order="newest"))
