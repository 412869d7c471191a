"""Objects from elsewhere, into a store of each kind: what they hold stays, in whatever order they come."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.store_port import Store
from streaming_assistants.backend._store.pruning import prune
from tests.clients import Colour

from .conftest import Api, attached, text_of
from .databases import File, Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]

T = 1_700_000_000
ASSISTANT = {
    "id": "asst_1", "object": "assistant", "created_at": T, "name": "Math", "description": None,
    "instructions": "Be brief.", "model": "gpt-4o", "metadata": {"a": "b"}, "temperature": 0.5, "top_p": None,
    "tools": [{"type": "function", "function": {"name": "f", "description": None, "strict": None}},
              {"type": "file_search", "file_search": None}],
    "tool_resources": {"code_interpreter": None, "file_search": {"vector_store_ids": ["vs_1"]}},
    "response_format": "auto", "x_unknown": {"kept": [1]},
}  # fmt: skip
THREAD = {
    "id": "thread_1",
    "object": "thread",
    "created_at": T,
    "metadata": {"user": "7"},
    "tool_resources": None,
}
MARK = {"type": "file_citation", "text": "【0】", "start_index": 5, "end_index": 8,
        "file_citation": {"file_id": "file-1", "quote": None}}  # fmt: skip


def message(number: int, at: int, text: str = "", **more: Any) -> dict[str, Any]:
    part = {"type": "text", "text": {"value": text or f"text {number}", "annotations": []}}
    return {
        "id": f"msg_{number}", "object": "thread.message", "created_at": at, "thread_id": "thread_1",
        "role": "user", "content": [part], "assistant_id": None, "run_id": None, "metadata": {},
        "attachments": None, "status": None, "completed_at": None, "incomplete_at": None,
        "incomplete_details": None, **more,
    }  # fmt: skip


def run(id: str = "run_1", **more: Any) -> dict[str, Any]:
    return {
        "id": id, "object": "thread.run", "created_at": T + 2, "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "status": "completed", "model": "gpt-4o", "instructions": "Be brief.", "tools": [],
        "metadata": None, "started_at": T + 2, "completed_at": T + 9, "usage": None, **more,
    }  # fmt: skip


def step(id: str, at: int, run_id: str = "run_1") -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "4"}}
    return {
        "id": id, "object": "thread.run.step", "created_at": at, "thread_id": "thread_1", "run_id": run_id,
        "assistant_id": "asst_1", "type": "tool_calls", "status": "completed", "completed_at": at,
        "step_details": {"type": "tool_calls", "tool_calls": [call]}, "usage": None, "expires_at": T + 600,
    }  # fmt: skip


EVERYTHING = [
    step("step_1", T + 4),
    message(1, T + 1),
    message(2, T + 5, "four 【0】", role="assistant", run_id="run_1", assistant_id="asst_1"),
    run(),
    THREAD,
    ASSISTANT,
    {
        "object": "list",
        "data": [message(3, T + 7), message(4, T + 7)],
        "has_more": False,
        "first_id": "msg_3",
    },
]
EVERYTHING[2]["content"][0]["text"]["annotations"] = [MARK]


@pytest.fixture
def backend(store: Store) -> LocalBackend:
    return LocalBackend("echo", store)


def everything(backend: LocalBackend) -> dict[str, Any]:
    return {each["id"]: each for each in backend.export_objects()}


def test_ids_times_metadata_and_links_stay_in_whatever_order_they_come(backend: LocalBackend) -> None:
    report = backend.import_objects(EVERYTHING)
    assert report.errors == {}
    assert report.stored == {
        "assistant": 1, "thread": 1, "thread.message": 4, "thread.run": 1, "thread.run.step": 1
    }  # fmt: skip
    (assistant,) = backend.assistants()
    assert {**ASSISTANT, "top_p": 1.0}.items() <= {
        **assistant, "tools": ASSISTANT["tools"], "tool_resources": ASSISTANT["tool_resources"]
    }.items()  # fmt: skip
    assert assistant["tools"][0] == {"type": "function", "function": {"strict": False, "name": "f"}}
    assert assistant["tool_resources"] == {"file_search": {"vector_store_ids": ["vs_1"]}}
    assert list(backend.threads()) == [{**THREAD, "tool_resources": {}}]
    assert list(backend.threads(metadata={"user": "8"})) == []
    assert [each["id"] for each in backend.threads(metadata={"user": "7"})] == ["thread_1"]
    (stored,) = backend.runs(thread_id="thread_1")
    assert {**run(), "metadata": {}}.items() <= stored.items()
    held = everything(backend)
    assert held["msg_2"]["content"][0]["text"]["annotations"][0]["file_citation"] == {"file_id": "file-1"}
    assert held["step_1"]["streaming_assistants"]["after"] == "msg_1"
    assert held["msg_1"]["status"] == "completed"


def test_objects_of_one_second_keep_the_order_of_lines_and_others_that_of_time(backend: LocalBackend) -> None:
    given = [THREAD, message(3, T + 2), message(1, T + 1), message(2, T + 1), message(4, T + 2)]
    backend.import_objects(given)
    assert order(backend) == ["msg_1", "msg_2", "msg_3", "msg_4"]
    backend.import_objects([message(0, T), message(9, T + 3)])
    assert order(backend) == ["msg_0", "msg_1", "msg_2", "msg_3", "msg_4", "msg_9"]


def test_newest_first_turns_a_second_round(backend: LocalBackend) -> None:
    backend.import_objects(
        [message(4, T + 2), message(3, T + 2), message(2, T), message(1, T)], newest_first=True
    )
    assert order(backend) == ["msg_1", "msg_2", "msg_3", "msg_4"]


def order(backend: LocalBackend) -> list[str]:
    return [id for id in everything(backend) if id.startswith("msg_")]


def test_a_thread_that_only_its_messages_tell_of_is_made(backend: LocalBackend) -> None:
    report = backend.import_objects([message(2, T + 2), message(1, T + 1)])
    assert (report.implied, report.errors) == (1, {})
    (thread,) = backend.threads()
    assert (thread["id"], thread["created_at"], thread["metadata"]) == ("thread_1", T + 1, {})


def test_twice_is_harmless_and_nothing_is_written_over(backend: LocalBackend) -> None:
    backend.import_objects(EVERYTHING)
    before = everything(backend)
    report = backend.import_objects([*EVERYTHING, {**THREAD, "metadata": {"user": "8"}}])
    assert (report.stored, sum(report.known.values()), report.errors) == ({}, 9, {})
    assert everything(backend) == before


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
def test_what_was_under_way_becomes_expired(status: str, backend: LocalBackend) -> None:
    open_message = message(2, T + 5, run_id="run_1", status="in_progress")
    backend.import_objects(
        [THREAD, run(status=status, required_action={"type": "submit_tool_outputs"}), open_message,
         {**step("step_1", T + 4), "status": "in_progress"}]
    )  # fmt: skip
    held = everything(backend)
    assert (held["run_1"]["status"], held["run_1"]["required_action"]) == ("expired", None)
    assert held["msg_2"]["incomplete_details"] == {"reason": "run_expired"}
    assert held["step_1"]["status"] == "expired"
    assert list(backend.runs(active=True)) == []


def test_wrong_lines_are_told_by_number_and_the_rest_is_stored(backend: LocalBackend) -> None:
    told: list[tuple[int, str]] = []
    lines = [
        json.dumps(THREAD),
        "{half",
        "",
        json.dumps({"object": "thread.deleted", "id": "thread_2", "deleted": True}),
        json.dumps({**message(1, T), "role": "system"}),
        json.dumps({**ASSISTANT, "model": None}),
        json.dumps(step("step_1", T, run_id="run_9")),
        json.dumps({**THREAD, "id": "thread_" + "x" * 99}),
        json.dumps({**THREAD, "id": "thread_3", "created_at": "now"}),
        json.dumps({**run(), "tools": [{}]}),
        "NaN",
        json.dumps(message(2, T)),
    ]
    report = backend.import_objects(lines, on_error=lambda line, reason: told.append((line, reason)))
    assert sorted(line for line, _ in told) == [2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert dict(told) == report.errors
    assert report.failed == 9
    assert "run_9, which is not here" in report.errors[7]
    assert report.stored == {"thread": 1, "thread.message": 1}


def test_documents_of_many_lines_and_nested_ones_are_read(backend: LocalBackend) -> None:
    nested = {
        "export": [{**THREAD, "messages": {"object": "list", "data": [message(1, T)]}, "runs": [run()]}]
    }
    lines = json.dumps(nested, indent=2).splitlines(keepends=True) + [json.dumps([ASSISTANT, message(2, T)])]
    report = backend.import_objects(line.encode() for line in lines)
    assert report.errors == {}
    assert set(everything(backend)) == {"thread_1", "msg_1", "run_1", "asst_1", "msg_2"}
    assert "messages" not in everything(backend)["thread_1"]


def test_v1_objects_become_those_of_v2(backend: LocalBackend) -> None:
    old = {**ASSISTANT, "tools": [{"type": "retrieval"}], "file_ids": ["file-1"]}
    del old["tool_resources"]
    link = {"id": "file-1", "object": "assistant.file", "created_at": T, "assistant_id": "asst_1"}
    report = backend.import_objects([old, link, message(1, T, file_ids=["file-1"])])
    assert report.errors == {}
    (assistant,) = backend.assistants()
    assert assistant["tools"][0]["type"] == "file_search"
    assert assistant["tool_resources"]["file_search"]["vector_stores"] == [{"file_ids": ["file-1"]}]
    assert everything(backend)["msg_1"]["attachments"][0]["file_id"] == "file-1"


FILE = {
    "id": "file-1",
    "object": "file",
    "created_at": T,
    "bytes": 9,
    "filename": "rent.txt",
    "purpose": "assistants",
}
STORE = {"id": "vs_1", "object": "vector_store", "created_at": T, "name": "n", "file_counts": {
    "in_progress": 0, "completed": 2, "failed": 0, "cancelled": 0, "total": 2}, "usage_bytes": 99,
    "status": "completed", "last_active_at": T}  # fmt: skip


def entry(file_id: str) -> dict[str, Any]:
    return {"id": file_id, "object": "vector_store.file", "created_at": T, "vector_store_id": "vs_1",
            "status": "completed", "usage_bytes": 50, "last_error": None}  # fmt: skip


@pytest.mark.parametrize("given", ["content", "id", "name"])
async def test_files_come_with_their_contents_and_are_searched(
    given: str, store: Store, tmp_path: Path, colour: Colour
) -> None:
    backend = LocalBackend("echo", store)
    file: dict[str, Any] = dict(FILE)
    if given == "content":
        file["content"] = base64.b64encode(b"the rent.").decode()
    else:
        (tmp_path / ("file-1" if given == "id" else "rent.txt")).write_bytes(b"the rent.")
    lines = [entry("file-2"), entry("file-1"), STORE, file, {**FILE, "id": "file-2", "filename": "no.txt"}]
    report = backend.import_objects(lines, files=tmp_path)
    assert (report.errors, report.without_content, report.to_index) == ({}, 1, 1)
    api = attached(backend, colour)
    path = "/vector_stores/vs_1"
    await api.post(path, {"metadata": {}})  # somebody uses the backend
    found: Any = {"status": ""}
    while found["status"] != "completed":
        found = await api.get(path)
    assert found["file_counts"] == {"in_progress": 0, "completed": 1, "failed": 1, "cancelled": 0, "total": 2}
    hits = (await api.post(f"{path}/search", {"query": "rent"}))["data"]
    assert [hit["file_id"] for hit in hits] == ["file-1"]
    lost = await api.get(f"{path}/files/file-2")
    assert "not among what was imported" in lost["last_error"]["message"]
    (tmp_path / "file-2").write_bytes(b"no rent.")  # it is found later
    report = backend.import_objects(lines, files=tmp_path)
    assert (report.without_content, report.to_index, report.errors) == (0, 1, {})
    await api.aclose()


@pytest.mark.parametrize(
    ("file", "said"),
    [({"content": "%"}, "no base64"), ({"content": "YQ=="}, "has 9 bytes"), ({"content": 5}, "neither")],
)
def test_a_content_that_cannot_be_its_own_is_wrong(file: Any, said: str, backend: LocalBackend) -> None:
    report = backend.import_objects([{**FILE, **file}])
    assert said in report.errors[1]


async def test_a_program_finds_its_ids_and_goes_on(store: Store, colour: Colour) -> None:
    """A run on an imported thread is given what stands there, in its order."""
    backend = LocalBackend("echo", store)
    backend.import_objects(EVERYTHING)
    api = attached(backend, colour)
    made = await api.post("/threads/thread_1/messages", {"role": "user", "content": "Go on."})
    begun = await api.post("/threads/thread_1/runs", {"assistant_id": "asst_1", "tools": []})
    assert (await api.settled(begun))["status"] == "completed"
    said = await api.messages("thread_1")
    assert [each["id"] for each in said[:5]] == ["msg_1", "msg_2", "msg_3", "msg_4", made["id"]]
    assert text_of(said[5])
    page = await api.get("/threads/thread_1/messages", limit=2, after="msg_4")
    assert [each["id"] for each in page["data"]] == ["msg_3", "msg_2"]
    await api.aclose()


async def test_the_newest_release_of_the_sdk_dumps_what_can_be_imported(api: Api, store: Store) -> None:
    thread = await api.thread("one", "two")
    client = api.client
    page = client.beta.threads.messages.list(thread)
    messages = (page if api.sync else await page).data
    backend = LocalBackend("echo", store)
    report = backend.import_objects(messages, newest_first=True)
    assert report.errors == {}
    held = [each for each in backend.export_objects() if each["object"] == "thread.message"]
    assert [each["content"][0]["text"]["value"] for each in held] == ["one", "two"]


async def test_an_import_for_a_project_is_the_projects_alone(store: Store) -> None:
    backend = LocalBackend("echo", store)
    backend.import_objects([THREAD, ASSISTANT, run(), message(1, T)], project="first")
    backend.import_objects([{**THREAD, "id": "thread_2"}, {**ASSISTANT, "id": "asst_2"}])
    of_first = [each["id"] for each in backend.export_objects(project="first")]
    assert sorted(of_first) == ["asst_1", "msg_1", "run_1", "thread_1"]
    other = LocalBackend("echo", "sqlite://")
    other.import_objects(backend.export_objects())
    assert sorted(each["id"] for each in other.export_objects(project="first")) == sorted(of_first)
    assert [each["id"] for each in other.export_objects(project="")] == ["thread_2", "asst_2"]


def test_what_was_imported_is_pruned_and_keeps_the_files_that_it_names(shared: File | Postgres) -> None:
    shown = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    old, kept = {**THREAD, "id": "thread_2"}, {**THREAD, "created_at": 1 << 31}
    given = [
        {**FILE, "content": base64.b64encode(b"the rent.").decode()},
        old, {**message(1, T), "thread_id": "thread_2", "content": [shown]},
        kept, {**message(2, 1 << 31), "content": [shown]},
    ]  # fmt: skip
    with LocalBackend("echo", shared.url) as backend:
        assert backend.import_objects(given).errors == {}
    assert prune(shared.url, 86_400).threads == 1
    with LocalBackend("echo", shared.url) as backend:
        assert [each["id"] for each in backend.export_objects()] == ["file-1", "thread_1", "msg_2"]
