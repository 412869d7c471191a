"""Between the worker that drives a run and whoever reads it: nothing is lost, and nobody waits for ever."""

from __future__ import annotations

import json
import threading
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend._engine import event_log
from streaming_assistants.backend._http import views
from streaming_assistants.backend._jobs.feed import LIMIT, AsyncFeed, Feed

pytestmark = pytest.mark.any_sdk

END = b"end"
WORD = [("word", "a")]


def feed_of(colour: Any) -> Any:
    return (AsyncFeed if colour.is_async else Feed)(lambda name, data: data.encode(), END)


async def beside(colour: Any, work: Any, more: Any) -> None:
    """Does both at once: ``work`` in a task or thread of its own."""
    if colour.is_async:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await more()
        return
    thread = threading.Thread(target=lambda: anyio.run(work), daemon=True)
    thread.start()
    await more()
    thread.join(10)
    assert not thread.is_alive()


async def test_a_reader_is_told_everything_and_then_the_end(colour: Any) -> None:
    feed = feed_of(colour)

    async def work() -> None:
        for _ in range(3 * LIMIT):
            await colour.of(feed.put(WORD))
        feed.finish([("last", "z")])
        feed.finish([("later", "never")])
        feed.push(WORD)

    said: list[bytes] = []

    async def read() -> None:
        said.extend(await colour.list(feed))

    await beside(colour, work, read)
    assert b"".join(said) == b"a" * 3 * LIMIT + b"z" + END


async def test_a_reader_who_is_woken_for_nothing_waits_on(colour: Any) -> None:
    feed = feed_of(colour)
    feed.patience = 5.0

    async def work() -> None:
        for _ in range(3):
            await colour.of(feed.put([]))
            await anyio.sleep(0.01)
        await colour.of(feed.put(WORD))
        feed.finish()

    said: list[bytes] = []

    async def read() -> None:
        said.extend(await colour.list(feed))

    await beside(colour, work, read)
    assert b"".join(said) == b"a" + END


async def test_a_reader_waits_no_longer_than_its_patience(colour: Any) -> None:
    feed = feed_of(colour)
    feed.patience = 0.01
    with pytest.raises(TimeoutError, match=r"said nothing for 0\.01 seconds"):
        await colour.list(feed)


@pytest.mark.parametrize("freed", ["hurry", "close"])
async def test_a_worker_who_is_ahead_is_freed(colour: Any, freed: str) -> None:
    feed = feed_of(colour)
    feed.push(WORD * LIMIT)

    async def work() -> None:
        await colour.of(feed.put(WORD))

    async def free() -> None:
        await anyio.sleep(0.01)
        getattr(feed, freed)()

    await beside(colour, work, free)
    feed.finish()
    assert await colour.list(feed) == ([] if freed == "close" else [b"a" * (LIMIT + 1) + END])


async def test_the_worker_is_told_that_its_reader_left(colour: Any) -> None:
    feed = feed_of(colour)
    left: list[bool] = []
    feed.on_leave = lambda: left.append(feed.left)
    feed.close()
    assert left == [True]
    await colour.of(feed.put(WORD))
    assert await colour.list(feed) == []


@given(st.text(), st.text(), st.integers(0, 9), st.sampled_from([{}, {"annotations": []}, {"more": 1}]))
def test_a_text_delta_is_written_as_any_other_event(id: str, said: str, index: int, more: Any) -> None:
    part = {"index": index, "type": "text", "text": {"value": said, **more}}
    for content in ([part], [part, part], [], [{"index": index, "type": "refusal", "refusal": said}]):
        data = {"id": id, "object": "thread.message.delta", "delta": {"content": content}}
        (entry,) = event_log.numbered([("thread.message.delta", data)], 6)
        written = views.framer(include=False, v1=False)(entry)
        body = json.dumps(data, separators=(",", ":"))
        assert written == f"id: 7\nevent: thread.message.delta\ndata: {body}\n\n".encode()
