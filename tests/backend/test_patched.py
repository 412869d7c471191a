"""``patch(client, backend=...)``: the seam between the patched methods and the backend beneath them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
from collections.abc import Callable
from typing import Any

import anyio
import openai
import pytest

import streaming_assistants as sa
from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._store.database import Database
from streaming_assistants.backend.upstreams.echo import Echo
from tests.clients import Colour
from tests.loopback import Loopback
from tests.test_closing import while_read

from . import fakes
from .conftest import JSON, WEATHER

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:.*(deprecated|Assistants API):DeprecationWarning"),
]


@pytest.fixture
def patched(colour: Colour) -> Callable[..., Any]:
    """Makes a client on a backend."""
    return lambda backend, **options: sa.patch(
        colour.bare("http://nowhere.invalid", **options), backend=backend
    )


async def asked(colour: Colour, client: Any, text: str) -> dict[str, str]:
    """The arguments of a run on a new thread that holds ``text``."""
    beta = client.beta
    assistant = await colour.of(beta.assistants.create(model="gpt-4o", tools=[WEATHER]))
    thread = await colour.of(beta.threads.create(messages=[{"role": "user", "content": text}]))
    return {"thread_id": thread.id, "assistant_id": assistant.id}


async def ended(colour: Colour, client: Any, run: Any) -> Any:
    with anyio.fail_after(20):
        while run.status in ("queued", "in_progress", "cancelling"):
            await anyio.sleep(0.01)
            runs = client.beta.threads.runs
            run = await colour.of(runs.retrieve(run.id, thread_id=run.thread_id))
    return run


async def test_an_early_break_leaves_the_run_to_its_end(colour: Colour, patched: Any) -> None:
    backend = LocalBackend(Echo(delay=0.002))
    client = patched(backend)
    ask = await asked(colour, client, "word " * 20)
    async with colour.entered(client.beta.threads.runs.stream(**ask)) as stream:
        async for event in colour.each(stream):
            if event.event == "thread.message.delta":
                break
    (run,) = (await colour.of(client.beta.threads.runs.list(ask["thread_id"]))).data
    assert (await ended(colour, client, run)).status == "completed"
    await backend.aclose()


async def test_a_copy_s_own_key_reaches_the_upstream(colour: Colour) -> None:
    with Loopback() as server:
        fakes.serve_chat(server, fakes.chat_text("hi"))
        client = sa.patch(colour.bare(server.url, api_key="sk-first"), backend="chat")
        copy = client.with_options(api_key="sk-second", default_headers={"x-team": "blue"})
        for each in (client, copy):
            ask = await asked(colour, each, "hello")
            async with colour.entered(each.beta.threads.runs.stream(**ask)) as stream:
                await colour.of(stream.until_done())
    keys = [request.headers["authorization"] for request in server.requests]
    assert keys == ["Bearer sk-first", "Bearer sk-second"]
    assert server.requests[1].headers["x-team"] == "blue"


async def test_unpatching_closes_a_backend_that_nobody_else_can(colour: Colour, patched: Any) -> None:
    client = patched("echo")
    store = client._client._self_backend._store
    copy = client.with_options(timeout=5)
    ask = await asked(colour, client, "hello")
    sa.unpatch(client)
    assert not store.closed  # the copy lives on it
    run = await colour.of(copy.beta.threads.runs.create(**ask))
    assert (await ended(colour, copy, run)).status == "completed"
    sa.unpatch(copy)
    assert store.closed


async def test_unpatching_leaves_a_given_backend_open(colour: Colour, patched: Any) -> None:
    with LocalBackend("echo") as backend:
        client = patched(backend)
        ask = await asked(colour, client, "hello")
        sa.unpatch(client)
        sa.patch(client, backend=backend)
        assert (await colour.of(client.beta.threads.retrieve(ask["thread_id"]))).id == ask["thread_id"]


async def test_unpatching_while_a_stream_is_read(colour: Colour, patched: Any) -> None:
    client = patched("echo")
    store: Database = client._client._self_backend._store
    ask = await asked(colour, client, "echo:stall")
    names = []
    async with colour.entered(client.beta.threads.runs.stream(**ask)) as stream:
        async for event in colour.each(stream):
            names.append(event.event)
            if event.event == "thread.run.in_progress":
                sa.unpatch(client)
    assert names[-1] == "thread.run.failed"
    with anyio.fail_after(20):
        while not store.closed:
            await anyio.sleep(0.01)


async def test_unpatching_while_a_run_goes_on_in_the_background(colour: Colour, patched: Any) -> None:
    client = patched("echo")
    store: Database = client._client._self_backend._store
    ask = await asked(colour, client, "echo:stall")
    await colour.of(client.beta.threads.runs.create(**ask))
    sa.unpatch(client)
    with anyio.fail_after(20):
        while not store.closed:
            await anyio.sleep(0.01)


def test_the_module_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "api_key", "unused")
    sa.patch(openai, backend="echo")
    try:
        assistant = openai.beta.assistants.create(model="gpt-4o")
        thread = openai.beta.threads.create(messages=[{"role": "user", "content": "to the module"}])
        with openai.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            assert "".join(stream.text_deltas) == "to the module"
    finally:
        sa.unpatch(openai)


def test_two_event_loops_one_after_the_other() -> None:
    backend = LocalBackend("echo")

    async def ask(text: str) -> str:
        async with openai.AsyncOpenAI(api_key="unused") as made:
            client: Any = sa.patch(made, backend=backend)
            assistant = await client.beta.assistants.create(model="gpt-4o")
            thread = await client.beta.threads.create(messages=[{"role": "user", "content": text}])
            async with client.beta.threads.runs.stream(
                thread_id=thread.id, assistant_id=assistant.id
            ) as stream:
                said = [delta async for delta in stream.text_deltas]
            page = await client.beta.assistants.list()
            return f"{''.join(said)} {len(page.data)}"

    assert asyncio.run(ask("first")) == "first 1"
    assert asyncio.run(ask("second")) == "second 2"
    backend.close()


async def test_azure_with_a_version_of_the_assistants_years(colour: Colour) -> None:
    made: Any = openai.AsyncAzureOpenAI if colour.is_async else openai.AzureOpenAI
    with Loopback() as server:
        fakes.serve_chat(server, fakes.chat_text("from", " azure"))
        bare = made(
            api_key="k",
            api_version="2024-05-01-preview",
            azure_endpoint=server.url,
            max_retries=0,
        )
        client: Any = sa.patch(bare, backend="chat")
        ask = await asked(colour, client, "hello")
        async with colour.entered(client.beta.threads.runs.stream(**ask)) as stream:
            said = [text async for text in colour.each(stream.text_deltas)]
        await colour.of(client.close())
    assert "".join(said) == "from azure"
    (request,) = server.requests
    assert request.path == "/openai/v1/chat/completions"  # its version is older than what is asked
    assert request.query == {}
    assert request.headers["api-key"] == "k"


async def test_keys_are_neither_stored_nor_logged(
    colour: Colour, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    caplog.set_level("DEBUG")
    key = "sk-very-secret-0123456789"
    file = tmp_path / "a.db"
    with Loopback() as server:
        fakes.serve_responses(server, fakes.http_error(401, f"Incorrect API key provided: {key}."))
        backend = LocalBackend("responses", f"sqlite:///{file}")
        client = sa.patch(colour.bare(server.url, api_key=key), backend=backend)
        ask = await asked(colour, client, "hello")
        run = await ended(colour, client, await colour.of(client.beta.threads.runs.create(**ask)))
        await backend.aclose()
    assert run.status == "failed"
    assert run.last_error.message == "Incorrect API key provided: [key]."
    for path in tmp_path.iterdir():
        assert key.encode() not in path.read_bytes()
    ours = [record for record in caplog.records if record.name.startswith("streaming_assistants")]
    assert key not in json.dumps([record.getMessage() for record in ours])


async def test_a_client_that_nobody_closes_leaves_no_warning(colour: Colour) -> None:
    """The warnings are errors here: see pytest's options."""
    client = sa.patch(colour.bare("http://nowhere.invalid"), backend="echo")
    ask = await asked(colour, client, "hello")
    stream = await colour.of(client.beta.threads.runs.create(**ask, stream=True))
    with contextlib.suppress(StopIteration, StopAsyncIteration):
        await colour.next(colour.each(stream) if colour.is_async else iter(stream))
    del client, stream
    gc.collect()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_told_to_make_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with openai.OpenAI(api_key="unused") as made:
        client = sa.patch(made, backend="echo")
        # What os.fork() changes, without forking a process that has threads.
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: 1)
            with pytest.raises(openai.InternalServerError, match="made before its process forked"):
                client.beta.threads.create()
        assert client.beta.threads.create().id
        sa.unpatch(client)


async def test_a_raw_response_of_a_stream(colour: Colour, patched: Any) -> None:
    client = patched("echo")
    ask = await asked(colour, client, "raw words")
    raw = await colour.of(client.beta.threads.runs.with_raw_response.create(**ask))
    assert raw.headers["openai-poll-after-ms"] == "100"
    run = raw.parse()
    assert (await ended(colour, client, run)).status == "completed"
    plain = await colour.of(client.get(f"/threads/{ask['thread_id']}/messages", cast_to=JSON))
    assert plain["data"][0]["content"][0]["text"]["value"] == "raw words"
    sa.unpatch(client)


@pytest.mark.parametrize("kind", ["run", "messages"])
async def test_closing_wakes_whoever_waits_for_the_backend(colour: Colour, patched: Any, kind: str) -> None:
    with LocalBackend(Echo(delay=0.2)) as backend:
        client = patched(backend)
        run = await asked(colour, client, "echo:stall\nOnce")
        runs = client.beta.threads.runs
        if kind == "run":
            stream = await colour.of(runs.create(**run, stream=True))
        else:
            await colour.of(runs.create(**run))
            stream = await colour.of(client.beta.threads.messages.list(run["thread_id"], stream=True))
        while "Once" not in str(await colour.next(stream)):
            pass  # it stalls then
        assert await while_read(colour, stream) == []
        await backend.aclose()


async def test_answers_of_a_kind_are_of_one_class(colour: Colour, patched: Any) -> None:
    with LocalBackend("echo") as backend:
        client = patched(backend)
        thread = await colour.of(client.beta.threads.create())
        raw = client.beta.threads.with_raw_response
        answers = [(await colour.of(raw.retrieve(thread.id))).http_response for _ in range(2)]
        assert type(answers[0].stream) is type(answers[1].stream)
