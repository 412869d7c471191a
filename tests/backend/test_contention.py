"""Transactions that stand in each other's way on PostgreSQL are done again, in one place, and a request or a
run knows nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from streaming_assistants.backend._engine.store_port import StoreAway, Undone
from streaming_assistants.backend._engine.transacting import transacted
from streaming_assistants.backend._store.database import Database

from .conftest import Api
from .databases import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]

# The number of a sequence is used up, whatever becomes of the transaction.
REFUSES = """
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') IN (1, 2, 4, 7, 11) THEN
        RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001';
    END IF;
    RETURN NEW;
END $$;
"""
"""Some times it says that a transaction could not be serialised."""


def refusing(what: str) -> str:
    return f"CREATE TRIGGER refuse BEFORE {what} FOR EACH ROW EXECUTE FUNCTION refuse()"


@pytest.fixture
def store(postgres: Postgres) -> Iterator[Database]:
    with Database(postgres.url) as made:
        with made.write() as tx:
            for id in ("thread_1", "thread_2"):
                tx.add("threads", {"id": id, "said": []})
        yield made


def test_two_that_wait_for_each_other_both_hold(store: Database, postgres: Postgres) -> None:
    postgres.execute(f"ALTER DATABASE {postgres.name} SET deadlock_timeout = '20ms'")
    both, calls = threading.Barrier(2), list[str]()

    def say(name: str, ids: list[str], tx: Any) -> None:
        calls.append(name)
        for number, id in enumerate(ids):
            row = tx.get("threads", id, lock=True)
            if number == 0 and calls.count(name) == 1:
                both.wait(20)  # each has the lock that the other wants
            tx.change("threads", id, {"said": [*row["data"]["said"], name]}, row=row)

    jobs = {"a": ["thread_1", "thread_2"], "b": ["thread_2", "thread_1"]}
    threads = [
        threading.Thread(target=transacted, args=(store, partial(say, name, ids)))
        for name, ids in jobs.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with store.read() as tx:
        said = [row["data"]["said"] for row in tx.all("threads")]
    assert [sorted(each) for each in said] == [["a", "b"]] * 2
    assert len(calls) == 3


def test_what_is_refused_each_time_is_given_up(store: Database) -> None:
    calls: list[object] = []

    def refused(tx: Any) -> None:
        calls.append(tx)
        tx.connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(Undone):
        transacted(store, refused)
    assert len(calls) == 5
    assert issubclass(Undone, StoreAway)


async def test_a_request_and_a_run_are_done_again(make_api: Callable[..., Api], postgres: Postgres) -> None:
    api = make_api("echo", postgres.url)
    assistant_id, thread_id = await api.assistant(), await api.thread("hello")
    postgres.execute(REFUSES)
    postgres.execute(refusing("INSERT OR UPDATE ON messages"))
    postgres.execute(refusing("UPDATE ON runs"))
    await api.post(f"/threads/{thread_id}/messages", {"role": "user", "content": "And on."})
    events = await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert events[-2][0] == "thread.run.completed"
    said = [name for name, _ in events]
    assert said.count("thread.message.created") == said.count("thread.message.completed") == 1
    assert len(await api.messages(thread_id)) == 3


@pytest.mark.parametrize(
    ("option", "statement"),
    [
        ("statement_timeout=50ms", "SELECT pg_sleep(20)"),
        ("lock_timeout=50ms", "SELECT * FROM threads WHERE id = 'thread_1' FOR UPDATE"),
    ],
)
def test_nothing_is_waited_for_without_end(
    store: Database, postgres: Postgres, option: str, statement: str
) -> None:
    joined = "&" if "?" in postgres.url else "?"
    with store.write() as tx, Database(f"{postgres.url}{joined}{option}&pool_size=1") as hurried:
        tx.get("threads", "thread_1", lock=True)
        with pytest.raises(StoreAway, match="canceling statement due to"), hurried.write() as other:
            other.connection.execute(text(statement))
        with hurried.read() as other:  # by the one connection that there may be
            assert len(other.all("threads")) == 2


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("lock_timeout=soon", "takes a time"),
        ("pool_size=0", "takes a number"),
        ("pool_size=x", "takes a number"),
    ],
)
def test_what_is_no_time_and_no_number_is_refused(option: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Database(f"postgresql+psycopg://nobody@localhost:9/none?{option}")


def test_a_process_that_stops_within_a_transaction_holds_nobody_up_for_long(
    store: Database, postgres: Postgres
) -> None:
    joined = "&" if "?" in postgres.url else "?"
    url = f"{postgres.url}{joined}idle_in_transaction_session_timeout=500ms"
    with Database(url) as paused, pytest.raises(StoreAway):
        with paused.write() as tx:
            tx.get("threads", "thread_1", lock=True)
            with store.write() as other:  # waits until the server has ended the first
                other.change("threads", "thread_1", {"said": ["other"]})
            tx.change("threads", "thread_1", {"said": ["paused"]})
    with store.read() as tx:
        row = tx.get("threads", "thread_1")
    assert row is not None
    assert row["data"]["said"] == ["other"]
