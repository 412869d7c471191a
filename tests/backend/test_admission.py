"""Who is served and how much: keys, projects, limits and the upstream's keys, over sockets."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from streaming_assistants import cli
from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._store.database import Database
from tests.loopback import Loopback

from . import fakes
from .conftest import JSON
from .databases import File, Postgres
from .served import Answer, ask, post, served

pytestmark = pytest.mark.any_sdk


class Service:
    """Two servers of one store."""

    def __init__(self, store: str, stack: ExitStack, capsys: pytest.CaptureFixture[str]) -> None:
        self._store = store
        self._capsys = capsys
        self.backends = [LocalBackend("echo", store) for _ in range(2)]
        self.urls = [
            stack.enter_context(served(backend, openai.AsyncOpenAI(api_key="unused")))
            for backend in self.backends
        ]

    def keys(self, *arguments: str, code: int = 0) -> Any:
        """What the command ``keys`` says."""
        assert cli.main(["keys", *arguments, "--store", self._store, "--json"]) == code
        said = self._capsys.readouterr().out
        return json.loads(said) if said else None

    def get(self, path: str, *headers: str, at: int = 0) -> Answer:
        return ask(self.urls[at], f"GET /v1{path} HTTP/1.1", *headers)

    def post(self, path: str, value: Any, *headers: str, at: int = 0) -> Answer:
        return post(self.urls[at], f"/v1{path}", value, *headers)

    def made(self, path: str, value: Any, *headers: str, at: int = 0) -> Any:
        answer = self.post(path, value, *headers, at=at)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


@pytest.fixture
def service(shared: File | Postgres, capsys: pytest.CaptureFixture[str]) -> Iterator[Service]:
    with ExitStack() as stack:
        yield Service(shared.url, stack, capsys)


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def test_a_key_opens_its_projects_on_every_server_until_it_is_revoked(service: Service) -> None:
    assert service.get("/assistants").status == 200
    made = service.keys("add", "--project", "blue", "--project", "red")
    blue = service.keys("add", "--project", "blue")["key"]
    key = made["key"]
    time.sleep(1.1)  # so long a server remembers that nobody needs one
    for at in (0, 1):
        none, wrong = service.get("/assistants", at=at), service.get("/assistants", bearer("sk-x"), at=at)
        assert (none.status, wrong.status, wrong.error["code"]) == (401, 401, "invalid_api_key")
        assert none.error["message"].startswith("You didn't provide an API key.")
        assert service.get("/assistants", f"api-key: {key}", at=at).status == 200
    mine = service.made("/assistants", {"model": "echo"}, bearer(key))["id"]
    theirs = service.made("/assistants", {"model": "echo"}, bearer(key), "OpenAI-Project: red")["id"]
    assert service.get(f"/assistants/{mine}", bearer(blue), at=1).status == 200
    assert service.get(f"/assistants/{theirs}", bearer(blue), at=1).status == 404
    assert service.get(f"/assistants/{theirs}", bearer(key), "OpenAI-Project: red", at=1).status == 200
    refused = service.get("/assistants", bearer(blue), "OpenAI-Project: red")
    assert (refused.status, refused.error["code"]) == (401, "mismatched_project")
    assert refused.error["message"] == "OpenAI-Project header should match project for API key"

    service.keys("revoke", made["id"])
    service.keys("revoke", made["id"], code=1)
    time.sleep(1.1)
    for at in (0, 1):
        assert service.get("/assistants", bearer(key), at=at).status == 401
        assert service.get("/assistants", bearer(blue), at=at).status == 200
    listed = json.dumps(service.keys("list"))
    assert made["id"] in listed
    assert key not in listed
    assert blue not in listed


def test_requests_are_counted_across_servers(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "clock", lambda self: 60 * 1_000_000 + 15.5)
    key = service.keys("add", "--project", "blue", "--requests-per-minute", "9")["key"]
    other = service.keys("add", "--project", "red")["key"]
    answers: list[Answer] = []

    def asks(at: int) -> None:
        answers.extend(service.get("/assistants", bearer(key), at=at) for _ in range(7))

    threads = [threading.Thread(target=asks, args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 9 + [429] * 5
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["retry-after"] == "45"
    assert (refused.error["type"], refused.error["code"]) == ("requests", "rate_limit_exceeded")
    assert "Limit 9, Used 9, Requested 1. Please try again in 44s." in refused.error["message"]
    assert service.get("/assistants", bearer(other)).status == 200


def test_runs_at_once_are_limited_across_servers(service: Service) -> None:
    service.keys("limit", "--project", "", "--runs", "2")
    assistant = service.made("/assistants", {"model": "echo"})["id"]
    thread = {"messages": [{"role": "user", "content": "echo:stall"}]}
    begun = {"assistant_id": assistant, "thread": thread}
    time.sleep(1.1)
    answers: list[Answer] = []

    def begins(at: int) -> None:
        answers.extend(service.post("/threads/runs", begun, at=at) for _ in range(3))

    threads = [threading.Thread(target=begins, args=(at,)) for at in (0, 1)]
    for starting in threads:
        starting.start()
    for starting in threads:
        starting.join()
    assert sorted(answer.status for answer in answers) == [200] * 2 + [429] * 4
    refused = next(answer for answer in answers if answer.status == 429)
    assert (refused.headers["retry-after"], refused.error["code"]) == ("1", "rate_limit_exceeded")
    assert "runs at once: Limit 2, Used 2" in refused.error["message"]
    run = next(json.loads(answer.body) for answer in answers if answer.status == 200)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    service.post(f"{path}/cancel", {})
    while json.loads(service.get(path).body)["status"] != "cancelled":
        time.sleep(0.02)
    assert service.post("/threads/runs", begun).status == 200
    service.keys("limit", "--project", "", "--runs", "none")
    time.sleep(1.1)
    assert service.post("/threads/runs", begun).status == 200


def test_storage_is_limited(service: Service) -> None:
    key = service.keys("add", "--project", "blue", "--storage", "1kB")["key"]
    with openai.OpenAI(api_key=key, base_url=service.urls[1]) as client:
        kept = client.files.create(file=("a.txt", b"x" * 900), purpose="assistants")
        with pytest.raises(openai.RateLimitError, match="on storage: Limit 1,000 bytes, Used 900") as full:
            client.files.create(file=("b.txt", b"x" * 101), purpose="assistants")
        assert full.value.code == "insufficient_quota"
        client.files.delete(kept.id)
        client.files.create(file=("b.txt", b"x" * 101), purpose="assistants")


def test_whoever_balances_load_needs_no_key(
    shared: File | Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = LocalBackend("echo", shared.url)
    with served(backend, openai.AsyncOpenAI(api_key="unused"), api_keys=["k"]) as url:
        asked = "Host: 10.0.0.7:8000"
        assert ask(url, "GET /health/live HTTP/1.1", asked).status == 200
        assert ask(url, "GET /health/ready HTTP/1.1", asked).status == 200
        with shared.away():
            shared_away = isinstance(shared, Postgres)
            answer = ask(url, "GET /health/ready HTTP/1.1", asked)
            assert (answer.status == 503) is shared_away or answer.status == 200
            assert b"://" not in answer.body
            assert ask(url, "GET /health/live HTTP/1.1", asked).status == 200
        shared.execute("UPDATE streaming_assistants SET version = 1000")
        answer = ask(url, "GET /health/ready HTTP/1.1", asked)
        assert (answer.status, b"version 1000" in answer.body) == (503, True)


def test_a_project_asks_the_upstream_with_its_own_key(tmp_path: Path, server: Loopback) -> None:
    fakes.says_hello(server)
    server.on("POST", ".*/embeddings", fakes.http_error(500))
    server.on("GET", ".*/files", fakes.Reply.json({"object": "list", "data": []}))
    keys = {"k-blue": "blue", "k-red": "red"}
    client = openai.AsyncOpenAI(api_key="sk-operator", base_url=server.url, max_retries=0)
    backend = LocalBackend("responses", tmp_path / "s.db")
    with served(backend, client, api_keys=keys, upstream_keys={"blue": "sk-upstream-blue"}) as url:
        for key, used in (("k-blue", "sk-upstream-blue"), ("k-red", "sk-operator")):
            assert run(url, key)["status"] == "completed"
            assert server.requests[-1].headers["authorization"] == f"Bearer {used}"
        # What the upstream's server keeps is all of theirs who ask it with one key.
        listed = [ask(url, "GET /v1/files HTTP/1.1", bearer(key)) for key in keys]
        assert [answer.status for answer in listed] == [200, 403]
        assert server.requests[-1].headers["authorization"] == "Bearer sk-upstream-blue"
        named: list[dict[str, Any]] = [
            {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}},
            {"tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}}},
            {"metadata": {"file_id": "file-1"}},
        ]
        statuses = [
            [post(url, "/v1/assistants", {"model": "m", **each}, bearer(key)).status for each in named]
            for key in keys
        ]
        assert statuses == [[200, 200, 200], [404, 404, 200]]


def test_a_callers_key_goes_to_the_upstream_and_nowhere_else(
    tmp_path: Path, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streaming_assistants")
    caller = "sk-caller-0123456789abcdef"
    fakes.serve_chat(server, fakes.chat_text("Hello"), fakes.http_error(401, f"No such key: {caller}"))
    client = openai.AsyncOpenAI(api_key="sk-operator", base_url=server.url, max_retries=0)
    store = tmp_path / "s.db"
    with served(LocalBackend("chat", store), client, callers_keys=True) as url:
        none = post(url, "/v1/assistants", {"model": "m"})
        assert (none.status, none.error["message"][:29]) == (401, "You didn't provide an API key")
        assert run(url, caller)["status"] == "completed"
        assert server.requests[-1].headers["authorization"] == f"Bearer {caller}"
        failed = run(url, caller)
        assert (failed["status"], caller in json.dumps(failed)) == ("failed", False)
        with Database(store) as database, database.read() as tx:
            marks = [row["hidden"]["upstream_key"] for row in tx.all("runs")]
        assert marks == ["caller", "caller"]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert caller.encode() not in kept
    assert caller not in caplog.text


def run(url: str, key: str) -> Any:
    """A run of a new thread, once it has ended."""
    with openai.OpenAI(api_key=key, base_url=url, max_retries=0) as client:
        made = client.post("/assistants", cast_to=JSON, body={"model": "gpt-4o"})
        thread = {"messages": [{"role": "user", "content": "x"}]}
        begun: Any = {"assistant_id": made["id"], "thread": thread}  # type: ignore[index]
        told: Any = client.post("/threads/runs", cast_to=JSON, body=begun)
        while told["status"] in ("queued", "in_progress"):
            time.sleep(0.01)
            path = f"/threads/{told['thread_id']}/runs/{told['id']}"
            told = client.get(path, cast_to=JSON)
        return told
