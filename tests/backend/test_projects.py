"""What one project has is not there for another: asked of every route of the table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.scoped import scoped
from streaming_assistants.backend._http.forms import FormReader
from streaming_assistants.backend._http.route_table import Route, routes
from streaming_assistants.backend._http.routes import ApiRequest
from streaming_assistants.backend._jobs.answering import answer

from .conftest import WEATHER

pytestmark = pytest.mark.any_sdk

ROUTES = routes(files=True)
WITH_IDS = [route for route in ROUTES if "{" in route.path]


class Project:
    """Requests of one project, answered without a socket; work that they begin goes on in threads."""

    def __init__(self, backend: LocalBackend, name: str) -> None:
        self._backend = backend
        self.name = name

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        sent = b"" if body is None else json.dumps(body).encode()
        request = ApiRequest(method, path, query, body=sent, project=self.name, **more)
        reply, feed = answer(self._backend, None, request)
        if reply.encode is not None:
            return reply.status, b"".join(feed or ())
        if feed is not None:
            return reply.status, b"".join(feed)
        return reply.status, json.loads(reply.body) if reply.body.startswith(b"{") else reply.body

    def made(self, path: str, body: Any = None, **more: Any) -> Any:
        status, made = self.ask("POST", path, body or {}, **more)
        assert status == 200, made
        return made

    def upload(self, path: str, part: str, text: str, **fields: str) -> Any:
        reader = FormReader("multipart/form-data; boundary=b", 1 << 20)
        for name, value in fields.items():
            reader.feed(f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
        head = f'--b\r\ncontent-disposition: form-data; name="{part}"; filename="notes.txt"\r\n\r\n'
        reader.feed(f"{head}{text}\r\n--b--\r\n".encode())
        return self.made(path, form=reader.close())


class World:
    """What a project has, by the names that the table has for ids."""

    def __init__(self, project: Project) -> None:
        self.project = project
        file = project.upload("/files", "file", "Tacos are good.", purpose="assistants")["id"]
        store = project.made("/vector_stores", {"file_ids": [file]})["id"]
        batch = project.made(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})["id"]
        upload = {"bytes": 3, "filename": "b.txt", "mime_type": "text/plain", "purpose": "assistants"}
        upload_id = project.made("/uploads", upload)["id"]
        project.upload(f"/uploads/{upload_id}/parts", "data", "abc")
        tools = [WEATHER, {"type": "code_interpreter"}]
        resources = {"code_interpreter": {"file_ids": [file]}}
        assistant = {"model": "echo", "tools": tools, "tool_resources": resources}
        assistant_id = project.made("/assistants", assistant)["id"]
        uses = [{"file_id": file, "tools": [{"type": "file_search"}]}]
        messages = [{"role": "user", "content": "get_weather", "attachments": uses}]
        thread_id = project.made("/threads", {"messages": messages})["id"]
        (message,) = self._data(f"/threads/{thread_id}/messages")
        run = {"assistant_id": assistant_id, "tools": [WEATHER], "stream": True}
        project.ask("POST", f"/threads/{thread_id}/runs", run)
        (waiting,) = self._data(f"/threads/{thread_id}/runs")
        assert waiting["status"] == "requires_action"
        (step,) = self._data(f"/threads/{thread_id}/runs/{waiting['id']}/steps")
        self.ids = {
            "assistant_id": assistant_id,
            "thread_id": thread_id,
            "message_id": message["id"],
            "run_id": waiting["id"],
            "step_id": step["id"],
            "file_id": file,
            "vector_store_id": store,
            "batch_id": batch,
            "upload_id": upload_id,
        }

    def _data(self, path: str) -> Any:
        status, listed = self.project.ask("GET", path)
        assert status == 200, listed
        return listed["data"]

    def path(self, route: Route) -> str:
        return re.sub(r"{(\w+)}", lambda name: self.ids[name[1]], route.path)

    def shown(self) -> dict[str, Any]:
        """All that there is to read, but for streams."""
        read = [route for route in ROUTES if route.method == "GET"]
        return {route.path: self.project.ask("GET", self.path(route)) for route in read}


@pytest.fixture(params=["sql", "dicts"])
def backend(request: pytest.FixtureRequest, indexed_at_once: None) -> Iterator[LocalBackend]:
    from .conftest import STORES

    with LocalBackend("echo", STORES[request.param]()) as made:
        yield made


BODIES: dict[str, Callable[[World], Any]] = {
    "/assistants/{assistant_id}/files": lambda of: {"file_id": of.ids["file_id"]},
    "/threads/{thread_id}/messages": lambda of: {"role": "user", "content": "x"},
    "/threads/{thread_id}/runs": lambda of: {"assistant_id": of.ids["assistant_id"]},
    "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": lambda of: {"tool_outputs": []},
    "/uploads/{upload_id}/complete": lambda of: {"part_ids": []},
    "/vector_stores/{vector_store_id}/files": lambda of: {"file_id": of.ids["file_id"]},
    "/vector_stores/{vector_store_id}/files/{file_id}": lambda of: {"attributes": {}},
    "/vector_stores/{vector_store_id}/file_batches": lambda of: {"file_ids": [of.ids["file_id"]]},
    "/vector_stores/{vector_store_id}/search": lambda of: {"query": "tacos"},
}
"""Of routes that refuse an empty body before they look for anything."""


def test_no_route_shows_or_changes_what_another_project_has(backend: LocalBackend) -> None:
    blue, red = Project(backend, "blue"), Project(backend, "red")
    world = World(blue)
    before = world.shown()
    assert {status for status, _ in before.values()} == {200}
    for route in WITH_IDS:
        if route.path == "/uploads/{upload_id}/parts":
            reader = FormReader("multipart/form-data; boundary=b", 1 << 20)
            reader.feed(
                b'--b\r\ncontent-disposition: form-data; name="data"; filename="x"\r\n\r\nx\r\n--b--\r\n'
            )
            status, said = red.ask(route.method, world.path(route), form=reader.close())
        else:
            body = BODIES.get(route.path, lambda _: {})(world) if route.method == "POST" else None
            status, said = red.ask(route.method, world.path(route), body)
        assert status == 404, (route.method, route.path, said)
        assert "found with id" in said["error"]["message"], (route.method, route.path, said)
    streamed, said = red.ask("GET", f"/threads/{world.ids['thread_id']}/messages?stream=true")
    assert streamed == 404, said
    assert world.shown() == before


def test_no_list_holds_what_another_project_has(backend: LocalBackend) -> None:
    worlds = [World(Project(backend, name)) for name in ("blue", "red", "")]
    for route in ROUTES:
        if route.method != "GET" or "{" in route.path:
            continue
        answers = [world.project.ask("GET", route.path) for world in worlds]
        assert [status for status, _ in answers] == [200, 200, 200]
        blue, red, nobodys = (listed["data"][0]["id"] for _, listed in answers)
        every = [each["id"] for _, listed in answers for each in listed["data"]]
        assert len(every) == len(set(every)), route.path
        for world, theirs in zip(worlds, (red, nobodys, blue), strict=True):
            assert world.project.ask("GET", f"{route.path}?after={theirs}")[0] == 404


def test_nothing_is_made_of_what_another_project_has(backend: LocalBackend) -> None:
    theirs, red = World(Project(backend, "blue")).ids, Project(backend, "red")
    mine = World(red).ids
    file, store = theirs["file_id"], theirs["vector_store_id"]
    search = {"file_search": {"vector_store_ids": [store]}}
    uses = [{"file_id": file, "tools": [{"type": "file_search"}]}]
    message = {"role": "user", "content": "x", "attachments": uses}
    for path, body in [
        ("/threads/runs", {"assistant_id": theirs["assistant_id"]}),
        (f"/threads/{mine['thread_id']}/runs", {"assistant_id": theirs["assistant_id"]}),
        ("/assistants", {"model": "echo", "tool_resources": search}),
        (f"/assistants/{mine['assistant_id']}", {"tool_resources": search}),
        ("/assistants", {"model": "echo", "tool_resources": {"code_interpreter": {"file_ids": [file]}}}),
        (f"/assistants/{mine['assistant_id']}/files", {"file_id": file}),
        ("/threads", {"tool_resources": search}),
        ("/threads", {"messages": [message]}),
        ("/vector_stores", {"file_ids": [file]}),
        (f"/vector_stores/{mine['vector_store_id']}/files", {"file_id": file}),
        (f"/vector_stores/{mine['vector_store_id']}/file_batches", {"file_ids": [file]}),
    ]:
        status, said = red.ask("POST", path, body)
        assert (status, "found with id" in said["error"]["message"]) == (404, True), (path, body, said)


def test_a_run_searches_no_store_of_another_project() -> None:
    with LocalBackend("echo", strict=False) as backend:
        blue, red = Project(backend, "blue"), Project(backend, "red")
        file = blue.upload("/files", "file", "Tacos are good.", purpose="assistants")["id"]
        store = blue.made("/vector_stores", {"file_ids": [file]})["id"]
        while blue.ask("GET", f"/vector_stores/{store}")[1]["status"] == "in_progress":
            time.sleep(0.01)
        search = {"tools": [{"type": "file_search"}], "model": "echo"}
        resources = {"file_search": {"vector_store_ids": [store]}}
        seen = []
        for project in (blue, red):
            assistant = project.made("/assistants", {**search, "tool_resources": resources})["id"]
            begun = {"assistant_id": assistant, "stream": True, "thread": {"messages": []}}
            begun["thread"]["messages"].append({"role": "user", "content": "search: Tacos"})
            status, frames = project.ask("POST", "/threads/runs", begun)
            assert status == 200
            seen.append(file.encode() in frames)
        assert seen == [True, False]


def test_what_a_tool_made_is_there_for_its_project_alone(backend: LocalBackend) -> None:
    with backend.store.write() as tx:
        scoped(tx, "blue").keep_file("cfile_1", "plot.png", b"PNG")
    answers = [Project(backend, name).ask("GET", "/files/cfile_1/content") for name in ("blue", "red", "")]
    assert [status for status, _ in answers] == [200, 404, 404]
    assert answers[0][1] == b"PNG"


def test_what_lapses_does_so_whosever_request_comes_next() -> None:
    now = 1_000_000.0
    with LocalBackend("echo", clock=lambda: now) as backend:
        blue, red = Project(backend, "blue"), Project(backend, "red")
        store = blue.made("/vector_stores", {"expires_after": {"anchor": "last_active_at", "days": 1}})
        now += 2 * 86_400
        assert red.ask("GET", "/files") == (200, red.ask("GET", "/files")[1])
        with backend.store.read() as tx:
            row = tx.get("vector_stores", store["id"])
        assert row is not None
        assert row["data"]["status"] == "expired"
