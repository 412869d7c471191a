"""The hook into a client: what it answers, what it lets pass, and how it is taken back."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend, resolve
from streaming_assistants.backend._http.paths import assistants_path
from streaming_assistants.backend.upstreams.echo import Echo
from tests.clients import Colour
from tests.colours import EitherColour, done
from tests.loopback import Loopback, Reply

from .conftest import JSON, Api, attached

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

FAR = Reply.json({"id": "from the server"})


async def test_other_requests_go_where_they_went(make_api: MakeApi) -> None:
    with Loopback() as server:
        server.on("GET", "/v1/files/file-1", FAR).on("POST", "/v1/vector_stores/threads", FAR)
        api = make_api("chat", files="upstream", client={"base_url": server.url + "/v1"})
        assert await api.get("/files/file-1") == {"id": "from the server"}
        assert await api.post("/vector_stores/threads", {}) == {"id": "from the server"}
        assert (await api.post("/threads"))["object"] == "thread"
    assert [request.path for request in server.requests] == ["/v1/files/file-1", "/v1/vector_stores/threads"]


@pytest.mark.parametrize("upstream", ["echo", Echo(delay=0.01)], ids=["by name", "made"])
async def test_echo_sends_nothing_anywhere(make_api: MakeApi, upstream: Any) -> None:
    with Loopback() as server:
        api = make_api(upstream, files="upstream", client={"base_url": server.url + "/v1"})
        copy = api.client.with_options(timeout=5)
        for client in (api.client, copy):
            with pytest.raises(openai.BadRequestError, match=r"echo.* sends nothing anywhere"):
                await done(client.files.create(file=b"secret", purpose="assistants"))
        assert (await api.refused("/files/file-1/content", method="get"))["code"] == "not_sent"
        for path in ("/vector_stores", "/chat/completions", "/uploads", server.url + "/elsewhere"):
            error = await api.refused(path, {})
            assert (error["status"], error["code"]) == (400, "not_sent")
        assert (await api.settled(await api.run("still here")))["status"] == "completed"
    assert server.requests == []


async def test_copies_are_answered_and_so_are_their_copies(api: Api) -> None:
    copy = api.client.with_options(timeout=5).copy(max_retries=1)
    made = await done(copy.post("/threads", cast_to=JSON))
    assert (await api.get(f"/threads/{made['id']}"))["id"] == made["id"]


async def test_raw_responses(api: Api) -> None:
    thread_id = await api.thread("hello")
    raw = await done(api.client.beta.threads.with_raw_response.retrieve(thread_id))
    assert raw.http_response.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.http_response.elapsed.total_seconds() == 0
    assert raw.parse().id == thread_id


async def test_detach_gives_back_what_was_there(colour: Colour) -> None:
    with Loopback() as server:
        server.on("POST", "/threads", FAR)
        client = colour.bare(server.url)
        before = vars(client)["_client"]
        with LocalBackend("echo") as backend:
            detach = backend.attach(client)
            copy = client.with_options(timeout=5)
            assert (await done(client.post("/threads", cast_to=JSON)))["object"] == "thread"
            detach()
            assert vars(client)["_client"] is before
            for each in (client, copy):
                assert await done(each.post("/threads", cast_to=JSON)) == {"id": "from the server"}


async def test_another_client_of_the_same_http_client_is_not_touched(colour: Colour) -> None:
    some_url = openai.OpenAI(api_key="k").base_url
    flavour = importlib.import_module(type(some_url).__module__.partition(".")[0])  # httpx or httpx2
    shared = flavour.AsyncClient() if colour.is_async else flavour.Client()
    with Loopback() as server, LocalBackend("echo") as backend:
        server.on("POST", "/threads", FAR)
        clients = [colour.bare(server.url, http_client=shared) for _ in range(2)]
        backend.attach(clients[0])
        assert (await done(clients[0].post("/threads", cast_to=JSON)))["object"] == "thread"
        assert await done(clients[1].post("/threads", cast_to=JSON)) == {"id": "from the server"}


async def test_two_clients_of_both_colours_share_a_backend(api: Api) -> None:
    other = attached(api.backend, EitherColour("async" if api.sync else "sync"))
    thread_id = await api.thread("echo:stall")
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": await api.assistant()})
    path = f"/threads/{thread_id}/runs/{run['id']}"
    assert (await other.get(path))["id"] == run["id"]
    await other.post(f"{path}/cancel")
    assert (await other.settled(run))["status"] == "cancelled"
    await done(other.client.close())


async def test_azure_clients_are_answered(colour: Colour) -> None:
    endpoint = {"azure_endpoint": "https://example.openai.azure.com", "azure_deployment": "gpt"}
    client = colour.sdk_client(azure=True, api_key="k", api_version="2024-05-01-preview", **endpoint)
    backend = LocalBackend("echo")
    backend.attach(client)
    api = Api(client, backend)
    run = await api.settled(await api.run("hello"))
    assert run["status"] == "completed"
    await api.aclose()


def test_only_openai_clients_can_be_attached_to() -> None:
    with LocalBackend("echo") as backend, pytest.raises(TypeError, match="not str"):
        backend.attach("client")


PATHS = [
    ("/v1/threads", "/v1", "/threads"),
    ("/v1/threads/thread_1/runs", "/v1", "/threads/thread_1/runs"),
    ("/assistants/asst_1", "", "/assistants/asst_1"),
    ("/openai/threads/thread_1", "/openai", "/threads/thread_1"),
    ("/openai/deployments/gpt-4/threads", "/openai", "/threads"),
    ("/openai/deployments/gpt-4/threads", "/openai/deployments/gpt-4", "/threads"),
    ("/openai/v1/assistants", "/openai/v1", "/assistants"),
    ("/proxy/a/b/threads/runs", "/proxy/a/b", "/threads/runs"),
    ("/v1/threadsafe", "/v1", None),
    ("/v1/files/threads", "/v1", None),
    ("/v1/vector_stores/vs_1/files", "/v1", None),
    ("/v1/chat/completions", "/v1", None),
]


@pytest.mark.parametrize(("path", "base_path", "found"), PATHS)
def test_which_paths_are_the_assistants_api(path: str, base_path: str, found: str | None) -> None:
    assert assistants_path(path, base_path) == found


def test_resolve_takes_a_name_or_a_backend() -> None:
    with LocalBackend("echo") as backend:
        assert resolve(backend) is backend
    with resolve("echo") as named:
        assert isinstance(named, LocalBackend)
    with pytest.raises(ValueError, match="There is no upstream 'nowhere'; there are responses, chat, echo"):
        resolve("nowhere")
    with pytest.raises(TypeError, match="not int"):
        resolve(3)  # type: ignore[arg-type]


def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in list(sys.modules):
        if name.startswith(
            ("streaming_assistants.backend._store", "streaming_assistants.backend._http.routes")
        ):
            monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'streaming_assistants\[backend\]'") as caught:
        LocalBackend("echo")
    told = "".join(traceback.format_exception(caught.value))
    assert told.count("Traceback") == 1, "one sentence, and no other exception before it"


def test_importing_the_backend_imports_no_extra() -> None:
    import subprocess
    import sys
    from pathlib import Path

    extras = "('sqlalchemy', 'starlette', 'uvicorn')"
    script = f"""
import sys
import streaming_assistants.backend
sys.exit(any(name in sys.modules for name in {extras}))
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == 0
