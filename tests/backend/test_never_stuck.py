"""A store that is away, runs that others end, backends that close: no thread stays locked, no reader waits
for ever."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import Engine, event

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.port import ContentDelta, Finished, Next, Open, Sleep
from tests.colours import EitherColour
from tests.loopback import Loopback, Reply

from .conftest import JSON, Api, attached
from .databases import File, Postgres

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


class Gated:
    """An upstream that says a word, and ends its turn when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, turn: Any) -> Any:
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "Hello"}})
        while not self.open.is_set():
            yield Sleep(0.01)
        yield Finished()


async def streaming(api: Api, text: str = "echo:stall\nHello") -> tuple[Any, Any]:
    """A stream of a run, read as far as its first text; and the run."""
    assistant_id, thread_id = await api.assistant(), await api.thread(text)
    stream = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    run = None
    while (event := await stream.next()) is not None:
        if event[0] == "thread.run.created":
            run = event[1]
        if event[0] == "thread.message.delta":
            return stream, run
    raise AssertionError("the stream ended before its first text")


async def rest(api: Api, stream: Any) -> list[str]:
    """The names of the events that are left."""
    with anyio.fail_after(20):
        if api.sync:
            return [name for name, _ in await anyio.to_thread.run_sync(lambda: anyio.run(stream.rest))]
        return [name for name, _ in await stream.rest()]


async def test_a_run_ends_when_its_store_is_back(shared: File | Postgres, make_api: MakeApi) -> None:
    upstream = Gated()
    api = make_api(upstream, shared.url)
    stream, run = await streaming(api, "hello")
    with shared.away():
        upstream.open.set()
        await anyio.sleep(0.4)
    assert (await rest(api, stream))[-2:] == ["thread.run.completed", "done"]
    assert (await api.settled(run))["status"] == "completed"
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    assert (await api.settled(again))["status"] == "completed"


async def test_a_run_survives_an_outage_in_which_it_has_nothing_to_store(
    shared: File | Postgres, make_api: MakeApi
) -> None:
    upstream = Gated()
    api = make_api(upstream, shared.url)
    stream, run = await streaming(api, "hello")
    with shared.away():
        await anyio.sleep(0.4)
    upstream.open.set()
    assert (await rest(api, stream))[-2:] == ["thread.run.completed", "done"]
    (message,) = [each for each in await api.messages(run["thread_id"]) if each["role"] == "assistant"]
    assert message["content"][0]["text"]["value"] == "Hello"


async def test_closing_does_not_raise_while_the_store_is_away(
    shared: File | Postgres, make_api: MakeApi
) -> None:
    api = make_api("echo", shared.url)
    stream, _ = await streaming(api)
    with shared.away():
        await api.backend.aclose()
    assert (await rest(api, stream))[-2:] == ["error", "done"]


async def test_a_run_of_ours_that_nobody_drives_goes_on(shared: File | Postgres, make_api: MakeApi) -> None:
    api = make_api("echo", shared.url)
    run = await api.settled(await api.run("hello"))
    if isinstance(shared, File):
        data = 'json_patch(data, \'{"status": "in_progress", "expires_at": 9999999999}\')'
    else:
        data = '(data::jsonb || \'{"status": "in_progress", "expires_at": 9999999999}\')::json'
    columns = "active = true, owner = (SELECT id FROM owners), expires_at = 9999999999"
    shared.execute(f"UPDATE runs SET {columns}, data = {data}")
    seen = await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    assert seen["status"] == "in_progress"
    assert (await api.settled(seen))["status"] == "completed"


async def test_the_first_request_after_a_restart_of_the_database_works(
    postgres: Postgres, make_api: MakeApi
) -> None:
    api = make_api("echo", postgres.url)
    thread_id = await api.thread("hello")
    postgres.cut()
    assert (await api.get(f"/threads/{thread_id}"))["id"] == thread_id


async def test_a_host_whose_clock_is_wrong_leaves_others_runs_alone(
    postgres: Postgres, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api("echo", postgres.url)
    stream, run = await streaming(api)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    late = make_api("echo", postgres.url)
    seen = await late.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    assert seen["status"] == "in_progress"
    thread = await late.post("/threads")
    assert abs(thread["created_at"] - run["created_at"]) < 600
    await stream.close()


@pytest.mark.parametrize("kind", ["thread", "assistant"])
@pytest.mark.parametrize("by", ["itself", "another"])
async def test_deleting_under_a_run_ends_it_and_tells_its_reader(
    shared: File | Postgres, make_api: MakeApi, kind: str, by: str
) -> None:
    api = make_api("echo", shared.url)
    other = api if by == "itself" else make_api("echo", shared.url)
    stream, run = await streaming(api)
    id = run[f"{kind}_id"]
    await other.delete(f"/{kind}s/{id}")
    with anyio.fail_after(20):
        *events, (name, error), end = await (
            anyio.to_thread.run_sync(lambda: anyio.run(stream.rest)) if api.sync else stream.rest()
        )
    assert (name, end[0]) == ("error", "done")
    assert (
        error["error"]["message"] == f"The {kind} '{id}' was deleted while run '{run['id']}' was under way."
    )
    if kind == "assistant":
        assert events[-1][0] == "thread.run.failed"
        assert (await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))["status"] == "failed"


async def test_deleting_in_memory_tells_the_reader_too(api: Api) -> None:
    stream, run = await streaming(api)
    await api.delete(f"/threads/{run['thread_id']}")
    assert await rest(api, stream) == ["error", "done"]


async def test_cancelling_leaves_a_connection_alone_that_serves_another_request(make_api: MakeApi) -> None:
    over, asked = threading.Event(), threading.Event()

    def upstream(turn: Any) -> Any:
        yield Open("POST", "/chat/completions", {"stream": True})
        while (yield Next()) is not None:
            pass
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "read"}})
        yield Sleep(60)

    def slow(request: Any) -> Reply:
        asked.set()
        return Reply.json({"id": "whole"}) if over.wait(10) else Reply(500)

    with Loopback() as server:
        server.on("POST", "/chat/completions", Reply.sse([b"data: {}\n\n"]))
        server.on("GET", "/models", slow)
        api = make_api(upstream, client={"base_url": server.url})
        stream, run = await streaming(api, "hello")
        answers: list[Any] = []

        async def other() -> None:
            if api.sync:
                answers.append(
                    await anyio.to_thread.run_sync(lambda: api.client.get("/models", cast_to=JSON))
                )
            else:
                answers.append(await api.get("/models"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await anyio.to_thread.run_sync(asked.wait, 10)
            await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
            assert (await api.settled(run))["status"] == "cancelled"
            over.set()
        assert answers == [{"id": "whole"}]
        await stream.close()


async def test_a_reader_of_messages_asks_the_store_when_something_has_changed(
    shared: File | Postgres, make_api: MakeApi
) -> None:
    api = make_api("echo", shared.url)
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall")
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    await api.until(run, lambda run: run["status"] == "in_progress")
    stream = await api.open(f"/threads/{thread_id}/messages", method="get", stream="true")
    await anyio.sleep(0.1)
    statements: list[str] = []

    def executed(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        await anyio.sleep(0.5)
    finally:
        event.remove(Engine, "before_cursor_execute", executed)
    # What watches over the run asks once a second, and a reader would ask for the thread's newest run.
    assert not [each for each in statements if "ORDER BY runs.seq DESC" in each]
    assert not [each for each in statements if each.startswith("BEGIN IMMEDIATE")]
    await api.post(f"/threads/{thread_id}/runs/{run['id']}/cancel")
    assert await rest(api, stream) == [""]


async def test_chunks_of_a_message_carry_their_index(make_api: MakeApi) -> None:
    def upstream(turn: Any) -> Any:
        for index in (0, 1):
            yield ContentDelta({"index": index, "type": "text", "text": {"value": f"part {index}"}})
        yield Finished()

    api = make_api(upstream)
    run = await api.settled(await api.run("hello"))
    stream = await api.open(f"/threads/{run['thread_id']}/messages", method="get", stream="true")
    (_, chunk), _ = await stream.rest()
    content = chunk["data"][0]["content"]
    assert [(part["index"], part["delta"]["value"]) for part in content] == [(0, "part 0"), (1, "part 1")]


async def test_who_reads_messages_of_a_deleted_thread_is_told(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.until(await api.run("echo:stall"), lambda run: run["status"] == "in_progress")
    stream = await api.open(f"/threads/{run['thread_id']}/messages", method="get", stream="true")
    await anyio.sleep(0.05)
    await api.delete(f"/threads/{run['thread_id']}")
    (_, error), _ = await stream.rest()
    assert error["error"]["message"] == f"No thread found with id '{run['thread_id']}'."


LOAD = """
import asyncio, logging, sys, threading, time
import openai
from streaming_assistants import _sdk
from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend.upstreams.echo import Echo

store, colour, ending = sys.argv[1:]
logging.basicConfig(level=logging.ERROR)
backend = LocalBackend(Echo(delay=0.001), store)
made = openai.OpenAI if colour == "sync" else openai.AsyncOpenAI
client = made(api_key="k", base_url="http://nowhere.invalid", max_retries=0)
backend.attach(client)
kinds = {"cast_to": object, "stream": True, "stream_cls": (
    openai.Stream[object] if colour == "sync" else openai.AsyncStream[object])}
cut = []

def asked(assistant):
    thread = {"messages": [{"role": "user", "content": "one two three four five"}]}
    return {"assistant_id": assistant["id"], "stream": True, "thread": thread}

def check(body):
    if not any(end in body for end in (b"thread.run.completed", b"thread.run.failed", b"event: error")):
        cut.append(body)

def closed(error):
    if "closed" not in str(error):
        cut.append(error)

def run():
    assistant = client.post("/assistants", cast_to=_sdk.JSON_OBJECT, body={"model": "m"})
    def work():
        try:
            while True:
                stream = client.post("/threads/runs", body=asked(assistant), **kinds)
                check(b"".join(stream.response.iter_bytes()))
        except openai.APIStatusError as error:
            closed(error)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    if ending == "close":
        backend.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()

async def run_async():
    assistant = await client.post("/assistants", cast_to=_sdk.JSON_OBJECT, body={"model": "m"})
    async def work():
        try:
            while True:
                stream = await client.post("/threads/runs", body=asked(assistant), **kinds)
                check(b"".join([chunk async for chunk in stream.response.aiter_bytes()]))
        except openai.APIStatusError as error:
            closed(error)
    tasks = [asyncio.create_task(work()) for _ in range(4)]
    await asyncio.sleep(0.3)
    if ending == "close":
        await backend.aclose()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)

if colour == "sync":
    run()
else:
    asyncio.run(run_async())
assert not cut, cut[0]
"""


# Each has a process of its own that imports all, works under load for a while and ends.
@pytest.mark.parametrize("ending", ["close", "exit"])
def test_an_end_under_load_leaves_no_traceback_and_nobody_waiting(
    colour: EitherColour, tmp_path: Path, ending: str
) -> None:
    store = f"sqlite:///{tmp_path}/assistants.db"
    command = [sys.executable, "-W", "ignore", "-c", LOAD, store, colour.name, ending]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_backend_that_is_closed_before_a_run_s_driver_starts_ends_the_run(
    make_api: MakeApi, shared: File | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a request's transaction and its run's first step anything may happen."""
    api = make_api("echo", shared.url)
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall")
    start, closing = api.backend.start, []

    def started(make: Any) -> None:
        closer = threading.Thread(target=api.backend.close)
        closing.append(closer)
        closer.start()
        while not api.backend._jobs._stopped.is_set():
            time.sleep(0.001)
        start(make)

    monkeypatch.setattr(api.backend, "start", started)
    stream = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert (await rest(api, stream))[-1] == "done"
    await anyio.to_thread.run_sync(closing[0].join)
    after = make_api("echo", shared.url)
    (run,) = (await after.get(f"/threads/{thread_id}/runs"))["data"]
    assert run["status"] in ("failed", "in_progress")  # by its own driver, or taken from one that could not


def test_a_run_whose_event_loop_was_closed_over_it_is_ended(shared: File | Postgres) -> None:
    backend = LocalBackend("echo", shared.url)
    api = attached(backend, EitherColour("async"))
    loop = asyncio.new_event_loop()
    run = loop.run_until_complete(api.run("echo:stall"))
    loop.run_until_complete(api.until(run, lambda run: run["status"] == "in_progress"))
    running = asyncio.all_tasks(loop)
    loop.close()
    after = attached(backend, EitherColour("sync"))
    ended = anyio.run(after.settled, run)
    assert ended["status"] == "failed"
    backend.close()
    after.client.close()
    del running  # a task that is dropped before says so in the log


@pytest.mark.parametrize("when", ["in the transaction", "after it", "with its event loop"])
def test_a_request_that_is_cancelled_leaves_no_run_that_nobody_drives(
    shared: File | Postgres, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    backend = LocalBackend("echo", shared.url)
    api = attached(backend, EitherColour("async"))
    loop = asyncio.new_event_loop()
    assistant_id = loop.run_until_complete(api.assistant())
    text = "echo:stall" if when == "with its event loop" else "Hello"
    thread_id = loop.run_until_complete(api.thread(text))
    committed, go_on = threading.Event(), threading.Event()
    handle = backend.handle

    def slow(*arguments: Any) -> Any:
        reply = handle(*arguments)
        committed.set()
        go_on.wait(20)
        return reply

    async def cancelled() -> None:
        monkeypatch.setattr(backend, "handle", slow)
        body = {"assistant_id": assistant_id, "stream": True}
        asking = asyncio.ensure_future(api.post(f"/threads/{thread_id}/runs", body))
        await anyio.to_thread.run_sync(committed.wait)
        if when == "after it":
            go_on.set()
            time.sleep(0.2)  # the answer is there, and the loop has not turned yet
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        monkeypatch.undo()
        if when == "in the transaction":
            go_on.set()
        if when != "with its event loop":
            (run,) = (await api.get(f"/threads/{thread_id}/runs"))["data"]
            assert (await api.settled(run))["status"] == "completed"

    loop.run_until_complete(cancelled())
    loop.close()
    go_on.set()
    after = attached(backend, EitherColour("sync"))

    async def seen() -> str:
        (run,) = (await after.get(f"/threads/{thread_id}/runs"))["data"]
        return str((await after.settled(run))["status"])

    assert anyio.run(seen) == ("failed" if when == "with its event loop" else "completed")
    backend.close()
    after.client.close()
