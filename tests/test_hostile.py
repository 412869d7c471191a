"""Never a builtin exception from what a server sends: streamed, settled, followed or polled. Both colours."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import streaming_assistants as sa

from . import objects, samples
from .clients import Colour
from .loopback import Loopback, Reply
from .objects import MESSAGES, ONE_RUN, RUNS, function, page
from .polling_support import HELPERS, Helper
from .samples import DONE, message, run, sse, step, text

pytestmark = pytest.mark.anyio

ODD: tuple[Any, ...] = (
    *(5, -1, 3.5, True, None, "x", "", 10**30, "completed"),
    *([], [5], [None], [[]], {}, {"a": 1}, {"id": 5}, {"type": []}),
    *([{"id": [1]}], [{"type": 5}], [{"type": "text", "index": None}]),
)
ACTION = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [function("f", "{}")]}}
CODE = {"index": 0, "id": "call_9", "type": "code_interpreter", "code_interpreter": {"input": "1"}}
CITED = [{"index": 0, "type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file_1"}}]
STREAM = (
    *(run("queued", "created"), run("in_progress"), step("created")),
    *(samples.calls(samples.call(0, "", "f", "call_1")), samples.calls(samples.call(0, '{"a":1}'))),
    *(step("completed", function("f", "{}")), step("created", id="step_2")),
    *(samples.calls(CODE, id="step_2"), message("created"), text("Hel"), text("lo", annotations=CITED)),
    *(message("completed", "Hello"), run("requires_action", required_action=ACTION)),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from paths(each, (*path, name))


def spoilt(value: Any, chance: random.Random) -> Any:
    """A copy with something odd in one place, or without what was there."""
    value = copy.deepcopy(value)
    *way, last = chance.choice(list(paths(value)))
    place = value
    for name in way:
        place = place[name]
    if chance.random() < 0.2:
        del place[last]
    else:
        place[last] = copy.deepcopy(chance.choice(ODD))
    return value


async def meets(found: Callable[[], Any]) -> None:
    """Passes, or ends in one of the SDK's errors; anything else comes out."""
    with contextlib.suppress(openai.OpenAIError):
        await found()


@pytest.fixture(params=range(6))
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_assistants._protocol.settle.WAIT_SECONDS", 0.0)


async def handled(colour: Colour, client: Any) -> None:
    stream = await colour.handled(client, colour.logging_handler([]))
    for final in (stream.get_final_run, stream.get_final_run_steps, stream.get_final_messages):
        await colour.of(final())


async def test_a_stream_of_odd_events(colour: Colour, server: Loopback, chance: random.Random) -> None:
    client = colour.client(server.url)
    for _ in range(40):
        events = list(STREAM)
        place = chance.randrange(len(events))
        events[place] = (events[place][0], spoilt(events[place][1], chance))
        server.on("POST", RUNS, Reply.sse([chance.choice([sse, samples.data_only])(events)]))
        await meets(lambda: handled(colour, client))


async def test_odd_objects_while_a_stream_is_settled(
    colour: Colour, server: Loopback, chance: random.Random
) -> None:
    client = colour.client(server.url)
    for _ in range(15):
        status = chance.choice(["completed", "failed", "requires_action"])
        action = ACTION if status == "requires_action" else None
        said = step("completed", step_details={"type": "message_creation", "message_creation": {}}, id="s")
        held = [
            run(status, required_action=action)[1],
            page(step("in_progress", function("f", "{}"))[1], said[1]),
            page(message("completed", "Hello")[1], message("in_progress", "x", id="msg_2")[1]),
        ]
        place = chance.randrange(3)
        held[place] = spoilt(held[place], chance)
        cut = chance.randrange(1, len(STREAM) - 1)
        server.on("POST", RUNS, Reply.sse([sse(STREAM[:cut], end=b"")]))
        for path, value in zip((ONE_RUN, f"{ONE_RUN}/steps", MESSAGES), held, strict=True):
            server.on("GET", path, Reply.json(value))
        await meets(lambda: handled(colour, client))


async def test_odd_objects_while_a_message_is_followed(
    colour: Colour, server: Loopback, chance: random.Random
) -> None:
    client = colour.client(server.url)
    chunk = json.loads(samples.chunk_frame("Hi")[6:])

    async def followed() -> None:
        listing = client.beta.threads.messages.list
        stream = await colour.of(listing("thread_1", stream=True, poll_interval_ms=1, max_wait_seconds=0.02))
        for part in await colour.list(stream):
            assert isinstance(part.data[0].content[0].delta.value, str)
        await colour.of(stream.get_final_message())

    server.on("GET", "/threads/thread_1", Reply.json({"id": "thread_1"}))
    for _ in range(12):
        held: list[Any] = [page(run("completed")[1]), run("completed")[1]]
        held.append(page(message("completed", "Hello")[1], objects.user()))
        place = chance.randrange(3)
        held[place] = spoilt(held[place], chance)
        for path, value in zip((RUNS, ONE_RUN, MESSAGES), held, strict=True):
            server.on("GET", path, Reply.json(value))
        await meets(followed)
        odd = json.dumps(spoilt(chunk, chance)).encode()
        server.on("GET", MESSAGES, Reply.sse([samples.chunk_frame("Hi"), b"data: ", odd, b"\n\n"]))
        await meets(followed)


@pytest.mark.parametrize("helper", HELPERS, ids=str)
async def test_odd_objects_while_something_is_polled(
    helper: Helper, colour: Colour, server: Loopback
) -> None:
    client, chance = colour.client(server.url), random.Random(1)

    async def polled() -> None:
        await colour.of(helper.call(client, poll_interval_ms=1, max_wait_seconds=0.05))

    for _ in range(15):
        helper.served(server, Reply.json(spoilt({**helper.thing, "status": "completed"}, chance)))
        if helper.start is not None:
            server.on("POST", helper.start, Reply.json(spoilt(helper.thing, chance)))
        await meets(polled)


ANSWERS = {
    "empty": Reply(200, {"content-type": "application/json"}, []),
    "empty-without-type": Reply(200, {}, []),
    "text": Reply(200, {"content-type": "text/html"}, [b"<html>Login</html>"]),
    "number": Reply.json(5),
    "list": Reply.json([{"id": "run_1"}]),
    "null": Reply.json(None),
    "cut": Reply(200, {"content-type": "application/json"}, [b'{"id": "run']),
    "status": Reply.json({**samples.RUN, "status": ["completed"]}),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("helper", HELPERS, ids=str)
async def test_an_answer_that_is_no_object_says_what_came(
    helper: Helper, colour: Colour, server: Loopback, answer: Reply
) -> None:
    helper.served(server, answer)
    with pytest.raises(sa.MalformedEventError) as caught:
        await colour.of(helper.call(colour.client(server.url)))
    body = b"".join(answer.body)
    assert caught.value.body == body
    assert repr(body[:40])[:-1] in str(caught.value)


@pytest.mark.parametrize("answer", [each for name, each in ANSWERS.items() if name != "status"])
@pytest.mark.parametrize("helper", [each for each in HELPERS if each.start is not None], ids=str)
async def test_a_start_that_is_no_object_is_one_of_our_errors(
    helper: Helper, colour: Colour, server: Loopback, answer: Reply
) -> None:
    helper.served(server, "completed")
    server.on("POST", helper.start or "", answer)
    await meets(lambda: colour.of(helper.call(colour.client(server.url))))


async def test_an_error_in_a_200_while_polling_is_that_error(colour: Colour, server: Loopback) -> None:
    server.on("GET", ONE_RUN, Reply.json({"error": {"message": "no quota", "code": "busy"}}))
    with pytest.raises(openai.APIError, match="no quota") as caught:
        await colour.of(colour.client(server.url).beta.threads.runs.poll("run_1", thread_id="thread_1"))
    assert caught.value.code == "busy"


@pytest.mark.parametrize(
    "frame",
    [
        b"retry: " + b"9" * 5000 + b"\n",
        b"retry: " + b"9" * 5000 + b"\ndata: 5\n\n",
        b"data: 5\n\n",
        b"data: " + b"9" * 5000 + b"\n\n",
        b"event: thread.run.created\ndata: 5\n\n",
        b"event: thread.run.created\ndata: " + b"9" * 5000 + b"\n\n",
        b'event: error\ndata: {"code": ' + b"9" * 5000 + b"}\n\n",
        b'event: thread.run.in_progress\ndata: {"id": "run_1", "status": ["queued"]}\n\n',
        b'event: thread.run.in_progress\ndata: {"id": 5, "status": "queued"}\n\n',
        b'data: {"event": ["error"], "data": 5}\n\n',
        b'data: {"event": "error"}\n\n',
        b"id: \xff\nevent: \xff\ndata: \xff\n\n",
    ],
    ids=lambda frame: frame[:40].decode("latin-1"),
)
async def test_odd_frames(colour: Colour, server: Loopback, frame: bytes) -> None:
    whole = sse(STREAM, end=b"")
    server.on("POST", RUNS, Reply.sse([whole[: whole.index(b"\n\n") + 2], frame, whole, DONE]))
    client = colour.client(server.url)
    await meets(lambda: handled(colour, client))
    server.on("GET", MESSAGES, Reply.sse([frame]))
    server.on("GET", "/threads/thread_1", Reply.json({"id": "thread_1"}))

    async def listed() -> None:
        await colour.list(await colour.of(client.beta.threads.messages.list("thread_1", stream=True)))

    await meets(listed)
