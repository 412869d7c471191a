"""What holds of a patched client besides its streams: warnings, Azure, the module, foreign transports."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk
from streaming_assistants._patch import stories_polling

from . import colours
from .clients import Colour, no_warnings
from .loopback import Loopback, Reply
from .polling_support import STORE
from .samples import DONE, RUN

pytestmark = pytest.mark.anyio

ENDED = {**RUN, "status": "completed"}
STREAM = Reply.sse([b'event: thread.run.completed\ndata: {"id":"run_1","status":"completed"}\n\n', DONE])


# ---------------------------------------------------------------- deprecation warnings


def _served(server: Loopback) -> None:
    server.on("POST", "/threads/thread_1/runs", Reply.json(RUN))
    server.on("GET", "/threads/thread_1/runs/run_1", Reply.json(RUN), Reply.json(ENDED))
    server.on("POST", "/threads/thread_1/runs/run_1/submit_tool_outputs", Reply.json(ENDED))
    server.on("GET", "/threads/thread_1", Reply.json({"id": "thread_1", "object": "thread"}))


_IDS = {"thread_id": "thread_1", "run_id": "run_1"}
CALLS = {
    "create": lambda runs: runs.create(thread_id="thread_1", assistant_id="asst_1"),
    "retrieve": lambda runs: runs.retrieve(**_IDS),
    "submit": lambda runs: runs.submit_tool_outputs(**_IDS, tool_outputs=[]),
    "poll": lambda runs: runs.poll(**_IDS, poll_interval_ms=0),
    "create_and_poll": lambda runs: runs.create_and_poll(
        thread_id="thread_1", assistant_id="asst_1", poll_interval_ms=0
    ),
    "raw": lambda runs: runs.with_raw_response.create(thread_id="thread_1", assistant_id="asst_1"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("repair", [True, False])
async def test_one_deprecation_warning_for_a_call_at_the_callers_line(
    call: str, repair: bool, colour: Colour, server: Loopback
) -> None:
    _served(server)
    client = colour.bare(server.url)
    runs = client.beta.threads.runs
    name = {"submit": "submit_tool_outputs", "raw": "create"}.get(call, call)
    deprecated = hasattr(getattr(type(runs), name, None), "__deprecated__")
    sa.patch(client, repair=repair)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        await colour.of(CALLS[call](runs))
    ours = [w for w in seen if issubclass(w.category, DeprecationWarning)]
    if repair:
        assert len(ours) == (1 if deprecated else 0)
        # An async raw response makes its call when it is awaited, which is not here.
        awaited = colour.is_async and call == "raw"
        assert {w.filename for w in ours} <= ({colours.__file__} if awaited else {__file__})
    if ours:
        assert "Assistants API is deprecated" in str(ours[0].message)


async def test_a_stream_warns_once_at_the_callers_line(colour: Colour, server: Loopback) -> None:
    server.on("POST", "/threads/thread_1/runs", STREAM)
    client = colour.client(server.url)
    method = getattr(type(client.beta.threads.runs), "create", None)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asked = await colour.of(
            client.beta.threads.runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True)
        )
        await colour.list(asked)
    ours = [w.filename for w in seen if issubclass(w.category, DeprecationWarning)]
    assert ours == ([__file__] if hasattr(method, "__deprecated__") else [])


async def test_a_warning_made_an_error_stops_the_call(colour: Colour, server: Loopback) -> None:
    _served(server)
    client = colour.client(server.url)
    if not hasattr(type(client.beta.threads.runs).retrieve, "__deprecated__"):
        pytest.skip("this SDK deprecates nothing")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            await colour.of(CALLS["poll"](client.beta.threads.runs))
    assert server.requests == []


# ---------------------------------------------------------------- Azure


async def test_azure_with_a_deployment_reaches_the_resources_own_endpoints(
    colour: Colour, server: Loopback
) -> None:
    server.on("GET", "/openai/threads/thread_1", Reply.json({"id": "thread_1", "object": "thread"}))
    server.on("GET", "/openai/threads/thread_1/runs/run_1", Reply.json(ENDED))
    server.on("POST", "/openai/threads/thread_1/runs", STREAM)
    server.on("GET", "/openai/vector_stores/vs_1", Reply.json(STORE))
    server.on(
        "POST",
        "/openai/deployments/gpt/embeddings",
        Reply.json({"data": [{"embedding": [0.5]}], "model": "m"}),
    )
    kind: Any = openai.AsyncAzureOpenAI if colour.is_async else openai.AzureOpenAI
    made = kind(
        azure_endpoint=server.url, azure_deployment="gpt", api_version="2024-05-01-preview", api_key="test"
    )
    client = sa.patch(made)
    with no_warnings():
        assert (await colour.of(client.beta.threads.retrieve("thread_1"))).id == "thread_1"
        assert (await colour.of(client.beta.threads.runs.poll("run_1", "thread_1"))).status == "completed"
        asked = client.beta.threads.runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True)
        assert [event.event for event in await colour.list(await colour.of(asked))] == [
            "thread.run.completed"
        ]
        assert (await colour.of(client.vector_stores.retrieve("vs_1"))).id == "vs_1"
        await colour.of(client.embeddings.create(model="gpt", input="a", encoding_format="float"))
    assert {request.query["api-version"][0] for request in server.requests} == {"2024-05-01-preview"}
    assert {request.headers["api-key"] for request in server.requests} == {"test"}
    await colour.of(client.close())


def test_the_azure_defect_is_the_deployment_in_the_path() -> None:
    fixed = "_prepare_url" in vars(importlib.import_module("openai.lib.azure").BaseAzureClient)
    assert (stories_polling.AZURE.divergence() is None) is fixed


# ---------------------------------------------------------------- the module-level client


@pytest.fixture
def module(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(openai, "api_key", "first")
    monkeypatch.setattr(openai, "api_type", "openai")
    monkeypatch.setattr(openai, "http_client", None)  # the SDK keeps the last one here
    monkeypatch.setattr(openai, "base_url", server.url + "/")
    openai._reset_client()
    yield openai
    sa.unpatch(openai)
    made = _sdk.made_module_client()
    if made is not None:
        made.close()
    openai._reset_client()


def _poll(module: Any) -> Any:
    with no_warnings():
        return module.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)


def test_the_module_is_patched_also_after_its_settings_change(module: Any, server: Loopback) -> None:
    _served(server)
    server.on("GET", "/threads/thread_1/runs/run_1", Reply.json(ENDED))
    server.on("GET", "/second/threads/thread_1/runs/run_1", Reply.json(ENDED))
    assert sa.patch(module) is module
    assert _poll(module).status == "completed"
    module.api_key = "second"
    module.base_url = server.url + "/second/"
    assert _poll(module).status == "completed"
    openai._reset_client()
    assert _poll(module).status == "completed"
    said = [(request.path.split("/")[1], request.headers["authorization"]) for request in server.requests]
    assert said == [("threads", "Bearer first"), *[("second", "Bearer second")] * 2]


def test_a_module_client_that_was_made_before_is_patched_too(module: Any, server: Loopback) -> None:
    server.on("GET", "/threads/thread_1/runs/run_1", Reply.json(ENDED))
    assert module.beta.threads is not None
    sa.patch(module)
    sa.patch(module)
    assert _poll(module).status == "completed"


def test_the_module_has_both_vector_store_paths(module: Any, server: Loopback) -> None:
    server.on("GET", "/vector_stores/vs_1", Reply.json(STORE))
    had = hasattr(module, "vector_stores")
    sa.patch(module)
    for stores in (module.vector_stores, module.beta.vector_stores):
        assert stores.retrieve("vs_1").id == "vs_1"
    sa.unpatch(module)
    assert hasattr(module, "vector_stores") is had


def test_unpatching_the_module_gives_the_sdk_back(module: Any, server: Loopback) -> None:
    sa.patch(module)
    runs = module.beta.threads.runs
    assert "create" in vars(runs)
    sa.unpatch(module)
    assert "create" not in vars(runs)
    assert "create" not in vars(module.beta.threads.runs)


# ---------------------------------------------------------------- foreign transports


@pytest.mark.parametrize("flavour", ["httpx", "httpx2"])
async def test_a_transport_that_the_caller_brings(flavour: str, colour: Colour, server: Loopback) -> None:
    transport = pytest.importorskip(flavour, reason=f"{flavour} is not installed")
    http = (transport.AsyncClient if colour.is_async else transport.Client)()
    if not isinstance(http, _accepted(colour.is_async)):
        pytest.skip(f"this SDK takes no client of {flavour}")
    _served(server)
    server.on("POST", "/threads/thread_1/runs", STREAM)
    client = colour.client(server.url, http_client=http)
    runs = client.with_options(max_retries=1).beta.threads.runs
    with no_warnings():
        found = await colour.of(runs.poll("run_1", "thread_1", poll_interval_ms=0, max_wait_seconds=30))
        assert found.status == "completed"
        asked = await colour.of(runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True))
        assert [event.event for event in await colour.list(asked)] == ["thread.run.completed"]


def _accepted(is_async: bool) -> tuple[type, ...]:
    """The classes of client that the SDK takes; asked of the SDK by trying."""
    found: list[type] = []
    for module in _sdk.transports():
        kind = module.AsyncClient if is_async else module.Client
        made = openai.AsyncOpenAI if is_async else openai.OpenAI
        try:
            made(api_key="test", http_client=kind())
        except TypeError:
            continue
        found.append(kind)
    return tuple(found)


async def test_a_transport_that_is_cut_off_is_named_by_the_sdks_class(colour: Colour) -> None:
    client = colour.client("http://127.0.0.1:9")
    with no_warnings(), pytest.raises(openai.APIConnectionError):
        await colour.of(client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5))
