"""``import --from URL``: a live server of the API is read, whatever it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.cli import api_requests

from .loopback import Loopback, Reply, Request
from .test_moving_commands import T, run

pytestmark = pytest.mark.any_sdk


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-tests")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def listed(*objects: Any, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(objects), **more}


ASSISTANT = {"id": "asst_1", "object": "assistant", "created_at": T, "model": "gpt-4o", "tools": []}
THREAD = {"id": "thread_1", "object": "thread", "created_at": T, "metadata": {}}


def message(number: int, **fields: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": str(number), "annotations": []}}]
    return {"id": f"msg_{number}", "object": "thread.message", "created_at": T + number, "role": "user",
            "thread_id": "thread_1", "content": content, **fields}  # fmt: skip


def a_run(number: int, thread: str = "thread_1") -> dict[str, Any]:
    return {"id": f"run_{number}", "object": "thread.run", "created_at": T + number, "thread_id": thread,
            "assistant_id": "asst_1", "status": "completed", "model": "gpt-4o", "tools": []}  # fmt: skip


def pages(*objects: Any, size: int = 2) -> Callable[[Request], Reply]:
    """A list that obeys ``after``."""

    def answer(request: Request) -> Reply:
        ids = [each["id"] for each in objects]
        start = ids.index(request.query["after"][0]) + 1 if "after" in request.query else 0
        some = objects[start : start + size]
        return Reply.json(listed(*some, has_more=start + size < len(objects)))

    return answer


def azure(server: Loopback) -> list[str]:
    """Azure AI Foundry's classic agents: kinds of their own, and a version in each query."""
    call = {"id": "call_1", "type": "bing_grounding", "bing_grounding": {"requesturl": "u"}}
    step = {"id": "step_1", "object": "thread.run.step", "created_at": T + 2, "run_id": "run_1",
            "status": "completed", "thread_id": "thread_1", "assistant_id": "asst_1", "type": "tool_calls",
            "step_details": {"type": "tool_calls", "tool_calls": [call]}}  # fmt: skip
    mark = {"type": "url_citation", "text": "1", "url_citation": {"url": "https://a", "title": "A"}}
    said = message(3, role="assistant")
    said["content"][0]["text"]["annotations"] = [mark]
    server.on("GET", "/assistants", pages({**ASSISTANT, "tools": [{"type": "bing_grounding"}]}))
    server.on("GET", "/threads/thread_1", Reply.json(THREAD))
    server.on("GET", "/threads/thread_1/messages", pages(message(1), message(2), said))
    server.on("GET", "/threads/thread_1/runs", pages(a_run(1)))
    server.on("GET", "/threads/thread_1/runs/run_1/steps", pages(step))
    return ["--api-version", "2025-05-01"]


def astra(server: Loopback) -> list[str]:
    """Astra: no steps, no vector stores, and the runs of all threads in one list."""
    server.on("GET", "/assistants", Reply.json(listed(ASSISTANT, has_more=False)))
    server.on("GET", "/vector_stores", Reply.json({"detail": "Not Found"}, 404))
    server.on("GET", "/threads/thread_1", Reply.json(THREAD))
    server.on("GET", "/threads/thread_1/messages", Reply.json(listed(message(1), message(2), message(3))))
    server.on("GET", "/threads/thread_1/runs", Reply.json(listed(a_run(2, "thread_2"), a_run(1), a_run(3))))
    server.on("GET", "/threads/thread_1/runs/.*/steps", Reply.json({"detail": "Not implemented"}, 501))
    return []


def open_assistant_api(server: Loopback) -> list[str]:
    """open-assistant-api: times with fractions, newest first whatever was asked, and the same page again."""
    newest_first = [message(n, created_at=T + n + 0.5) for n in (3, 2, 1)]
    file = {
        "id": "file_1",
        "object": "file",
        "created_at": T + 0.25,
        "bytes": 2,
        "filename": "a.txt",
        "purpose": "a",
    }
    server.on("GET", "/assistants", Reply.json(listed(ASSISTANT, has_more=True)))
    server.on("GET", "/files", Reply.json(listed(file)))
    server.on("GET", "/files/file_1/content", Reply(200, {}, [b"hi"]))
    server.on("GET", "/threads/thread_1", Reply.json(THREAD))
    server.on("GET", "/threads/thread_1/messages", Reply.json(listed(*newest_first, has_more=True)))
    server.on("GET", "/threads/thread_1/runs", Reply.json(listed(a_run(1))))
    server.on("GET", "/threads/thread_1/runs/run_1/steps", Reply.json(listed()))
    return []


@pytest.mark.parametrize("kind", [azure, astra, open_assistant_api], ids=lambda kind: kind.__name__)
def test_a_server_is_read_by_its_assistants_and_by_ids_of_threads(
    kind: Callable[[Loopback], list[str]],
    server: Loopback,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = kind(server)
    (tmp_path / "ids").write_text("thread_1\nthread_9\n")
    store = tmp_path / "s.db"
    command = ("import", "--from", server.url, "--threads", tmp_path / "ids", "--store", store, *more)
    code, out, err = run(*command, capsys=capsys)
    assert (code, out) == (1, "")  # there is no thread_9
    assert "thread_9 is not read" in err
    with LocalBackend("echo", store) as backend:
        held = {each["id"]: each for each in backend.export_objects()}
    assert [id for id in held if id.startswith("msg_")] == ["msg_1", "msg_2", "msg_3"]
    assert held["asst_1"]["model"] == "gpt-4o"
    assert held["run_1"]["thread_id"] == "thread_1"
    assert "run_2" not in held
    if kind is azure:
        assert held["msg_3"]["content"][0]["text"]["annotations"][0]["url_citation"]["title"] == "A"
        assert held["step_1"]["step_details"]["tool_calls"][0]["type"] == "bing_grounding"
        assert {request.query["api-version"][0] for request in server.requests} == {"2025-05-01"}
        assert {request.headers["api-key"] for request in server.requests} == {"sk-of-tests"}
    if kind is astra:
        assert err.count("steps is not read") == 1
    if kind is open_assistant_api:
        assert held["file_1"]["content"] == "aGk="
        assert held["msg_1"]["created_at"] == T + 1


def test_a_server_of_ours_lists_its_threads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvicorn")
    import openai

    from streaming_assistants.backend._serve.thread import served

    first = LocalBackend("echo", tmp_path / "first.db")
    first.import_objects(
        [ASSISTANT, THREAD, message(1), message(2), a_run(1),
         {"id": "file-1", "object": "file", "created_at": T, "filename": "a.txt", "content": b"the rent"},
         {"id": "vs_1", "object": "vector_store", "created_at": T, "status": "completed"},
         {"id": "file-1", "object": "vector_store.file", "created_at": T, "vector_store_id": "vs_1"}]
    )  # fmt: skip
    client = openai.AsyncOpenAI(api_key="unused", base_url="http://unused.invalid")
    with served(first, client) as url:
        code, _, err = run("import", "--from", url, "--store", tmp_path / "second.db", capsys=capsys)
    assert (code, err.count("stored")) == (0, 7)
    with LocalBackend("echo", tmp_path / "second.db") as backend:
        assert [each["id"] for each in backend.threads()] == ["thread_1"]
        held = {each["object"]: each for each in backend.export_objects()}
    assert (held["file"]["content"], held["vector_store"]["file_counts"]["total"]) == ("dGhlIHJlbnQ=", 1)


def test_a_server_that_asks_for_patience_gets_it(server: Loopback) -> None:
    slept: list[float] = []
    ask = api_requests.ApiRequests(api_requests.client_for(server.url, None), sleep=slept.append)
    busy = Reply.json({"error": {"message": "Too many."}}, 429, retry_after="90")
    server.on("GET", "/assistants", busy, Reply(502), Reply.json(listed()))
    assert ask.get("/assistants", {}) == listed()
    assert slept == [90.0, 2.0]
    server.on("POST", "/conversations", busy, Reply.json({"id": "conv_1"}))
    assert ask.post("/conversations", {})["id"] == "conv_1"
    server.on("POST", "/conversations", Reply(502))
    with pytest.raises(api_requests.Refused) as caught:
        ask.post("/conversations", {})
    assert caught.value.status == 502


def test_what_is_no_server_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Loopback
) -> None:
    server.on("GET", ".*", Reply.json({"error": {"message": "Incorrect API key."}}, 401))
    code, _, err = run("import", "--from", server.url, "--store", tmp_path / "s.db", capsys=capsys)
    assert code == 1
    assert "Incorrect API key." in err.splitlines()[-1]
