"""Files of vector stores become searchable, whoever does it, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine import embedding
from streaming_assistants.backend._engine.port import Sleep, UpstreamError
from streaming_assistants.backend._files.cutting import Chunk
from streaming_assistants.backend._files.spooled import Spooled
from tests.backend.conftest import Api, attached
from tests.backend.processes import Elsewhere, Process
from tests.clients import Colour
from tests.loopback import Loopback, Reply, Request

from .test_files_api import uploaded

pytestmark = pytest.mark.any_sdk

MakeApi = Callable[..., Api]


async def a_store(api: Api, *files: tuple[str, bytes], **body: Any) -> str:
    ids = [(await uploaded(api, name, content))["id"] for name, content in files]
    return (await api.post("/vector_stores", {"file_ids": ids, **body}))["id"]


async def indexed(api: Api, store_id: str) -> Any:
    with anyio.fail_after(20):
        while True:
            store = await api.get(f"/vector_stores/{store_id}")
            if store["status"] != "in_progress":
                return store
            await anyio.sleep(0.01)


async def search(api: Api, store_id: str, query: Any, **body: Any) -> Any:
    return await api.post(f"/vector_stores/{store_id}/search", {"query": query, **body})


async def names(api: Api, store_id: str, query: Any, **body: Any) -> list[str]:
    return [each["filename"] for each in (await search(api, store_id, query, **body))["data"]]


RENT = b"The rent of the flat is due on the first day of each month."
PETS = b"Cats and other pets live here with the landlord's consent."


@pytest.mark.every_store
async def test_files_are_indexed_and_found(api: Api) -> None:
    store_id = await a_store(api, ("rent.txt", RENT), ("pets.md", b"# Pets\n\n" + PETS))
    store = await indexed(api, store_id)
    assert store["file_counts"] == {
        "in_progress": 0, "completed": 2, "failed": 0, "cancelled": 0, "total": 2
    }  # fmt: skip
    assert store["usage_bytes"] > 0
    page = await search(api, store_id, "When is rent due?")
    assert {key: page[key] for key in page if key != "data"} == {
        "object": "vector_store.search_results.page",
        "search_query": ["When is rent due?"],
        "has_more": False,
        "next_page": None,
    }
    [hit] = page["data"]
    assert hit["filename"] == "rent.txt"
    assert hit["content"] == [{"type": "text", "text": RENT.decode()}]
    assert hit["attributes"] == {}
    assert 0 < hit["score"] <= 1
    file_id = hit["file_id"]
    page = await api.get(f"/vector_stores/{store_id}/files/{file_id}/content")
    assert page["object"] == "vector_store.file_content.page"
    assert page["data"] == hit["content"]
    assert set(await names(api, store_id, ["rent", "pets"])) == {"rent.txt", "pets.md"}
    assert await names(api, store_id, "rent", ranking_options={"score_threshold": 1.0}) == []
    file = {"file_id": file_id, "attributes": {"year": 2024}}
    await api.post(f"/vector_stores/{store_id}/files", file)
    newer = {"type": "gte", "key": "year", "value": 2024}
    assert await names(api, store_id, ["rent", "pets"], filters=newer) == ["rent.txt"]
    await api.delete(f"/vector_stores/{store_id}/files/{file_id}")
    assert await names(api, store_id, "rent") == []
    await api.delete(f"/vector_stores/{store_id}")
    assert (await api.refused(f"/vector_stores/{store_id}/search", {"query": "rent"}))["status"] == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "query"),
        ({"query": 1}, "query"),
        ({"query": []}, "query"),
        ({"query": "a", "max_num_results": 51}, "max_num_results"),
        ({"query": "a", "max_num_results": 0}, "max_num_results"),
        ({"query": "a", "filters": {"type": "like"}}, "filters.type"),
        ({"query": "a", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ({"query": "a", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ({"query": "a", "more": 1}, "more"),
    ],
)
async def test_what_is_no_search_is_refused(api: Api, body: Any, param: str) -> None:
    store_id = await a_store(api)
    error = await api.refused(f"/vector_stores/{store_id}/search", body)
    assert (error["status"], error["param"]) == (400, param)


async def test_files_that_cannot_be_read_fail_and_nothing_else_does(api: Api) -> None:
    hostile = {
        "binary.txt": b"\0\1\2" * 100,
        "broken.pdf": b"%PDF-1.7\nnothing",
        "broken.docx": b"PK\3\4nothing",
        "empty.pdf": b"",
    }
    store_id = await a_store(api, *hostile.items(), ("rent.txt", RENT), ("empty.txt", b""))
    store = await indexed(api, store_id)
    assert (store["file_counts"]["failed"], store["file_counts"]["completed"]) == (4, 2)
    files = (await api.get(f"/vector_stores/{store_id}/files", filter="failed"))["data"]
    assert {file["last_error"]["code"] for file in files} == {"invalid_file"}
    assert all(file["last_error"]["message"].startswith("The file could not be parsed") for file in files)
    assert await names(api, store_id, "rent") == ["rent.txt"]


def vector_of(text: str) -> list[float]:
    """What a model would make of it that knows two things."""
    return [1.0 + text.count("rent") + text.count("month"), 1.0 + text.count("pet") + text.count("Cat")]


def embeddings(request: Request) -> Reply:
    texts = request.json["input"]
    data = [{"index": at, "embedding": vector_of(text)} for at, text in enumerate(texts)]
    return Reply.json({"object": "list", "data": data[::-1], "model": request.json["model"]})


@pytest.fixture
def server() -> Any:
    with Loopback() as server:
        yield server


async def test_vectors_find_what_words_do_not(make_api: MakeApi, server: Loopback, tmp_path: Path) -> None:
    server.on("POST", "/v1/embeddings", embeddings)
    client = {"base_url": f"{server.url}/v1", "max_retries": 0}
    store = tmp_path / "assistants.db"
    api = make_api("chat", store, client=client, embedding_model="model-1")
    store_id = await a_store(api, ("rent.txt", RENT), ("pets.txt", PETS))
    await indexed(api, store_id)
    assert await names(api, store_id, "monthly rental") == ["rent.txt", "pets.txt"]
    page = await search(api, store_id, "pets")
    assert [each["filename"] for each in page["data"]] == ["pets.txt", "rent.txt"]
    assert page["data"][0]["score"] == 1.0
    plain = await search(api, store_id, "pets", ranking_options={"ranker": "none"})
    assert plain["data"][0]["score"] == pytest.approx(1.0, abs=0.1)

    other = make_api("chat", store, client=client, embedding_model="model-2")
    page = await search(other, store_id, "pets")  # by words, until its vectors are there
    assert [(each["filename"], each["score"]) for each in page["data"]] == [("pets.txt", 1.0)]
    with anyio.fail_after(10):
        while len(await names(other, store_id, "pets")) < 2:
            await anyio.sleep(0.02)
    assert {request.json["model"] for request in server.requests} == {"model-1", "model-2"}


async def test_a_search_goes_by_words_while_embeddings_do_not_answer(
    make_api: MakeApi, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "PAUSES", (0.01, 0.01))
    answers = [Reply(status=503), embeddings]
    server.on("POST", "/v1/embeddings", lambda request: take(answers)(request))
    client = {"base_url": f"{server.url}/v1", "max_retries": 0}
    api = make_api("chat", client=client, embedding_model="model-1")
    store_id = await a_store(api, ("rent.txt", RENT), ("pets.txt", PETS))
    await indexed(api, store_id)
    assert len(await names(api, store_id, "pets")) == 2
    answers[:] = [Reply(status=503)]
    assert await names(api, store_id, "pets") == ["pets.txt"]
    await api.post(f"/vector_stores/{store_id}/files", {"file_id": (await uploaded(api))["id"]})
    store = await indexed(api, store_id)
    assert store["file_counts"]["failed"] == 1
    [file] = (await api.get(f"/vector_stores/{store_id}/files", filter="failed"))["data"]
    assert file["last_error"]["code"] == "server_error"


def take(answers: list[Any]) -> Callable[[Request], Reply]:
    """The next answer; the last one stays."""
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    return answer if callable(answer) else lambda request: answer


def run_by_hand(plan: Any, answers: list[Any]) -> tuple[list[Any], Any]:
    """What a plan asks for, given these answers, and what it comes to."""
    asked = []
    outcome: Any = None
    while True:
        try:
            effect = plan.throw(outcome) if isinstance(outcome, Exception) else plan.send(outcome)
        except StopIteration as end:
            return asked, end.value
        except UpstreamError as error:
            return asked, error
        asked.append(effect)
        outcome = None if isinstance(effect, Sleep) else answers.pop(0)


def vectors(count: int) -> Any:
    return {"data": [{"embedding": [1.0, 0.0]} for _ in range(count)]}


def test_embeddings_are_asked_for_with_waits_that_end() -> None:
    away = UpstreamError("away", 503)
    plan = embedding.patiently("m", ["a"], embedding.Waits())
    asked, end = run_by_hand(plan, [away] * 20)
    assert [each.seconds for each in asked if isinstance(each, Sleep)] == list(embedding.PAUSES)
    assert end is away
    asked, end = run_by_hand(embedding.patiently("m", ["a"], embedding.Waits()), [away, {}, vectors(1)])
    assert len(end) == 1
    gone = UpstreamError("no such model", 404)
    assert run_by_hand(embedding.patiently("m", ["a"], embedding.Waits()), [gone])[1] is gone


def test_what_is_too_much_is_asked_for_in_parts() -> None:
    much = UpstreamError("too long", 400)
    texts = ["a" * 1000, "b"]
    plan = embedding.patiently("m", texts, embedding.Waits())
    asked, end = run_by_hand(plan, [much, much, vectors(1), vectors(1)])
    assert [[len(text) for text in call.body["input"]] for call in asked] == [[1000, 1], [1000], [500], [1]]
    assert len(end) == 2
    assert run_by_hand(embedding.patiently("m", ["a"], embedding.Waits()), [much])[1] is much


async def test_a_cancelled_batch_is_not_indexed_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    store_id, going, cancelled = await a_store(api), threading.Event(), threading.Event()
    read = Spooled.next

    def held_up(reading: Any, most: int) -> Any:
        going.set()
        assert cancelled.wait(10)
        return read(reading, most)

    monkeypatch.setattr(Spooled, "next", held_up)
    file_id = (await uploaded(api, "rent.txt", RENT))["id"]
    path = f"/vector_stores/{store_id}/file_batches"
    batch = await api.post(path, {"file_ids": [file_id]})
    assert batch["status"] == "in_progress"
    while not going.is_set():
        await anyio.sleep(0.01)
    assert (await api.post(f"{path}/{batch['id']}/cancel"))["status"] in ("cancelled", "cancelling")
    cancelled.set()
    file = await api.get(f"/vector_stores/{store_id}/files/{file_id}")
    assert file["status"] == "cancelled"
    assert await names(api, store_id, "rent") == []


async def test_what_a_killed_process_leaves_behind_another_takes_up(shared: Any, colour: Colour) -> None:
    process = Process(leave_behind, shared.url)
    store_id = process.hear()
    now = time.time()
    api = attached(LocalBackend("echo", shared.url, clock=lambda: now), colour)  # a frozen clock
    assert (await api.get(f"/vector_stores/{store_id}"))["status"] == "in_progress"
    process.kill()
    store = await indexed(api, store_id)
    assert store["file_counts"]["completed"] == 2
    assert sorted(await names(api, store_id, ["rent", "pets"])) == ["pets.txt", "rent.txt"]
    await api.aclose()


def leave_behind(here: Elsewhere) -> None:
    """Begins to index, stores passages and comes to no end."""
    stored = threading.Event()
    read = Spooled.next

    def held_up(reading: Spooled, most: int) -> Any:
        passages = read(reading, most)
        if not passages:
            stored.set()
            time.sleep(60)
        return passages

    Spooled.next = held_up  # type: ignore[method-assign]
    files = [("rent.txt", RENT), ("pets.txt", PETS)]
    ids = [here.client.files.create(file=file, purpose="assistants").id for file in files]
    store_id = here.post("/vector_stores", {"file_ids": ids})["id"]
    assert stored.wait(20)
    here.say(store_id)
    here.wait()


async def test_a_backend_that_is_closed_gives_its_files_back(
    shared: Any, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()

    def held_up(self: Spooled, most: int) -> Any:
        going.set()
        time.sleep(0.01)
        return [Chunk("without end", 0, 11, {})]

    with monkeypatch.context() as patched:
        patched.setattr(Spooled, "next", held_up)
        first = attached(LocalBackend("echo", shared.url), colour)
        store_id = await a_store(first, ("rent.txt", RENT))
        with anyio.fail_after(10):
            while not going.is_set():
                await anyio.sleep(0.01)
        await first.aclose()
    second = attached(LocalBackend("echo", shared.url), colour)
    assert (await second.get("/vector_stores"))["data"][0]["id"] == store_id  # no word of its files
    with anyio.fail_after(10):
        while not await names(second, store_id, "rent"):
            await anyio.sleep(0.02)
    await second.aclose()
