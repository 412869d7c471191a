"""``GET /threads/{id}/messages?stream=true``, as Astra Assistants streamed runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streaming_assistants.backend._engine.port import ContentDelta, Conversation, Sleep, Turn
from streaming_assistants.backend.upstreams.echo import Echo

from .conftest import Api, text_of

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


async def test_the_newest_message_grows_until_its_run_ends(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.02), generating=True)
    text = " ".join(str(number) for number in range(30))
    run = await api.run(text)
    path = f"/threads/{run['thread_id']}/messages"
    events = await (await api.open(path, method="get", stream="true", limit=1)).rest()
    assert {name for name, _ in events} == {""}
    assert events[-1][1] == "[DONE]"
    pages = [page for _, page in events[:-1]]
    assert len(pages) > 1
    assert "".join(page["data"][0]["content"][0]["delta"]["value"] for page in pages) == text
    message = (await api.messages(run["thread_id"]))[-1]
    assert text_of(message) == text
    for page in pages:
        (data,) = page["data"]
        assert page["object"] == "thread.message.delta"
        assert page["first_id"] == page["last_id"] == data["id"] == message["id"]
        assert (data["object"], data["role"], data["run_id"]) == ("thread.message", "assistant", run["id"])
        assert set(data) == {
            *("id", "object", "created_at", "thread_id", "role", "content"),
            *("assistant_id", "run_id", "file_ids", "metadata"),
        }


async def test_what_was_said_before_a_silence_is_seen(make_api: MakeApi) -> None:
    def hesitant(turn: Turn) -> Conversation:
        for word, pause in (("Once", 0.2), (" upon", 600.0)):
            yield Sleep(0.2)
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": word}})
            yield Sleep(pause)

    api = make_api(hesitant)
    run = await api.run("x")
    path = f"/threads/{run['thread_id']}/messages"
    events = await api.open(path, method="get", stream="true")
    said = ""
    while said != "Once upon":
        _, page = await events.next()
        said += page["data"][0]["content"][0]["delta"]["value"]
    await events.close()
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert (await api.settled(run))["status"] == "cancelled"


async def test_a_thread_without_a_run_shows_its_newest_message(api: Api) -> None:
    thread_id = await api.thread("first", "second")
    events = await (await api.open(f"/threads/{thread_id}/messages", method="get", stream="true")).rest()
    assert [data if data == "[DONE]" else data["data"][0]["content"][0]["delta"] for _, data in events] == [
        {"value": "second"},
        "[DONE]",
    ]


async def test_who_leaves_ends_only_the_looking(make_api: MakeApi) -> None:
    api = make_api(Echo(delay=0.01))
    run = await api.run("word " * 30)
    path = f"/threads/{run['thread_id']}/messages"
    events = await api.open(path, method="get", stream="true")
    await events.next()
    await events.close()
    assert (await api.settled(run))["status"] == "completed"


async def test_without_stream_it_is_a_page(api: Api) -> None:
    thread_id = await api.thread("first")
    assert (await api.get(f"/threads/{thread_id}/messages", stream="false"))["object"] == "list"
