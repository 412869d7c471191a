"""``if_active=``: posting to a thread while one of its runs is active."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import PollTimeoutError
from streaming_assistants._io import line

from . import objects
from .clients import Colour
from .loopback import Loopback, Reply, Request
from .objects import MESSAGES, ONE_RUN, RUNS
from .samples import sse, text_run

pytestmark = pytest.mark.anyio

ASKED = {"thread_id": "thread_1", "assistant_id": "asst_1"}


class Thread:
    """A thread of a server, which refuses what comes while a run is active, in the API's words."""

    def __init__(self, server: Loopback, *, looks: int = 2, lists: int = 200) -> None:
        self.runs: list[dict[str, Any]] = []
        self.posted: list[str] = []  # instructions of runs, and what messages say
        self.refused = 0
        self._looks = looks  # how often a run is looked at before it is over
        self.looks: dict[str, int] = {}
        self._lock = threading.Lock()
        server.on("POST", RUNS, self._run).on("POST", MESSAGES, self._message)
        server.on("GET", f"{RUNS}/run_[0-9]+", self._one).on(
            "POST", f"{RUNS}/run_[0-9]+/cancel", self._cancel
        )
        server.on("GET", RUNS, self._list if lists == 200 else Reply.json({"detail": "no"}, lists))

    def begin(self, status: str = "in_progress") -> dict[str, Any]:
        """Somebody else's run."""
        run = objects.run(status, id=f"run_{len(self.runs) + 1}", instructions="")
        self.looks[run["id"]] = self._looks
        self.runs.insert(0, run)
        return run

    @property
    def _active(self) -> dict[str, Any] | None:
        active = ("queued", "in_progress", "requires_action", "cancelling")
        return next((run for run in self.runs if run["status"] in active), None)

    def _refuse(self, words: str) -> Reply:
        self.refused += 1
        return Reply.json({"error": {"message": words, "type": "invalid_request_error"}}, 400)

    def _run(self, request: Request) -> Reply:
        with self._lock:
            if (active := self._active) is not None:
                return self._refuse(f"Thread thread_1 already has an active run {active['id']}.")
            self.posted.append(request.json.get("instructions"))
            run = self.begin("queued")
        if request.json.get("stream"):
            return Reply.sse([sse(text_run("Hi"))])
        return Reply.json(run)

    def _message(self, request: Request) -> Reply:
        with self._lock:
            if (active := self._active) is not None:
                return self._refuse(f"Can't add messages to thread_1 while a run {active['id']} is active.")
            self.posted.append(request.json["content"])
            return Reply.json(objects.user(request.json["content"]))

    def _one(self, request: Request) -> Reply:
        with self._lock:
            run = next(run for run in self.runs if request.path.endswith(f"/{run['id']}"))
            self.looks[run["id"]] -= 1
            if self.looks[run["id"]] < 0:
                run["status"] = "cancelled" if run["status"] == "cancelling" else "completed"
            return Reply.json(run, openai_poll_after_ms="1")

    def _cancel(self, request: Request) -> Reply:
        with self._lock:
            run = next(run for run in self.runs if f"/{run['id']}/" in request.path)
            if run is not self._active or run["status"] == "cancelling":
                return self._refuse(f"Cannot cancel run with status '{run['status']}'.")
            run["status"] = "cancelling"
            return Reply.json(run)

    def _list(self, _: Request) -> Reply:
        with self._lock:
            return Reply.json(objects.page(*self.runs[:20]))


def _message(client: Any, content: str, **more: Any) -> Any:
    return client.beta.threads.messages.create("thread_1", role="user", content=content, **more)


def _run(client: Any, instructions: str, **more: Any) -> Any:
    return client.beta.threads.runs.create(**ASKED, instructions=instructions, **more)


POSTS = {"message": _message, "run": _run}


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("choice", [None, "raise", "left out"])
async def test_a_busy_thread_refuses_unless_it_is_waited_for(
    colour: Colour, server: Loopback, post: str, choice: str | None
) -> None:
    thread = Thread(server)
    thread.begin()
    said = {} if choice == "left out" else {"if_active": choice}
    with pytest.raises(openai.BadRequestError, match="run_1"):
        await colour.of(POSTS[post](colour.client(server.url), "Hello", **said))
    assert [request.method for request in server.requests] == ["POST"]  # nothing was asked besides


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
async def test_waits_for_the_active_run(colour: Colour, server: Loopback, post: str, status: str) -> None:
    thread = Thread(server)
    thread.begin(status)
    made = await colour.of(POSTS[post](colour.client(server.url), "Hello", if_active="wait"))
    assert made.id
    assert thread.posted == ["Hello"]
    assert thread.refused == 0
    asked = [request.path for request in server.requests if request.method == "GET"]
    assert asked == [RUNS, *[ONE_RUN] * 3]


@pytest.mark.parametrize("post", POSTS)
async def test_an_idle_thread_is_looked_at_once(colour: Colour, server: Loopback, post: str) -> None:
    thread = Thread(server)
    thread.begin("completed")
    await colour.of(POSTS[post](colour.client(server.url), "Hello", if_active="wait"))
    assert [request.method for request in server.requests] == ["GET", "POST"]
    (body,) = [request.json for request in server.requests if request.method == "POST"]
    assert "if_active" not in body


@pytest.mark.parametrize("post", POSTS)
async def test_cancels_the_active_run_first(colour: Colour, server: Loopback, post: str) -> None:
    thread = Thread(server)
    thread.begin()
    await colour.of(POSTS[post](colour.client(server.url), "Hello", if_active="cancel"))
    assert thread.posted == ["Hello"]
    assert thread.runs[-1]["status"] == "cancelled"
    assert thread.refused == 0


async def test_a_run_that_ends_before_it_can_be_cancelled_is_no_error(
    colour: Colour, server: Loopback
) -> None:
    thread = Thread(server, looks=0)
    run = thread.begin()
    server.on("GET", RUNS, Reply.json(objects.page({**run})), thread._list)
    run["status"] = "completed"
    await colour.of(_message(colour.client(server.url), "Hello", if_active="cancel"))
    assert thread.posted == ["Hello"]


@pytest.mark.parametrize("choice", ["wait", "cancel"])
@pytest.mark.parametrize("lists", [404, 405, 501])
async def test_a_server_that_lists_no_runs_says_by_its_refusal_which_is_active(
    colour: Colour, server: Loopback, choice: str, lists: int
) -> None:
    thread = Thread(server, lists=lists)
    thread.begin()
    await colour.of(_message(colour.client(server.url), "Hello", if_active=choice))
    assert (thread.posted, thread.refused) == (["Hello"], 1)


async def test_another_process_may_come_first(colour: Colour, server: Loopback) -> None:
    thread = Thread(server)
    refusals = []

    def taken(request: Request) -> Reply:
        refusals.append(thread.begin()["id"])
        return thread._run(request)

    server.on("POST", RUNS, taken, taken, thread._run)
    await colour.of(_run(colour.client(server.url), "Hello", if_active="wait"))
    assert refusals == ["run_1", "run_2"]
    assert thread.posted == ["Hello"]


async def test_a_thread_that_is_not_free_yet_is_asked_again(colour: Colour, server: Loopback) -> None:
    thread = Thread(server, looks=0)
    thread.begin("completed")
    busy = {"error": {"message": "Thread thread_1 already has an active run run_1."}}
    server.on("POST", RUNS, Reply.json(busy, 400), Reply.json(busy, 400), thread._run)
    await colour.of(_run(colour.client(server.url), "Hello", if_active="wait"))
    assert thread.posted == ["Hello"]


async def test_another_refusal_is_raised_as_it_is(colour: Colour, server: Loopback) -> None:
    Thread(server)
    server.on("POST", RUNS, Reply.json({"error": {"message": "No assistant found with id 'asst_1'."}}, 404))
    with pytest.raises(openai.NotFoundError, match="No assistant found"):
        await colour.of(_run(colour.client(server.url), "Hello", if_active="wait"))
    assert [request.method for request in server.requests].count("POST") == 1


@pytest.mark.parametrize("post", POSTS)
async def test_a_deadline(colour: Colour, server: Loopback, post: str) -> None:
    thread = Thread(server, looks=10_000)
    thread.begin()
    with pytest.raises(PollTimeoutError, match="as run run_1 is in_progress: nothing was posted") as caught:
        await colour.of(
            POSTS[post](colour.client(server.url), "Hello", if_active="wait", max_wait_seconds=0.2)
        )
    assert (caught.value.id, caught.value.status) == ("run_1", "in_progress")
    assert thread.posted == []


async def test_a_deadline_in_the_line(colour: Colour, server: Loopback) -> None:
    thread = Thread(server, looks=10_000)
    run = thread.begin()
    with Colour("sync").bare(server.url) as other:
        first = threading.Thread(
            target=_message, args=(sa.patch(other), "first"), kwargs={"if_active": "wait"}
        )
        first.start()
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(PollTimeoutError, match="nothing was posted") as caught:
            await colour.of(
                _message(colour.client(server.url), "second", if_active="wait", max_wait_seconds=0.1)
            )
        assert caught.value.id is None
        run["status"] = "completed"
        first.join(10)
    assert thread.posted == ["first"]
    await colour.of(_message(colour.client(server.url), "third", if_active="wait"))  # the line is free


@pytest.mark.parametrize("wrong", [{"if_active": "queue"}, {"if_active": "wait", "max_wait_seconds": 0}])
async def test_what_is_no_choice_is_refused(colour: Colour, server: Loopback, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"if_active|max_wait_seconds"):
        await colour.of(_run(colour.client(server.url), "Hello", **wrong))
    assert server.requests == []


async def test_a_deadline_needs_something_to_wait_for(colour: Colour, server: Loopback) -> None:
    with pytest.raises(TypeError, match="max_wait_seconds"):
        await colour.of(_run(colour.client(server.url), "Hello", max_wait_seconds=3))


async def test_headers_are_said_in_every_request(colour: Colour, server: Loopback) -> None:
    thread = Thread(server)
    thread.begin()
    client = colour.client(server.url)
    await colour.of(_message(client, "Hello", if_active="cancel", extra_headers={"x-tenant": "t1"}))
    assert {request.headers.get("x-tenant") for request in server.requests} == {"t1"}
    assert {request.headers.get("openai-beta") for request in server.requests} == {"assistants=v2"}


async def test_raw_responses(colour: Colour, server: Loopback) -> None:
    thread = Thread(server)
    thread.begin()
    raw = colour.client(server.url).beta.threads.messages.with_raw_response
    answer = await colour.of(raw.create("thread_1", role="user", content="Hello", if_active="wait"))
    assert answer.parse().id == "msg_user"


async def test_streams_wait_too(colour: Colour, server: Loopback) -> None:
    thread = Thread(server)
    thread.begin()
    client = colour.client(server.url)
    events = await colour.list(await colour.created(client, if_active="wait"))
    assert events[-1].event == "thread.run.completed"
    assert thread.refused == 0


# ---------------------------------------------------------------- in the order in which they came

MANY = 100


async def _stand(number: int) -> None:
    """Waits until so many stand in line. Who has come and only waits is seen by nobody outside."""
    with anyio.fail_after(20):
        while sum(len(found._places) for found in list(line._LINES.values())) < number:
            await anyio.sleep(0.001)


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("of", ["threads", "tasks", "both"])
async def test_posters_go_in_the_order_in_which_they_came(server: Loopback, post: str, of: str) -> None:
    thread = Thread(server)
    run = thread.begin()
    thread.looks[run["id"]] = 1_000_000
    sync, other = Colour("sync"), Colour("async")
    client, async_client = sync.client(server.url), other.client(server.url)
    async with anyio.create_task_group() as tasks:
        limiter = anyio.CapacityLimiter(MANY)
        for number in range(MANY):
            if of == "tasks" or (of == "both" and number % 2):

                async def one(number: int = number) -> None:
                    await POSTS[post](async_client, str(number), if_active="wait")

                tasks.start_soon(one)
            else:
                call = partial(POSTS[post], client, str(number), if_active="wait")
                tasks.start_soon(partial(anyio.to_thread.run_sync, call, limiter=limiter))
            await _stand(number + 1)
        run["status"] = "completed"
    await sync.close()
    await other.close()
    assert thread.posted == [str(number) for number in range(MANY)]
    assert thread.refused == 0
    gc.collect()
    assert not line._LINES  # nothing is kept of a thread that nobody waits for


async def test_who_gives_up_keeps_nobody_waiting(server: Loopback) -> None:
    thread = Thread(server)
    run = thread.begin()
    thread.looks[run["id"]] = 1_000_000
    colour = Colour("async")
    client = colour.client(server.url)
    posts = [asyncio.ensure_future(_message(client, str(number), if_active="wait")) for number in range(4)]
    await _stand(4)
    posts[0].cancel()
    posts[2].cancel()
    await asyncio.wait(posts[:1])
    run["status"] = "completed"
    await asyncio.gather(*posts, return_exceptions=True)
    await colour.close()
    assert thread.posted == ["1", "3"]


def test_a_loop_that_ended_keeps_nobody_waiting(server: Loopback) -> None:
    thread = Thread(server)
    run = thread.begin()
    thread.looks[run["id"]] = 1_000_000

    async def abandoned() -> None:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
            post = _message(sa.patch(client), "abandoned", if_active="wait")
            with anyio.move_on_after(0.1):
                await post

    asyncio.run(abandoned())
    run["status"] = "completed"
    with Colour("sync").bare(server.url) as client:
        _message(sa.patch(client), "Hello", if_active="wait")
    assert thread.posted == ["Hello"]
