"""``python -m streaming_assistants store``: what an operator sees of a store, and what goes from it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend._store import pruning
from streaming_assistants.backend._store.database import Database
from streaming_assistants.cli import main

from .databases import File, Postgres

pytestmark = pytest.mark.any_sdk

DAY = 86_400
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(shared: File | Postgres, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the command on the store: its exit code, and the JSON that it wrote."""

    def asked(*arguments: str) -> tuple[int, Any]:
        code = main(["store", *arguments, "--store", shared.url, "--json"])
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out else told.err

    return asked


def test_a_store_is_looked_at_made_and_brought_forward(ask: Ask, shared: File | Postgres) -> None:
    shared.clear()
    if isinstance(shared, File):
        code, told = ask("check")
        assert (code, "There is no file" in told) == (2, True)
    else:
        assert ask("check") == (1, {"ok": False, "version": None, "wanted": 2, "missing": []})
    assert ask("upgrade") == (0, {"before": None, "after": 2})
    assert ask("check") == (0, {"ok": True, "version": 2, "wanted": 2, "missing": []})
    shared.execute("DROP TABLE run_events")
    shared.execute("DROP INDEX threads_by_project")
    code, told = ask("check")
    assert (code, sorted(told["missing"])) == (1, ["index threads_by_project", "table run_events"])
    shared.execute("UPDATE streaming_assistants SET version = 1")
    code, told = ask("check")
    assert (code, told["version"], told["ok"]) == (1, 1, False)
    assert ask("upgrade") == (0, {"before": 1, "after": 2})
    assert ask("check")[0] == 0
    shared.execute("UPDATE streaming_assistants SET version = 99")
    assert ask("check")[0] == 1
    code, told = ask("upgrade")
    assert (code, "schema version 99" in told) == (2, True)


def filled(store: Database) -> None:
    """Threads of 40 days ago: one that nobody has touched since, one with a message of today, one whose run
    ended today, one whose run waits still and one whose run waits since then. And one of today."""
    now = int(store.clock())
    old = now - 40 * DAY
    with store.write() as tx:

        def add(kind: Any, id: str, created_at: int = old, **columns: Any) -> None:
            data = {"id": id, "created_at": created_at, **columns.pop("data", {})}
            tx.add(kind, data, **columns)

        def file(id: str, created_at: int = old) -> None:
            add("stored_files", id, created_at, purpose="assistants", content_id=f"content of {id}")
            tx.add_piece(f"content of {id}", 0, b"x")

        for id in ("untouched", "said", "ended", "waits", "left"):
            add("threads", f"thread_{id}")
        add("threads", "thread_new", now)
        for id in ("file-alone", "file-elsewhere", "file-searched", "file-spoken-of"):
            file(id)
        file("file-new", now)
        attached = [{"file_id": id} for id in ("file-alone", "file-elsewhere", "file-searched", "file-new")]
        spoken = [{"type": "text", "text": {"value": "Look at file-spoken-of.", "annotations": []}}]
        said = {"attachments": attached, "content": spoken, "metadata": {"file_id": "file-spoken-of"}}
        add("messages", "msg_1", data=said, thread_id="thread_untouched")
        tx.keep_file("assistant-file-chart", "chart.png", b"png")
        image = {"image_file": {"file_id": "assistant-file-chart"}}
        add("messages", "msg_2", data={"content": [image]}, thread_id="thread_untouched")
        add("messages", "msg_3", now, thread_id="thread_said")
        elsewhere = {"attachments": [{"file_id": "file-elsewhere"}]}
        add("messages", "msg_4", data=elsewhere, thread_id="thread_ended")
        add("vector_stores", "vs_1")
        entry = {"id": "file-searched", "created_at": old}
        tx.add("store_files", entry, id="e_1", vector_store_id="vs_1", file_id="file-searched", status="x")
        ended = {"status": "completed", "completed_at": now}
        waits = {"status": "requires_action"}
        runs = {"untouched": {"status": "completed", "completed_at": old}, "ended": ended, "waits": waits}
        for id, data in {**runs, "left": waits}.items():
            until = now + DAY if id == "waits" else old
            columns = {"thread_id": f"thread_{id}", "active": id in ("waits", "left"), "expires_at": until}
            add("runs", f"run_{id}", data=data, **columns)
        step = {"thread_id": "thread_untouched", "run_id": "run_untouched", "after_message": 0}
        add("steps", "step_1", **step)


KINDS = ("threads", "messages", "runs", "steps", "run_events", "files")


def test_threads_that_nobody_touches_go_with_what_is_theirs(ask: Ask, shared: File | Postgres) -> None:
    with Database(shared.url) as store:
        filled(store)
        shared.execute(
            "INSERT INTO run_events (run_id, first, last, events, at) VALUES ('run_untouched', 1, 2, '[]', 0)"
        )
        gone = dict(zip(KINDS, (2, 2, 2, 1, 1, 2), strict=True))
        assert ask("prune", "--older-than", "30d", "--dry-run") == (0, {"dry_run": True, **gone})
        assert ask("prune", "--older-than", "60d") == (0, {"dry_run": False, **dict.fromkeys(KINDS, 0)})
        with store.read() as tx:
            assert len(tx.all("threads")) == 6
        assert ask("prune", "--older-than", "30d") == (0, {"dry_run": False, **gone})
        with store.read() as tx:
            left = [row["id"].removeprefix("thread_") for row in tx.all("threads")]
            assert left == ["said", "ended", "waits", "new"]
            assert [row["id"] for row in tx.all("stored_files")] == [
                "file-elsewhere",
                "file-searched",
                "file-spoken-of",
                "file-new",
            ]
            assert tx.piece("content of file-alone", 0) is None
            assert tx.piece("content of file-new", 0) == b"x"
            assert tx.file("assistant-file-chart") is None
        assert ask("prune", "--older-than", "30d") == (0, {"dry_run": False, **dict.fromkeys(KINDS, 0)})


def test_what_is_in_use_is_passed_over_and_nobody_waits(postgres: Postgres) -> None:
    with Database(postgres.url) as store:
        filled(store)
        with store.write() as tx:
            tx.get("threads", "thread_untouched", lock=True)
            assert pruning.prune(postgres.url, 30 * DAY).threads == 1
        assert pruning.prune(postgres.url, 30 * DAY).threads == 1


def test_many_go_page_by_page(shared: File | Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_THREADS", 3)
    told: list[int] = []
    with Database(shared.url) as store:
        with store.write() as tx:
            for number in range(10):
                tx.add("threads", {"id": f"thread_{number}", "created_at": number})
        pruned = pruning.prune(shared.url, DAY, told=lambda so_far: told.append(so_far.threads))
    assert pruned.threads == 10
    assert told == [3, 6, 9, 10]


def test_what_is_in_a_store_is_counted(ask: Ask, shared: File | Postgres) -> None:
    with Database(shared.url) as store:
        filled(store)
        with store.write() as tx:
            tx.connection.exec_driver_sql(
                "INSERT INTO owners (id, place, pid, started, seen_at) "
                f"VALUES ('owner_1', 'here', 1, '0', {store.clock()}), ('owner_2', 'here', 1, '0', 0)"
            )
    code, told = ask("stats")
    assert code == 0
    assert {kind: told["objects"][kind] for kind in ("threads", "messages", "runs", "files")} == {
        "threads": 6,
        "messages": 4,
        "runs": 4,
        "files": 1,
    }
    assert told["active_runs"] == {"requires_action": 2}
    assert abs(told["oldest_thread"] - time.time() + 40 * DAY) < 3600
    assert told["oldest_active_run"] == told["oldest_thread"]
    assert told["processes"] == 1
    assert told["bytes"] > 10_000
    assert bool(told["table_bytes"]) == isinstance(shared, Postgres)


def test_what_a_person_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/assistants.db"
    with Database(url) as store:
        filled(store)

    def told(*arguments: str) -> str:
        assert main(["store", *arguments, "--store", url]) == 0
        return capsys.readouterr().out

    assert told("check").split() == ["version", "2"]
    assert "2, as it was" in told("upgrade")
    assert "2 requires_action" in told("stats")
    lines = told("prune", "--older-than", "30d", "--dry-run").splitlines()
    assert [line.split() for line in lines[-7:]][:2] == [["Would", "be", "dropped"], ["threads", "2"]]
    with pytest.raises(SystemExit) as caught:
        main(["store", "prune", "--older-than", "soon", "--store", url])
    assert caught.value.code == 2
    assert "no age: 30d, 12h, 4w" in capsys.readouterr().err


def test_a_store_that_cannot_be_reached_is_told_without_its_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://me:secret@127.0.0.1:9/none"
    assert main(["store", "check", "--store", url]) == 2
    told = capsys.readouterr().err
    assert told.startswith("The store cannot be used: ")
    assert "secret" not in told
