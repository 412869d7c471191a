"""Vector stores that assistants, threads and messages describe are made when these are, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.loopback import Loopback, Reply, Request

from . import fakes
from .conftest import JSON, Api

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

EXPIRY = {"anchor": "last_active_at", "days": 7}
SEARCH = {"type": "file_search"}
CHUNKS = {"type": "static", "static": {"max_chunk_size_tokens": 400, "chunk_overlap_tokens": 100}}
DESCRIBED = {"file_ids": ["file-a"], "chunking_strategy": CHUNKS, "metadata": {"of": "me"}}
HELPER = {"file_search": {"vector_stores": [DESCRIBED]}}
MADE = {"file_search": {"vector_store_ids": ["vs_new"]}}


@pytest.fixture
def server(server: Loopback) -> Loopback:
    server.on("DELETE", "/vector_stores/.*", Reply.json({"deleted": True}))
    server.on("GET", "/vector_stores/[^/]+", Reply.json(fakes.vector_store()))
    return fakes.serve_files(fakes.serve_responses(server, fakes.responses_text("found")))


@pytest.fixture(params=["sqlite://", "file"])
def api(make_api: MakeApi, server: Loopback, request: pytest.FixtureRequest, tmp_path: Any) -> Api:
    store = request.param if request.param != "file" else f"sqlite:///{tmp_path}/store.db"
    return make_api("responses", store, client={"base_url": server.url})


def asked(server: Loopback, *paths: str) -> list[tuple[str, str, Any]]:
    return [
        (request.method, request.path, request.json)
        for request in server.requests
        if request.path.startswith(paths or ("/vector_stores",))
    ]


def attaching(file_id: str, *, tool: str = "file_search") -> dict[str, Any]:
    attachments = [{"file_id": file_id, "tools": [{"type": tool}]}]
    return {"role": "user", "content": "Look.", "attachments": attachments}


async def settled(api: Api, thread_id: str, assistant_id: str) -> Any:
    return await api.settled(await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id}))


def searched(server: Loopback) -> Any:
    return [tool["vector_store_ids"] for tool in server.requests[-1].json["tools"]]


async def test_an_assistants_store_is_made_with_it_and_once(api: Api, server: Loopback) -> None:
    made = await api.post("/assistants", {"model": "m", "tools": [SEARCH], "tool_resources": HELPER})
    assert made["tool_resources"] == MADE
    assert asked(server) == [("POST", "/vector_stores", DESCRIBED)]
    assert (await api.get(f"/assistants/{made['id']}"))["tool_resources"] == MADE
    for _ in range(2):
        run = await settled(api, await api.thread("x"), made["id"])
        assert (run["status"], run["last_error"]) == ("completed", None)
        assert searched(server) == [["vs_new"]]
    assert len(asked(server)) == 1


async def test_an_updated_assistant_gets_its_store(api: Api, server: Loopback) -> None:
    id = await api.assistant(tools=[SEARCH])
    assert (await api.post(f"/assistants/{id}", {"tool_resources": HELPER}))["tool_resources"] == MADE
    assert asked(server) == [("POST", "/vector_stores", DESCRIBED)]


async def test_a_threads_store_is_made_with_it_and_expires(api: Api, server: Loopback) -> None:
    made = await api.post("/threads", {"tool_resources": HELPER})
    assert made["tool_resources"] == MADE
    assert asked(server) == [("POST", "/vector_stores", {**DESCRIBED, "expires_after": EXPIRY})]
    assistant_id = await api.assistant(tools=[SEARCH])
    await api.post(f"/threads/{made['id']}/messages", {"role": "user", "content": "x"})
    for _ in range(2):
        assert (await settled(api, made["id"], assistant_id))["status"] == "completed"
        assert searched(server) == [["vs_new"]]
    # The first run waits until it is filled, the second knows.
    assert asked(server)[1:] == [("GET", "/vector_stores/vs_new", None)]
    assert (await api.get(f"/threads/{made['id']}"))["tool_resources"] == MADE


async def test_a_run_waits_for_the_threads_store(api: Api, server: Loopback) -> None:
    states = [{"status": "in_progress"}, {"status": "in_progress"}, {"status": "completed"}]
    server.on("GET", "/vector_stores/vs_busy", *[Reply.json(fakes.vector_store() | each) for each in states])
    server.on("POST", "/vector_stores", Reply.json(fakes.vector_store("vs_busy")))
    thread = {"messages": [{"role": "user", "content": "x"}], "tool_resources": HELPER}
    body = {"assistant_id": await api.assistant(tools=[SEARCH]), "thread": thread}
    assert (await api.settled(await api.post("/threads/runs", body)))["status"] == "completed"
    assert [method for method, *_ in asked(server)] == ["POST", "GET", "GET", "GET"]
    assert server.requests[-1].path == "/responses"


async def test_an_attachment_goes_into_the_threads_store_with_its_message(api: Api, server: Loopback) -> None:
    thread_id = await api.thread("x")
    path = f"/threads/{thread_id}"
    message = await api.post(f"{path}/messages", attaching("file-a"))
    assert message["attachments"] == attaching("file-a")["attachments"]
    new = [
        ("POST", "/vector_stores", {"expires_after": EXPIRY}),
        ("POST", "/vector_stores/vs_new/files", {"file_id": "file-a"}),
    ]
    assert asked(server) == new
    assert (await api.get(path))["tool_resources"] == MADE
    await api.post(f"{path}/messages", attaching("file-a"))
    assert asked(server) == new
    await api.post(f"{path}/messages", attaching("file-b"))
    assert asked(server)[2:] == [("POST", "/vector_stores/vs_new/files", {"file_id": "file-b"})]

    assistant_id = await api.assistant(tools=[SEARCH])
    for _ in range(2):
        assert (await settled(api, thread_id, assistant_id))["status"] == "completed"
        assert searched(server) == [["vs_new"]]
    waited = [("GET", f"/vector_stores/vs_new/files/file-{name}", None) for name in "ab"]
    assert asked(server)[3:] == waited
    assert (await api.get(path))["tool_resources"] == MADE


async def test_attachments_of_a_new_thread_and_of_a_runs_messages(api: Api, server: Loopback) -> None:
    thread = await api.post("/threads", {"messages": [attaching("file-a")], "tool_resources": HELPER})
    assert thread["tool_resources"] == MADE
    assistant_id = await api.assistant(tools=[SEARCH])
    body = {"assistant_id": assistant_id, "additional_messages": [attaching("file-b")]}
    run = await api.post(f"/threads/{thread['id']}/runs", body)
    posts = [each for each in asked(server) if each[0] == "POST"]
    assert posts == [
        ("POST", "/vector_stores", {**DESCRIBED, "expires_after": EXPIRY}),
        ("POST", "/vector_stores/vs_new/files", {"file_id": "file-a"}),
        ("POST", "/vector_stores/vs_new/files", {"file_id": "file-b"}),
    ]
    assert (await api.settled(run))["status"] == "completed"
    assert len(await api.messages(thread["id"])) == 3
    (only,) = (await api.get(f"/threads/{thread['id']}/runs"))["data"]
    assert only["id"] == run["id"]


async def test_an_attachment_for_code_makes_no_store(api: Api, server: Loopback) -> None:
    await api.post(f"/threads/{await api.thread('x')}/messages", attaching("file-a", tool="code_interpreter"))
    assert asked(server) == []


PNG_REFUSED = {
    "message": "Files with extensions [.png] are not supported for retrieval. See the file search "
    "documentation for the list.",
    "type": "invalid_request_error",
    "param": "file_ids",
    "code": "unsupported_file",
}


async def test_a_file_type_that_cannot_be_searched(api: Api, server: Loopback) -> None:
    server.on("POST", "/vector_stores/vs_new/files", Reply.json({"error": PNG_REFUSED}, 400))
    thread_id = await api.thread("x")
    error = await api.refused(f"/threads/{thread_id}/messages", attaching("file-a"))
    assert error == {"status": 400, **PNG_REFUSED}
    assert len(await api.messages(thread_id)) == 1
    assert (await api.get(f"/threads/{thread_id}"))["tool_resources"] == {}
    assert asked(server)[-1][:2] == ("DELETE", "/vector_stores/vs_new")  # it had been made for this


async def test_a_file_that_is_unknown(api: Api, server: Loopback) -> None:
    message = "No file found with id 'file-a'."
    server.on("POST", "/vector_stores", fakes.http_error(404, message))
    error = await api.refused("/assistants", {"model": "m", "tools": [SEARCH], "tool_resources": HELPER})
    assert (error["status"], error["message"]) == (404, message)
    assert (await api.get("/assistants"))["data"] == []


async def test_a_server_that_cannot_be_asked_is_not_asked_again(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", "/vector_stores", fakes.http_error(500))
    api = make_api("responses", client={"base_url": server.url, "max_retries": 2})
    error = await api.refused("/threads", {"tool_resources": HELPER})
    assert (error["status"], error["type"]) == (500, "server_error")
    assert len(asked(server)) == 1


async def test_nothing_is_made_for_a_request_that_is_refused(api: Api, server: Loopback) -> None:
    both = {"tools": [SEARCH], "tool_resources": HELPER}
    await api.refused("/assistants", {"model": "m", **both, "temperature": 3})
    await api.refused("/assistants", {"model": "o1-mini", **both})
    await api.refused("/threads", {"tool_resources": {"file_search": {"vector_stores": [DESCRIBED] * 2}}})
    await api.refused("/threads/runs", {"assistant_id": "asst_0", "thread": {"tool_resources": HELPER}})
    await api.refused("/threads/thread_0/messages", attaching("file-a"))
    made = {"assistant_id": await api.assistant(), "thread": {"tool_resources": HELPER}}
    await api.refused("/threads/runs", {**made, "model": "whisper-1"})
    await api.refused("/threads/runs", made)  # neither instructions nor a message
    attached = {"messages": [attaching("file-a")]}
    await api.refused("/threads/runs", {**made, "thread": attached, "model": "whisper-1"})
    assert asked(server) == []


async def test_every_attachment_of_a_thread_made_with_its_run_goes_into_the_store(
    api: Api, server: Loopback
) -> None:
    body = {
        "assistant_id": await api.assistant(tools=[SEARCH]),
        "thread": {"messages": [attaching("file-a")], "tool_resources": HELPER},
        "additional_messages": [attaching("file-b")],
    }
    run = await api.post("/threads/runs", body)
    added = [each for _, path, each in asked(server) if path == "/vector_stores/vs_new/files"]
    assert added == [{"file_id": "file-a"}, {"file_id": "file-b"}]
    assert (await api.settled(run))["status"] == "completed"


async def test_a_helpers_store_goes_when_a_file_of_its_request_is_refused(api: Api, server: Loopback) -> None:
    server.on("POST", "/vector_stores/vs_new/files", Reply.json({"error": PNG_REFUSED}, 400))
    body = {"messages": [attaching("file-b")], "tool_resources": HELPER}
    assert (await api.refused("/threads", body))["message"] == PNG_REFUSED["message"]
    assert asked(server)[-1][:2] == ("DELETE", "/vector_stores/vs_new")


async def test_nothing_is_added_to_a_busy_thread(make_api: MakeApi, server: Loopback) -> None:
    go_on = threading.Event()
    server.on("POST", "/busy/responses", Reply.sse([go_on, *fakes.sse(fakes.responses_text("done"))]))
    api = make_api("responses", client={"base_url": server.url + "/busy"})
    run = await api.run("x", {"tools": []})
    path = f"/threads/{run['thread_id']}"
    await api.refused(f"{path}/messages", attaching("file-a"))
    body = {"assistant_id": run["assistant_id"], "additional_messages": [attaching("file-a")]}
    await api.refused(f"{path}/runs", body)
    go_on.set()
    await api.settled(run)
    assert asked(server, "/busy/vector_stores") == []


async def test_a_store_that_another_request_gave_meanwhile_is_used(
    make_api: MakeApi, server: Loopback
) -> None:
    api = make_api("responses", client={"base_url": server.url})
    thread_id = await api.thread("x")

    def meanwhile(_: Request) -> Reply:
        resources = {"file_search": {"vector_store_ids": ["vs_theirs"]}}
        body = {"tool_resources": resources}
        client = openai.OpenAI(base_url=server.url, api_key="k")
        detach = api.backend.attach(client)
        client.post(f"/threads/{thread_id}", cast_to=JSON, body=body)
        detach()
        return Reply.json(fakes.vector_store())

    server.on("POST", "/vector_stores", meanwhile)
    server.on("POST", "/vector_stores/vs_theirs/files", Reply.json(fakes.vector_store_file()))
    await api.post(f"/threads/{thread_id}/messages", attaching("file-a"))
    assert asked(server)[-1][:2] == ("POST", "/vector_stores/vs_theirs/files")
    resources = (await api.get(f"/threads/{thread_id}"))["tool_resources"]
    assert resources == {"file_search": {"vector_store_ids": ["vs_theirs"]}}


async def test_chat_has_no_stores_and_makes_none(make_api: MakeApi, server: Loopback) -> None:
    api = make_api("chat", files="upstream", client={"base_url": server.url})
    made = await api.post("/assistants", {"model": "m", "tools": [SEARCH], "tool_resources": HELPER})
    assert made["tool_resources"] == {"file_search": {"vector_store_ids": []}}
    await api.post("/threads", {"messages": [attaching("file-a")]})
    assert server.requests == []
