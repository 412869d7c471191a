"""What the backend does on real model servers: every row on every server, by each colour of client.

The model says what one word of the last message tells it (see ``words.py``). Where a server makes
something else of a row, ``EXPECTED`` says what, and the test holds it to that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants import patch
from tests.backend.conftest import Api, text_of
from tests.colours import done
from tests.model_servers.servers import Server
from tests.model_servers.words import AFTER, PARAMETERS, SKILLS

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]
Seen = Callable[[str], None]
Target = tuple[str, str]

NAMED = {"type": "function", "function": {"name": "get_weather"}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfz0AEYBxV"
    "SF+FAAhKDveksOjmAAAAAElFTkSuQmCC"
)
ANSWER = "The answer is 42."


class Chat:
    """An assistant on one server, and its threads."""

    def __init__(
        self,
        make_api: MakeApi,
        server: Server,
        target: Target,
        model: str | None = None,
        **options: Any,
    ) -> None:
        self.server = server
        self.upstream = target[1]
        bridged = target == ("litellm", "responses")
        self.model = model or ("bridged" if bridged else server.model)
        self.api = make_api(self.upstream, client={"base_url": server.url, "timeout": 120}, **options)

    async def thread(self, word: Any) -> str:
        thread = await self.api.post("/threads", {"messages": [{"role": "user", "content": word}]})
        return str(thread["id"])

    async def assistant(self, **fields: Any) -> str:
        body = {"model": self.model, "temperature": 0.0, **fields}
        return str((await self.api.post("/assistants", body))["id"])

    async def run(self, word: Any, **fields: Any) -> Any:
        tools = fields.pop("tools", [])
        assistant_id, thread_id = await self.assistant(tools=tools), await self.thread(word)
        return await self.settled(thread_id, assistant_id=assistant_id, **fields)

    async def settled(self, thread_id: str, **body: Any) -> Any:
        with anyio.fail_after(120):
            return await self.api.settled(await self.api.post(f"/threads/{thread_id}/runs", body))

    async def submit(self, run: Any) -> Any:
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "21 degrees"} for call in calls]
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        return await self.api.settled(await self.api.post(path, {"tool_outputs": outputs}))

    async def said(self, run: Any) -> str:
        messages = await self.api.messages(run["thread_id"])
        return text_of([each for each in messages if each["role"] == "assistant"][-1])


@pytest.fixture
def chat(make_api: MakeApi, server: Server, target: Target) -> Chat:
    return Chat(make_api, server, target)


def calls_of(run: Any) -> list[tuple[str, Any]]:
    assert run["status"] == "requires_action", (run["status"], run["last_error"])
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def assert_reason(run: Any) -> None:
    assert run["status"] == "failed"
    assert len(run["last_error"]["message"]) > 20
    assert not run["last_error"]["message"].startswith("Error code")


def completed(run: Any) -> None:
    assert (run["status"], run["last_error"]) == ("completed", None)


async def test_text(chat: Chat, seen: Seen) -> None:
    run = await chat.run("hello")
    completed(run)
    assert await chat.said(run) == SKILLS["hello"]
    seen("yes")


async def test_thoughts(chat: Chat, seen: Seen) -> None:
    run = await chat.run("think")
    completed(run)
    said = await chat.said(run)
    assert said in (SKILLS["think"], ANSWER, "\n\n" + ANSWER)
    seen("in the text" if "<think>" in said else "yes")


async def test_thoughts_dropped(make_api: MakeApi, server: Server, target: Target, seen: Seen) -> None:
    chat = Chat(make_api, server, target, think="drop")
    run = await chat.run("think")
    completed(run)
    assert (await chat.said(run)).strip() == ANSWER
    seen("yes")


async def test_four_turns(chat: Chat, seen: Seen) -> None:
    assistant_id = await chat.assistant(instructions="Be brief.")
    thread_id = await chat.thread("hello")
    for number, word in enumerate(("hello", "name", "json", "hello")):
        if number:
            await chat.api.post(f"/threads/{thread_id}/messages", {"role": "user", "content": word})
        run = await chat.settled(thread_id, assistant_id=assistant_id)
        completed(run)
        assert await chat.said(run) == SKILLS[word]
    seen("yes")


async def test_usage(chat: Chat, seen: Seen) -> None:
    usage = (await chat.run("sing", max_completion_tokens=20))["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    seen("yes" if usage["completion_tokens"] == 20 else "estimated")


async def test_calls(chat: Chat, seen: Seen) -> None:
    run = await chat.run("weather", tools=[WEATHER])
    if run["status"] == "completed" and "<tool_call>" in await chat.said(run):
        seen("as text")
        return
    assert calls_of(run) == [("get_weather", {"city": "Paris"})]
    seen("yes")


async def test_text_and_call(chat: Chat, seen: Seen) -> None:
    run = await chat.run("mixed", tools=[WEATHER])
    if run["status"] == "completed" and "<tool_call>" in await chat.said(run):
        seen("as text")
        return
    assert calls_of(run) == [("get_weather", {"city": "Oslo"})]
    assert (await chat.said(run)).strip() == "I will look it up."
    seen("yes")


async def test_parallel(chat: Chat, seen: Seen) -> None:
    run = await chat.run("both", tools=[WEATHER])
    if run["status"] == "completed" and "<tool_call>" in await chat.said(run):
        seen("as text")
        return
    assert calls_of(run) == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    run = await chat.submit(run)
    completed(run)
    assert await chat.said(run) == AFTER
    seen("yes")


async def test_outputs(chat: Chat, seen: Seen) -> None:
    run = await chat.run("weather", tools=[WEATHER])
    by_itself = run["status"] == "requires_action"
    if not by_itself:
        run = await chat.run("json", tools=[WEATHER], tool_choice=NAMED, max_completion_tokens=100)
    run = await chat.submit(run)
    if not by_itself:  # what the model was forced to say means nothing to it: it may go on for long
        assert run["status"] in ("completed", "incomplete"), run["last_error"]
        seen("of a forced call")
        return
    completed(run)
    assert await chat.said(run) == AFTER
    seen("yes")


async def test_forced(chat: Chat, seen: Seen) -> None:
    run = await chat.run("json", tools=[WEATHER], tool_choice=NAMED, max_completion_tokens=100)
    if run["status"] == "completed":
        seen("ignored")
        return
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    seen("yes")


async def test_required(chat: Chat, seen: Seen) -> None:
    limit = 100  # the model has no wish to call anything, and a server may wait for it for ever
    run = await chat.run("hello", tools=[WEATHER], tool_choice="required", max_completion_tokens=limit)
    if run["status"] == "completed":
        seen("ignored")
    elif run["status"] == "incomplete":
        assert len(await chat.said(run)) > len(SKILLS["hello"])  # it was not allowed to end there
        seen("yes")
    else:
        assert {name for name, _ in calls_of(run)} == {"get_weather"}
        seen("yes")


async def test_file_search(make_api: MakeApi, server: Server, target: Target, seen: Seen) -> None:
    """The model was never taught to search; what is asked is that a chosen search is made, and answered."""
    chat = Chat(make_api, server, target, files="local")
    greeting = ("hello.txt", SKILLS["hello"].encode())
    file = await done(chat.api.client.files.create(file=greeting, purpose="assistants"))
    store = await chat.api.post("/vector_stores", {"file_ids": [file.id]})
    search = {"type": "file_search"}
    assistant_id = await chat.assistant(
        tools=[search], tool_resources={"file_search": {"vector_store_ids": [store["id"]]}}
    )
    limits = {"tool_choice": search, "max_completion_tokens": 100}
    run = await chat.settled(await chat.thread("hello"), assistant_id=assistant_id, **limits)
    assert run["status"] in ("completed", "incomplete"), run["last_error"]
    (call,) = (await chat.api.steps(run))[0]["step_details"]["tool_calls"]
    assert call["type"] in ("file_search", "retrieval")
    seen("yes")


async def test_limits(chat: Chat, seen: Seen) -> None:
    run = await chat.run("sing", max_completion_tokens=20)
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
    seen("yes")


async def test_schema(chat: Chat, seen: Seen) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    run = await chat.run("hello", response_format=form)
    if run["status"] == "failed":
        assert_reason(run)
        seen("refused")
        return
    completed(run)
    if await chat.said(run) == SKILLS["hello"]:
        seen("ignored")
        return
    assert json.loads(await chat.said(run)).keys() == {"name", "age"}
    seen("yes")


async def test_image(chat: Chat, seen: Seen) -> None:
    """The model has no eyes; what is asked is that the run ends, and says why."""
    parts = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    with anyio.fail_after(120):
        run = await chat.run(parts)
    if run["status"] == "completed":
        seen("ignored")
        return
    assert_reason(run)
    seen("refused")


async def test_cancel(chat: Chat, seen: Seen) -> None:
    run = await under_way(chat)
    now = await chat.api.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    assert now["status"] == "in_progress", now["last_error"]
    await chat.api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert (await chat.api.settled(run))["status"] == "cancelled"
    with anyio.fail_after(60):
        while True:
            before = chat.server.works.processor_time()
            await anyio.sleep(0.5)
            if chat.server.works.processor_time() - before < 0.05:
                break
    seen("yes")


async def test_kill(chat: Chat, seen: Seen) -> None:
    run = await under_way(chat)
    chat.server.kill()
    ended = await chat.api.settled(run)
    assert (ended["status"], ended["last_error"]["code"]) == ("failed", "server_error")
    assert (await chat.said(run)).startswith("la la")
    chat.server.start()
    seen("yes")


async def under_way(chat: Chat) -> Any:
    """A run that says something, and goes on for long."""
    assistant_id, thread_id = await chat.assistant(), await chat.thread("sing")
    run = await chat.api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    with anyio.fail_after(60):
        while True:
            messages = await chat.api.messages(thread_id, run_id=run["id"])
            if messages and len(text_of(messages[0])) > 20:
                return run
            await anyio.sleep(0.01)


async def test_unknown_model(make_api: MakeApi, server: Server, target: Target, seen: Seen) -> None:
    run = await Chat(make_api, server, target, model="nobody/unknown").run("hello")
    if run["status"] == "completed":
        seen("ignored")
        return
    assert run["status"] == "failed"
    assert "unknown" in run["last_error"]["message"]
    seen("refused")


async def test_two_at_once(chat: Chat, seen: Seen) -> None:
    assistant_id = await chat.assistant()
    said: dict[str, str] = {}

    async def one(word: str) -> None:
        run = await chat.settled(await chat.thread(word), assistant_id=assistant_id)
        completed(run)
        said[word] = await chat.said(run)

    async with anyio.create_task_group() as group:
        group.start_soon(one, "name")
        group.start_soon(one, "json")
    assert said == {word: SKILLS[word] for word in ("name", "json")}
    seen("yes")


async def test_stream_and_poll(chat: Chat, seen: Seen) -> None:
    client = patch(chat.api.client)
    runs = client.beta.threads.runs
    where = {"assistant_id": await chat.assistant(), "thread_id": await chat.thread("hello")}
    if isinstance(client, openai.OpenAI):
        with runs.stream(**where) as stream:
            streamed = list(stream.text_deltas)
    else:
        async with runs.stream(**where) as stream:
            streamed = [delta async for delta in stream.text_deltas]
    assert len(streamed) > 1
    where["thread_id"] = await chat.thread("name")
    run = await done(runs.create_and_poll(**where, poll_interval_ms=50))
    assert run.status == "completed"
    polled = text_of((await chat.api.messages(where["thread_id"]))[-1])
    assert ("".join(streamed), polled) == (SKILLS["hello"], SKILLS["name"])
    seen("yes")
