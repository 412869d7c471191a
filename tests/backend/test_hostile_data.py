"""Data that come in are anybody's, and a store is many people's: what is wrong is told by its line, and what
goes out for one project holds nothing of another."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._data.conversation_items import thread_items
from streaming_assistants.backend._data.exporting import Selection
from streaming_assistants.backend._data.incoming import OURS

from .test_importing import ASSISTANT, THREAD, T, message, run, step

pytestmark = pytest.mark.any_sdk

FILE = {"id": "file-1", "object": "file", "created_at": T, "filename": "a.txt", "purpose": "assistants"}


@pytest.mark.parametrize(
    "wrong",
    [
        {**FILE, "created_at": float("inf")},
        {**FILE, "expires_at": "tomorrow"},
        {**FILE, "filename": 5},
        {**FILE, "purpose": {"a": 1}},
        {**FILE, "bytes": "many"},
        {**FILE, "bytes": 1 << 70},
        {**FILE, "id": "../evil", "content": "aGk="},
        {**FILE, "id": "/tmp/evil", "content": "aGk="},
        {**FILE, "id": "..", "content": "aGk="},
        {**THREAD, "id": "a\0b"},
        {**THREAD, OURS: 5},
        {**THREAD, OURS: "hidden"},
        {**THREAD, OURS: {"project": 5}},
        run("run_9", status=["queued"]),
        {"object": ["thread"], "id": "thread_9"},
        {**step("step_1", T), "metadata": {"at": datetime(2026, 1, 1)}},
    ],
    ids=str,
)
def test_a_wrong_object_is_told_and_does_not_end_the_import(wrong: Any, tmp_path: Path) -> None:
    with LocalBackend("echo", "sqlite://", files="local") as backend:
        report = backend.import_objects([wrong, THREAD, run()], files=tmp_path)
        assert list(report.errors) == [1]
        assert report.stored == {"thread": 1, "thread.run": 1}


def test_what_users_named_like_objects_and_nulls_of_their_schemas_stay() -> None:
    parameters = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"], "default": None, "enum": ["a", None]}},
    }
    tools = [{"type": "function", "function": {"name": "f", "description": None, "parameters": parameters}}]
    metadata = {"object": "thread", "id": "7"}
    objects = [{**ASSISTANT, "tools": tools, "metadata": metadata}, {**THREAD, "metadata": metadata}]
    with LocalBackend("echo", "sqlite://") as backend:
        report = backend.import_objects(json.dumps({"object": "list", "data": [each]}) for each in objects)
        assert report.errors == {}
        (assistant,), (thread,) = backend.assistants(), backend.threads()
    assert assistant["tools"][0]["function"]["parameters"] == parameters
    assert assistant["metadata"] == thread["metadata"] == metadata


def test_an_export_to_a_folder_stays_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with LocalBackend("echo", "sqlite://", files="local") as backend:
        with backend._store.write() as tx:  # as an upstream may call what its tools make
            tx.keep_file("../evil", "evil", b"evil")
        (file,) = backend.export_objects(files=folder)
    assert (file["id"], file["content"]) == ("../evil", "ZXZpbA==")
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []


@pytest.fixture
def two() -> Any:
    """A project whose thread names what another has."""
    mine = {**THREAD, "metadata": {"file_id": "file-1", "vector_store_ids": "vs_1", "assistant_id": "asst_1"}}
    tool = {"file_id": "file-1", "tools": [{"type": "code_interpreter"}]}
    with LocalBackend("echo", "sqlite://", files="local") as backend:
        backend.import_objects([ASSISTANT, {**FILE, "content": b"theirs"}], project="theirs")
        store = {"id": "vs_1", "object": "vector_store", "created_at": T}
        backend.import_objects([store], project="theirs")
        backend.import_objects([mine, message(1, T, attachments=[tool])], project="mine")
        with backend._store.write() as tx:
            tx.keep_file("made", "made", b"mine", project="mine")
        backend.import_objects([message(2, T, attachments=[{**tool, "file_id": "made"}])], project="mine")
        yield backend


@pytest.mark.parametrize("selection", [{"project": "mine"}, {"threads": ["thread_1"]}], ids=str)
def test_an_export_of_a_project_holds_nothing_of_another(selection: Any, two: LocalBackend) -> None:
    objects = {each["id"]: each for each in two.export_objects(**selection)}
    assert sorted(objects) == ["made", "msg_1", "msg_2", "thread_1"]
    assert objects["made"][OURS] == {"by_tool": True, "project": "mine"}
    assert [each["id"] for each in two.export_objects(assistants=["asst_1"], project="mine")] == []


class Sent:
    """A server of conversations that takes everything."""

    def __init__(self) -> None:
        self.uploads: list[bytes] = []

    def get(self, path: str, query: object) -> Any:
        return {"data": []}

    def post(self, path: str, body: object) -> Any:
        return {"id": "conv_1"}

    def upload(self, filename: str, content: bytes, purpose: str) -> str:
        self.uploads.append(content)
        return f"file-new{len(self.uploads)}"


def test_a_move_of_a_project_takes_nothing_of_another(two: LocalBackend, tmp_path: Path) -> None:
    sent = Sent()
    moved = two._move(sent, tmp_path, Selection(project="mine"), lambda number: None)
    assert (moved.conversations, moved.errors, sent.uploads) == (1, {}, [b"mine"])
    assert json.loads((tmp_path / "assistants.json").read_text()) == {}


def test_a_content_that_is_gone_keeps_no_thread_from_moving(two: LocalBackend, tmp_path: Path) -> None:
    two.import_objects([{**FILE, "id": "file-2", "content": b"gone"}], project="mine")
    two.import_objects([message(3, T, attachments=[{"file_id": "file-2", "tools": []}])], project="mine")
    with two._store.write() as tx:
        tx.change("stored_files", "file-2", {}, content_id="elsewhere")
    sent = Sent()
    moved = two._move(sent, tmp_path, Selection(project="mine"), lambda number: None)
    assert (moved.conversations, moved.errors, sent.uploads) == (1, {}, [b"mine"])


def test_what_no_model_is_given_is_in_no_conversation() -> None:
    hidden = {"broken": True}
    said = {**message(1, T), "status": "incomplete"}
    unanswered = step("step_1", T)
    unanswered["step_details"]["tool_calls"][0]["function"]["output"] = None
    whole = {"id": "step_2", "hidden": None, "seq": 3, "after_message": 1, "data": step("step_2", T)}
    items = thread_items(
        [{"id": "msg_1", "seq": 1, "hidden": hidden, "data": said}],
        [{**whole, "hidden": hidden}, {**whole, "hidden": None, "data": unanswered}],
        lambda id: id,
    )
    assert list(items) == []
    assert len(list(thread_items([], [whole], lambda id: id))) == 2


def test_an_import_for_a_project_touches_nothing_of_another() -> None:
    store = {"id": "vs_1", "object": "vector_store", "created_at": T}
    entry = {"id": "file-1", "object": "vector_store.file", "created_at": T, "vector_store_id": "vs_1"}
    with LocalBackend("echo", "sqlite://", files="local") as backend:
        theirs = [THREAD, ASSISTANT, run(), store, FILE]
        assert backend.import_objects(theirs, project="theirs").errors == {}
        before = list(backend.export_objects())
        mine = [
            THREAD,
            ASSISTANT,
            {**FILE, "content": b"mine"},
            message(1, T),
            run("run_2"),
            step("step_1", T),
            entry,
        ]
        report = backend.import_objects(mine, project="mine")
        assert sorted(report.errors) == [1, 2, 3, 4, 5, 6, 7]
        assert report.stored == {}
        assert "is there already, and is of another project" in report.errors[1]
        assert "msg_1 is of thread_1, which is of another project" in report.errors[4]
        assert list(backend.export_objects()) == before
        again = backend.import_objects(theirs, project="theirs")
        assert (again.errors, sum(again.known.values())) == ({}, 5)
        assert backend.import_objects(before).errors == {}


def test_a_parameter_that_is_called_like_a_link_is_none() -> None:
    schema = {"properties": {"file_id": True, "file_ids": {"default": [{}]}, "assistant_id": {"default": 5}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {**schema, "file_ids": [{}]}}}]
    with LocalBackend("echo", "sqlite://") as backend:
        backend.import_objects([{**ASSISTANT, "tools": tools}, THREAD, run()])
        ids = [each["id"] for each in backend.export_objects(threads=["thread_1"])]
    assert sorted(ids) == ["asst_1", "run_1", "thread_1"]
