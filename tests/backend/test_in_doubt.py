"""Transactions of a run that the store went away under as they were being committed: nobody knows whether
they hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend._engine.port import ContentDelta, Finished, MessageEnd, Sleep, ToolCallDelta
from streaming_assistants.backend._engine.store_port import StoreAway
from streaming_assistants.backend._store.database import Database
from streaming_assistants.backend._store.transaction import SqlTransaction

from .conftest import Api, text_of
from .test_run_events import begin, check, read

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]


class Doubtful(Database):
    """A store that goes away, from a moment on, in every second transaction as that is committed."""

    def __init__(self, path: Path, *, holds: bool) -> None:
        super().__init__(path)
        self.goes_away = threading.Event()
        self.doubts = 0
        self._holds = holds
        self._odd = False

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqlTransaction]:
        self._odd = not self._odd
        away = self.goes_away.is_set() and self._odd
        error = StoreAway("The connection broke.")
        error.doubtful = True
        with super().write(durable=durable) as tx:
            yield tx
            if away and not self._holds:
                self.doubts += 1
                raise error
        if away:
            self.doubts += 1
            raise error


@pytest.mark.parametrize("holds", [True, False])
async def test_a_run_says_nothing_twice_and_leaves_nothing_out(
    make_api: MakeApi, tmp_path: Path, holds: bool
) -> None:
    store = Doubtful(tmp_path / "store.db", holds=holds)

    def upstream(turn: Any) -> Any:
        while not store.goes_away.is_set():
            yield Sleep(0.005)
        for word in ("Let", " me", " see."):
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": word}})
            yield Sleep(0.03)
        yield MessageEnd()
        function = {"name": "get_weather", "arguments": "{}"}
        yield ToolCallDelta({"index": 0, "id": "c", "type": "function", "function": function})
        yield Finished()

    api = make_api(upstream, store)
    stream, run = await begin(api)
    store.goes_away.set()
    events = [("1", "thread.run.created", run), *await stream.rest()]
    store.goes_away.clear()
    assert store.doubts >= 3
    check(events)
    assert [name for _, name, _ in events if "delta" not in name] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        *["thread.run.step.created", "thread.run.step.in_progress"],
        *["thread.message.created", "thread.message.in_progress"],
        *["thread.message.completed", "thread.run.step.completed"],
        *["thread.run.step.created", "thread.run.step.in_progress"],
        "thread.run.requires_action",
        "done",
    ]
    assert await (await read(api, run)).rest() == events
    assert [text_of(each) for each in await api.messages(run["thread_id"])] == ["hello", "Let me see."]
    assert [step["status"] for step in await api.steps(run)] == ["completed", "in_progress"]
