"""What each store does with keys, projects and their limits."""

from __future__ import annotations

import threading

import pytest

from streaming_assistants.backend._engine import objects
from streaming_assistants.backend._engine.api_errors import ApiError
from streaming_assistants.backend._engine.key_port import NO_LIMITS, Limits
from streaming_assistants.backend._engine.scoped import scoped
from streaming_assistants.backend._engine.store_port import Store

pytestmark = pytest.mark.any_sdk


def test_a_key_opens_its_projects_until_it_is_revoked(store: Store) -> None:
    with store.write() as tx:
        assert tx.unfit() is None
        assert not tx.keyed()
        tx.add_key("key_1", "a" * 64, ["blue"], 1.0)
        tx.add_key("key_2", "b" * 64, ["red", "blue", "red", "amber"], 2.0)
        with pytest.raises(ValueError, match="such a key"):
            tx.add_key("key_3", "b" * 64, ["red"], 3.0)
    with store.write() as tx:
        assert tx.keyed()
        second = tx.key("b" * 64)
        assert second is not None
        assert (second.id, second.projects, second.revoked_at) == ("key_2", ("red", "amber", "blue"), None)
        assert tx.key("c" * 64) is None
        assert tx.all_projects() == [("amber", NO_LIMITS), ("blue", NO_LIMITS), ("red", NO_LIMITS)]
        assert tx.revoke_key("key_1", 4.0)
        assert not tx.revoke_key("key_1", 5.0)
        assert not tx.revoke_key("key_9", 5.0)
    with store.write() as tx:
        assert tx.key("a" * 64) is None
        assert [(key.id, key.revoked_at) for key in tx.all_keys()] == [("key_1", 4.0), ("key_2", None)]
        tx.revoke_key("key_2", 6.0)
        assert tx.keyed()


def test_limits_are_set_and_taken_away(store: Store) -> None:
    with store.write() as tx:
        assert tx.limits("blue", lock=True) == NO_LIMITS
        tx.set_limits("blue", Limits(20, 600, 10**11), 1.0)
        tx.set_limits("", Limits(1), 1.0)
        assert tx.limits("blue", lock=True) == Limits(20, 600, 10**11)
        tx.set_limits("blue", Limits(storage=5), 2.0)
    with store.read() as tx:
        assert tx.all_projects() == [("", Limits(1)), ("blue", Limits(storage=5))]


def test_requests_are_counted_by_all_who_ask_at_once(store: Store) -> None:
    counted = []

    def ask() -> None:
        for _ in range(10):
            with store.write(durable=False) as tx:
                counted.append(tx.count_request("blue", 7))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == list(range(1, 41))
    with store.write() as tx:
        assert (tx.count_request("red", 7), tx.count_request("blue", 8)) == (1, 1)
        tx.forget_requests(8)
    with store.write() as tx:
        assert (tx.count_request("blue", 7), tx.count_request("blue", 8)) == (1, 2)


def test_what_a_project_has_is_counted_and_kept_within_its_limits(store: Store) -> None:
    size = 3_000_000_000  # a number that is no integer of PostgreSQL
    file = objects.file("a.txt", size, "assistants", None, 1)
    upload = {"id": "upload_1", "object": "upload", "status": "pending"}
    vector_store = {"id": "vs_1", "object": "vector_store", "usage_bytes": 7}
    limits = Limits(storage=size + 5 + 7 + 10)
    with store.write() as tx:
        tx.set_limits("blue", limits, 1.0)
        blue, red = scoped(tx, "blue", limits), scoped(tx, "red")
        columns = {"purpose": "assistants", "content_id": "c_1", "expires_at": None}
        blue.add("stored_files", file, **columns)
        red.add("stored_files", {**file, "id": "file-red"}, **columns)
        blue.add("uploads", upload)
        part = {"id": "part_1", "object": "upload.part"}
        blue.add("upload_parts", part, upload_id="upload_1", content_id="c_2", hidden={"bytes": 5})
        blue.add("vector_stores", vector_store)
    with store.read() as tx:
        assert tx.used("blue") == (0, size + 5 + 7)
        assert tx.used("red") == (0, size)
        assert tx.used("nobody") == (0, 0)
    with store.write() as tx, pytest.raises(ApiError, match="exceeded your current quota") as full:
        scoped(tx, "blue", limits).add("stored_files", {**file, "id": "file-2", "bytes": 11}, **columns)
    assert (full.value.status, full.value.again) == (429, False)
    assert full.value.body["error"]["code"] == "insufficient_quota"
    with store.write() as tx:
        scoped(tx, "blue", limits).add("stored_files", {**file, "id": "file-2", "bytes": 10}, **columns)


def test_what_a_tool_made_is_its_projects(store: Store) -> None:
    with store.write() as tx:
        scoped(tx, "blue").keep_file("cfile_1", "plot.png", b"blue")
    with store.read() as tx:
        assert scoped(tx, "blue").file("cfile_1") == tx.file("cfile_1") == b"blue"
        assert scoped(tx, "red").file("cfile_1") is None
        assert scoped(tx, "").file("cfile_1") is None


def test_a_nul_in_a_name_keeps_nothing_from_being_counted_or_listed(store: Store) -> None:
    project = "mean"
    with store.write() as tx:
        theirs = scoped(tx, project)
        file = objects.file("a\0.txt", 5, "assistants", None, 0)
        theirs.add("stored_files", file, purpose="assistants", content_id="c", expires_at=None)
        thread = objects.thread({"metadata": {"user": "7", "note": "a\0b"}}, 0)
        theirs.add("threads", thread)
    with store.read() as tx:
        assert tx.used(project) == (0, 5)
        for metadata, count in (
            ({"user": "7"}, 1),
            ({"user": "8"}, 0),
            ({"note": "c\0d"}, 0),
            ({"b\0": "c"}, 0),
        ):
            page = tx.page(
                "threads", {"metadata": metadata}, limit=9, ascending=True, after=None, before=None
            )
            assert len(page.rows) == count, metadata
