"""What SDKs before 1.21 say and expect: ``OpenAI-Beta: assistants=v1``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend._engine.port import Conversation, Finished, Turn
from tests.colours import done

from .conftest import JSON, Api

pytestmark = [pytest.mark.anyio, pytest.mark.every_store]

V1 = {"OpenAI-Beta": "assistants=v1"}


async def v1(api: Api, method: str, path: str, **body: Any) -> Any:
    options: dict[str, Any] = {"options": {"headers": V1}}
    if body:
        options["body"] = body
    return await done(getattr(api.client, method)(path, cast_to=JSON, **options))


async def test_retrieval_is_file_search_and_files_are_a_list(make_api: Callable[..., Api]) -> None:
    api = make_api("echo", files="upstream")
    tools = [{"type": "retrieval"}, {"type": "code_interpreter"}]
    given = {"model": "m", "tools": tools, "file_ids": ["file-1"]}
    made = await v1(api, "post", "/assistants", **given)
    assert (made["tools"], made["file_ids"]) == (tools, ["file-1"])
    path = f"/assistants/{made['id']}"
    v2 = await done(api.client.get(path, cast_to=JSON, options={"headers": {"OpenAI-Beta": "assistants=v2"}}))
    assert [tool["type"] for tool in v2["tools"]] == ["file_search", "code_interpreter"]
    assert v2["tool_resources"] == {
        "code_interpreter": {"file_ids": ["file-1"]},
        "file_search": {"vector_store_ids": []},
    }
    assert "file_ids" not in v2


async def test_an_assistants_files(make_api: Callable[..., Api]) -> None:
    api = make_api("echo", files="upstream")
    id = await api.assistant()
    made = await v1(api, "post", f"/assistants/{id}/files", file_id="file-1")
    assert (made["id"], made["object"], made["assistant_id"]) == ("file-1", "assistant.file", id)
    await v1(api, "post", f"/assistants/{id}/files", file_id="file-2")
    listed = await v1(api, "get", f"/assistants/{id}/files")
    assert [each["id"] for each in listed["data"]] == ["file-1", "file-2"]
    assert await v1(api, "get", f"/assistants/{id}/files/file-1") == made
    assert (await v1(api, "delete", f"/assistants/{id}/files/file-1"))["deleted"] is True
    error = await api.refused(f"/assistants/{id}/files/file-1", method="get")
    assert error["message"] == "No file found with id 'file-1'."


async def test_a_messages_files(make_api: Callable[..., Api]) -> None:
    api = make_api("echo", files="upstream")
    thread_id = await api.thread()
    given = {"role": "user", "content": "see", "file_ids": ["file-1"]}
    message = await v1(api, "post", f"/threads/{thread_id}/messages", **given)
    assert message["file_ids"] == ["file-1"]
    path = f"/threads/{thread_id}/messages/{message['id']}/files"
    listed = await v1(api, "get", path)
    assert listed["data"] == [await v1(api, "get", f"{path}/file-1")]
    assert listed["data"][0]["message_id"] == message["id"]


async def test_files_to_search_reach_the_model_with_the_last_message(make_api: Callable[..., Api]) -> None:
    turns: list[Turn] = []

    def upstream(turn: Turn) -> Conversation:
        turns.append(turn)
        yield Finished()

    api = make_api(upstream)
    old = await v1(
        api, "post", "/assistants", model="m", tools=[{"type": "retrieval"}], file_ids=["file-1", "file-2"]
    )
    stores = {"file_search": {"vector_stores": [{"file_ids": ["file-1", "file-2"]}]}}
    new = await api.assistant(tools=[{"type": "file_search"}], tool_resources=stores)
    for assistant_id in (old["id"], new):
        thread_id = await api.thread("one", "two")
        run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
        await api.settled(run)
        (first, last), resources = turns[-1].items, turns[-1].assistant_tool_resources
        assert first["attachments"] == []
        assert [each["file_id"] for each in last["attachments"]] == ["file-1", "file-2"]
        assert "vector_stores" not in resources["file_search"]
