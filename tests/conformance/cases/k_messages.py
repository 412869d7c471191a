"""Messages: the ordinary calls, and ``messages.list(stream=True)``."""

from __future__ import annotations

import json
from typing import Any

import openai

from tests.conformance.kit import Kit, equal, raises
from tests.conformance.registry import Group
from tests.conformance.script import drip, error, reply, sse
from tests.objects import (
    MESSAGES,
    ONE_RUN,
    RUNS,
    THREAD,
    Json,
    deleted,
    message,
    page,
    run,
    text,
)

messages = Group("messages")
V1 = {"openai-beta": "assistants=v1"}


@messages.case()
async def messages_life(t: Kit) -> None:
    """Messages are created, retrieved and updated."""
    t.answers("POST", MESSAGES, reply(message(text("Hi"), role="user")))
    t.answers("GET", f"{MESSAGES}/msg_1", reply(message(text("Hi"))))
    t.answers("POST", f"{MESSAGES}/msg_1", reply(message(text("Hi"), metadata={"k": "v"})))
    resource = t.client().beta.threads.messages
    equal((await t.value(resource.create(THREAD, role="user", content="Hi"))).role, "user")
    equal((await t.value(resource.retrieve("msg_1", thread_id=THREAD))).content[0].text.value, "Hi")
    equal(
        (await t.value(resource.update("msg_1", thread_id=THREAD, metadata={"k": "v"}))).metadata, {"k": "v"}
    )


@messages.case()
async def threads_list(t: Kit) -> None:
    """`threads.list()` gives a page of threads, those with some metadata, and goes on to the next page."""
    made = [
        {"id": f"thread_{n}", "object": "thread", "created_at": n, "metadata": {"a": "b"}} for n in (2, 1)
    ]
    t.pages("/threads", made[:1], made[1:])
    listed = t.client().beta.threads.list(limit=1, order="desc", metadata={"a": "b"})
    equal([(one.id, one.metadata) async for one in t.each(listed)], [(one["id"], {"a": "b"}) for one in made])
    asked = [request["query"] for request in t.seen("GET")]
    equal(asked[0], {"limit": "1", "order": "desc", "metadata[a]": "b"})
    equal(asked[1]["after"], "thread_2")


@messages.case()
async def messages_delete(t: Kit) -> None:
    """`messages.delete()` deletes a message."""
    t.answers("DELETE", f"{MESSAGES}/msg_1", reply(deleted("msg_1", "thread.message.deleted")))
    gone = await t.value(t.client().beta.threads.messages.delete("msg_1", thread_id=THREAD))
    equal((gone.id, gone.deleted), ("msg_1", True))


@messages.case()
async def messages_of_a_run(t: Kit) -> None:
    """`messages.list(run_id=)` asks for the messages of one run."""
    t.answers("GET", MESSAGES, reply(page(message(text("Hi")))))
    await t.value(t.client().beta.threads.messages.list(THREAD, run_id="run_1"))
    equal(t.seen("GET")[0]["query"], {"run_id": "run_1"})


@messages.case()
async def messages_pages(t: Kit) -> None:
    """`messages.list()` gives a page and iterates over all pages."""
    t.pages(MESSAGES, [message(id="msg_2")], [message(id="msg_1")])
    resource = t.client().beta.threads.messages
    first = await t.value(resource.list(thread_id=THREAD))
    equal([one.id for one in first.data], ["msg_2"])
    equal([one.id async for one in t.each(resource.list(THREAD, limit=1, order="desc"))], ["msg_2", "msg_1"])


@messages.case()
async def messages_without_streaming(t: Kit) -> None:
    """`messages.list(stream=False)` gives the page that `messages.list()` gives."""
    t.answers("GET", MESSAGES, reply(page(message(id="msg_1"))))
    first = await t.value(t.client().beta.threads.messages.list(THREAD, stream=False))
    equal([one.id for one in first.data], ["msg_1"])


@messages.case("unquoted_citations_hide_text")
async def messages_cited(t: Kit) -> None:
    """A message whose citation has no quote, as servers send them since v2, is text with an annotation."""
    mark = {"type": "file_citation", "text": "[0]", "start_index": 0, "end_index": 3}
    cited = message(text("[0]", annotations=[{**mark, "file_citation": {"file_id": "file_1"}}]))
    t.answers("GET", f"{MESSAGES}/msg_1", reply(cited))
    t.answers("GET", MESSAGES, reply(page(cited)))
    resource = t.client().beta.threads.messages
    alone = await t.value(resource.retrieve("msg_1", thread_id=THREAD))
    listed = (await t.value(resource.list(THREAD))).data[0]
    for part in (alone.content[0].text, listed.content[0].text):
        equal((part.value, part.annotations[0].file_citation.file_id), ("[0]", "file_1"))


@messages.case("pages_never_end")
async def pages_that_never_advance(t: Kit) -> None:
    """Pages that never advance, from a server that ignores `after`, end with an error and not never."""
    t.answers("GET", MESSAGES, reply(page(message(id="msg_1"), more=True)))
    count = 0
    with raises(Exception) as caught:
        async for _ in t.each(t.client().beta.threads.messages.list(THREAD)):
            count += 1
            if count == 20:
                break
    assert count < 20, "goes on for ever"
    assert not isinstance(caught.error, openai.APIStatusError), caught.error


# messages.list(stream=True) on a server that streams it ---------------------------------------------------


def chunk(value: str, kind: str = "thread.message.delta") -> Json:
    block = {"type": "text", "text": {"value": "", "annotations": []}, "delta": {"value": value}}
    one = message(id="msg_1") | {"object": "thread.message", "content": [block], "file_ids": []}
    return {"object": kind, "first_id": "msg_1", "last_id": "msg_1", "data": [one]}


def frame(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def streaming(t: Kit, *pieces: Any) -> None:
    """A server that streams the endpoint under v1 and ignores the parameter under v2."""
    t.on("GET", MESSAGES, reply(page(message(text("Hello")))))
    t.on("GET", MESSAGES, sse(*pieces), query={"stream": "true"}, headers=V1)
    t.on("GET", ONE_RUN, reply(run()))
    t.on("GET", RUNS, reply(page(run())))


HELLO = (frame(chunk("Hel")), frame(chunk("lo")))


async def listed(t: Kit, client: Any = None, **params: Any) -> Any:
    resource = (client or t.client()).beta.threads.messages
    return await t.value(resource.list(**{"thread_id": THREAD, "stream": True, **params}))


async def said_by(t: Kit, stream: Any) -> list[str]:
    return [part.data[0].content[0].delta.value async for part in t.each(stream)]


@messages.case()
async def messages_stream(t: Kit) -> None:
    """`messages.list(stream=True)` yields typed chunks whose deltas add up to the newest message."""
    streaming(t, *HELLO)
    parts = await t.list(await listed(t))
    equal([part.data[0].content[0].delta.value for part in parts], ["Hel", "lo"])
    equal(
        (type(parts[0]).__name__, parts[0].object, parts[0].first_id),
        ("MessageChunk", "thread.message.delta", "msg_1"),
    )


@messages.case()
async def messages_stream_request(t: Kit) -> None:
    """`messages.list(stream=True)` asks with `stream=true&limit=1` in the client's version, then under v1."""
    streaming(t, *HELLO)
    await t.list(await listed(t))
    requests = t.seen("GET", MESSAGES)
    equal([request["query"] for request in requests], [{"stream": "true", "limit": "1"}] * 2)
    equal([request["headers"].get("openai-beta") for request in requests], ["assistants=v2", "assistants=v1"])


@messages.case()
async def messages_stream_header_of_the_caller(t: Kit) -> None:
    """An `OpenAI-Beta` header that the caller gives to `messages.list(stream=True)` wins."""
    t.on("GET", MESSAGES, sse(*HELLO), query={"stream": "true"})
    await t.list(await listed(t, extra_headers={"OpenAI-Beta": "assistants=v9"}))
    equal(t.seen("GET", MESSAGES)[0]["headers"].get("openai-beta"), "assistants=v9")


@messages.case()
async def messages_stream_ends_at_done(t: Kit) -> None:
    """`data: [DONE]` ends a message stream, as the connection's end does."""
    streaming(t, *HELLO, b"data: [DONE]\n\n", frame(chunk("!")))
    equal(await said_by(t, await listed(t)), ["Hel", "lo"])


@messages.case()
async def messages_stream_error(t: Kit) -> None:
    """The frame `data: []`, by which the server reports an error, raises `openai.APIError`."""
    streaming(t, frame(chunk("Hel")), frame([]))
    with raises(openai.APIError):
        await said_by(t, await listed(t))


@messages.case()
async def messages_stream_object_names(t: Kit) -> None:
    """A chunk may call itself `list` or `thread.message.delta`."""
    streaming(t, frame(chunk("Hel", "list")), frame(chunk("lo")))
    equal(await said_by(t, await listed(t)), ["Hel", "lo"])


@messages.case()
async def messages_stream_parameters(t: Kit) -> None:
    """With `stream=True`, `limit` must be 1, `after` and `before` absent, `order` `desc`: else a
    ValueError.
    """
    streaming(t, *HELLO)
    for wrong in ({"limit": 2}, {"after": "msg_1"}, {"before": "msg_1"}, {"order": "asc"}):
        with raises(ValueError):
            await t.list(await listed(t, **wrong))
    equal(t.seen(), [])
    equal(await said_by(t, await listed(t, limit=1, order="desc")), ["Hel", "lo"])


@messages.case()
async def messages_stream_positional(t: Kit) -> None:
    """`messages.list("thread_1", stream=True)` takes the thread by position."""
    streaming(t, *HELLO)
    stream = await t.value(t.client().beta.threads.messages.list(THREAD, stream=True))
    equal(await said_by(t, stream), ["Hel", "lo"])


@messages.case()
async def messages_stream_is_an_openai_stream(t: Kit) -> None:
    """A message stream is an `openai.Stream` or `AsyncStream` and closes its connection when left early."""
    streaming(t, frame(chunk("Hel")), drip(frame(chunk("l"))))
    stream = await listed(t)
    assert isinstance(stream, openai.AsyncStream if t.is_async else openai.Stream), type(stream)
    async with t.entered(stream):
        async for _ in t.each(stream):
            break
    assert t.realm.hung_up(), "the connection is still open"


@messages.case()
async def messages_stream_text_deltas(t: Kit) -> None:
    """A message stream has `text_deltas` and `get_final_message()`."""
    streaming(t, *HELLO)
    equal(await t.list((await listed(t)).text_deltas), ["Hel", "lo"])
    final = await t.value((await listed(t)).get_final_message())
    equal((final.id, final.content[0].text.value), ("msg_1", "Hello"))


# ... and on servers that do not ---------------------------------------------------------------------------


@messages.case()
async def messages_stream_of_a_page(t: Kit) -> None:
    """A server that answers with a page: a message that is complete already comes as one chunk."""
    t.on("GET", MESSAGES, reply(page(message(text("Hello")))))
    t.on("GET", ONE_RUN, reply(run()))
    t.on("GET", RUNS, reply(page(run())))
    equal(await said_by(t, await listed(t)), ["Hello"])


@messages.case()
async def messages_stream_by_polling(t: Kit) -> None:
    """A server that answers with a page: the growth of the newest message comes as chunks until its
    run ends.
    """
    t.on("GET", MESSAGES, *(reply(page(_growing(said))) for said in ("Hel", "Hel", "Hel", "Hello")),
         reply(page(message(text("Hello world")))))  # fmt: skip
    t.on("GET", ONE_RUN, reply(run("in_progress")), reply(run("in_progress")), reply(run()))
    t.on("GET", RUNS, reply(page(run("in_progress"))), reply(page(run("in_progress"))), reply(page(run())))
    with t.naps():
        said = await said_by(t, await listed(t))
    equal("".join(said), "Hello world")
    assert len(said) > 1, said


def _growing(value: str) -> Json:
    return message(text(value), status="in_progress")


def _refused(status: int) -> None:
    async def body(t: Kit) -> None:
        t.on("GET", MESSAGES, reply(page(message(text("Hello")))))
        t.on("GET", MESSAGES, error(status, "v1 is not spoken here"), headers=V1)
        t.on("GET", ONE_RUN, reply(run()))
        t.on("GET", RUNS, reply(page(run())))
        equal(await said_by(t, await listed(t)), ["Hello"])
        equal(t.seen("GET", MESSAGES)[-1]["headers"].get("openai-beta"), "assistants=v2")

    sentence = f"A server that answers v1 with {status}: the message is followed under v2."
    messages.add(f"messages-stream-refused-with-{status}", sentence, body)


for _status in (400, 404, 500):
    _refused(_status)


@messages.case()
async def messages_stream_for_astra_code(t: Kit) -> None:
    """The loop of code written for Astra (retrieve until `generating`, then stream) runs."""
    t.answers("POST", RUNS, reply(run("queued")))
    streaming(t, *HELLO)
    t.answers("GET", ONE_RUN, reply(run("generating")), reply(run()))
    client = t.client()
    run_now = await t.value(client.beta.threads.runs.create(thread_id=THREAD, assistant_id="asst_1"))
    while run_now.status not in ("generating", "completed"):
        run_now = await t.value(client.beta.threads.runs.retrieve(run_now.id, thread_id=THREAD))
    equal("".join(await said_by(t, await listed(t, client))), "Hello")
