"""Long threads: what is dropped, what always stays, and what becomes of a run that cannot fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.port import ContentDelta, Finished, ToolCallDelta, Turn
from tests.loopback import Loopback, Reply, Request

from . import fakes
from .conftest import WEATHER, Api, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_store]
MakeApi = Callable[..., Api]

LONG = "word " * 200  # 250 tokens


def texts(turn: Turn) -> list[str]:
    return [part["text"]["value"] for item in turn.items for part in item.get("content", ())]


class Recorder:
    """An upstream that notes its turns and says "ok"."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn) -> Any:
        self.turns.append(turn)
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "ok"}})
        yield Finished(None, fakes.CHAT_USAGE)


async def run_on(api: Api, messages: list[str], assistant: Any = None, **fields: Any) -> Any:
    thread_id = await api.thread(*messages)
    body = {"assistant_id": await api.assistant(**{"tools": [], **(assistant or {})}), **fields}
    return await api.settled(await api.post(f"/threads/{thread_id}/runs", body))


# max_prompt_tokens


async def test_max_prompt_tokens_drops_the_oldest_turns(make_api: MakeApi) -> None:
    upstream = Recorder()
    api = make_api(upstream)
    messages = [f"1 {LONG}", f"2 {LONG}", f"3 {LONG}"]
    run = await run_on(api, messages, {"instructions": "Be kind."}, max_prompt_tokens=600)
    assert (run["status"], run["incomplete_details"]) == ("completed", None)
    assert texts(upstream.turns[0]) == messages[1:]
    assert upstream.turns[0].instructions == "Be kind."
    assert len(await api.messages(run["thread_id"])) == 4


async def test_what_fits_is_sent_whole(make_api: MakeApi) -> None:
    upstream = Recorder()
    messages = [f"1 {LONG}", f"2 {LONG}", f"3 {LONG}"]
    await run_on(make_api(upstream), messages, max_prompt_tokens=1000)
    assert texts(upstream.turns[0]) == messages


@pytest.mark.parametrize("too_long", ["message", "instructions"])
async def test_what_cannot_fit_ends_incomplete(make_api: MakeApi, too_long: str) -> None:
    upstream = Recorder()
    message, instructions = (LONG, "") if too_long == "message" else ("x", LONG)
    api = make_api(upstream)
    run = await run_on(api, ["old", message], {"instructions": instructions}, max_prompt_tokens=200)
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert run["last_error"] is None
    assert run["usage"]["total_tokens"] == 0
    assert upstream.turns == []
    again = await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]})
    assert (await api.settled(again))["status"] == "completed"


async def test_last_messages_are_not_dropped_to_fit(make_api: MakeApi) -> None:
    strategy = {"type": "last_messages", "last_messages": 2}
    for limit, status in ((600, "completed"), (400, "incomplete")):
        upstream = Recorder()
        run = await run_on(
            make_api(upstream),
            [f"{number} {LONG}" for number in range(3)],
            max_prompt_tokens=limit,
            truncation_strategy=strategy,
        )
        assert run["status"] == status
        assert [len(turn.items) for turn in upstream.turns] == ([2] if status == "completed" else [])


async def test_the_prompts_of_all_rounds_count(make_api: MakeApi) -> None:
    def upstream(turn: Turn) -> Any:
        opening = {"name": "get_weather", "arguments": "{}", "output": None}
        id = f"call_{len(turn.items)}"
        yield ToolCallDelta({"index": 0, "id": id, "type": "function", "function": opening})
        yield Finished(None, {"prompt_tokens": 150, "completion_tokens": 1, "total_tokens": 151})

    api = make_api(upstream)
    run = await run_on(api, ["x"], {"tools": [WEATHER]}, max_prompt_tokens=300)
    for status in ("requires_action", "incomplete"):
        assert run["status"] == "requires_action"
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]}
        run = await api.settled(await api.post(path, outputs))
        assert run["status"] == status
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert run["usage"]["prompt_tokens"] == 300


# The window of a chat model


def sent(request: Request) -> list[str]:
    return [message["role"] for message in request.json["messages"]]


def chat_api(make_api: MakeApi, server: Loopback, **options: Any) -> Api:
    return make_api("chat", client={"base_url": server.url}, **options)


async def test_a_given_window_cuts_the_thread(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_chat(server, fakes.chat_text("ok"))
    api = chat_api(make_api, server, context_window=700)
    run = await run_on(api, [f"{number} {LONG}" for number in range(5)], {"instructions": "Be kind."})
    assert run["status"] == "completed"
    (request,) = server.requests
    assert sent(request) == ["system", "user", "user"]
    assert [message["content"][:2] for message in request.json["messages"][1:]] == ["3 ", "4 "]


async def test_a_known_window_cuts_the_thread(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_chat(server, fakes.chat_text("ok"))
    api = chat_api(make_api, server)
    messages = [f"{number} {LONG * 16}" for number in range(3)]  # of 4,000 tokens
    for model, count in (("gpt-4-0613", 1), ("gpt-4o-2024-08-06", 3), ("llama3.2", 3)):
        assert (await run_on(api, messages, {"model": model}))["status"] == "completed"
        assert len(server.requests[-1].json["messages"]) == count


async def test_a_message_longer_than_the_window_ends_incomplete(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_chat(server, fakes.chat_text("ok"))
    run = await run_on(chat_api(make_api, server, context_window=200), ["x", LONG])
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert server.requests == []


REFUSALS = [
    "This model's maximum context length is 1,000 tokens. However, your messages resulted in 1,270 tokens.",
    "This model's maximum context length is 1000 tokens. However, you requested 1370 tokens (1270 in the "
    "messages, 100 in the completion). Please reduce the length of the messages or completion.",
    "request (1270 tokens) exceeds the available context size (1000 tokens), try increasing it",
    "Requested tokens (1270) exceed context window of 1000",
    "prompt is too long: 1270 tokens > 1000 maximum",
    "The prompt is longer than the context window.",
]


def refusing(limit: int, refusal: Reply) -> Callable[[Request], Reply]:
    """A server that takes prompts of so many messages."""

    def answer(request: Request) -> Reply:
        if len(request.json["messages"]) > limit:
            return refusal
        return Reply.sse(fakes.chat_sse(fakes.chat_text("ok")))

    return answer


@pytest.mark.parametrize("message", REFUSALS)
async def test_a_window_is_learned_from_the_servers_refusal(
    make_api: MakeApi, server: Loopback, message: str
) -> None:
    server.on("POST", ".*/chat/completions", refusing(3, fakes.http_error(400, message)))
    api = chat_api(make_api, server)
    run = await run_on(api, [f"{number} {LONG}" for number in range(5)], {"model": "local"})
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "ok"
    asked = [request.json["messages"] for request in server.requests]
    assert len(asked[0]) == 5
    assert len(asked[-1]) <= 3
    assert asked[-1] == asked[0][-len(asked[-1]) :]


async def test_a_learned_window_is_remembered(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", ".*/chat/completions", refusing(3, fakes.http_error(400, REFUSALS[0])))
    api = chat_api(make_api, server)
    messages = [f"{number} {LONG}" for number in range(5)]
    await run_on(api, messages, {"model": "local"})
    asked = len(server.requests)
    assert (await run_on(api, messages, {"model": "local"}))["status"] == "completed"
    assert len(server.requests) == asked + 1


async def test_a_refusal_within_the_stream_is_understood(make_api: MakeApi, server: Loopback) -> None:
    error = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    refusal = Reply.sse(list(fakes.chat_sse([error])))
    server.on("POST", ".*/chat/completions", refusing(1, refusal))
    run = await run_on(chat_api(make_api, server), ["1", "2", "3"])
    assert run["status"] == "completed"
    assert len(server.requests[-1].json["messages"]) == 1


async def test_the_newest_message_is_never_dropped(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", ".*/chat/completions", refusing(0, fakes.http_error(400, REFUSALS[0])))
    run = await run_on(chat_api(make_api, server), ["1", "2"])
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert all(request.json["messages"][-1]["content"] == "2" for request in server.requests)


async def test_the_servers_words_stand_where_nothing_may_be_dropped(
    make_api: MakeApi, server: Loopback
) -> None:
    server.on("POST", ".*/chat/completions", refusing(0, fakes.http_error(400, REFUSALS[0])))
    strategy = {"type": "last_messages", "last_messages": 2}
    run = await run_on(chat_api(make_api, server), ["1", "2"], truncation_strategy=strategy)
    assert (run["status"], run["last_error"]["message"]) == ("failed", REFUSALS[0])
    assert len(server.requests) == 1


async def test_a_tool_round_stays_whole_or_goes_whole(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_chat(server, fakes.chat_call("get_weather", "{}"), fakes.chat_text("warm"))
    api = chat_api(make_api, server, context_window=560)
    run = await api.settled(await api.run("old question"))
    thread_id = run["thread_id"]
    path = f"/threads/{thread_id}/runs/{run['id']}/submit_tool_outputs"
    outputs = {"tool_outputs": [{"tool_call_id": "call_1", "output": LONG}]}
    await api.settled(await api.post(path, outputs))
    assert sent(server.requests[-1]) == ["user", "assistant", "tool"]
    for text, kept in (
        ("short", ["user", "assistant", "tool", "assistant", "user"]),
        (LONG, ["user", "assistant", "user"]),
    ):
        await api.post(f"/threads/{thread_id}/messages", {"role": "user", "content": text})
        again = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": run["assistant_id"]})
        assert (await api.settled(again))["status"] == "completed"
        assert sent(server.requests[-1]) == kept


async def test_a_window_is_for_chat() -> None:
    with pytest.raises(ValueError, match="context_window= is for"):
        LocalBackend("responses", context_window=1000)
