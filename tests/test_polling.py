"""Every helper that waits, on a socket, in both colours, on whatever SDK is installed."""

from __future__ import annotations

import functools
import inspect
import json
import re
import time
from typing import Any

import anyio
import openai
import pytest

import streaming_assistants as sa
from streaming_assistants._patch.table import TABLE, resolve

from .clients import Colour, no_warnings
from .loopback import Loopback, Reply, Request
from .polling_support import BATCH, HELPERS, UPLOAD, Helper
from .samples import RUN, recordings

pytestmark = pytest.mark.anyio

each_helper = pytest.mark.parametrize("helper", HELPERS, ids=str)
RUN_HELPERS = HELPERS[:4]
FAST = {"poll_interval_ms": 0}


@each_helper
async def test_it_waits_for_the_end(helper: Helper, colour: Colour, server: Loopback) -> None:
    helper.served(server, "in_progress", "in_progress", "completed")
    found = await colour.of(helper.call(colour.client(server.url), **FAST))
    assert (found.id, found.status) == (helper.thing["id"], "completed")
    polls = [request for request in server.requests if request.method == "GET"]
    assert len(polls) == 3
    assert {request.headers["openai-beta"] for request in polls} == {"assistants=v2"}
    assert {request.headers["x-stainless-poll-helper"] for request in polls} == {"true"}
    assert {request.headers["x-stainless-custom-poll-interval"] for request in polls} == {"0"}


@each_helper
async def test_it_ends_on_any_status_that_is_not_pending(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    client = colour.client(server.url)
    for status in ("incomplete", "cancelled", "paused"):
        helper.served(server, status)
        assert (await colour.of(helper.call(client, **FAST))).status == status


@each_helper
async def test_the_deadline_names_what_was_polled(helper: Helper, colour: Colour, server: Loopback) -> None:
    helper.served(server, "in_progress")
    client = colour.client(server.url)
    with pytest.raises(openai.APITimeoutError) as caught:
        await colour.of(helper.call(client, poll_interval_ms=5, max_wait_seconds=0.05))
    error = caught.value
    assert isinstance(error, sa.StreamingAssistantsError)
    assert isinstance(error, sa.PollTimeoutError)
    assert isinstance(error, TimeoutError)  # what the SDK's own deadline raises, where it has one
    assert (error.id, error.status) == (helper.thing["id"], "in_progress")
    assert error.id in str(error)
    assert "in_progress" in str(error)
    assert error.request.url.path == helper.polls
    assert not [request for request in server.requests if request.path.endswith("cancel")]


@each_helper
async def test_on_poll_is_told_of_each_answer(helper: Helper, colour: Colour, server: Loopback) -> None:
    helper.served(server, "in_progress", "completed")
    seen: list[str] = []

    async def later(thing: Any) -> None:
        seen.append(thing.status)

    client = colour.client(server.url)
    await colour.of(helper.call(client, on_poll=lambda thing: seen.append(thing.status), **FAST))
    assert seen == ["in_progress", "completed"]
    if colour.is_async:
        helper.served(server, "in_progress", "completed")
        await helper.call(client, on_poll=later, **FAST)
        assert seen[2:] == ["in_progress", "completed"]


@each_helper
async def test_an_error_of_on_poll_comes_out(helper: Helper, colour: Colour, server: Loopback) -> None:
    helper.served(server, "in_progress")

    def stop(_: Any) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await colour.of(helper.call(colour.client(server.url), on_poll=stop, **FAST))


@each_helper
async def test_not_found_right_after_create_is_forgiven(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    absent = Reply.json({"error": {"message": "no such thing"}}, 404)
    helper.served(server, absent, "completed")
    found = await colour.of(helper.call(colour.client(server.url), **FAST))
    assert found.status == "completed"


@each_helper
async def test_trouble_follows_the_clients_retries(helper: Helper, colour: Colour, server: Loopback) -> None:
    client = colour.client(server.url, max_retries=2)
    client._calculate_retry_timeout = lambda *_, **__: 0.001  # early releases read whole seconds only
    for status in (429, 500, 503):
        trouble = Reply.json({"error": {"message": "later"}}, status)
        helper.served(server, trouble, trouble, "completed")
        assert (await colour.of(helper.call(client, **FAST))).status == "completed"


@each_helper
async def test_trouble_beyond_the_clients_retries_comes_out(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    helper.served(server, Reply.json({"error": {"message": "later"}}, 429))
    client = colour.client(server.url, max_retries=1)
    client._calculate_retry_timeout = lambda *_, **__: 0.001
    with pytest.raises(openai.RateLimitError):
        await colour.of(helper.call(client, **FAST))
    assert len([request for request in server.requests if request.method == "GET"]) == 2


@each_helper
async def test_trouble_does_not_outlast_the_deadline(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    busy = Reply.json({"error": {"message": "later"}}, 429, retry_after="50")
    helper.served(server, "in_progress", busy)
    client = colour.client(server.url, max_retries=5)
    with pytest.raises(sa.PollTimeoutError) as caught:
        await colour.of(helper.call(client, max_wait_seconds=0.3, **FAST))
    assert caught.value.status == "in_progress"
    assert isinstance(caught.value.__cause__, openai.RateLimitError)


async def test_a_request_does_not_outlast_the_deadline(colour: Colour, server: Loopback) -> None:
    server.on("GET", ".*", Reply.json(RUN), Reply(200, {"content-type": "application/json"}, [30.0, b"{}"]))
    client = colour.client(server.url, timeout=600)
    with pytest.raises(sa.PollTimeoutError) as caught:
        await colour.of(client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=0.1, **FAST))
    assert caught.value.status == "queued"
    assert isinstance(caught.value.__cause__, openai.APITimeoutError)


async def test_the_servers_interval_is_waited_for(
    colour: Colour, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real = anyio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    monkeypatch.setattr("streaming_assistants._io.drive.anyio.sleep", sleep)
    monkeypatch.setattr(
        "streaming_assistants._io.drive.time", type("Time", (), {"sleep": staticmethod(pauses.append)})
    )
    answers = [Reply.json(RUN, openai_poll_after_ms=after) for after in ("300", "20.5", "junk")]
    server.on("GET", ".*", *answers, Reply.json({**RUN, "status": "completed"}))
    await colour.of(colour.client(server.url).beta.threads.runs.poll("run_1", "thread_1"))
    assert pauses == [0.3, 0.0205, 1.0]


async def test_async_polling_leaves_the_loop_free(server: Loopback) -> None:
    colour = Colour("async")
    server.on("GET", ".*", Reply.json(RUN, openai_poll_after_ms="20"))
    turns = 0
    async with anyio.create_task_group() as tasks:

        async def count() -> None:
            nonlocal turns
            while turns < 20:
                turns += 1
                await anyio.sleep(0)
            tasks.cancel_scope.cancel()

        poll = colour.client(server.url).beta.threads.runs.poll
        tasks.start_soon(functools.partial(poll, "run_1", "thread_1"))
        tasks.start_soon(count)
    assert turns == 20
    await colour.close()


async def test_cancelling_leaves_at_once(server: Loopback) -> None:
    colour = Colour("async")
    server.on("GET", ".*", Reply.json(RUN, openai_poll_after_ms="60000"))
    asked = anyio.Event()
    client = colour.client(server.url)
    async with anyio.create_task_group() as tasks:

        async def poll() -> None:
            await client.beta.threads.runs.poll("run_1", "thread_1", on_poll=lambda _: asked.set())
            raise AssertionError("a cancelled poll went on")

        tasks.start_soon(poll)
        await asked.wait()
        tasks.cancel_scope.cancel()
    await colour.close()


def test_a_keyboard_interrupt_leaves_at_once(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("GET", ".*", Reply.json(RUN))

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with Colour("sync").bare(server.url) as bare:
        client = sa.patch(bare)
        monkeypatch.setattr(time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.beta.threads.runs.poll("run_1", "thread_1")
    assert len(server.requests) == 1


# ---------------------------------------------------------------- what is sent


async def test_create_and_poll_sends_what_was_said(colour: Colour, server: Loopback) -> None:
    RUN_HELPERS[1].served(server, "completed")
    await colour.of(
        colour.client(server.url).beta.threads.runs.create_and_poll(
            thread_id="thread_1",
            assistant_id="asst_1",
            additional_messages=[{"role": "user", "content": "hi"}],
            truncation_strategy={"type": "last_messages", "last_messages": 3},
            include=["step_details.tool_calls[*].file_search.results[*].content"],
            extra_headers={"X-Mine": "1"},
            extra_query={"also": "this"},
            extra_body={"odd": 1},
        )
    )
    start, poll = server.requests
    assert start.json == {
        "assistant_id": "asst_1",
        "additional_messages": [{"role": "user", "content": "hi"}],
        "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        "stream": False,
        "odd": 1,
    }
    assert start.query["include[]"] == ["step_details.tool_calls[*].file_search.results[*].content"]
    assert start.headers["x-mine"] == poll.headers["x-mine"] == "1"
    assert start.query["also"] == poll.query["also"] == ["this"]
    assert "x-stainless-poll-helper" not in start.headers


async def test_a_batch_id_stays_the_batch_id(colour: Colour, server: Loopback) -> None:
    confused = Reply.json({**BATCH, "id": "vs_1", "status": "in_progress"})
    ended = Reply.json({**BATCH, "id": "vs_1", "status": "completed"})
    server.on("POST", "/vector_stores/vs_1/file_batches", Reply.json({**BATCH, "status": "in_progress"}))
    server.on("GET", "/vector_stores/vs_1/file_batches/vsfb_1", confused, ended)
    batches = colour.client(server.url).vector_stores.file_batches
    batch = await colour.of(batches.create_and_poll("vs_1", file_ids=["file-1"], **FAST))
    assert (batch.id, batch.status) == ("vsfb_1", "completed")


# ---------------------------------------------------------------- uploads


def _uploads(server: Loopback, failing: str = "bad") -> None:
    def answer(request: Request) -> Reply:
        name = re.search(rb'filename="(\w+)', request.body).group(1).decode()  # type: ignore[union-attr]
        if name.startswith(failing):
            return Reply.json({"error": {"message": f"{name} is no good"}}, 400)
        return Reply.json({**UPLOAD, "id": f"file-{name}"})

    server.on("POST", "/files", answer)


async def test_a_batch_is_made_of_what_was_uploaded_in_order(colour: Colour, server: Loopback) -> None:
    HELPERS[-1].served(server, "completed")
    _uploads(server)
    batches = colour.client(server.url).vector_stores.file_batches
    files = [(f"{name}.txt", b"abc") for name in ("a", "b", "c")]
    await colour.of(batches.upload_and_poll("vs_1", files=files, file_ids=["file-old"], max_concurrency=2))
    (created,) = [request for request in server.requests if request.path.endswith("file_batches")]
    assert created.json == {"file_ids": ["file-old", "file-a", "file-b", "file-c"]}


async def test_a_file_that_fails_does_not_lose_the_others(colour: Colour, server: Loopback) -> None:
    HELPERS[-1].served(server, "completed")
    _uploads(server)
    batches = colour.client(server.url).vector_stores.file_batches
    files = [(f"{name}.txt", b"abc") for name in ("a", "bad", "c")]
    with pytest.raises(sa.FileUploadError) as caught:
        await colour.of(batches.upload_and_poll("vs_1", files=files, max_concurrency=1))
    error: Any = caught.value
    assert error.uploaded == ["file-a", "file-c"]
    assert list(error.failed) == [1]
    assert isinstance(error, openai.BadRequestError)  # what the SDK raises
    assert error.status_code == 400
    assert "bad is no good" in str(error)
    assert "file-a, file-c" in str(error)
    assert error.__cause__ is error.failed[1]
    assert not [request for request in server.requests if "file_batches" in request.path]


async def test_a_batch_that_cannot_be_made_does_not_lose_the_files(colour: Colour, server: Loopback) -> None:
    _uploads(server)
    server.on("POST", "/vector_stores/vs_1/file_batches", Reply.json({"error": {"message": "no"}}, 403))
    batches = colour.client(server.url).vector_stores.file_batches
    with pytest.raises(sa.FileUploadError) as caught:
        await colour.of(batches.upload_and_poll("vs_1", files=[("a.txt", b"abc")]))
    assert caught.value.uploaded == ["file-a"]
    assert isinstance(caught.value, openai.PermissionDeniedError)


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_uploads_than_asked_for_run_at_once(
    limit: int, colour: Colour, server: Loopback
) -> None:
    HELPERS[-1].served(server, "completed")
    running, most = 0, 0

    def answer(_: Request) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)

        def body() -> Any:
            nonlocal running
            yield 0.01
            running -= 1
            yield json.dumps(UPLOAD).encode()

        return Reply(200, {"content-type": "application/json"}, body())

    server.on("POST", "/files", answer)
    batches = colour.client(server.url).vector_stores.file_batches
    await colour.of(batches.upload_and_poll("vs_1", files=[("a.txt", b"abc")] * 6, max_concurrency=limit))
    assert most <= limit
    assert len([request for request in server.requests if request.path == "/files"]) == 6


async def test_upload_attaches_and_does_not_wait(colour: Colour, server: Loopback) -> None:
    HELPERS[6].served(server, "completed")
    files = colour.client(server.url).vector_stores.files
    found = await colour.of(
        files.upload(vector_store_id="vs_1", file=("a.txt", b"abc"), chunking_strategy={"type": "auto"})
    )
    assert found.status == "in_progress"
    assert server.requests[-1].json == {"file_id": "file-1", "chunking_strategy": {"type": "auto"}}
    assert [request.method for request in server.requests] == ["POST", "POST"]


# ---------------------------------------------------------------- bad input

BAD_TERMS = [
    ({"poll_interval_ms": -1}, ValueError, "0 or more milliseconds, got -1"),
    ({"poll_interval_ms": 1.5}, TypeError, "whole milliseconds"),
    ({"poll_interval_ms": "100"}, TypeError, "whole milliseconds"),
    ({"poll_interval_ms": True}, TypeError, "whole milliseconds"),
    ({"max_wait_seconds": 0}, ValueError, "more than 0 seconds.*got 0"),
    ({"max_wait_seconds": -2}, ValueError, "more than 0 seconds.*got -2"),
    ({"max_wait_seconds": float("nan")}, ValueError, "got nan"),
    ({"max_wait_seconds": "5"}, TypeError, "number of seconds"),
    ({"on_poll": 7}, TypeError, "function for `on_poll` but received 7"),
]


@each_helper
async def test_bad_terms_are_refused_before_any_request(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    client = colour.client(server.url)
    for bad, error, said in BAD_TERMS:
        with pytest.raises(error, match=said):
            await colour.of(helper.call(client, **bad))
    assert server.requests == []


@pytest.mark.parametrize(
    ("path", "name", "good", "ids"),
    [
        ("beta.threads.runs", "poll", {"run_id": "run_1", "thread_id": "thread_1"}, ("run_id", "thread_id")),
        (
            "beta.threads.runs",
            "create_and_poll",
            {"thread_id": "thread_1", "assistant_id": "asst_1"},
            ("thread_id", "assistant_id"),
        ),
        (
            "beta.threads.runs",
            "submit_tool_outputs_and_poll",
            {"run_id": "run_1", "thread_id": "thread_1", "tool_outputs": []},
            ("run_id", "thread_id"),
        ),
        ("beta.threads", "create_and_run_poll", {"assistant_id": "asst_1"}, ("assistant_id",)),
        (
            "vector_stores.files",
            "poll",
            {"file_id": "file-1", "vector_store_id": "vs_1"},
            ("file_id", "vector_store_id"),
        ),
        (
            "vector_stores.files",
            "create_and_poll",
            {"file_id": "file-1", "vector_store_id": "vs_1"},
            ("file_id", "vector_store_id"),
        ),
        (
            "vector_stores.files",
            "upload_and_poll",
            {"file": b"abc", "vector_store_id": "vs_1"},
            ("vector_store_id",),
        ),
        (
            "vector_stores.file_batches",
            "poll",
            {"batch_id": "vsfb_1", "vector_store_id": "vs_1"},
            ("batch_id", "vector_store_id"),
        ),
        (
            "vector_stores.file_batches",
            "create_and_poll",
            {"vector_store_id": "vs_1", "file_ids": ["file-1"]},
            ("vector_store_id",),
        ),
        (
            "vector_stores.file_batches",
            "upload_and_poll",
            {"vector_store_id": "vs_1", "files": [b"abc"]},
            ("vector_store_id",),
        ),
    ],
)
async def test_bad_ids_are_refused_before_any_request(
    path: str, name: str, good: dict[str, Any], ids: tuple[str, ...], colour: Colour, server: Loopback
) -> None:
    method = getattr(resolve(colour.client(server.url), path), name)
    for bad_one in ids:
        for value, error, said in (
            ("", ValueError, f"non-empty value for `{bad_one}`"),
            (7, TypeError, f"string for `{bad_one}` but received 7"),
            (None, TypeError, bad_one),
            ("msg_1", ValueError, f"Expected a `{bad_one}` but received 'msg_1', which is a `message_id`"),
        ):
            with pytest.raises(error, match=re.escape(said)):
                await colour.of(method(**{**good, bad_one: value}))
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        await colour.of(method(**good, nonsense=1))
    assert server.requests == []


@each_helper
async def test_a_sync_client_refuses_an_async_on_poll(helper: Helper, server: Loopback) -> None:
    async def later(_: Any) -> None: ...

    with Colour("sync").bare(server.url) as bare, pytest.raises(TypeError, match="async def"):
        helper.call(sa.patch(bare), on_poll=later)
    assert server.requests == []


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True])
async def test_bad_concurrency(bad: Any, colour: Colour, server: Loopback) -> None:
    batches = colour.client(server.url).vector_stores.file_batches
    with pytest.raises((TypeError, ValueError), match="max_concurrency"):
        await colour.of(batches.upload_and_poll("vs_1", files=[b"abc"], max_concurrency=bad))
    with pytest.raises(ValueError, match="No `files` provided"):
        await colour.of(batches.upload_and_poll("vs_1", files=[]))
    assert server.requests == []


# ---------------------------------------------------------------- defects of the SDK


def test_unrepaired_helpers_stay_the_sdks_and_take_our_parameters(server: Loopback) -> None:
    server.on("GET", ".*", Reply.json({**RUN, "status": "completed"}))
    seen: list[Any] = []
    with Colour("sync").bare(server.url) as bare, no_warnings():
        client = sa.patch(bare, repair=False)
        runs = client.beta.threads.runs
        assert runs.poll(run_id="run_1", thread_id="thread_1").status == "completed"
        runs.poll(run_id="run_1", thread_id="thread_1", on_poll=seen.append)
        providers = {row.capability: row.provider for row in sa.capabilities(client)}
    assert len(seen) == 1
    has = hasattr(type(runs), "poll")
    assert providers["beta.threads.runs.poll()"] == ("sdk" if has else "streaming_assistants")
    assert providers["beta.threads.runs.poll(max_wait_seconds=, on_poll=)"] == "streaming_assistants"


def test_the_table_has_every_helper_once() -> None:
    names = [capability.name for capability in TABLE]
    assert len(names) == len(set(names))


# ---------------------------------------------------------------- recordings

RECORDED = (
    ("openai__openai-dotnet__poll_basic_run.json", ["completed"]),
    ("openai__openai-dotnet__poll_requires_action_submit.json", ["requires_action", "completed"]),
    ("openai__openai-dotnet__poll_steps_pagination_logs_image.json", ["completed"]),
    ("traceloop__openllmetry__poll_create_and_poll_2026.json", ["completed"]),
)


@pytest.mark.recordings
@pytest.mark.parametrize(("name", "ends"), RECORDED)
async def test_a_recorded_run_is_polled_to_its_end(
    name: str, ends: list[str], colour: Colour, server: Loopback
) -> None:
    folder = recordings()
    assert folder is not None
    entries = json.loads((folder / name).read_text())
    starts = [each for each in entries if each["method"] == "POST" and re.search("runs(\\?|$)", each["path"])]
    run = starts[0]["response_json"]
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
    polls = [each for each in entries if (each["method"], each["path"]) == ("GET", path)]
    for each in entries:
        if each["method"] == "POST":
            server.on("POST", re.escape(each["path"].split("?")[0]), Reply.json(each["response_json"]))
    client = colour.client(server.url + "/v1")
    runs, seen = client.beta.threads.runs, []

    def tell(found: Any) -> None:
        seen.append(found.status)

    server.on("GET", path, *[Reply.json(each["response_json"]) for each in polls])
    if starts[0]["path"].split("?")[0] == "/v1/threads/runs":
        body = dict(starts[0]["request_json"])
        ended = await colour.of(client.beta.threads.create_and_run_poll(**body, on_poll=tell, **FAST))
    else:
        body = {k: v for k, v in starts[0]["request_json"].items() if k != "stream"}
        ended = await colour.of(
            runs.create_and_poll(thread_id=run["thread_id"], **body, on_poll=tell, **FAST)
        )
    sent = next(request for request in server.requests if request.method == "POST").json
    assert {**sent, "stream": False} == {**starts[0]["request_json"], "stream": False}
    assert ended.status == ends[0]
    assert seen == [each["response_json"]["status"] for each in polls][: len(seen)]
    if len(ends) > 1:
        later = [each for each in polls if each["response_json"]["status"] != "requires_action"]
        server.on("GET", path, *[Reply.json(each["response_json"]) for each in later])
        (submit,) = [each for each in entries if each["path"].endswith("submit_tool_outputs")]
        ended = await colour.of(
            runs.submit_tool_outputs_and_poll(
                run_id=run["id"], thread_id=run["thread_id"], **submit["request_json"], **FAST
            )
        )
        assert ended.status == ends[1]
        assert len(ended.id) == len(run["id"])


def test_the_colours_take_the_same_calls() -> None:
    """What the SDK's helpers take by name, ours take as well."""
    with Colour("sync").bare("http://127.0.0.1:9") as bare:
        client = sa.patch(bare)
        for helper in RUN_HELPERS:
            owner = client.beta.threads if helper.name.startswith("threads") else client.beta.threads.runs
            sdks = getattr(type(owner), helper.name.split(".")[1], None)
            if sdks is None:
                continue
            for name in inspect.signature(sdks).parameters:
                if name not in ("self",):
                    with pytest.raises((TypeError, ValueError)) as caught:
                        helper.call(client, **{name: 7 if name.endswith("_id") else object(), "on_poll": 3})
                    assert "unexpected" not in str(caught.value)
