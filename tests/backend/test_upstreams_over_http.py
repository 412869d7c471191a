"""What happens when the upstream is a server: its answers stream, its faults end the run and nothing else."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants.backend._engine.port import (
    DONE,
    Call,
    ContentDelta,
    Conversation,
    FileContent,
    Finished,
    Next,
    Open,
    ThreadResources,
    Turn,
    UpstreamError,
)
from tests.backend import fakes
from tests.loopback import CUT, Loopback, Reply

from .conftest import Api, text_of

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


def words(turn: Turn) -> Conversation:
    """An upstream whose events are ``{"word": ...}``."""
    yield Open("POST", "/words", {"model": turn.model})
    while (event := (yield Next())) is not None and event != DONE:
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": event["word"]}})
    if event is None:
        raise UpstreamError("The stream ended before it was done.")
    yield Finished()


def word(value: str) -> bytes:
    return f"data: {json.dumps({'word': value})}\n\n".encode()


END = b"data: [DONE]\n\n"


async def test_the_first_event_comes_before_the_upstream_has_ended(
    make_api: MakeApi, server: Loopback
) -> None:
    go_on = threading.Event()
    server.on("POST", "/words", Reply.sse([word("first"), go_on, word(" last"), END]))
    api = make_api(words, client={"base_url": server.url})
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    with anyio.fail_after(5):
        while (event := await events.next()) is not None and event[0] != "thread.message.delta":
            pass
    assert event is not None
    assert event[1]["delta"]["content"][0]["text"]["value"] == "first"
    go_on.set()
    assert [name for name, _ in await events.rest()][-2:] == ["thread.run.completed", "done"]


async def test_a_character_that_the_upstream_cuts_in_two_is_whole(
    make_api: MakeApi, server: Loopback
) -> None:
    pieces = ["one \ud83d", "\ude00 two \ud83d", "\ude00", " \ud83d lost \ud83d"]
    server.on("POST", "/words", Reply.sse([*map(word, pieces), END]))
    api = make_api(words, client={"base_url": server.url})
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert events[-2][0] == "thread.run.completed"
    whole = "one \U0001f600 two \U0001f600 \ufffd lost "
    deltas = [
        data["delta"]["content"][0]["text"]["value"] for name, data in events if name.endswith("e.delta")
    ]
    assert "".join(deltas) == whole
    listed = await api.get(f"/threads/{thread_id}/messages")
    assert listed["data"][0]["content"][0]["text"]["value"] == whole


@pytest.mark.parametrize("upstream", ["chat", "responses"])
async def test_a_conversation_goes_on_after_a_character_that_was_cut(
    make_api: MakeApi, server: Loopback, upstream: str
) -> None:
    pieces = ("so \ud83d", "\ude00!")
    if upstream == "chat":
        lines = [json.dumps(event) for event in fakes.chat_text(*pieces)]
        server.on(
            "POST", ".*/chat/completions", Reply.sse([*(f"data: {d}\n\n".encode() for d in lines), END])
        )
    else:
        lines = [json.dumps(event) for event in fakes.responses_text(*pieces)]
        server.on("POST", ".*/responses", Reply.sse([f"data: {line}\n\n".encode() for line in lines]))
    api = make_api(upstream, client={"base_url": server.url})
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    for _ in range(2):  # the second round sends what the first one stored
        events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
        assert events[-2][0] == "thread.run.completed"
    listed = await api.get(f"/threads/{thread_id}/messages")
    assert listed["data"][0]["content"][0]["text"]["value"] == "so \U0001f600!"
    assert "so \U0001f600!" in json.dumps(server.requests[-1].json, ensure_ascii=False)


async def test_the_upstream_is_asked_with_the_clients_own_key_and_headers(
    make_api: MakeApi, server: Loopback
) -> None:
    server.on("POST", "/v9/words", Reply.sse([word("hi"), END]))
    options = {"base_url": server.url + "/v9", "api_key": "sk-mine", "default_headers": {"x-team": "blue"}}
    api = make_api(words, client=options)
    assert (await api.settled(await api.run("x", model="gpt-9")))["status"] == "completed"
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer sk-mine"
    assert request.headers["x-team"] == "blue"
    assert request.json == {"model": "gpt-9"}


def refusal(status: int, message: str, code: str | None = None) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply.json({"error": error}, status)


FAULTS: list[tuple[str, Reply, str, str]] = [
    ("401", refusal(401, "Incorrect API key provided: sk-not-a-key."), "server_error", "Incorrect API key"),
    ("429", refusal(429, "Slow down."), "rate_limit_exceeded", "Slow down."),
    ("500", refusal(500, "Boom."), "server_error", "Boom."),
    ("html", Reply(502, {"content-type": "text/html"}, [b"<h1>Bad gateway</h1>"]), "server_error", ""),
    ("cut", Reply.sse([word("some"), CUT]), "server_error", ""),
    ("short", Reply.sse([word("some")]), "server_error", "The stream ended before it was done."),
    ("malformed", Reply.sse([b'data: {"word": \n\n', END]), "server_error", "an event that is no JSON"),
    ("unexpected", Reply.sse([b'data: {"no": 1}\n\n', END]), "server_error", "The upstream raised KeyError"),
]


@pytest.mark.parametrize(("reply", "code", "message"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
async def test_a_fault_fails_the_run_and_frees_the_thread(
    make_api: MakeApi, server: Loopback, reply: Reply, code: str, message: str
) -> None:
    server.on("POST", "/words", reply, Reply.sse([word("fine"), END]))
    api = make_api(words, client={"base_url": server.url})
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert [name for name, _ in events[-2:]] == ["thread.run.failed", "done"]
    last_error = events[-2][1]["last_error"]
    assert last_error["code"] == code
    assert message in last_error["message"]
    assert last_error["message"]
    again = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert again[-2][0] == "thread.run.completed"


async def test_a_timeout_fails_the_run(make_api: MakeApi, server: Loopback) -> None:
    never = threading.Event()
    server.on("POST", "/words", Reply.sse([word("some"), never]))
    api = make_api(words, client={"base_url": server.url, "timeout": 0.3})
    run = await api.settled(await api.run("x"))
    never.set()
    assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
    message = (await api.messages(run["thread_id"]))[-1]
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_failed"})
    assert text_of(message) == "some"


async def test_no_server_at_all_fails_the_run(make_api: MakeApi) -> None:
    api = make_api(words, client={"base_url": "http://127.0.0.1:9"})
    run = await api.settled(await api.run("x"))
    assert run["last_error"]["code"] == "server_error"
    assert run["last_error"]["message"].startswith("Connection error.")


async def test_keys_are_neither_stored_nor_logged(
    make_api: MakeApi, server: Loopback, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "sk-very-secret-0123456789"
    server.on("POST", "/words", refusal(401, f"Incorrect API key provided: {key}."))
    options = {"base_url": server.url, "api_key": key}
    api = make_api(words, f"sqlite:///{tmp_path}/store.db", client=options)
    run = await api.settled(await api.run("x"))
    assert run["last_error"]["message"] == "Incorrect API key provided: [key]."
    api.backend.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Incorrect API key" in kept
    assert key.encode() not in kept
    ours = [record for record in caplog.records if record.name == "streaming_assistants"]
    assert key not in "".join(record.getMessage() for record in ours)


@pytest.mark.parametrize("id", ["..", ".", "../models", "..\\models", "a\r\nb", "a/b"])
async def test_an_id_that_leads_elsewhere_is_not_asked_for(
    make_api: MakeApi, server: Loopback, id: str
) -> None:
    server.on("GET", ".*", Reply(200, {}, [b"reached"]))
    server.on("POST", ".*", Reply.json({"id": "vs_1"}))
    api = make_api("chat", client={"base_url": server.url + "/v1"})
    content = [{"type": "image_file", "image_file": {"file_id": id}}]
    message = {"role": "user", "content": content}
    made = await api.assistant(tools=[])
    body = {"assistant_id": made, "thread": {"messages": [message]}}
    try:
        run = await api.settled(await api.post("/threads/runs", body))
    except openai.BadRequestError:
        return  # refused before that
    assert run["status"] == "failed"
    assert [request.path for request in server.requests if request.method == "GET"] == []


SECRET = "sk-very/secret-0123456789"
QUOTED = {
    "in the text of a 200": Reply.sse([word(f"your key is {SECRET}."), END]),
    "as JSON writes it": Reply.sse(
        [b'data: {"word": "your key is sk-very\\/secret\\u002d0123456789."}\n\n', END]
    ),
    "in a frame that is no JSON": Reply.sse([f"data: broken {SECRET}\n\n".encode()]),
    "across the end of what is shown of one": Reply.sse([f"data: {'x' * 70}{SECRET}\n\n".encode()]),
    "in a refusal": refusal(400, f"No, {SECRET}."),
    "in a refusal that is no JSON": Reply(500, {"x-should-retry": "false"}, [f"No, {SECRET}.".encode()]),
}


@pytest.mark.parametrize("how", QUOTED)
async def test_a_key_that_the_upstream_quotes_is_hidden(
    make_api: MakeApi, server: Loopback, caplog: pytest.LogCaptureFixture, tmp_path: Any, how: str
) -> None:
    caplog.set_level(logging.DEBUG, "streaming_assistants")
    server.on("POST", "/words", QUOTED[how])
    options = {"base_url": server.url, "api_key": SECRET}
    api = make_api(words, f"sqlite:///{tmp_path}/store.db", client=options)
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    messages = await api.messages(thread_id)
    api.backend.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode("utf-8", "replace")
    for said in (json.dumps(events), json.dumps(messages), stored, caplog.text, repr(api.backend)):
        assert "secret" not in said.replace("\\/", "/")
        assert "0123456789" not in said
    assert "[key]" in json.dumps(events) or "no JSON" in how or "shown" in how


async def test_a_key_in_an_answer_to_a_plain_request_is_hidden(make_api: MakeApi, server: Loopback) -> None:
    server.on("GET", "/settings", Reply.json({"key": SECRET}))
    server.on("GET", "/file", Reply(200, {}, [SECRET.encode()]))
    server.on("GET", "/none", Reply(200, {}, [b"x" * 70 + SECRET.encode()]))
    got: list[Any] = []

    def upstream(turn: Turn) -> Conversation:
        got.append((yield Call("GET", "/settings")))
        got.append((yield Call("GET", "/file", raw=True)))
        yield Call("GET", "/none")

    api = make_api(upstream, client={"base_url": server.url, "api_key": SECRET})
    run = await api.settled(await api.run("x"))
    assert got == [{"key": "[key]"}, b"[key]"]
    assert run["last_error"]["message"] == f"The upstream sent an answer that is no JSON: {'x' * 70}[key]"


async def test_a_key_that_is_a_word_is_no_secret(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", "/words", Reply.sse([word("ask ollama"), END]))
    api = make_api(words, client={"base_url": server.url, "api_key": "ollama"})
    run = await api.settled(await api.run("x"))
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "ask ollama"


async def test_numbers_that_are_none_do_not_reach_a_client(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", "/words", Reply.sse([b'data: {"word": "fine", "score": NaN, "most": 1e999}\n\n', END]))
    seen: list[Any] = []

    def upstream(turn: Turn) -> Conversation:
        yield Open("POST", "/words", {})
        seen.append((yield Next()))
        yield Finished()

    api = make_api(upstream, client={"base_url": server.url})
    assert (await api.settled(await api.run("x")))["status"] == "completed"
    assert seen == [{"word": "fine", "score": None, "most": None}]


async def test_cancel_hangs_up_on_an_upstream_that_says_nothing(make_api: MakeApi, server: Loopback) -> None:
    go_on = threading.Event()

    def body() -> Iterator[Any]:
        yield word("some")
        for _ in range(500):
            if go_on.is_set():
                return
            yield 0.02
        yield END

    server.on("POST", "/words", Reply.sse(body()))
    api = make_api(words, client={"base_url": server.url})
    run = await api.run("x")
    await api.until(run, lambda run: run["status"] == "in_progress" and bool(server.requests))
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    ended = await api.settled(run)
    go_on.set()
    assert ended["status"] == "cancelled"


async def test_a_slow_upstream_is_closed_when_a_run_is_cancelled(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", "/words", Reply.sse([word("w"), *[0.05, word(" w")] * 200, END]))
    api = make_api(words, client={"base_url": server.url})
    run = await api.run("x")
    with anyio.fail_after(10):
        while not await api.messages(run["thread_id"], run_id=run["id"]):
            await anyio.sleep(0.01)
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert (await api.settled(run))["status"] == "cancelled"
    with anyio.fail_after(10):
        while not server.closed_early.acquire(blocking=False):
            await anyio.sleep(0.01)


async def test_plain_calls_uploads_and_bytes(make_api: MakeApi, server: Loopback) -> None:
    server.on("POST", "/files", Reply.json({"id": "file-9"}))
    server.on("GET", "/files/file-9/content", Reply(200, {"content-type": "image/png"}, [b"\x89PNG\x00\xff"]))
    server.on("DELETE", "/files/file-9", refusal(404, "No such File object: file-9"))
    got: list[Any] = []

    def upstream(turn: Turn) -> Conversation:
        upload = {"file": ("a.png", b"\x89PNG", "image/png")}
        got.append((yield Call("POST", "/files", {"purpose": "vision"}, files=upload)))
        got.append((yield Call("GET", "/files/file-9/content", raw=True)))
        try:
            yield Call("DELETE", "/files/file-9")
        except UpstreamError as error:
            got.append((error.status, error.message))
        yield FileContent("file-8", "b.bin", b"\x00\x01")
        yield ThreadResources({"file_search": {"vector_store_ids": ["vs_1"], "file_ids": ["file-9"]}})
        yield Finished()

    api = make_api(upstream, client={"base_url": server.url})
    run = await api.settled(await api.run("x"))
    assert run["status"] == "completed"
    assert got == [{"id": "file-9"}, b"\x89PNG\x00\xff", (404, "No such File object: file-9")]
    upload = next(request for request in server.requests if request.method == "POST")
    assert upload.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="purpose"\r\n\r\nvision\r\n' in upload.body
    assert b'filename="a.png"' in upload.body
    thread = await api.get(f"/threads/{run['thread_id']}")
    assert thread["tool_resources"] == {"file_search": {"vector_store_ids": ["vs_1"]}}
    # A file that a tool made is the backend's to give; any other is the server's.
    for id, content in (("file-8", b"\x00\x01"), ("file-9", b"\x89PNG\x00\xff")):
        events = await api.open(f"/files/{id}/content", method="get")
        body = events.response.read() if api.sync else await events.response.aread()
        assert body == content


async def test_long_streams_are_held_back_for_a_slow_reader(make_api: MakeApi, server: Loopback) -> None:
    sent = [0]

    def body() -> Iterator[Any]:
        for _ in range(200_000):
            sent[0] += 1
            yield word("x" * 500)
        yield END

    server.on("POST", "/words", lambda _: Reply.sse(body()))
    api = make_api(words, client={"base_url": server.url})
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    events = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    before = -1
    with anyio.fail_after(20):
        while sent[0] != before or sent[0] < 100:
            before = sent[0]
            await anyio.sleep(0.3)
    assert sent[0] < 100_000
    _, run = await events.next() or ("", None)
    await api.post(f"/threads/{thread_id}/runs/{run['id']}/cancel")
    assert (await events.rest())[-1] == ("done", "[DONE]")
    assert (await api.get(f"/threads/{thread_id}/runs/{run['id']}"))["status"] == "cancelled"
