"""A service as its clients see it: two servers of one PostgreSQL, each request at the next of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from streaming_assistants import patch
from tests.clients import Colour
from tests.colours import done

from .balancer import Balancer
from .conftest import WEATHER, Api
from .databases import Postgres

pytestmark = pytest.mark.anyio

CALL = 'get_weather {"city": "Paris"}'


@pytest.fixture
def balancer(service: tuple[Balancer, Postgres]) -> Iterator[Balancer]:
    made, _ = service
    before = list(made.served)
    yield made
    assert all(now > then for now, then in zip(made.served, before, strict=True))


@pytest.fixture
def api(balancer: Balancer, colour: Colour) -> Api:
    return Api(colour.sdk_client(api_key="sk-not-a-key", base_url=balancer.url), None)


async def test_a_run_is_seen_and_answered_at_the_other_server(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread(CALL)
    asked = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    name, run = asked[-2]
    assert name == "thread.run.requires_action"
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    for number in range(2):  # the second time at the other server, where it has gone on, too
        outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
        path = f"/threads/{thread_id}/runs/{run['id']}/submit_tool_outputs"
        if number:
            assert (await api.refused(path, {"tool_outputs": outputs}))["status"] == 400
        else:
            assert (await api.stream(path, {"tool_outputs": outputs}))[-2][0] == "thread.run.completed"
    assert [message["role"] for message in await api.messages(thread_id)] == ["user", "assistant"]


async def test_a_thread_is_busy_at_both(api: Api) -> None:
    run = await api.run("echo:stall 30\nhello")
    for _ in range(2):
        refused = await api.refused(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "x"})
        assert refused["status"] == 400
        assert run["id"] in refused["message"]
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert (await api.settled(run))["status"] == "cancelled"


async def test_a_reader_is_told_that_its_run_was_cancelled_at_the_other(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall 30\nhello")
    stream = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    first = await stream.next()
    assert first is not None
    await api.get(f"/threads/{thread_id}")  # so that the next request is at the other server
    await api.post(f"/threads/{thread_id}/runs/{first[1]['id']}/cancel")
    names = [name for name, _ in await stream.rest()]
    assert names[-2:] == ["thread.run.cancelled", "done"]


async def test_the_helpers_of_the_sdk(balancer: Balancer, colour: Colour) -> None:
    client = patch(colour.sdk_client(api_key="unused", base_url=balancer.url))
    assistant = await done(client.beta.assistants.create(model="gpt-4o", tools=[WEATHER]))
    run = await done(
        client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": CALL}]},
            tool_handlers={"get_weather": lambda city: f"sunny in {city}"},
            poll_interval_ms=20,
        )
    )
    assert run.status == "completed"
    texts = [
        text async for text in colour.each(client.beta.threads.messages.list(run.thread_id, stream=True))
    ]
    assert texts


def test_curl(balancer: Balancer) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    def curl(path: str, body: Any = None) -> str:
        sent = [] if body is None else ["-d", json.dumps(body), "-H", "Content-Type: application/json"]
        command = ["curl", "-sSN", "--fail-with-body", *sent, "-H", "Authorization: Bearer x"]
        return subprocess.run(
            [*command, balancer.url + path], check=True, capture_output=True, text=True
        ).stdout

    assistant = json.loads(curl("/assistants", {"model": "gpt-4o"}))
    thread = json.loads(curl("/threads", {"messages": [{"role": "user", "content": "hello"}]}))
    path = f"/threads/{thread['id']}/runs"
    frames = curl(path, {"assistant_id": assistant["id"], "stream": True}).split("\n\n")
    assert [frame for frame in frames if frame][-1] == "event: done\ndata: [DONE]"
    assert json.loads(curl(path))["data"][0]["status"] == "completed"


def test_both_servers_are_asked(balancer: Balancer) -> None:
    with openai.OpenAI(api_key="unused", base_url=balancer.url) as client:
        created = client.beta.threads.create()
        for _ in range(3):
            assert client.beta.threads.retrieve(created.id).id == created.id
