"""What a run costs its store, counted: its transactions, its statements, and what these read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import anyio
import pytest
from sqlalchemy import Connection, Engine, event

from streaming_assistants.backend._engine import objects
from streaming_assistants.backend._engine.lifecycle import Stretch
from streaming_assistants.backend._engine.past import Past
from streaming_assistants.backend._engine.port import ContentDelta, Finished, Turn, Upstream, wants_more
from streaming_assistants.backend._engine.store_port import Store
from streaming_assistants.backend._engine.turn import turn_of
from streaming_assistants.backend._jobs import watch
from streaming_assistants.backend._store.database import Database
from streaming_assistants.backend.upstreams._fitting import WithinMaxPromptTokens, fitted
from streaming_assistants.backend.upstreams.chat import Chat

from .conftest import Api
from .databases import File, Postgres

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


class Statement(NamedTuple):
    """``numbers`` are those among its parameters: limits and cursors."""

    text: str
    numbers: list[int]
    writes: bool  # its transaction does

    def reads(self, table: str) -> bool:
        return self.text.startswith("SELECT") and f"FROM {table} " in self.text.replace("\n", " ")


class Counts:
    """What is asked of the stores of this process; the bounds of transactions are no statements."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.writing = 0  # transactions

    def begun(self, connection: Connection) -> None:
        self.writing += _writes(connection)

    def executed(
        self, connection: Connection, cursor: Any, text: str, given: Any, context: Any, many: bool
    ) -> None:
        if not text.startswith("BEGIN"):
            values = given.values() if isinstance(given, dict) else given
            numbers = [value for value in values if type(value) is int]
            self.statements.append(Statement(text, numbers, _writes(connection)))


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes"))


@contextmanager
def counted() -> Iterator[Counts]:
    counts = Counts()
    listeners = {"begin": counts.begun, "before_cursor_execute": counts.executed}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield counts
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


@pytest.fixture(autouse=True)
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process asks its store each second, whatever goes on in it, is no run's."""
    monkeypatch.setattr(watch, "_EVERY", 60.0)
    monkeypatch.setattr(watch.JobWatch, "stay_seen", lambda _: None)


@pytest.fixture(params=["memory", "file", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "sqlite://"
    if request.param == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.url
    return File(request.getfixturevalue("tmp_path") / "assistants.db").url


class Recorder:
    """An upstream that keeps its turns and says "ok"; ``asked`` is called first."""

    def __init__(self, asked: Callable[[], object] = lambda: None) -> None:
        self.turns: list[Turn] = []
        self._asked = asked

    def __call__(self, turn: Turn) -> Any:
        self.turns.append(turn)
        self._asked()
        yield ContentDelta({"index": 0, "type": "text", "text": {"value": "ok"}})
        yield Finished()


def texts(turn: Turn) -> list[str]:
    return [part["text"]["value"] for item in turn.items for part in item.get("content", ())]


@pytest.mark.parametrize("instructions", [None, "Be kind."])
async def test_a_text_run_takes_three_transactions_that_write(
    make_api: MakeApi, url: str, instructions: str | None
) -> None:
    before: list[int] = []
    api = make_api(Recorder(lambda: before.append(counts.writing)), url)
    assistant_id, thread_id = await api.assistant(instructions=instructions), await api.thread("hello")
    with counted() as counts:
        events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert events[-2][0] == "thread.run.completed"
    assert before == [1]
    assert counts.writing == 3
    assert len(counts.statements) <= 15  # three of them store what is told, each within one of the three


async def test_what_a_client_does_to_a_message_that_grows_is_kept(make_api: MakeApi, url: str) -> None:
    """Nothing is read that the driver of a run knows; what it does not know of must not be lost."""
    api = make_api("echo", url)
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall 1\nhello")
    stream = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    ids: dict[str, str] = {}
    while (event := await stream.next()) is not None and event[0] != "thread.message.delta":
        ids[event[0]] = event[1]["id"]
    message, run = ids["thread.message.created"], ids["thread.run.created"]
    for path in (f"messages/{message}", f"runs/{run}"):
        await api.post(f"/threads/{thread_id}/{path}", {"metadata": {"seen": "yes"}})
    names = [name for name, _ in await stream.rest()]
    assert names[-2:] == ["thread.run.completed", "done"]
    for path in (f"messages/{message}", f"runs/{run}"):
        assert (await api.get(f"/threads/{thread_id}/{path}"))["metadata"] == {"seen": "yes"}


def fill(store: Store, thread_id: str, count: int, size: int = 1) -> None:
    """Adds messages of users and of the assistant in turns."""
    with store.write() as tx:
        for number in range(count):
            body = {"role": ("user", "assistant")[number % 2], "content": f"{number} " + "word " * size}
            tx.add("messages", objects.message(body, thread_id, 0), thread_id=thread_id)


async def test_a_run_on_the_last_message_costs_the_same_however_long_its_thread(
    make_api: MakeApi, url: str
) -> None:
    upstream = Recorder()
    api = make_api(upstream, url)
    assistant_id = await api.assistant(instructions="Be kind.")
    last = {"type": "last_messages", "last_messages": 1}
    read: list[list[Statement]] = []
    for length in (50, 1_000):
        thread_id = await api.thread()
        fill(api.backend._store, thread_id, length)
        with counted() as counts:
            body = {"assistant_id": assistant_id, "truncation_strategy": last}
            events = await api.stream(f"/threads/{thread_id}/runs", body)
        assert events[-2][0] == "thread.run.completed"
        assert texts(upstream.turns[-1]) == [f"{length - 1} word "]
        read.append([each for each in counts.statements if each.text.startswith("SELECT")])
    assert [each.text for each in read[0]] == [each.text for each in read[1]]
    asked = [[each for each in one if each.reads("messages")] for one in read]
    assert asked[0] == asked[1]
    for each in asked[0]:
        assert (each.numbers[0], each.writes) == (2, False)  # one, and whether there are more


async def test_no_more_is_read_than_the_model_takes(make_api: MakeApi, url: str) -> None:
    class Small(Chat):
        """A model of 700 tokens, which says what it is given."""

        def __call__(self, turn: Turn) -> Any:
            fitting = fitted(turn, self._window(turn).room(turn) or 0)
            assert fitting is not None
            turns.append(fitting)
            yield Finished()

    turns: list[Turn] = []
    api = make_api(Small(context_window=700), url)
    assistant_id, thread_id = await api.assistant(tools=[]), await api.thread()
    fill(api.backend._store, thread_id, 501, 100)
    for limits in ({}, {"max_prompt_tokens": 400}):
        with counted() as counts:
            run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, **limits})
            await api.settled(run)
        assert 1 <= len(texts(turns[-1])) < 6
        assert texts(turns[-1])[-1].startswith("500 ")
        asked = [each for each in counts.statements if each.reads("messages") and not each.writes]
        assert len(asked) == 1
        assert max(asked[0].numbers) < 30


def a_thread(store: Store, chance: random.Random) -> Any:
    """A thread as runs leave it: messages of all lengths, rounds of tools, and some that were deleted."""
    thread, assistant = objects.thread({}, 0), objects.assistant({"model": "m"}, 0)
    ids: list[str] = []
    with store.write() as tx:
        tx.add("threads", thread)
        newest = 0
        for _ in range(chance.randrange(90)):
            run = {**objects.run({}, assistant, thread["id"], 0), "status": "completed"}
            columns = {"thread_id": thread["id"], "run_id": run["id"]}
            if chance.random() < 0.3:
                tx.add("runs", run, thread_id=thread["id"], active=False, owner=None, expires_at=0.0)
                function = {"name": "f", "arguments": "{}", "output": "x" * chance.randrange(400)}
                calls = [{"id": "c", "type": "function", "function": function}]
                step = objects.step(run, {"type": "tool_calls", "tool_calls": calls}, 0)
                tx.add("steps", {**step, "status": "completed"}, **columns, after_message=newest)
            content = "x" * chance.randrange(400)
            role = chance.choice(["user", "assistant"])
            message = objects.message({"role": role, "content": content}, thread["id"], 0)
            newest = tx.add("messages", message, **columns)
            ids.append(message["id"])
        for id in chance.sample(ids, len(ids) // 10):
            tx.remove("messages", id)
    return thread, assistant


def given(store: Store, stretch: Stretch, upstream: Upstream, *, whole: bool) -> Turn:
    past = Past(stretch.run)
    while True:
        with store.read() as tx:
            past.read_on(tx)
        turn = turn_of(stretch, past.items(), {})
        if past.whole or not (whole or wants_more(upstream, turn)):
            return turn


@pytest.mark.parametrize("seed", range(12))
def test_what_is_sent_is_the_same_as_if_all_were_read(seed: int) -> None:
    chance = random.Random(seed)
    with Database("sqlite://") as store:
        thread, assistant = a_thread(store, chance)
        for _ in range(12):
            body: Any = {"truncation_strategy": {"type": "auto"}, "max_prompt_tokens": None}
            if chance.random() < 0.4:
                last = {"type": "last_messages", "last_messages": chance.randrange(1, 60)}
                body["truncation_strategy"] = last
            if chance.random() < 0.5:
                body["max_prompt_tokens"] = chance.randrange(10, 6_000)
            run = objects.run(body, assistant, thread["id"], 0)
            stretch = Stretch(run, run, {"given": []}, thread, assistant)
            window = chance.randrange(50, 6_000)
            model = Chat(context_window=window)
            upstream = WithinMaxPromptTokens(model)
            sent = []
            for whole in (False, True):
                turn: Turn | None = given(store, stretch, upstream, whole=whole)
                assert turn is not None
                if turn.max_prompt_tokens is not None:
                    turn = fitted(turn, turn.max_prompt_tokens)
                if turn is not None:
                    turn = fitted(turn, model._window(turn).room(turn) or 0) or (
                        None if turn.truncation == "auto" else turn
                    )
                sent.append(turn and turn.items)
            assert sent[0] == sent[1]


async def test_watching_over_runs_reads_none_of_them(
    make_api: MakeApi, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.01)
    api = make_api("echo", url)
    runs = [await api.run("echo:stall") for _ in range(5)]
    jobs = api.backend._jobs
    with anyio.fail_after(20):
        while len(jobs._runs) < 5 or not jobs._look_at:
            await anyio.sleep(0.01)
    await anyio.sleep(0.1)  # the round that has read them ends
    with counted() as counts:
        while len(counts.statements) < 5:
            await anyio.sleep(0.01)
    assert all(each.text.startswith("SELECT runs.owner, count(") for each in counts.statements)
    assert counts.writing == 0
    monkeypatch.setattr(watch, "_EVERY", 60.0)
    assert (await api.get(f"/threads/{runs[0]['thread_id']}/runs/{runs[0]['id']}"))["status"] == "in_progress"
