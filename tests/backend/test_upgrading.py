"""Stores that an earlier release has written are brought forward when they are opened, whole or not at all.

``stores/`` holds dumps of what 1.0 wrote on each engine: a thread with a run that is done, and one whose run
waits for the output of a tool.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._store import schema, upgrading
from streaming_assistants.backend._store.database import Database

from .conftest import Api, text_of
from .databases import File, Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]

DUMPS = Path(__file__).with_name("stores")
WRITTEN_AT = 1795982200.0
"""Seconds since the epoch: a little later than what the dumps hold."""


@pytest.fixture
def of_1_0(shared: File | Postgres) -> str:
    """The URL of a store that 1.0 wrote."""
    engine = "postgresql" if isinstance(shared, Postgres) else "sqlite"
    shared.clear()
    shared.execute_all((DUMPS / f"{engine}-1.0.sql").read_text())
    return shared.url


def described(connection: Connection) -> dict[str, Any]:
    """The schema of a store as its database tells it; in which order a table has its columns is not told."""
    inspector = inspect(connection)

    def table(name: str) -> dict[str, Any]:
        return {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            },
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "parents": sorted(
                (each["constrained_columns"], each["referred_table"], each["options"])
                for each in inspector.get_foreign_keys(name)
            ),
            "unique": sorted(each["column_names"] for each in inspector.get_unique_constraints(name)),
            "indexes": {
                index["name"]: (
                    index["column_names"],
                    bool(index["unique"]),
                    {name: str(value) for name, value in index.get("dialect_options", {}).items()},
                )
                for index in inspector.get_indexes(name)
            },
        }

    names = [
        name for name in inspector.get_table_names() if not name.startswith(("passage_words_", "passage_v"))
    ]
    return {name: table(name) for name in names}


async def test_a_store_of_1_0_opens_and_goes_on(make_api: Callable[..., Api], of_1_0: str) -> None:
    api = make_api("echo", of_1_0, clock=lambda: WRITTEN_AT)
    (assistant,) = (await api.get("/assistants"))["data"]
    with Database(of_1_0) as store, store.read() as tx:
        done, waiting = [row["data"]["id"] for row in tx.all("threads")]
        about = upgrading.about(tx.connection)
    assert about is not None
    assert about.version == schema.VERSION
    assert len(about.store) == 32
    assert [text_of(each) for each in await api.messages(done)] == ["Hello from 1.0"] * 2
    (run,) = (await api.get(f"/threads/{waiting}/runs"))["data"]
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "warm"}]}
    path = f"/threads/{waiting}/runs/{run['id']}"
    run = await api.settled(await api.post(f"{path}/submit_tool_outputs", outputs))
    assert run["status"] == "completed"
    assert text_of((await api.messages(waiting))[-1]) == "warm"
    await api.post(f"/threads/{done}/messages", {"role": "user", "content": "And on."})
    again = await api.settled(await api.post(f"/threads/{done}/runs", {"assistant_id": assistant["id"]}))
    assert again["status"] == "completed"
    assert text_of((await api.messages(done))[-1]) == "And on."


def test_what_is_brought_forward_is_as_what_is_new(of_1_0: str, shared: File | Postgres) -> None:
    with Database(of_1_0) as store, store.read() as tx:
        brought_forward = described(tx.connection)
        assert upgrading.missing(tx.connection) == []
    shared.clear()
    with Database(shared.url) as store, store.read() as tx:
        new = described(tx.connection)
        assert upgrading.missing(tx.connection) == []
    assert brought_forward == new
    assert {"run_events", "projects", "keys", "key_projects", "request_counts"} < set(new)


def test_an_old_store_may_be_opened_by_several_at_once(of_1_0: str) -> None:
    together, opened = threading.Barrier(4), list[object]()

    def open_it() -> None:
        together.wait(20)
        try:
            with Database(of_1_0) as store, store.read() as tx:
                opened.append(upgrading.about(tx.connection))
        except Exception as error:  # noqa: BLE001 - told below
            opened.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(opened) == 4
    assert len(set(opened)) == 1
    assert isinstance(opened[0], upgrading.About)


def test_a_store_is_brought_forward_whole_or_not_at_all(
    of_1_0: str, shared: File | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection) -> None:
        assert upgrading.missing(connection)  # the tables that are there have what is new
        raise ZeroDivisionError

    monkeypatch.setattr(upgrading, "_create", broken)
    with pytest.raises(ZeroDivisionError):
        Database(of_1_0)
    monkeypatch.undo()
    shared.execute("SELECT version FROM streaming_assistants")
    with pytest.raises(Exception, match="claim"):
        shared.execute("SELECT claim FROM runs")
    with Database(of_1_0) as store, store.read() as tx:
        assert len(tx.all("runs", claim=0)) == 2


def test_alembic_is_asked_for_where_it_is_needed(
    of_1_0: str, shared: File | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "alembic.script", None)
    with pytest.raises(
        ImportError, match=r"version 2 needs alembic.*pip install 'streaming_assistants\[backend\]'"
    ):
        LocalBackend("echo", of_1_0)
    shared.clear()
    LocalBackend("echo", of_1_0).close()  # a new one needs none


def test_a_new_store_imports_no_alembic() -> None:
    code = (
        "import sys; from streaming_assistants.backend._store.database import Database; "
        "Database('sqlite://').close(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("columns", ["version", "*"], ids=["of another shape", "of ours"])
def test_a_store_of_a_later_release_is_refused_and_left_alone(shared: File | Postgres, columns: str) -> None:
    if columns == "version":
        shared.clear()
        shared.execute("CREATE TABLE streaming_assistants (version integer PRIMARY KEY, else_ integer)")
        shared.execute("INSERT INTO streaming_assistants VALUES (99, 1)")
    else:
        Database(shared.url).close()
        shared.execute("UPDATE streaming_assistants SET version = 99")
    with pytest.raises(RuntimeError, match=r"schema version 99.*reads versions up to 2\. Use the release"):
        Database(shared.url)
    if columns == "version":
        with pytest.raises(Exception, match="runs"):
            shared.execute("SELECT * FROM runs")


def test_the_column_of_a_script_has_what_the_schema_says(store: Any) -> None:
    """What a process of 1.0 writes, which knows nothing of what is new."""
    if not isinstance(store, Database):
        return
    with store.write() as tx:
        tx.connection.execute(text("INSERT INTO threads (id, data) VALUES ('thread_1', '{}')"))
        tx.connection.execute(
            text(
                "INSERT INTO runs (id, thread_id, active, expires_at, data) "
                "VALUES ('run_1', 'thread_1', false, 0, '{}')"
            )
        )
        tx.connection.execute(
            text(
                "INSERT INTO owners (id, place, pid, started, seen_at) VALUES ('owner_1', 'here', 1, '0', 0)"
            )
        )
        run, owner = tx.get("runs", "run_1"), tx.owner("owner_1")
    assert run is not None
    assert (run["claim"], run["project"]) == (0, "")
    assert owner is not None
    assert (owner["lease"], owner["drives"]) == (30.0, False)
