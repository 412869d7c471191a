"""Assistants, threads and messages: what goes in comes out, and what may not go in is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import WEATHER, Api

pytestmark = [pytest.mark.anyio, pytest.mark.every_store]


async def test_an_assistant_has_the_fields_and_defaults_of_the_reference(api: Api) -> None:
    made = await api.post("/assistants", {"model": "gpt-4o", "tools": [{"type": "code_interpreter"}]})
    assert made.pop("id").startswith("asst_")
    assert isinstance(made.pop("created_at"), int)
    made.pop("file_ids", None)  # for SDKs that speak v1
    assert made == {
        "object": "assistant",
        "name": None,
        "description": None,
        "model": "gpt-4o",
        "instructions": None,
        "tools": [{"type": "code_interpreter"}],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {"code_interpreter": {"file_ids": []}},
        "metadata": {},
        "response_format": "auto",
    }


async def test_an_update_changes_only_what_it_names(api: Api) -> None:
    id = await api.assistant(name="Ann", instructions="Be brief.", metadata={"a": "1"})
    changed = await api.post(f"/assistants/{id}", {"name": "Bob", "temperature": 0.5})
    assert (changed["name"], changed["temperature"]) == ("Bob", 0.5)
    assert (changed["instructions"], changed["metadata"]) == ("Be brief.", {"a": "1"})
    assert changed["tools"][0]["function"]["name"] == "get_weather"
    assert await api.get(f"/assistants/{id}") == changed


async def test_what_is_deleted_is_gone(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("one")
    message_id = (await api.messages(thread_id))[0]["id"]
    assert await api.delete(f"/threads/{thread_id}/messages/{message_id}") == {
        "id": message_id,
        "object": "thread.message.deleted",
        "deleted": True,
    }
    assert (await api.delete(f"/assistants/{assistant_id}"))["object"] == "assistant.deleted"
    assert (await api.delete(f"/threads/{thread_id}"))["object"] == "thread.deleted"
    for path, word, id in (
        (f"/assistants/{assistant_id}", "assistant", assistant_id),
        (f"/threads/{thread_id}", "thread", thread_id),
    ):
        error = await api.refused(path, method="get")
        assert error["status"] == 404
        assert error["message"].startswith(f"No {word} found with id '{id}'.")


async def test_metadata_round_trips(api: Api) -> None:
    metadata = {"ключ": "значение 🙂", "quote": '"\n', "empty": ""}
    thread = await api.post("/threads", {"metadata": metadata})
    message = {"role": "user", "content": "hi", "metadata": metadata}
    made = await api.post(f"/threads/{thread['id']}/messages", message)
    assert (await api.get(f"/threads/{thread['id']}"))["metadata"] == metadata
    assert (await api.get(f"/threads/{thread['id']}/messages/{made['id']}"))["metadata"] == metadata
    changed = await api.post(f"/threads/{thread['id']}/messages/{made['id']}", {"metadata": {"b": "2"}})
    assert changed["metadata"] == {"b": "2"}
    assert changed["content"] == made["content"]


async def test_a_message_keeps_its_parts_and_attachments(make_api: Callable[..., Api]) -> None:
    api = make_api("echo", files="upstream")
    thread_id = await api.thread()
    body = {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look:"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}},
        ],
        "attachments": [{"file_id": "file-2", "tools": [{"type": "file_search"}]}],
    }
    made = await api.post(f"/threads/{thread_id}/messages", body)
    assert made["content"] == [
        {"type": "text", "text": {"value": "Look:", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
        {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}},
    ]
    assert made["attachments"] == body["attachments"]
    assert (made["run_id"], made["assistant_id"]) == (None, None)


async def test_a_message_at_rest_does_not_tell_how_it_was_made(api: Api) -> None:
    """As the hosted API's last recordings have it; streams tell, and so does a message that is not whole."""
    run = await api.settled(await api.run("echo:limit 1\none two"))
    user, cut = await api.messages(run["thread_id"])
    making = {"status", "completed_at", "incomplete_at", "incomplete_details"}
    assert not making & set(user)
    assert making <= set(cut)
    assert cut["status"] == "incomplete"
    assert not making & set(await api.get(f"/threads/{run['thread_id']}/messages/{user['id']}"))


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_cursors_walk_both_ways_and_end(api: Api, order: str) -> None:
    thread_id = await api.thread(*[str(number) for number in range(7)])
    path = f"/threads/{thread_id}/messages"
    whole = [each["id"] for each in (await api.get(path, order=order))["data"]]
    assert len(whole) == 7

    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api.get(path, order=order, limit=3, **cursor)
        seen += [each["id"] for each in page["data"]]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        cursor = {"after": page["last_id"]}
    assert seen == whole

    back: list[str] = [whole[-1]]
    while True:
        page = await api.get(path, order=order, limit=3, before=back[0])
        back = [each["id"] for each in page["data"]] + back
        if not page["has_more"]:
            break
    assert back == whole
    empty = await api.get(path, order=order, before=whole[0])
    assert (empty["data"], empty["has_more"]) == ([], False)


async def test_objects_of_one_second_keep_their_order(api: Api) -> None:
    thread_id = await api.thread(*[str(number) for number in range(60)])
    listed = await api.messages(thread_id, limit=100)
    assert [message["content"][0]["text"]["value"] for message in listed] == [
        str(number) for number in range(60)
    ]


async def test_the_sdk_pages_by_itself(api: Api) -> None:
    for number in range(5):
        await api.assistant(name=str(number))
    names = []
    pages = api.client.beta.assistants.list(order="asc", limit=2)
    if api.sync:
        names = [assistant.name for assistant in pages]
    else:
        names = [assistant.name async for assistant in pages]
    assert names == ["0", "1", "2", "3", "4"]


LIMITS: list[tuple[str, dict[str, Any], str, str]] = [
    ("/assistants", {}, "Missing required parameter: 'model'.", "model"),
    ("/assistants", {"model": 5}, "Invalid type for 'model': expected a string, but got an integer", "model"),
    ("/assistants", {"model": "m", "nmae": "x"}, "Unknown parameter: 'nmae'.", "nmae"),
    (
        "/assistants",
        {"model": "m", "tools": [WEATHER] * 129},
        "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with "
        "length 129 instead.",
        "tools",
    ),
    (
        "/assistants",
        {"model": "m", "instructions": "x" * 256_001},
        "Invalid 'instructions': string too long. Expected a string with maximum length 256000, but got a "
        "string with length 256001 instead.",
        "instructions",
    ),
    (
        "/assistants",
        {"model": "m", "metadata": {str(number): "" for number in range(17)}},
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties",
        "metadata",
    ),
    (
        "/assistants",
        {"model": "m", "metadata": {"k" * 65: ""}},
        "Invalid property name in 'metadata'",
        "metadata",
    ),
    ("/assistants", {"model": "m", "metadata": {"k": "v" * 513}}, "Invalid 'metadata.k'", "metadata.k"),
    (
        "/assistants",
        {"model": "m", "temperature": 2.1},
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.1 instead.",
        "temperature",
    ),
    (
        "/assistants",
        {"model": "m", "tools": [{"type": "telepathy"}]},
        "Invalid value: 'telepathy'. Supported values are: ",
        "tools[0].type",
    ),
    (
        "/threads",
        {"messages": [{"role": "system", "content": "x"}]},
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
        "messages[0].role",
    ),
    (
        "/threads",
        {"messages": [{"role": "user"}]},
        "Missing required parameter: 'messages[0].content'.",
        "messages[0].content",
    ),
]


@pytest.mark.parametrize(("path", "body", "message", "param"), LIMITS)
async def test_a_body_that_may_not_be_is_refused_by_name(
    api: Api, path: str, body: dict[str, Any], message: str, param: str
) -> None:
    error = await api.refused(path, body)
    assert error["status"] == 400
    assert error["message"].startswith(message)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


async def test_limits_of_a_page(api: Api) -> None:
    for query, message in (
        (
            "limit=0",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            "limit=101",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ),
        ("order=up", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."),
    ):
        error = await api.refused(f"/assistants?{query}", method="get")
        assert (error["status"], error["message"]) == (400, message)


async def test_unknown_ids_are_404_in_the_words_of_the_api(api: Api) -> None:
    thread_id, assistant_id = await api.thread("x"), await api.assistant()
    for method, path, body, message in (
        ("get", "/threads/thread_0", None, "No thread found with id 'thread_0'."),
        ("post", "/threads/thread_0/messages", {"role": "user", "content": "x"}, "No thread found with id"),
        ("get", f"/threads/{thread_id}/messages/msg_0", None, "No message found with id 'msg_0'."),
        ("get", f"/threads/{thread_id}/runs/run_0", None, "No run found with id 'run_0'."),
        (
            "post",
            f"/threads/{thread_id}/runs",
            {"assistant_id": "asst_0"},
            "No assistant found with id 'asst_0'.",
        ),
        ("post", "/threads/thread_0/runs", {"assistant_id": assistant_id}, "No thread found with id"),
        ("get", f"/threads/{thread_id}/nothing", None, "Invalid URL (GET "),
    ):
        error = await api.refused(path, body, method)
        assert error["status"] == 404
        assert error["message"].startswith(message)


def test_resources_that_two_change_at_once_are_put_together() -> None:
    from streaming_assistants.backend._engine.objects import changed

    search = {"vector_stores": [{"file_ids": ["f"]}]}
    before = {"file_search": search, "code_interpreter": {"file_ids": ["a"]}}
    after = {**before, "file_search": {"vector_store_ids": ["vs_made"], "file_ids": ["f"]}}
    assert changed(before, before, after) == after
    assert changed(None, None, after) == after
    theirs = {"file_search": {"vector_store_ids": ["vs_theirs"]}, "code_interpreter": {"file_ids": ["b"]}}
    assert changed(theirs, before, after) == {
        "file_search": {"vector_store_ids": ["vs_theirs", "vs_made"], "file_ids": ["f"]},
        "code_interpreter": {"file_ids": ["b"]},
    }


async def test_what_a_page_shows_may_be_deleted_before_the_next_page(api: Api) -> None:
    for _ in range(5):
        await api.post("/assistants", {"model": "m"})
    pages = api.client.beta.assistants.list(limit=2)
    deleted = 0
    if api.sync:
        for assistant in pages:
            deleted += api.client.beta.assistants.delete(assistant.id).deleted
    else:
        async for assistant in pages:
            deleted += (await api.client.beta.assistants.delete(assistant.id)).deleted
    assert deleted == 5
    assert (await api.get("/assistants"))["data"] == []


async def test_a_cursor_is_of_its_own_list(api: Api) -> None:
    mine, theirs = await api.thread("a", "b"), await api.thread("c")
    (foreign,) = await api.messages(theirs)
    error = await api.refused(f"/threads/{mine}/messages?after={foreign['id']}", method="get")
    assert (error["status"], error["message"]) == (404, f"No message found with id '{foreign['id']}'.")
    await api.delete(f"/threads/{theirs}/messages/{foreign['id']}")
    await api.refused(f"/threads/{mine}/messages?after={foreign['id']}", method="get")
    first, second = await api.messages(mine)
    await api.delete(f"/threads/{mine}/messages/{first['id']}")
    assert [each["id"] for each in await api.messages(mine, after=first["id"])] == [second["id"]]
    assert (await api.delete(f"/threads/{mine}"))["deleted"]


async def test_the_name_of_a_function_is_checked(api: Api) -> None:
    tool = {"type": "function", "function": {"name": "bad name"}}
    error = await api.refused("/assistants", {"model": "m", "tools": [tool]})
    assert (error["status"], error["param"]) == (400, "tools[0].function.name")
