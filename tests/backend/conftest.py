"""Real SDK clients on a backend, sync and async by parameter, spoken to in one way."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants import _sdk
from streaming_assistants._protocol.sse import FrameDecoder
from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine import vector_stores
from streaming_assistants.backend._engine.store_port import Store
from streaming_assistants.backend._http.routes import App
from streaming_assistants.backend._store.database import Database
from tests.clients import Colour
from tests.colours import EitherColour, done

from .balancer import Balancer, balanced
from .databases import File, Postgres, Server, a_server, lacking
from .dict_store import DictStore

JSON = _sdk.JSON_OBJECT

PENDING = ("queued", "in_progress", "generating", "cancelling")

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class Events:
    """A stream of events, read one at a time: (name, data)."""

    def __init__(self, stream: Any) -> None:
        self.response = stream.response
        self._sync = isinstance(stream, openai.Stream)
        self._chunks = self.response.iter_bytes() if self._sync else self.response.aiter_bytes()
        self._decoder = FrameDecoder()
        self._frames: list[Any] = []

    async def next(self) -> tuple[str, Any] | None:
        while not self._frames:
            chunk = next(self._chunks, None) if self._sync else await anext(self._chunks, None)
            if chunk is None:
                return None
            self._frames += self._decoder.feed(chunk)
        frame = self._frames.pop(0)
        return frame.event, frame.data.decode() if frame.data == b"[DONE]" else json.loads(frame.data)

    async def rest(self) -> list[tuple[str, Any]]:
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events

    async def close(self) -> None:
        if self._sync:
            self.response.close()
        else:
            await self.response.aclose()


class Api:
    """The API as plain JSON, by an SDK client of either colour and of any release; without a backend of its
    own it is a server's."""

    def __init__(self, client: Any, backend: LocalBackend | None) -> None:
        self.client = client
        self._backend = backend
        self.sync = isinstance(client, openai.OpenAI)

    @property
    def backend(self) -> LocalBackend:
        return self._backend or pytest.skip("the backend is in another process")

    async def aclose(self) -> None:
        if self._backend is not None:
            await self._backend.aclose()
        await done(self.client.close())

    async def get(self, path: str, **params: Any) -> Any:
        return await done(self.client.get(path, cast_to=JSON, options={"params": params}))

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        return await done(self.client.post(path, cast_to=JSON, body=body, options={"params": params}))

    async def delete(self, path: str) -> Any:
        return await done(self.client.delete(path, cast_to=JSON))

    async def refused(self, path: str, body: Any = None, method: str = "post") -> dict[str, Any]:
        """The error of a request that must fail; its HTTP status under ``status``."""
        with pytest.raises(openai.APIStatusError) as caught:
            await (self.post(path, body) if method == "post" else getattr(self, method)(path))
        return {"status": caught.value.status_code, **json.loads(caught.value.response.content)["error"]}

    async def open(self, path: str, body: Any = None, method: str = "post", **params: Any) -> Events:
        stream_cls = openai.Stream[object] if self.sync else openai.AsyncStream[object]
        arguments: dict[str, Any] = {"options": {"params": params}}
        if method == "post":
            arguments["body"] = {**body, "stream": True}
        return Events(
            await done(
                getattr(self.client, method)(
                    path, cast_to=object, stream=True, stream_cls=stream_cls, **arguments
                )
            )
        )

    async def stream(self, path: str, body: Any) -> list[tuple[str, Any]]:
        return await (await self.open(path, body)).rest()

    async def assistant(self, **fields: Any) -> str:
        body = {"model": "gpt-4o", "tools": [WEATHER], **fields}
        return (await self.post("/assistants", body))["id"]

    async def thread(self, *texts: str) -> str:
        messages = [{"role": "user", "content": text} for text in texts]
        return (await self.post("/threads", {"messages": messages}))["id"]

    async def run(self, text: str, assistant: dict[str, Any] | None = None, **fields: Any) -> Any:
        """A run of one message on a new thread."""
        assistant_id = await self.assistant(**(assistant or {}))
        thread_id = await self.thread(text)
        return await self.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, **fields})

    async def until(self, run: Any, ready: Callable[[Any], bool]) -> Any:
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        with anyio.fail_after(20):
            while not ready(run):
                await anyio.sleep(0.01)
                run = await self.get(path)
        return run

    async def settled(self, run: Any) -> Any:
        return await self.until(run, lambda run: run["status"] not in PENDING)

    async def messages(self, thread_id: str, **params: Any) -> list[Any]:
        return (await self.get(f"/threads/{thread_id}/messages", order="asc", **params))["data"]

    async def steps(self, run: Any) -> list[Any]:
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
        return (await self.get(path, order="asc"))["data"]


def text_of(message: Any) -> str:
    return "".join(part["text"]["value"] for part in message["content"])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_store: runs on each store that a backend may have")
    config.addinivalue_line("markers", "in_memory: is about a backend that keeps all in memory")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asks = "new_store" in metafunc.fixturenames and "shared" not in metafunc.fixturenames
    if asks and not BALANCED and metafunc.definition.get_closest_marker("every_store"):
        metafunc.parametrize("new_store", STORES, indirect=True)


BALANCED = bool(os.environ.get("STREAMING_ASSISTANTS_TEST_BALANCED"))
STORES: dict[str, Callable[[], Any]] = {"sql": lambda: "sqlite://", "dicts": DictStore}

ON_POSTGRES = "STREAMING_ASSISTANTS_TEST_ON_POSTGRES"
"""Names the colour whose tests have their backends' stores in PostgreSQL, where a test does not say which:
each behaviour is tested there and in memory, and no test runs twice for it. ``both`` and ``none`` are names,
too."""


def pytest_report_header() -> str:
    return f"stores of backends: in PostgreSQL for {on_postgres()}, else in memory ({ON_POSTGRES})"


def on_postgres() -> str:
    return os.environ.get(ON_POSTGRES, "async") if lacking() is None else "none"


@pytest.fixture
def new_store(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Makes the store of a backend that is not told which: in SQL, and every other where the test is marked
    so."""
    name: str = getattr(request, "param", "sql")
    if name == "sql" and not request.node.get_closest_marker("in_memory"):
        callspec = getattr(request.node, "callspec", None)
        if on_postgres() in ("both", callspec and callspec.params.get("colour")):
            return request.getfixturevalue("stores_in_postgres")  # type: ignore[no-any-return]
    return STORES[name]


@pytest.fixture
async def make_api(
    colour: Colour, new_store: Callable[[], Any], balancer: Balancer | None, anyio_backend: str
) -> AsyncIterator[Callable[..., Api]]:
    """Makes an :class:`Api` on ``LocalBackend(*args, **options)``; ``client`` are options of the client."""
    made: list[Api] = []

    def make(
        upstream: Any = "echo", store: Any = None, *, client: dict[str, Any] | None = None, **options: Any
    ) -> Api:
        given = client or {}
        if balancer is not None and upstream == "echo" and store is None and not options:
            there = colour.sdk_client(**{"api_key": "sk-not-a-key", "base_url": balancer.url, **given})
            made.append(Api(there, None))
        else:
            backend = LocalBackend(upstream, new_store() if store is None else store, **options)
            made.append(attached(backend, colour, **given))
        return made[-1]

    yield make
    for api in made:
        await api.aclose()


def attached(backend: LocalBackend, colour: EitherColour, **options: Any) -> Api:
    made = colour.sdk_client(**{"api_key": "sk-not-a-key", **options})
    backend.attach(made)
    return Api(made, backend)


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def balancer(request: pytest.FixtureRequest) -> Iterator[Balancer | None]:
    """Where ``STREAMING_ASSISTANTS_TEST_BALANCED`` is set, an echo backend that is given nothing more is two
    servers behind a balancer: what holds of one process holds of a service."""
    if not BALANCED:
        yield None
        return
    made, database = request.getfixturevalue("service")
    yield made
    database.execute("TRUNCATE assistants, threads, stored_files, vector_stores, uploads CASCADE")


@pytest.fixture(scope="session")
def service(postgres_server: Server) -> Iterator[tuple[Balancer, Postgres]]:
    """Two servers of one PostgreSQL database behind a balancer."""
    database = Postgres(postgres_server)
    with balanced(database.url, "--upstream", "echo") as made:
        yield made, database
    database.drop()


@pytest.fixture
def indexed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are searchable, whatever is in them, once the request is answered that put them into a store."""

    def indexing(app: App, _settings: object, store_ids: list[str]) -> tuple[()]:
        with app.store.write() as tx:
            for store_id in store_ids:
                for row in tx.all("store_files", vector_store_id=store_id, status="in_progress"):
                    changes = {"status": "completed", "usage_bytes": 8}
                    vector_stores.set_file(tx, store_id, row["file_id"], changes)
        return ()

    monkeypatch.setattr(App, "_indexing", indexing)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture
def stores_in_postgres(postgres_server: Server) -> Iterator[Callable[[], str]]:
    """Gives the URL of an empty store in PostgreSQL, another one each time."""
    yield postgres_server.store
    postgres_server.empty_stores()


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[Postgres]:
    made = Postgres(postgres_server)
    yield made
    made.drop()


@pytest.fixture(params=["file", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> File | Postgres:
    """A store that several backends can share, and that can be away."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")  # type: ignore[no-any-return]
    return File(tmp_path / "assistants.db")


@pytest.fixture(params=["memory", "file", "postgres", "dicts"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store that there is, empty."""
    if request.param == "dicts":
        made: Store = DictStore()
    elif request.param == "postgres":
        made = Database(request.getfixturevalue("postgres").url)
    else:
        made = Database("sqlite://" if request.param == "memory" else tmp_path / "assistants.db")
    yield made
    made.close()
