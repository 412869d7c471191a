"""An upstream is told what somebody has set, be it to a default's value, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Loopback

from . import fakes
from .conftest import WEATHER, Api

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

NAMES = ("temperature", "top_p", "tool_choice", "parallel_tool_calls")
SHOWN = {"temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "parallel_tool_calls": True}


@pytest.fixture
def server(server: Loopback) -> Loopback:
    return fakes.says_hello(server)


async def sent(api: Api, server: Loopback, assistant: Any = None, **fields: Any) -> dict[str, Any]:
    """What the upstream was told of :data:`NAMES` for a run, all of which the run shows."""
    run = await api.settled(await api.run("Hi", assistant, **fields))
    assert run["status"] == "completed"
    assert {name: run[name] for name in NAMES} == {**SHOWN, **(assistant or {}), **fields}
    body = server.requests[-1].json
    return {name: body[name] for name in NAMES if name in body}


@pytest.mark.parametrize("upstream", ["chat", "responses"])
async def test_only_what_was_set_is_sent(make_api: MakeApi, server: Loopback, upstream: str) -> None:
    api = make_api(upstream, client={"base_url": server.url})
    assert await sent(api, server) == {}
    assert await sent(api, server, {"temperature": 1.0}) == {"temperature": 1.0}
    assert await sent(api, server, {"temperature": 0.5}, top_p=1) == {"temperature": 0.5, "top_p": 1}
    assert await sent(api, server, {"temperature": 0}, temperature=1) == {"temperature": 1}
    assert await sent(api, server, **SHOWN) == SHOWN


@pytest.mark.parametrize("upstream", ["chat", "responses"])
async def test_an_update_sets_and_takes_back(make_api: MakeApi, server: Loopback, upstream: str) -> None:
    api = make_api(upstream, client={"base_url": server.url})
    made = await api.assistant(temperature=1.0)
    thread_id = await api.thread("Hi")

    async def told() -> Any:
        run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": made})
        assert (await api.settled(run))["temperature"] == 1.0
        return server.requests[-1].json.get("temperature")

    await api.post(f"/assistants/{made}", {"name": "Bob"})
    assert await told() == 1.0
    await api.post(f"/assistants/{made}", {"temperature": None})
    assert (await api.get(f"/assistants/{made}"))["temperature"] == 1.0
    assert await told() is None
    await api.post(f"/assistants/{made}", {"temperature": 1})
    assert await told() == 1


async def test_a_store_of_an_earlier_release_keeps_its_defaults_to_itself(
    make_api: MakeApi, server: Loopback, tmp_path: Path
) -> None:
    import sqlite3

    path = tmp_path / "old.db"
    api = make_api("chat", f"sqlite:///{path}", client={"base_url": server.url})
    old, lowered = await api.assistant(), await api.assistant(temperature=0.3)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE assistants SET hidden = NULL")  # it noted nothing there
    connection.close()
    for assistant_id, told in ((old, None), (lowered, 0.3)):
        body = {"assistant_id": assistant_id}
        await api.settled(await api.post(f"/threads/{await api.thread('Hi')}/runs", body))
        assert server.requests[-1].json.get("temperature") == told


async def test_a_tool_and_an_image_go_to_chat_as_they_were_written(
    make_api: MakeApi, server: Loopback
) -> None:
    api = make_api("chat", client={"base_url": server.url})
    image = {"type": "image_url", "image_url": {"url": "https://images.example/1.png"}}
    assistant_id = await api.assistant()
    thread = await api.post("/threads", {"messages": [{"role": "user", "content": [image]}]})
    await api.settled(await api.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant_id}))
    body = server.requests[-1].json
    assert body["tools"] == [WEATHER]
    assert body["messages"][-1]["content"] == [image]
    assert body.keys() == {"model", "messages", "stream", "stream_options", "tools"}
