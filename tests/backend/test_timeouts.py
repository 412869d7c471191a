"""A request's timeout holds in process as it does over a socket."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import anyio
import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk
from streaming_assistants.backend.upstreams.echo import Echo
from tests.colours import done

from .conftest import JSON, Api, text_of

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

TIMEOUT = (openai.APITimeoutError, *_sdk.timeout_errors())
"""What the SDK raises: its async client of 1.1 hands on the transport's own."""

STALLED = "echo:stall 5\nBut first this."


async def _stalled(api: Api) -> tuple[str, dict[str, str]]:
    return f"/threads/{await api.thread(STALLED)}/runs", {"assistant_id": await api.assistant()}


async def test_a_stream_of_a_stalled_run_times_out(make_api: MakeApi) -> None:
    api = make_api("echo")
    client = sa.patch(api.client)
    path, body = await _stalled(api)
    with anyio.fail_after(20), pytest.raises(openai.APITimeoutError):
        stream = await done(
            client.beta.threads.runs.create(path.split("/")[2], **body, stream=True, timeout=0.2)
        )
        if api.sync:
            for _ in stream:
                pass
        else:
            async for _ in stream:
                pass


async def test_reading_the_whole_of_a_stalled_run_times_out(make_api: MakeApi) -> None:
    api = make_api("echo")
    path, body = await _stalled(api)
    with anyio.fail_after(20), pytest.raises(TIMEOUT):
        await done(
            api.client.post(path, cast_to=JSON, body={**body, "stream": True}, options={"timeout": 0.2})
        )


async def test_a_run_that_timed_out_for_its_reader_goes_on(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.3))
    thread_id, assistant_id = await api.thread("four words to say"), await api.assistant()
    body = {"assistant_id": assistant_id, "stream": True}
    with pytest.raises(TIMEOUT):
        await done(
            api.client.post(f"/threads/{thread_id}/runs", cast_to=JSON, body=body, options={"timeout": 0.05})
        )
    (run,) = (await api.get(f"/threads/{thread_id}/runs"))["data"]
    assert (await api.settled(run))["status"] == "completed"
    assert text_of((await api.messages(thread_id))[-1]) == "four words to say"


async def test_a_run_that_keeps_talking_outlasts_the_timeout(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.1))
    thread_id, assistant_id = await api.thread("one two three four five six"), await api.assistant()
    body = {"assistant_id": assistant_id, "stream": True}
    client = api.client.with_options(timeout=0.5)
    stream_cls = openai.Stream[object] if api.sync else openai.AsyncStream[object]
    stream = await done(
        client.post(
            f"/threads/{thread_id}/runs", cast_to=object, body=body, stream=True, stream_cls=stream_cls
        )
    )
    whole = stream.response.read() if api.sync else await stream.response.aread()
    assert b"thread.run.completed" in whole


async def test_a_plain_request_times_out_while_the_store_is_held(make_api: MakeApi, tmp_path: Path) -> None:
    file = tmp_path / "assistants.db"
    api = make_api("echo", file)
    assistant_id, thread_id = await api.assistant(), await api.thread("Hello")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    asked = {"body": {"assistant_id": assistant_id}, "options": {"timeout": 0.2}}
    with anyio.fail_after(20), pytest.raises(TIMEOUT):
        await done(api.client.post(f"/threads/{thread_id}/runs", cast_to=JSON, **asked))
    holder.execute("ROLLBACK")
    holder.close()
    # The backend goes on with it, as a server does.
    with anyio.fail_after(20):
        while not (runs := (await api.get(f"/threads/{thread_id}/runs"))["data"]):
            await anyio.sleep(0.01)
    assert (await api.settled(runs[0]))["status"] == "completed"
