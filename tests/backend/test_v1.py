"""What SDKs before 1.21 say and expect: ``OpenAI-Beta: assistants=v1``."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import JSON, Api, done

pytestmark = pytest.mark.anyio

V1 = {"OpenAI-Beta": "assistants=v1"}


async def v1(api: Api, method: str, path: str, **body: Any) -> Any:
    options: dict[str, Any] = {"options": {"headers": V1}}
    if body:
        options["body"] = body
    return await done(getattr(api.client, method)(path, cast_to=JSON, **options))


async def test_retrieval_is_file_search_and_files_are_a_list(api: Api) -> None:
    given = {"model": "m", "tools": [{"type": "retrieval"}], "file_ids": ["file-1"]}
    made = await v1(api, "post", "/assistants", **given)
    assert (made["tools"], made["file_ids"]) == ([{"type": "retrieval"}], ["file-1"])
    path = f"/assistants/{made['id']}"
    v2 = await done(api.client.get(path, cast_to=JSON, options={"headers": {"OpenAI-Beta": "assistants=v2"}}))
    assert v2["tools"] == [{"type": "file_search"}]
    assert v2["tool_resources"]["code_interpreter"] == {"file_ids": ["file-1"]}
    assert "file_ids" not in v2


async def test_an_assistants_files(api: Api) -> None:
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


async def test_a_messages_files(api: Api) -> None:
    thread_id = await api.thread()
    given = {"role": "user", "content": "see", "file_ids": ["file-1"]}
    message = await v1(api, "post", f"/threads/{thread_id}/messages", **given)
    assert message["file_ids"] == ["file-1"]
    path = f"/threads/{thread_id}/messages/{message['id']}/files"
    listed = await v1(api, "get", path)
    assert listed["data"] == [await v1(api, "get", f"{path}/file-1")]
    assert listed["data"][0]["message_id"] == message["id"]
