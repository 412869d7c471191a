"""The events of a run: numbered, kept, and read again from anywhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants._protocol.sse import Frame, FrameDecoder
from streaming_assistants.backend._engine.port import ContentDelta, Finished, Sleep
from streaming_assistants.backend._jobs import channel

from .conftest import WEATHER, Api, text_of
from .databases import File, Postgres

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

Numbered = tuple[str, str, Any]
"""The number, name and object of an event."""


class Talker:
    """An upstream that says words, and waits after so many until it is told to go on."""

    def __init__(self, words: int, stall_after: int | None = None) -> None:
        self.words = words
        self.stall_after = stall_after
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def __call__(self, turn: Any) -> Any:
        for number in range(self.words):
            if number == self.stall_after:
                self.stalled.set()
                while not self.go_on.is_set():
                    yield Sleep(0.005)
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": f"{number} "}})
        yield Finished()


class Stream:
    """A stream of a run, with the numbers of its events."""

    def __init__(self, api: Api, stream: Any) -> None:
        self._sync = api.sync
        self._response = stream.response
        self._chunks = self._response.iter_bytes() if api.sync else self._response.aiter_bytes()
        self._decoder, self._frames = FrameDecoder(), list[Frame]()

    async def next(self) -> Numbered | None:
        while not self._frames:
            chunk = next(self._chunks, None) if self._sync else await anext(self._chunks, None)
            if chunk is None:
                return None
            self._frames += self._decoder.feed(chunk)
        frame = self._frames.pop(0)
        if frame.data == b"[DONE]":
            return "", frame.event, None
        return frame.id, frame.event, json.loads(frame.data)

    async def until(self, name: str) -> list[Numbered]:
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
            if event[1] == name:
                break
        return events

    async def rest(self) -> list[Numbered]:
        with anyio.fail_after(20):
            return await self.until("nothing is called so")

    async def close(self) -> None:
        if self._sync:
            self._response.close()
        else:
            await self._response.aclose()


async def read(api: Api, run: Any, *, last: str | None = None, **params: Any) -> Stream:
    """The events of a run, asked for by its path."""
    stream_cls = openai.Stream[object] if api.sync else openai.AsyncStream[object]
    headers = {} if last is None else {"Last-Event-ID": last}
    made = api.client.get(
        f"/threads/{run['thread_id']}/runs/{run['id']}",
        cast_to=object,
        options={"params": {"stream": "true", **params}, "headers": headers},
        stream=True,
        stream_cls=stream_cls,
    )
    return Stream(api, made if api.sync else await made)


async def begin(api: Api, text: str = "hello", **fields: Any) -> tuple[Stream, Any]:
    """A run that is streamed, and its object once it was told."""
    assistant_id, thread_id = await api.assistant(), await api.thread(text)
    body = {"assistant_id": assistant_id, **fields}
    stream = Stream(api, await api.open(f"/threads/{thread_id}/runs", body))
    first = await stream.next()
    assert first is not None
    assert first[:2] == ("1", "thread.run.created")
    return stream, first[2]


def check(events: list[Numbered], after: int = 0) -> None:
    """Each number once, in order, and the end last."""
    *told, (_, name, _) = events
    assert name == "done"
    assert [int(number) for number, _, _ in told] == list(range(after + 1, after + len(told) + 1))


@pytest.mark.every_store
async def test_events_are_numbered_and_read_again_from_any_number(make_api: MakeApi) -> None:
    api = make_api(Talker(100))
    stream, run = await begin(api)
    events = [("1", "thread.run.created", run), *await stream.rest()]
    check(events)
    texts = [data["delta"]["content"][0]["text"]["value"] for _, name, data in events if "delta" in name]
    assert texts == [f"{number} " for number in range(100)]
    for after in (0, 1, 31, 32, 33, 64, len(events) - 2, len(events) - 1):
        assert await (await read(api, run, starting_after=after)).rest() == events[after:]
    assert await (await read(api, run)).rest() == events
    assert await (await read(api, run, last="7")).rest() == events[7:]
    assert await (await read(api, run, last="7", starting_after=3)).rest() == events[3:]


async def test_a_run_that_nobody_streamed_is_read_all_the_same(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.settled(await api.run("one two three"))
    events = await (await read(api, run)).rest()
    check(events)
    assert events[0][1] == "thread.run.created"
    assert events[-2][1:] == ("thread.run.completed", {**events[-2][2], "status": "completed"})


@pytest.mark.every_store
async def test_a_run_of_two_stretches_has_one_log(make_api: MakeApi) -> None:
    api = make_api("echo")
    stream, run = await begin(api, 'get_weather {"city": "Oslo"}', tools=[WEATHER])
    first = [("1", "thread.run.created", run), *await stream.rest()]
    check(first)
    assert first[-2][1] == "thread.run.requires_action"
    assert await (await read(api, run)).rest() == first
    calls = first[-2][2]["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "rain"} for call in calls]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    second = await Stream(api, await api.open(path, {"tool_outputs": outputs})).rest()
    check(second, after=len(first) - 1)
    assert second[0][1] == "thread.run.step.completed"
    assert second[-2][1] == "thread.run.completed"
    assert await (await read(api, run)).rest() == [*first[:-1], *second]
    assert await (await read(api, run, starting_after=len(first) - 1)).rest() == second


async def test_a_thread_that_was_made_with_its_run_is_its_first_event(make_api: MakeApi) -> None:
    api = make_api("echo")
    body = {
        "assistant_id": await api.assistant(),
        "thread": {"messages": [{"role": "user", "content": "hello"}]},
    }
    events = await Stream(api, await api.open("/threads/runs", body)).rest()
    check(events)
    assert [name for _, name, _ in events[:2]] == ["thread.created", "thread.run.created"]
    assert await (await read(api, events[1][2])).rest() == events


async def test_what_cannot_be_read_is_refused(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.settled(await api.run("hello"))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    events = await (await read(api, run)).rest()

    async def refused(**asked: Any) -> dict[str, Any]:
        with pytest.raises(openai.APIStatusError) as caught:
            await read(api, asked.pop("run", run), **asked)
        error: dict[str, Any] = json.loads(caught.value.response.content)["error"]
        return {"status": caught.value.status_code, **error}

    for given in ("-1", "x", "1.5", "9" * 30):
        error = await refused(starting_after=given)
        assert (error["status"], error["param"]) == (400, "starting_after")
        assert f"but got '{given}'" in error["message"]
    error = await refused(starting_after=len(events))
    assert (error["status"], error["code"]) == (400, "invalid_value")
    assert f"has told {len(events) - 1} events" in error["message"]
    assert (await refused(last="x"))["param"] == "Last-Event-ID"
    assert (await refused(stream="maybe"))["param"] == "stream"
    other = {**run, "id": "run_" + "a" * 24}
    assert (await refused(run=other))["status"] == 404
    assert (await api.get(path, stream="false"))["status"] == "completed"
    assert "stream=true" in (await api.refused(f"{path}?starting_after=3", method="get"))["message"]


async def test_who_comes_when_the_events_are_gone_is_told_how_the_run_stands(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.settled(await api.run("hello"))
    with api.backend._store.write() as tx:
        tx.drop_events(time.time() - 1)
    check(await (await read(api, run)).rest())
    with api.backend._store.write() as tx:
        tx.drop_events(time.time() + 1)
    for after in (0, 5):
        events = await (await read(api, run, starting_after=after)).rest()
        names = ("thread.run.step.completed", "thread.message.completed", "thread.run.completed", "done")
        assert [event[:2] for event in events] == [("", name) for name in names]
        assert events[2][2]["id"] == run["id"]


async def test_text_before_a_stall_is_seen_by_others_soon(make_api: MakeApi, shared: File | Postgres) -> None:
    """It was stored only with the next piece: a message looked empty while its text was on the screen."""
    upstream = Talker(5, stall_after=4)
    api = make_api(upstream, shared.url)
    other = make_api("echo", shared.url)
    stream, run = await begin(api)
    await stream.until("thread.message.delta")
    await anyio.to_thread.run_sync(upstream.stalled.wait, 10)
    with anyio.fail_after(10):
        while True:
            (message,) = await other.messages(run["thread_id"], run_id=run["id"])
            if text_of(message) == "0 1 2 3 ":
                break
            await anyio.sleep(0.01)
    upstream.go_on.set()
    assert (await stream.rest())[-2][1] == "thread.run.completed"


async def test_text_before_a_stall_is_seen_in_memory_too(make_api: MakeApi) -> None:
    upstream = Talker(3, stall_after=2)
    api = make_api(upstream)
    run = await api.run("hello")
    with anyio.fail_after(10):
        while True:
            messages = await api.messages(run["thread_id"], run_id=run["id"])
            if messages and text_of(messages[0]) == "0 1 ":
                break
            await anyio.sleep(0.01)
    upstream.go_on.set()
    assert (await api.settled(run))["status"] == "completed"


async def test_another_process_follows_a_run_while_it_goes_on(
    make_api: MakeApi, shared: File | Postgres
) -> None:
    upstream = Talker(60, stall_after=40)
    api, other = make_api(upstream, shared.url), make_api("echo", shared.url)
    stream, run = await begin(api)
    elsewhere = await read(other, run, starting_after=2)
    seen: list[Numbered] = []
    while not seen or seen[-1][2]["delta"]["content"][0]["text"]["value"] != "39 ":
        seen += await elsewhere.until("thread.message.delta")
    upstream.go_on.set()
    seen += await elsewhere.rest()
    check(seen, after=2)
    assert seen == [*await stream.rest()][1:]
    assert await (await read(other, run)).rest() == await (await read(api, run)).rest()


async def test_an_event_is_shown_once_it_is_committed(make_api: MakeApi, shared: File | Postgres) -> None:
    api = make_api(Talker(300), shared.url)
    stream, run = await begin(api)
    while (event := await stream.next()) is not None and event[1] != "done":
        with api.backend._store.read() as tx:
            assert tx.last_event(run["id"]) >= int(event[0])


@pytest.mark.parametrize("words", [3 * channel.WINDOW])
async def test_a_reader_who_does_not_read_holds_up_nobody(make_api: MakeApi, words: int) -> None:
    """Neither the run nor another reader; and gets all of it when it does."""
    api = make_api(Talker(words))
    slow, run = await begin(api)
    other = await read(api, run)
    events = await other.rest()
    check(events)
    assert (await api.settled(run))["status"] == "completed"
    assert await slow.rest() == events[1:]


async def test_a_run_goes_on_when_its_readers_leave(make_api: MakeApi) -> None:
    upstream = Talker(30, stall_after=20)
    api = make_api(upstream)
    stream, run = await begin(api)
    other = await read(api, run)
    await other.next()
    await stream.close()
    await other.close()
    upstream.go_on.set()
    assert (await api.settled(run))["status"] == "completed"
    check(await (await read(api, run)).rest())


@pytest.mark.parametrize("by", ["itself", "another"])
@pytest.mark.parametrize("how", ["cancelled", "assistant"])
async def test_what_others_do_to_a_run_is_in_its_log(
    make_api: MakeApi, shared: File | Postgres, how: str, by: str
) -> None:
    upstream = Talker(5, stall_after=3)
    api = make_api(upstream, shared.url)
    other = api if by == "itself" else make_api("echo", shared.url)
    stream, run = await begin(api)
    seen = await stream.until("thread.message.delta")
    if how == "cancelled":
        await other.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    else:
        await other.delete(f"/assistants/{run['assistant_id']}")
    seen += await stream.rest()
    told = [event for event in seen if event[1] != "error"]
    check([("1", "thread.run.created", run), *told])
    assert told[-2][1] == f"thread.run.{'cancelled' if how == 'cancelled' else 'failed'}"
    assert [event[1] for event in await (await read(other, run)).rest()][1:] == [event[1] for event in seen]


async def test_a_run_that_waits_is_ended_in_its_log(make_api: MakeApi) -> None:
    api = make_api("echo")
    stream, run = await begin(api, 'get_weather {"city": "Oslo"}', tools=[WEATHER])
    count = len(await stream.rest())
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    events = await (await read(api, run)).rest()
    check(events)
    assert [event[1] for event in events[count:]] == [
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]


async def test_events_are_shown_as_they_are_asked_for(make_api: MakeApi) -> None:
    """What is kept is the whole: a view is taken where it is read."""
    api = make_api("echo")
    run = await api.settled(await api.run("hello"))
    newer = await (await read(api, run)).rest()
    headers = {"OpenAI-Beta": "assistants=v1"}
    made = api.client.get(
        f"/threads/{run['thread_id']}/runs/{run['id']}",
        cast_to=object,
        options={"params": {"stream": "true"}, "headers": headers},
        stream=True,
        stream_cls=openai.Stream[object] if api.sync else openai.AsyncStream[object],
    )
    older = await Stream(api, made if api.sync else await made).rest()
    assert [event[:2] for event in older] == [event[:2] for event in newer]
    assert [event[2].get("file_ids") for event in older if event[1].startswith("thread.run.c")] == [[], []]
    assert not any("file_ids" in (event[2] or {}) for event in newer)


async def test_many_read_many_runs(make_api: MakeApi, shared: File | Postgres) -> None:
    """Each of them gets all of its run, from two processes' worth of backends."""
    upstream = Talker(40, stall_after=20)
    api, other = make_api(upstream, shared.url), make_api("echo", shared.url)
    runs = [await api.run("hello") for _ in range(5)]
    read_by: list[list[Numbered]] = []

    async def reader(by: Api, run: Any) -> None:
        stream = await read(by, run)
        if by.sync:
            read_by.append(await anyio.to_thread.run_sync(lambda: anyio.run(stream.rest)))
        else:
            read_by.append(await stream.rest())

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(reader, (api, other)[number % 2], runs[number % 5])
        await anyio.sleep(0.2)
        upstream.go_on.set()
    assert len(read_by) == 30
    for events in read_by:
        check(events)
    assert len({json.dumps(events) for events in read_by}) == 5
