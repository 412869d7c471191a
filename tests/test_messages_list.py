"""``messages.list(stream=True)`` on sockets, both colours: streamed, followed by polling, refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk, types
from streaming_assistants._patch import stories
from streaming_assistants._protocol import models

from .clients import Colour
from .loopback import CUT, Loopback, Reply, Request
from .objects import MESSAGES, ONE_RUN, RUNS, message, page, run, user
from .samples import chunk_frame, values

pytestmark = pytest.mark.anyio

HELLO = (chunk_frame("Hel"), chunk_frame("lo"))


def astra(server: Loopback, *pieces: Any) -> None:
    """Streams the endpoint under v1 only; under v2 the parameter is ignored and a page comes back."""

    def answer(request: Request) -> Reply:
        if "stream" in request.query and request.headers.get("openai-beta") == "assistants=v1":
            return Reply.sse(pieces)
        return Reply.json(page(message("Hello")))

    server.on("GET", MESSAGES, answer)


async def listed(colour: Colour, client: Any, **params: Any) -> Any:
    resource = client.beta.threads.messages
    return await colour.of(resource.list(**{"thread_id": "thread_1", "stream": True, **params}))


async def said(colour: Colour, client: Any, **params: Any) -> list[str]:
    return values(await colour.list(await listed(colour, client, **params)))


async def test_the_loop_of_the_original_shim(colour: Colour, server: Loopback) -> None:
    server.on("POST", RUNS, Reply.json(run("queued")))
    server.on("GET", ONE_RUN, Reply.json(run("queued")), Reply.json(run("generating")))
    astra(server, *HELLO)
    client = colour.client(server.url)
    runs = client.beta.threads.runs
    now = await colour.of(runs.create(thread_id="thread_1", assistant_id="asst_1"))
    while now.status not in ("generating", "completed"):
        now = await colour.of(runs.retrieve(now.id, thread_id="thread_1"))
    assert now.status == "generating"
    assert type(now) is models.model("Run")
    parts = client.beta.threads.messages.list(thread_id="thread_1", stream=True)
    printed = [part.data[0].content[0].delta.value async for part in colour.each(parts)]
    assert printed == ["Hel", "lo"]
    request = server.requests[-1]
    assert request.query == {"stream": ["true"], "limit": ["1"]}
    assert request.headers["openai-beta"] == "assistants=v1"


async def test_it_is_a_stream_of_the_sdk_and_of_typed_chunks(colour: Colour, server: Loopback) -> None:
    astra(server, *HELLO, b"data: [DONE]\n\n", chunk_frame("more"))
    stream = await listed(colour, colour.client(server.url))
    assert isinstance(stream, colour.stream)
    chunks = await colour.list(stream)
    assert [type(chunk) for chunk in chunks] == [types.MessageChunk] * 2
    assert values(chunks) == ["Hel", "lo"]
    assert await colour.list(stream) == []


async def test_chunks_arrive_one_by_one(colour: Colour, server: Loopback) -> None:
    seen = threading.Event()
    astra(server, HELLO[0], seen, HELLO[1])
    stream = await listed(colour, colour.client(server.url))
    assert values([await colour.next(stream)]) == ["Hel"]
    seen.set()
    assert values(await colour.list(stream)) == ["lo"]


async def test_text_deltas_and_the_final_message(colour: Colour, server: Loopback) -> None:
    astra(server, *HELLO)
    client = colour.client(server.url)
    stream = await listed(colour, client)
    assert await colour.list(stream.text_deltas) == ["Hel", "lo"]
    final = await colour.of(stream.get_final_message())
    assert type(final) is models.model("Message")
    assert (final.id, final.content[0].text.value) == ("msg_1", "Hello")
    started = await listed(colour, client)
    await colour.next(started)
    assert (await colour.of(started.get_final_message())).content[0].text.value == "Hello"


async def test_a_stream_without_a_chunk_has_no_final_message(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.json(page()))
    server.on("GET", RUNS, Reply.json(page()))
    server.on("GET", "/threads/thread_1", Reply.json({"id": "thread_1", "object": "thread"}))
    stream = await listed(colour, colour.client(server.url))
    with pytest.raises(sa.NoFinalObjectError):
        await colour.of(stream.get_final_message())


async def test_the_async_forms(server: Loopback) -> None:
    astra(server, *HELLO)
    colour = Colour("async")
    listing = colour.client(server.url).beta.threads.messages.list
    assert values([part async for part in await listing("thread_1", stream=True)]) == ["Hel", "lo"]
    assert values([part async for part in listing("thread_1", stream=True)]) == ["Hel", "lo"]
    async with listing("thread_1", stream=True) as stream:
        assert isinstance(stream, openai.AsyncStream)
        assert values([part async for part in stream]) == ["Hel", "lo"]
    async with await listing("thread_1", stream=True) as stream:
        assert values([part async for part in stream]) == ["Hel", "lo"]
    assert [text async for text in listing("thread_1", stream=True).text_deltas] == ["Hel", "lo"]
    final = await listing("thread_1", stream=True).get_final_message()
    assert final.content[0].text.value == "Hello"
    pending = listing("thread_1", stream=True)
    assert await pending is await pending
    await pending.close()
    asked = len(server.requests)
    listing("thread_1", stream=True)
    assert len(server.requests) == asked, "the request is made on first use"
    await colour.close()


# ---------------------------------------------------------------- ends and errors


def endless() -> Iterator[Any]:
    while True:
        yield chunk_frame("a")
        yield 0.01


async def hung_up(server: Loopback) -> bool:
    return await anyio.to_thread.run_sync(lambda: server.closed_early.acquire(timeout=10))


async def test_leaving_early_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.sse(endless()))
    async with colour.entered(await listed(colour, colour.client(server.url))) as stream:
        await colour.next(stream)
    assert await hung_up(server)
    assert await colour.list(stream) == []
    await colour.of(stream.close())


async def test_a_break_without_with_releases_the_connection(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.sse(endless()))
    listing = colour.client(server.url).beta.threads.messages.list
    async for _ in colour.each(listing("thread_1", stream=True)):
        break
    assert await hung_up(server)


async def test_the_frame_of_an_empty_list_is_an_error(colour: Colour, server: Loopback) -> None:
    astra(server, HELLO[0], b"data: []\n\n", HELLO[1])
    stream = await listed(colour, colour.client(server.url))
    assert values([await colour.next(stream)]) == ["Hel"]
    with pytest.raises(openai.APIError, match="reported an error"):
        await colour.next(stream)


async def test_an_error_in_words_keeps_them(colour: Colour, server: Loopback) -> None:
    astra(server, b'data: {"error": {"message": "over quota", "code": "rate_limit_exceeded"}}\n\n')
    with pytest.raises(openai.APIError, match="over quota") as caught:
        await said(colour, colour.client(server.url))
    assert caught.value.body == {"message": "over quota", "code": "rate_limit_exceeded"}


async def test_a_frame_that_is_no_chunk(colour: Colour, server: Loopback) -> None:
    astra(server, HELLO[0], b'data: {"detail": "odd"}\n\n')
    with pytest.raises(sa.MalformedEventError, match="odd") as caught:
        await said(colour, colour.client(server.url))
    assert isinstance(caught.value, openai.APIError)
    assert caught.value.body == b'{"detail": "odd"}'


async def test_a_connection_that_breaks(colour: Colour, server: Loopback) -> None:
    astra(server, HELLO[0], CUT)
    with pytest.raises(openai.APIConnectionError) as caught:
        await said(colour, colour.client(server.url))
    assert isinstance(caught.value, _sdk.transport_errors())


# ---------------------------------------------------------------- servers that do not stream it


def polled(server: Loopback, *ticks: tuple[Any, Any]) -> None:
    """Answers the looks of a followed message: (run, page) each time."""
    runs, pages = zip(*ticks, strict=True)
    hint = {"openai_poll_after_ms": "1"}
    server.on("GET", RUNS, Reply.json(page(runs[0]), **hint))
    server.on("GET", ONE_RUN, *(Reply.json(one, **hint) for one in runs[1:]), Reply.json(runs[-1]))
    server.on("GET", MESSAGES, *(Reply.json(one) for one in pages))


GROWING = (
    (run("in_progress"), page(message("Hel", status="in_progress"), user())),
    (run("in_progress"), page(message("Hello", status="in_progress"), user())),
    (run("completed"), page(message("Hello world"), user())),
)


async def test_a_page_in_answer_is_followed_by_polling(colour: Colour, server: Loopback) -> None:
    polled(server, GROWING[0], GROWING[0], *GROWING)
    stream = await listed(colour, colour.client(server.url))
    assert isinstance(stream, colour.stream)
    chunks = await colour.list(stream)
    assert {type(chunk) for chunk in chunks} == {types.MessageChunk}
    assert "".join(values(chunks)) == "Hello world"
    assert len(chunks) > 1
    final = await colour.of(stream.get_final_message())
    assert type(final) is models.model("Message")
    assert (final.status, final.content[0].text.value) == ("completed", "Hello world")
    first, second, *rest = server.requests
    assert (first.headers["openai-beta"], second.headers["openai-beta"]) == ("assistants=v2", "assistants=v1")
    assert {request.headers["openai-beta"] for request in rest} == {"assistants=v2"}
    assert all("stream" not in request.query for request in rest)


@pytest.mark.parametrize("status", [400, 404, 405, 422, 500, 501])
async def test_a_refusal_of_v1_is_followed_under_v2(colour: Colour, server: Loopback, status: int) -> None:
    def answer(request: Request) -> Reply:
        if request.headers["openai-beta"] == "assistants=v1":
            return Reply.json({"error": {"message": "v1 is not spoken here"}}, status)
        return Reply.json(page(message("Hello"), user()))

    server.on("GET", MESSAGES, answer)
    server.on("GET", RUNS, Reply.json(page(run("completed"))))
    # Retries that the caller allows are not spent on an answer that says no.
    assert await said(colour, colour.client(server.url, max_retries=2)) == ["Hello"]
    asked = [request.path for request in server.requests]
    assert asked == [MESSAGES, MESSAGES, RUNS, MESSAGES]


async def test_a_server_without_lists_of_runs(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.json(page(message("Hello"))))
    assert await said(colour, colour.client(server.url)) == ["Hello"]


async def test_an_error_while_following_is_the_sdks_own(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.json({"error": {"message": "no such thread"}}, 404))
    with pytest.raises(openai.NotFoundError, match="no such thread"):
        await said(colour, colour.client(server.url))


async def test_what_is_no_page_says_so(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply(200, {"content-type": "text/html"}, [b"<html>Login</html>"]))
    server.on("GET", RUNS, Reply.json(page()))
    with pytest.raises(sa.MalformedEventError, match="Login"):
        await said(colour, colour.client(server.url))


@pytest.mark.parametrize("status", [401, 403, 410])
async def test_other_errors_are_raised_at_once(colour: Colour, server: Loopback, status: int) -> None:
    server.on("GET", MESSAGES, Reply.json({"error": {"message": "not for you"}}, status))
    with pytest.raises(openai.APIStatusError, match="not for you"):
        await listed(colour, colour.client(server.url, max_retries=2))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_errors_that_pass_are_retried_as_often_as_the_caller_allows(
    colour: Colour, server: Loopback, status: int
) -> None:
    busy = Reply.json({"error": {"message": "busy"}}, status, retry_after_ms="1")
    server.on("GET", MESSAGES, busy, busy, Reply.sse(HELLO))
    assert await said(colour, colour.client(server.url, max_retries=2)) == ["Hel", "lo"]
    server.requests.clear()
    server.on("GET", MESSAGES, busy)
    with pytest.raises(openai.APIStatusError, match="busy"):
        await listed(colour, colour.client(server.url, max_retries=1))
    assert len(server.requests) == 2
    with pytest.raises(openai.APIStatusError, match="busy"):
        await listed(colour, colour.client(server.url, max_retries=0))
    assert len(server.requests) == 3


async def test_a_server_that_is_not_there(colour: Colour) -> None:
    with Loopback() as gone:
        pass
    with pytest.raises(openai.APIConnectionError):
        await listed(colour, colour.client(gone.url, max_retries=1))


async def test_a_server_that_goes_away_while_it_is_polled(colour: Colour, server: Loopback) -> None:
    server.on("GET", MESSAGES, Reply.json(page(message("Hel"))))
    server.on("GET", RUNS, Reply(200, {"content-type": "application/json"}, [b"{", CUT]))
    with pytest.raises(openai.APIConnectionError):
        await said(colour, colour.client(server.url))


async def test_the_deadline_names_the_run(colour: Colour, server: Loopback) -> None:
    polled(server, GROWING[0])
    stream = await listed(colour, colour.client(server.url), max_wait_seconds=0.05, poll_interval_ms=5)
    with pytest.raises(openai.APITimeoutError, match="run_1 of thread thread_1 was in_progress") as caught:
        await colour.list(stream)
    assert isinstance(caught.value, sa.PollTimeoutError)
    assert isinstance(caught.value, sa.StreamingAssistantsError)
    assert (caught.value.id, caught.value.status) == ("run_1", "in_progress")


async def test_leaving_early_stops_the_polling(colour: Colour, server: Loopback) -> None:
    polled(server, GROWING[0])
    async with colour.entered(await listed(colour, colour.client(server.url))) as stream:
        await colour.next(stream)
    asked = len(server.requests)
    assert await colour.list(stream) == []
    assert len(server.requests) == asked


async def test_a_run_that_the_caller_names(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json(run("completed")))
    server.on("GET", MESSAGES, Reply.json(page(message("Hello"))))
    assert await said(colour, colour.client(server.url), run_id="run_1") == ["Hello"]
    asked = [request.query.get("run_id") for request in server.requests]
    assert asked == [["run_1"], ["run_1"], None, ["run_1"]]


# ---------------------------------------------------------------- the call


@pytest.mark.parametrize("name", ["OpenAI-Beta", "openai-beta", "OPENAI-BETA"])
async def test_a_header_of_the_caller_wins(colour: Colour, server: Loopback, name: str) -> None:
    server.on("GET", MESSAGES, Reply.sse(HELLO))
    headers = {name: "assistants=v9", "X-Key": "k"}
    assert await said(colour, colour.client(server.url), extra_headers=headers) == ["Hel", "lo"]
    (request,) = server.requests
    assert request.headers["openai-beta"] == "assistants=v9"
    assert request.headers["x-key"] == "k"


async def test_what_the_caller_adds_goes_with_the_fallback_too(colour: Colour, server: Loopback) -> None:
    polled(server, GROWING[-1])
    extra = {"extra_headers": {"openai-beta": "assistants=v1", "X-Key": "k"}, "extra_query": {"tenant": "t"}}
    assert await said(colour, colour.client(server.url), **extra) == ["Hello world"]
    for request in server.requests:
        assert request.headers["x-key"] == "k"
        assert request.query["tenant"] == ["t"]
    assert {request.headers["openai-beta"] for request in server.requests} == {"assistants=v1"}


async def test_thread_by_position_and_what_may_be_said(colour: Colour, server: Loopback) -> None:
    astra(server, *HELLO)
    listing = colour.client(server.url).beta.threads.messages.list
    stream = await colour.of(listing("thread_1", stream=True, limit=1, order="desc", after=None))
    assert values(await colour.list(stream)) == ["Hel", "lo"]
    assert server.requests[0].query == {"stream": ["true"], "limit": ["1"], "order": ["desc"]}


async def test_an_id_is_quoted(colour: Colour, server: Loopback) -> None:
    server.on("GET", "/threads/a%2Fb/messages", Reply.sse(HELLO))
    assert await said(colour, colour.client(server.url), thread_id="a/b") == ["Hel", "lo"]


@pytest.mark.parametrize(
    ("wrong", "error", "named"),
    [
        ({"limit": 2}, ValueError, "limit must be 1"),
        ({"limit": 0}, ValueError, "limit must be 1"),
        ({"after": "msg_1"}, ValueError, "after is not supported"),
        ({"before": "msg_1"}, ValueError, "before is not supported"),
        ({"order": "asc"}, ValueError, "order must be 'desc'"),
        ({"order": "up"}, ValueError, "order must be 'desc'"),
        ({"thread_id": ""}, ValueError, "thread_id"),
        ({"thread_id": None}, TypeError, "thread_id"),
        ({"thread_id": 5}, TypeError, "thread_id"),
        ({"run_id": ""}, ValueError, "run_id"),
        ({"poll_interval_ms": -1}, ValueError, "poll_interval_ms"),
        ({"poll_interval_ms": 0.5}, TypeError, "poll_interval_ms"),
        ({"max_wait_seconds": 0}, ValueError, "max_wait_seconds"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
    ids=lambda value: "+".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
async def test_bad_input_is_said_before_any_request(
    colour: Colour, server: Loopback, wrong: dict[str, Any], error: type[Exception], named: str
) -> None:
    listing = colour.client(server.url).beta.threads.messages.list
    with pytest.raises(error, match=named):
        listing(**{"thread_id": "thread_1", "stream": True, **wrong})
    assert server.requests == []


async def test_a_call_without_a_thread(colour: Colour, server: Loopback) -> None:
    listing = colour.client(server.url).beta.threads.messages.list
    with pytest.raises(TypeError, match="thread_id"):
        listing(stream=True)
    with pytest.raises(TypeError, match="positional"):
        listing("thread_1", "thread_2", stream=True)
    with pytest.raises(TypeError, match="multiple values"):
        listing("thread_1", thread_id="thread_2", stream=True)
    assert server.requests == []


async def test_raw_responses_bring_the_stream_when_parsed(colour: Colour, server: Loopback) -> None:
    astra(server, *HELLO)
    raw = colour.client(server.url).beta.threads.messages.with_raw_response
    answer = await colour.of(raw.list("thread_1", stream=True))
    assert answer.headers["content-type"] == "text/event-stream"
    assert values(await colour.list(answer.parse())) == ["Hel", "lo"]


@pytest.mark.parametrize("stalls", [False, True], ids=["streamed", "followed"])
async def test_streamed_responses_bring_the_stream_too(
    colour: Colour, server: Loopback, stalls: bool
) -> None:
    if stalls:
        polled(server, GROWING[0])
    else:
        astra(server, *HELLO)
    messages = colour.client(server.url).beta.threads.messages
    if not hasattr(messages, "with_streaming_response"):
        return  # before 1.8
    asked = messages.with_streaming_response.list("thread_1", stream=True, max_wait_seconds=0.01)
    async with colour.entered(asked) as answer:
        stream = await colour.of(answer.parse())
        if not stalls:
            assert values(await colour.list(stream)) == ["Hel", "lo"]
            return
        with pytest.raises(sa.PollTimeoutError):
            await colour.list(stream)


async def test_copies_of_a_client_stream_too(colour: Colour, server: Loopback) -> None:
    astra(server, *HELLO)
    assert await said(colour, colour.client(server.url).with_options(timeout=5)) == ["Hel", "lo"]


async def test_unpatched_the_sdk_is_itself_again(colour: Colour, server: Loopback) -> None:
    client = sa.unpatch(colour.client(server.url))
    with pytest.raises(TypeError):
        client.beta.threads.messages.list("thread_1", stream=True)


async def test_the_table_shows_it(colour: Colour, server: Loopback) -> None:
    table = sa.capabilities(colour.client(server.url))
    assert table.provider("beta.threads.messages.list(stream=True)") == "streaming_assistants"
    for resource in ("assistants", "threads.messages", "threads.runs", "threads.runs.steps"):
        provider = table.provider(f"beta.{resource}.list() auto-paging")
        assert provider == ("streaming_assistants" if stories.PAGES.divergence() else "sdk")


# ---------------------------------------------------------------- without stream


@pytest.mark.parametrize("given", [{}, {"stream": False}, {"stream": None}], ids=str)
async def test_without_stream_the_page_is_the_sdks(
    colour: Colour, server: Loopback, given: dict[str, Any]
) -> None:
    first, second = page(message(id="msg_2"), more=True), page(message(id="msg_1"))
    server.on("GET", MESSAGES, Reply.json(first), Reply.json(second), Reply.json(page()))
    listing = colour.client(server.url).beta.threads.messages.list
    found = await colour.of(listing("thread_1", limit=1, order="asc", **given))
    assert [item.id for item in found.data] == ["msg_2"]
    assert type(found).__name__ == type(found).__mro__[1].__name__
    assert isinstance(found.data[0], models.model("Message"))
    assert [item.id async for item in colour.each(found)] == ["msg_2", "msg_1"]
    assert len(server.requests) == 2
    assert server.requests[1].query == {"limit": ["1"], "order": ["asc"], "after": ["msg_2"]}


async def test_an_async_page_needs_no_await(server: Loopback) -> None:
    colour = Colour("async")
    server.on("GET", MESSAGES, Reply.json(page(message())))
    listing = colour.client(server.url).beta.threads.messages.list
    assert [item.id async for item in listing("thread_1")] == ["msg_1"]
    assert [item.id async for item in listing(thread_id="thread_1", stream=False)] == ["msg_1"]
    assert [item.id for item in (await listing("thread_1")).data] == ["msg_1"]
    await colour.close()


# ---------------------------------------------------------------- pages that never advance

LISTS = {
    "/assistants": lambda client: client.beta.assistants.list(),
    MESSAGES: lambda client: client.beta.threads.messages.list("thread_1"),
    RUNS: lambda client: client.beta.threads.runs.list("thread_1"),
    f"{ONE_RUN}/steps": lambda client: client.beta.threads.runs.steps.list("run_1", thread_id="thread_1"),
}


async def ids(colour: Colour, found: Any, seen: list[str]) -> None:
    async for item in colour.each(found):
        seen += [item.id]


@pytest.mark.parametrize("path", LISTS)
async def test_pages_never_end(colour: Colour, server: Loopback, path: str) -> None:
    server.on("GET", path, Reply.json(page({"id": "a"}, {"id": "b"}, more=True)))
    seen: list[str] = []
    with pytest.raises(sa.StalledPagesError, match="ignores `after`") as caught:
        await ids(colour, LISTS[path](colour.client(server.url)), seen)
    assert seen == ["a", "b"]
    assert isinstance(caught.value, sa.StreamingAssistantsError)
    assert [item.id for item in caught.value.page.data] == ["a", "b"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("path", LISTS)
async def test_a_server_that_says_there_is_no_more_is_believed(
    colour: Colour, server: Loopback, path: str
) -> None:
    server.on("GET", path, Reply.json(page({"id": "a"}, {"id": "b"})))
    found = [item.id async for item in colour.each(LISTS[path](colour.client(server.url)))]
    assert found == ["a", "b"]
    assert len(server.requests) == 1


async def test_pages_that_stall_later_and_pages_that_overlap(colour: Colour, server: Loopback) -> None:
    one, two = page({"id": "a"}, {"id": "b"}, more=True), page({"id": "b"}, {"id": "c"}, more=True)
    server.on("GET", RUNS, Reply.json(one), Reply.json(two))
    seen: list[str] = []
    with pytest.raises(sa.StalledPagesError):
        await ids(colour, colour.client(server.url).beta.threads.runs.list("thread_1"), seen)
    assert seen == ["a", "b", "b", "c"]


async def test_a_raw_page_stalls_too(colour: Colour, server: Loopback) -> None:
    server.on("GET", RUNS, Reply.json(page({"id": "a"}, more=True)))
    raw = colour.client(server.url).beta.threads.runs.with_raw_response
    found = (await colour.of(raw.list("thread_1"))).parse()
    with pytest.raises(sa.StalledPagesError):
        await colour.list(found)


async def test_without_repair_the_pages_are_the_sdks(colour: Colour, server: Loopback) -> None:
    client = sa.patch(colour.bare(server.url), repair=False)
    rows = {row.capability: row for row in sa.capabilities(client)}
    row = rows["beta.threads.messages.list() auto-paging"]
    assert row.provider == "sdk"
    server.on("GET", MESSAGES, Reply.json(page({"id": "a"}, more=True)))
    found = await colour.of(client.beta.threads.messages.list("thread_1"))
    assert type(found) is type(await colour.of(sa.unpatch(client).beta.threads.messages.list("thread_1")))


@pytest.mark.parametrize("status", ["generating", "queued", "thinking"])
async def test_a_status_that_the_sdk_does_not_know_passes(
    colour: Colour, server: Loopback, status: str
) -> None:
    server.on("GET", ONE_RUN, Reply.json(run(status)))
    found = await colour.of(
        colour.client(server.url).beta.threads.runs.retrieve("run_1", thread_id="thread_1")
    )
    assert found.status == status
