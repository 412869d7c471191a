"""What every store keeps, whatever it is made of: the port, asked of each."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.bulk_port import NewRow, place, second_of
from streaming_assistants.backend._engine.event_log import LARGEST_BATCH, batches, entries_of, numbered
from streaming_assistants.backend._engine.event_port import Claim
from streaming_assistants.backend._engine.store_port import Store, StoreClosed
from streaming_assistants.backend._store.database import Database

from .conftest import JSON
from .dict_store import DictStore

pytestmark = pytest.mark.any_sdk

NOW = 1_700_000_000.0


def add_run(tx: Any, id: str, thread_id: str = "thread_1", *, active: bool = False) -> int:
    columns = {"active": active, "owner": None, "expires_at": NOW, "hidden": {"include": False}}
    return int(tx.add("runs", {"id": id, "status": "queued"}, thread_id=thread_id, **columns))


@pytest.fixture
def filled(store: Store) -> Store:
    """Two threads: the first with five messages, a run and its step."""
    with store.write() as tx:
        for id in ("thread_1", "thread_2"):
            tx.add("threads", {"id": id})
        for number in range(5):
            seq = tx.add("messages", {"id": f"msg_{number}", "text": str(number)}, thread_id="thread_1")
        add_run(tx, "run_1", active=True)
        tx.add("steps", {"id": "step_1"}, thread_id="thread_1", run_id="run_1", after_message=seq)
    return store


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_written_is_there_at_once(durable: bool, store: Store) -> None:
    with store.write(durable=durable) as tx:
        tx.add("threads", {"id": "thread_1"})
    with store.read() as tx:
        assert tx.get("threads", "thread_1") is not None


def test_it_fills_the_port(store: Store) -> None:
    assert isinstance(store, Store)
    assert isinstance(store.blocking, bool)
    assert abs(store.clock() - Database("sqlite://").clock()) < 3600


def test_a_row_has_its_columns(filled: Store) -> None:
    with filled.read() as tx:
        message = tx.get("messages", "msg_3")
        run = tx.get("runs", "run_1", thread_id="thread_1")
        step = tx.newest("steps", run_id="run_1")
        assert tx.get("messages", "msg_9") is None
        assert tx.get("runs", "run_1", thread_id="thread_2") is None
        assert tx.newest("steps", run_id="run_2") is None
    assert message is not None
    assert run is not None
    assert step is not None
    assert message["data"] == {"id": "msg_3", "text": "3"}
    assert [message[each] for each in ("thread_id", "run_id", "hidden")] == ["thread_1", None, None]
    assert [run[each] for each in ("active", "owner", "expires_at")] == [True, None, NOW]
    assert run["hidden"] == {"include": False}
    assert step["after_message"] == message["seq"] + 1


def test_an_object_is_nobody_s_and_a_run_unclaimed_until_it_is_said(store: Store) -> None:
    owned = {"stored_files": {"purpose": "batch", "content_id": "c_1"}}
    with store.write() as tx:
        for kind in ("assistants", "threads", "stored_files", "uploads", "vector_stores"):
            columns = owned.get(kind, {})
            tx.add(kind, {"id": f"{kind}_1"}, **columns)
            tx.add(kind, {"id": f"{kind}_2"}, project="blue", **columns)
            assert ids(tx.all(kind, project="")) == [f"{kind}_1"]
            assert ids(tx.all(kind, project="blue")) == [f"{kind}_2"]
        add_run(tx, "run_1", "threads_1", active=True)
        tx.change("runs", "run_1", {}, owner="owner_1", claim=1)
        add_run(tx, "run_2", "threads_2")
        claims = {row["id"]: row["claim"] for row in tx.all("runs", project="")}
    assert claims == {"run_1": 1, "run_2": 0}


def test_what_a_caller_does_to_a_row_does_not_reach_the_store(filled: Store) -> None:
    given: dict[str, Any] = {"id": "thread_3", "metadata": {}}
    with filled.write() as tx:
        tx.add("threads", given)
        given["metadata"]["a"] = "b"
        row = tx.get("threads", "thread_3")
        assert row is not None
        row["data"]["metadata"]["c"] = "d"
    with filled.read() as tx:
        row = tx.get("threads", "thread_3")
    assert row is not None
    assert row["data"] == {"id": "thread_3", "metadata": {}}


def test_a_change_leaves_the_other_fields(filled: Store) -> None:
    with filled.write() as tx:
        assert tx.change("runs", "run_1", {"model": "m"}, active=False) == {
            "id": "run_1", "status": "queued", "model": "m"
        }  # fmt: skip
        assert tx.change("runs", "run_9", {"model": "m"}) is None
        row = tx.get("runs", "run_1", lock=True)
        assert tx.change("runs", "run_1", {"status": "failed"}, row=row, hidden=None) is not None
    with filled.read() as tx:
        row = tx.get("runs", "run_1")
        assert row is not None
        assert row["data"] == {"id": "run_1", "status": "failed", "model": "m"}
        assert (row["active"], row["hidden"], tx.active_runs()) == (False, None, [])


def test_what_the_caller_knows_is_swapped_unread(filled: Store) -> None:
    text = 'Zürich "old" \u2028 \0 \U0001f3d9 \\n'
    place = {"thread_id": "thread_1"}
    known: dict[str, Any] = {"id": "msg_0", "text": text, **place, "parts": [{"n": 1.5, "none": None}]}
    with filled.write() as tx:
        tx.change("messages", "msg_0", known)
        tx.change("runs", "run_1", place)
        assert tx.swap("messages", known, {**known, "more": text})
        assert not tx.swap("messages", known, {"id": "msg_0"})
        assert not tx.swap("messages", {"id": "msg_9", **place}, {"id": "msg_9"})
        run = {"id": "run_1", "status": "queued", **place}
        assert tx.swap("runs", run, {**run, "status": "failed"}, active=False, hidden={"usage": None})
    with filled.write() as tx:
        row = tx.get("messages", "msg_0")
        assert row is not None
        assert row["data"] == {**known, "more": text}
        assert tx.swap("messages", row["data"], {"id": "msg_0"})
        row = tx.get("runs", "run_1")
        assert row is not None
        assert (row["data"]["status"], row["active"], row["hidden"]) == ("failed", False, {"usage": None})


def test_a_transaction_that_fails_leaves_nothing(filled: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        with filled.write() as tx:
            tx.add("messages", {"id": "msg_5"}, thread_id="thread_1")
            tx.change("messages", "msg_0", {"text": "changed"})
            tx.remove("messages", "msg_1")
            tx.keep_file("file_1", "a.txt", b"a")
            tx.seen("owner_1", "here", 1, "0", NOW, lease=5)
            raise ZeroDivisionError
    with filled.read() as tx:
        rows = tx.all("messages", thread_id="thread_1")
        assert [(row["id"], row["data"]["text"]) for row in rows] == [(f"msg_{n}", str(n)) for n in range(5)]
        assert (tx.file("file_1"), tx.owner("owner_1")) == (None, None)


def test_a_seq_is_never_used_again(filled: Store) -> None:
    with filled.write() as tx:
        newest = tx.newest("messages", thread_id="thread_1")
        assert newest is not None
        assert newest["id"] == "msg_4"
        assert tx.remove("messages", "msg_4")
        assert not tx.remove("messages", "msg_4")
        assert tx.add("messages", {"id": "msg_5"}, thread_id="thread_1") > newest["seq"]
        assert tx.newest("messages", thread_id="thread_2") is None


def test_a_removed_object_keeps_its_place(filled: Store) -> None:
    with filled.write() as tx:
        seq = tx.seq("messages", "msg_2", thread_id="thread_1")
        assert seq is not None
        assert tx.remove("messages", "msg_2")
        assert tx.seq("messages", "msg_2", thread_id="thread_1") == seq
        assert tx.seq("messages", "msg_2", thread_id="thread_2") is None
        assert tx.seq("messages", "msg_9", thread_id="thread_1") is None
        page = tx.page("messages", {"thread_id": "thread_1"}, limit=9, ascending=True, after=seq, before=None)
        assert ids(page.rows) == ["msg_3", "msg_4"]


def test_what_a_thread_has_goes_with_it(filled: Store) -> None:
    with filled.write() as tx:
        tx.remove("messages", "msg_2")
        assert tx.remove("threads", "thread_1")
        for kind in ("messages", "runs", "steps"):
            assert tx.all(kind, thread_id="thread_1") == []
        assert tx.seq("messages", "msg_2", thread_id="thread_1") is None
        assert ids(tx.all("threads")) == ["thread_2"]
        assert tx.active_runs() == []


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize(("after", "before"), [(None, None), (1, None), (None, 3), (0, 4)])
@pytest.mark.parametrize("limit", [1, 2, 9])
def test_a_page_lies_between_its_cursors(
    filled: Store, ascending: bool, after: int | None, before: int | None, limit: int
) -> None:
    order = list(range(5)) if ascending else list(range(5))[::-1]
    wanted = order[0 if after is None else after + 1 : 5 if before is None else before]
    backwards = before is not None and after is None
    with filled.read() as tx:
        seqs = [tx.seq("messages", f"msg_{number}") for number in order]
        page = tx.page(
            "messages",
            {"thread_id": "thread_1"},
            limit=limit,
            ascending=ascending,
            after=None if after is None else seqs[after],
            before=None if before is None else seqs[before],
        )
    assert page.more == (len(wanted) > limit)
    assert ids(page.rows) == [f"msg_{n}" for n in (wanted[-limit:] if backwards else wanted[:limit])]


def test_a_thread_has_one_active_run(filled: Store) -> None:
    with filled.write() as tx:
        assert add_run(tx, "run_2", active=True) == 0
        assert tx.get("runs", "run_2") is None
        assert ids(tx.active_runs()) == ["run_1"]
        assert add_run(tx, "run_3", "thread_2", active=True) > 0
        assert ids(tx.active_runs()) == ["run_1", "run_3"]
        assert tx.driven() == [(None, 2, NOW)]
        tx.change("runs", "run_3", {}, owner="owner_1", expires_at=NOW - 9)
        driven = sorted(tx.driven(), key=lambda each: each.owner or "")
        assert driven == [(None, 1, NOW), ("owner_1", 1, NOW - 9)]
        tx.change("runs", "run_1", {}, active=False)
        add_run(tx, "run_4", active=True)
        assert ids(tx.active_runs()) == ["run_3", "run_4"]


def test_files_are_kept_as_they_are(store: Store) -> None:
    content = bytes(range(256))
    with store.write() as tx:
        tx.keep_file("file_1", "a.bin", b"old")
        tx.keep_file("file_1", "a.bin", content)
    with store.read() as tx:
        assert (tx.file("file_1"), tx.file("file_2")) == (content, None)


def test_contents_come_in_pieces(store: Store) -> None:
    with store.write() as tx:
        tx.add_piece("c_1", 0, b"\0one")
        tx.add_piece("c_1", 1, b"two")
        tx.add_piece("c_2", 0, b"other")
    with store.write() as tx:
        assert [tx.piece("c_1", number) for number in range(3)] == [b"\0one", b"two", None]
        tx.drop_content("c_1")
        assert (tx.piece("c_1", 0), tx.piece("c_2", 0)) == (None, b"other")


def test_a_large_content_goes_bit_by_bit_and_is_loose_until_all_is_gone(store: Store) -> None:
    with store.write() as tx:
        for number in range(40):
            tx.add_piece("c_1", number, b"x")
    more = True
    while more:
        with store.write() as tx:
            more = tx.drop_content("c_1")
            left = [number for number in range(40) if tx.piece("c_1", number) is not None]
            assert (len(left) <= 39, left == list(range(len(left)))) == (True, True)
            assert (bool(left), tx.loose_contents()) == (more, ["c_1"] if more else [])
    with store.write() as tx:
        assert tx.drop_content("c_1") is False


def test_contents_that_nothing_refers_to_are_told(store: Store) -> None:
    with store.write() as tx:
        for id in ("of a file", "of a part", "loose"):
            tx.add_piece(id, 0, b"x")
            tx.add_piece(id, 1, b"x")
        tx.add("stored_files", {"id": "file-1"}, purpose="batch", content_id="of a file")
        tx.add("uploads", {"id": "upload_1"})
        tx.add("upload_parts", {"id": "part_1"}, upload_id="upload_1", content_id="of a part")
        assert tx.loose_contents() == ["loose"]
        tx.remove("uploads", "upload_1")  # and its parts
        assert sorted(tx.loose_contents()) == ["loose", "of a part"]


def test_what_has_lapsed_is_told(store: Store) -> None:
    with store.write() as tx:
        for id, expires_at in (("file-1", NOW), ("file-2", None), ("file-3", NOW + 1), ("file-4", NOW - 1)):
            columns = {"purpose": "batch", "content_id": id, "expires_at": expires_at}
            tx.add("stored_files", {"id": id}, **columns)
        assert ids(tx.lapsed("stored_files", NOW)) == ["file-1", "file-4"]
        assert ids(tx.lapsed("uploads", NOW)) == []


def test_a_stores_files_go_with_it_and_may_come_back(store: Store) -> None:
    entry = {"vector_store_id": "vs_1", "file_id": "file-1", "status": "completed"}
    with store.write() as tx:
        tx.add("vector_stores", {"id": "vs_1"})
        tx.add("file_batches", {"id": "vsfb_1"}, vector_store_id="vs_1")
        for _ in range(3):
            tx.add("store_files", {"id": "file-1"}, id="vsf_1", **entry)
            assert ids(tx.all("store_files", file_id="file-1", status="completed")) == ["vsf_1"]
            assert tx.remove("store_files", "vsf_1")
        seq = tx.add("store_files", {"id": "file-1"}, id="vsf_1", **entry)
        assert tx.seq("store_files", "vsf_1", vector_store_id="vs_1") == seq
        tx.remove("vector_stores", "vs_1")
        assert [tx.all(kind) for kind in ("file_batches", "store_files")] == [[], []]


def test_owners_are_seen_and_forgotten(store: Store) -> None:
    with store.write() as tx:
        for number in range(3):
            tx.seen(f"owner_{number}", "here", number, "0", NOW, lease=4)
        tx.seen("owner_2", "here", 2, "0", NOW, lease=9, drives=True)
        tx.forget("owner_0")
        tx.forget("owner_9")
    with store.write() as tx:
        tx.forget_unseen(NOW + 5)
        row = tx.owner("owner_2")
        assert [tx.owner(f"owner_{number}") is None for number in range(3)] == [True, True, False]
    assert row is not None
    told = [row[each] for each in ("place", "pid", "started", "seen_at", "lease", "drives")]
    assert told == ["here", 2, "0", NOW, 9, True]


def test_two_threads_may_say_at_once_that_an_owner_lives(store: Store) -> None:
    """On a server the second waits for the first, and then finds the row that it was to write."""
    both = threading.Barrier(2)

    def say() -> None:
        with store.write() as tx:
            if not isinstance(store, DictStore) and not getattr(store, "sqlite", False):
                both.wait(20)  # whose writers do not take turns
            tx.seen("owner_1", "here", 1, "then", NOW, lease=5)

    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            say()
        except BaseException as error:  # noqa: BLE001 - told below
            raised.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert raised == []
    with store.read() as tx:
        assert tx.owner("owner_1") is not None


def test_who_watches_a_thread_is_told_what_is_committed(filled: Store) -> None:
    told: list[list[str]] = []

    def wake() -> None:
        with filled.read() as tx:
            told.append(ids(tx.all("messages", thread_id="thread_2")))

    if getattr(filled, "hears_others", False):  # all are told to look once its server is listened to
        listens = threading.Event()
        filled.watch("thread_1", listens.set)
        assert listens.wait(20)
    stop = filled.watch("thread_2", wake)
    with filled.write() as tx:
        tx.add("messages", {"id": "msg_5"}, thread_id="thread_2")
        assert told == []
    with filled.write() as tx:
        tx.change("messages", "msg_0", {"text": "of another thread"})
    with pytest.raises(ZeroDivisionError), filled.write() as tx:
        tx.add("messages", {"id": "msg_6"}, thread_id="thread_2")
        raise ZeroDivisionError
    assert told == [["msg_5"]]
    stop()
    with filled.write() as tx:
        tx.remove("messages", "msg_5")
    assert len(told) == 1


def test_writers_in_several_threads_lose_nothing(filled: Store) -> None:
    def count() -> None:
        for _ in range(10):
            with filled.write() as tx:
                row = tx.get("messages", "msg_0", lock=True)
                assert row is not None
                tx.change("messages", "msg_0", {"text": str(int(row["data"]["text"]) + 1)}, row=row)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with filled.read() as tx:
        row = tx.get("messages", "msg_0")
    assert row is not None
    assert row["data"]["text"] == "40"


def test_a_closed_store_says_so(store: Store) -> None:
    assert not store.closed
    store.close()
    store.close()
    assert store.closed
    for opened in (store.read, store.write):
        with pytest.raises(StoreClosed), opened():
            pass


def test_a_backend_takes_a_store_and_closes_it() -> None:
    store = DictStore()
    with LocalBackend("echo", store) as backend:
        client = openai.OpenAI(api_key="unused")
        backend.attach(client)
        thread_id = str(client.post("/threads", cast_to=JSON)["id"])
        with store.read() as tx:
            assert ids(tx.all("threads")) == [thread_id]
        client.close()
    assert store.closed


@pytest.mark.parametrize("given", [3, None, object(), DictStore])
def test_what_is_no_store_is_refused_with_words(given: Any) -> None:
    with pytest.raises(TypeError, match="store= takes a str, a path or a store, not"):
        LocalBackend("echo", given)


WITHOUT_SQLALCHEMY = """
import sys
sys.modules["sqlalchemy"] = None
import openai
import streaming_assistants
from streaming_assistants.backend import LocalBackend
from tests.backend.dict_store import DictStore

try:
    LocalBackend("echo")
except ImportError as error:
    print(error)
with LocalBackend("echo", DictStore()) as backend, openai.OpenAI(api_key="unused") as bare:
    beta = streaming_assistants.patch(bare, backend=backend).beta
    assistant = beta.assistants.create(model="echo")
    thread = beta.threads.create(messages=[{"role": "user", "content": "Word by word, please."}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    print(run.status, beta.threads.messages.list(thread.id).data[0].content[0].text.value)
print([name for name in sys.modules if name.startswith("sqlalchemy.")])
"""


def test_a_store_of_ones_own_needs_no_sqlalchemy() -> None:
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_SQLALCHEMY]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "The backend needs SQLAlchemy, which is not installed: pip install 'streaming_assistants[backend]'",
        "completed Word by word, please.",
        "[]",
    ]


# many at once


def new(id: str, seq: int, **columns: Any) -> NewRow:
    return NewRow(id, seq, {"id": id, "metadata": {"of": id[-1]}}, columns)


def test_many_are_stored_once_and_each_has_its_place(filled: Store) -> None:
    places = {"old": place(NOW, 5), "older": place(NOW - 1, 9)}
    rows = [new("thread_3", places["old"]), new("thread_4", places["older"]), new("thread_1", 7)]
    with filled.write() as tx:
        assert tx.known("threads", ["thread_1", "thread_3"]) == {"thread_1"}
        assert tx.add_all("threads", rows) == {"thread_3", "thread_4"}
        assert tx.add_all("threads", rows) == set()
        tx.add_all("threads", [new("thread_5", places["old"]), new("thread_6", places["old"])])
    with filled.write() as tx:
        tx.add("threads", {"id": "thread_7", "metadata": {}})
        page = tx.page("threads", {}, limit=9, ascending=True, after=None, before=None)
    order = ["thread_4", "thread_3", "thread_5", "thread_6", "thread_1", "thread_2", "thread_7"]
    assert ids(page.rows) == order
    assert [second_of(row["seq"]) for row in page.rows] == [NOW - 1, NOW, NOW, NOW, None, None, None]
    assert page.rows[4]["data"] == {"id": "thread_1"}  # as it was


def test_a_page_of_what_has_metadata(filled: Store) -> None:
    odd = """a"b'c.$[]"""
    with filled.write() as tx:
        tx.add_all("threads", [new(f"thread_{each}", place(NOW, each)) for each in (3, 4)])
        tx.add("threads", {"id": "thread_5", "metadata": {"of": "4", odd: odd}})
    for metadata, wanted in (
        ({"of": "4"}, ["thread_5", "thread_4"]), ({"of": "4", odd: odd}, ["thread_5"]), ({odd: "4"}, []),
        ({}, ["thread_5", "thread_2", "thread_1", "thread_4", "thread_3"]),
    ):  # fmt: skip
        with filled.read() as tx:
            where = {"metadata": metadata}
            page = tx.page("threads", where, limit=9, ascending=False, after=None, before=None)
        assert ids(page.rows) == wanted


def test_messages_tell_their_places_and_tools_files_are_listed(filled: Store) -> None:
    with filled.write() as tx:
        assert [each.id for each in tx.placed(["thread_1", "thread_2"])] == [
            f"msg_{each}" for each in range(5)
        ]
        for each in "bca":
            tx.keep_file(f"file-{each}", f"{each}.txt", each.encode())
        assert tx.made_files("", 2) == [
            ("file-a", "a.txt", b"a", ""),
            ("file-b", "b.txt", b"b", ""),
        ]
        assert tx.made_files("file-b", 2) == [("file-c", "c.txt", b"c", "")]


def tell(store: Store, run_id: str, count: int, at: float = NOW) -> None:
    with store.write() as tx:
        events = numbered([("word", {"said": "\u2028"})] * count, tx.last_event(run_id))
        tx.add_events(batches(run_id, events), at)


def test_events_are_kept_in_order_and_read_from_any_number(filled: Store) -> None:
    with filled.write() as tx:
        add_run(tx, "run_2", "thread_2")
    for run_id, count in (("run_1", 70), ("run_2", 3), ("run_1", 5)):
        tell(filled, run_id, count)
    with filled.read() as tx:
        assert [tx.last_event(run_id) for run_id in ("run_1", "run_2", "run_3")] == [75, 3, 0]
        for after in (0, 1, LARGEST_BATCH, LARGEST_BATCH + 1, 69, 70, 74):
            found = [each for batch in tx.events({"run_1": after}, 99) for each in entries_of(batch, after)]
            assert [entry.number for entry in found] == list(range(after + 1, 76))
            assert {(entry.name, entry.body) for entry in found} == {("word", '{"said":"\\u2028"}')}
        assert tx.events({"run_1": 75, "run_3": 0}, 99) == []
        both = tx.events({"run_1": 70, "run_2": 0}, 99)
        assert [(batch.run_id, batch.first, batch.last) for batch in both] == [
            ("run_1", 71, 75),
            ("run_2", 1, 3),
        ]
        assert [batch.first for batch in tx.events({"run_1": 0}, 2)] == [1, 1 + LARGEST_BATCH]


def test_events_of_one_number_cannot_both_be_stored(filled: Store) -> None:
    tell(filled, "run_1", 3)
    with pytest.raises(Exception, match=r".") as caught, filled.write() as tx:
        tx.add_events(batches("run_1", numbered([("word", {})], 0)), NOW)
    assert not isinstance(caught.value, AssertionError)
    with filled.read() as tx:
        assert tx.last_event("run_1") == 3


def test_whose_a_run_is_is_told_by_its_claim(filled: Store) -> None:
    with filled.write() as tx:
        tx.change("runs", "run_1", {}, owner="owner_1", claim=2)
    with filled.write() as tx:
        claims = {"run_1": Claim("owner_1", 2), "run_9": Claim("owner_1", 1)}
        assert tx.held(claims) == {"run_1": True}
        assert tx.held({"run_1": Claim("owner_1", 1)}) == {"run_1": False}
        assert tx.held({"run_1": Claim("owner_2", 2)}) == {"run_1": False}


def test_events_go_an_hour_after_their_run(filled: Store) -> None:
    with filled.write() as tx:
        for number, thread_id in ((2, "thread_1"), (3, "thread_2")):
            add_run(tx, f"run_{number}", thread_id)
    for run_id in ("run_1", "run_2", "run_3"):
        tell(filled, run_id, 2, NOW - 10)
    tell(filled, "run_3", 1, NOW)
    with filled.write() as tx:
        tx.drop_events(NOW - 5)
    with filled.read() as tx:  # the first goes on, and the third has ended since
        assert [tx.last_event(f"run_{number}") for number in (1, 2, 3)] == [2, 0, 3]
    with filled.write() as tx:
        tx.remove("threads", "thread_2")
    with filled.read() as tx:
        assert tx.last_event("run_3") == 0


def test_who_watches_a_run_is_told_of_its_events(filled: Store) -> None:
    told: list[int] = []
    unwatch = filled.watch("run_1", lambda: told.append(1))
    before = len(told)
    tell(filled, "run_1", 1)
    assert len(told) > before
    unwatch()
