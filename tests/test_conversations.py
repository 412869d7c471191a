"""``export --to conversations``: threads moved to OpenAI, against a server held to the SDK's types."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path
from typing import Any

import pydantic
import pytest

from streaming_assistants.backend import LocalBackend

from .loopback import CUT, Loopback, Reply, Request
from .test_moving_commands import T, run

pytestmark = pytest.mark.any_sdk
types = pytest.importorskip("openai.types.conversations", reason="this SDK knows no conversations")

IMAGE = {"type": "image_file", "image_file": {"file_id": "file-img", "detail": "low"}}
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}', "output": "one"}},
    {"id": "call_2", "type": "code_interpreter",
     "code_interpreter": {"input": "2+2", "outputs": [{"type": "logs", "logs": "4"}]}},
    {"id": "call_3", "type": "bing_grounding", "bing_grounding": {}},
]  # fmt: skip


def text(value: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": list(annotations)}}


def message(
    id: str, at: int, role: str, *content: Any, thread: str = "thread_1", **fields: Any
) -> dict[str, Any]:
    return {"id": id, "object": "thread.message", "created_at": T + at, "thread_id": thread, "role": role,
            "content": list(content), **fields}  # fmt: skip


MARK = {"type": "file_citation", "text": "【0】", "start_index": 5, "end_index": 8,
        "file_citation": {"file_id": "file-doc"}}  # fmt: skip


def made(kind: str, id: str, at: int, **fields: Any) -> dict[str, Any]:
    return {"id": id, "object": kind, "created_at": T + at, **fields}


OF_RUN = {"thread_id": "thread_1", "assistant_id": "asst_1", "status": "completed"}
OBJECTS = [
    made(
        "assistant", "asst_1", 0, model="gpt-4o", name="Math", temperature=0.2, instructions="Be brief.",
        metadata={"a": "b"}, response_format={"type": "json_object"},
        tools=[
            {"type": "function", "function": {"name": "f"}},
            {"type": "file_search"}, {"type": "code_interpreter"},
        ],
        tool_resources={
            "file_search": {"vector_store_ids": ["vs_1"]}, "code_interpreter": {"file_ids": ["file-1"]}
        },
    ),
    made("thread", "thread_1", 0, metadata={"user": "7"}),
    message("msg_1", 1, "user", IMAGE, text("What is this?"), attachments=[
        {"file_id": "file-doc", "tools": [{"type": "file_search"}]}, {"file_id": "file-lost", "tools": []}]),
    made("thread.run", "run_1", 2, **OF_RUN, model="gpt-4o", tools=[]),
    made(
        "thread.run.step", "step_1", 3, **OF_RUN, run_id="run_1", type="tool_calls",
        step_details={"type": "tool_calls", "tool_calls": CALLS},
    ),
    message("msg_2", 4, "assistant", text("Rent 【0】.", MARK), run_id="run_1"),
    made("file", "file-img", 0, filename="a.png", purpose="vision", content=b"png"),
    made("file", "file-doc", 0, filename="a.md", purpose="assistants", content=b"#"),
    made("thread", "thread_2", 9, metadata={}),
    *(message(f"msg_2{n:02d}", 10 + n, "user", text(f"number {n}"), thread="thread_2") for n in range(45)),
]  # fmt: skip


class OpenAI:
    """Conversations and files as OpenAI has them; what is no item of the SDK's types is refused."""

    def __init__(self, server: Loopback) -> None:
        self.conversations: dict[str, tuple[dict[str, str], list[Any]]] = {}
        self.files: list[bytes] = []
        item = importlib.import_module("openai.types.responses.response_input_item_param")
        self._items = pydantic.TypeAdapter(list[item.ResponseInputItemParam])
        self.uncertain = False
        """The next items arrive, and the answer does not."""
        server.on("POST", "/conversations", self._create)
        server.on("POST", "/conversations/[^/]+/items", self._add)
        server.on("GET", "/conversations/[^/]+/items", self._list)
        server.on("POST", "/files", self._upload)

    def _create(self, request: Request) -> Reply:
        body = json.loads(request.body)
        id = f"conv_{len(self.conversations) + 1}"
        self.conversations[id] = (body["metadata"], [])
        return Reply.json({"id": id, "object": "conversation", "created_at": T, "metadata": body["metadata"]})

    def _add(self, request: Request) -> Any:
        items = json.loads(request.body)["items"]
        assert 0 < len(items) <= 20
        self._items.validate_python(items)
        self.conversations[request.path.split("/")[2]][1].extend(items)
        if self.uncertain:
            self.uncertain = False
            return CUT
        return Reply.json({"object": "list", "data": items, "has_more": False})

    def _list(self, request: Request) -> Reply:
        items = self.conversations[request.path.split("/")[2]][1]
        data = [{"id": f"item_{n}", **item} for n, item in enumerate(items)]
        return Reply.json({"object": "list", "data": data, "has_more": False})

    def _upload(self, request: Request) -> Reply:
        self.files.append(request.body)
        return Reply.json({"id": f"file-new{len(self.files)}", "object": "file"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with LocalBackend("echo", tmp_path / "s.db") as backend:
        assert backend.import_objects(OBJECTS).errors == {}
    return tmp_path / "s.db"


@pytest.fixture
def command(store: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-tests")
    out = store.parent / "out"
    return ["export", "--to", "conversations", "--store", store, "--base-url", server.url, "--out", out]


def ids(out: Path) -> dict[str, str]:
    with (out / "ids.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["state"] == "done" for row in rows)
    assert len({row["old"] for row in rows}) == len(rows)
    return {row["old"]: row["new"] for row in rows}


def test_threads_become_conversations(
    command: list[object], server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    openai = OpenAI(server)
    code, out, err = run(*command, "--dry-run", capsys=capsys)
    assert (code, out, server.requests) == (0, "", [])
    assert (
        "2 conversations would be made of 51 items, 0 were there, 2 files would be uploaded, 1 assis" in err
    )
    assert not (tmp_path / "out").exists()
    code, out, err = run(*command, capsys=capsys)
    assert (code, out) == (0, "")
    assert "2 conversations made of 51 items, 0 were there, 2 files uploaded" in err
    new = ids(tmp_path / "out")
    metadata, items = openai.conversations[new["thread_1"]]
    assert metadata == {"user": "7", "thread_id": "thread_1"}
    assert items[0]["content"] == [
        {"type": "input_image", "file_id": new["file-img"], "detail": "low"},
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_file", "file_id": new["file-doc"]},
        {"type": "input_file", "file_id": "file-lost"},  # which OpenAI may have
    ]
    assert [item["type"] for item in items] == [
        "message", "function_call", "function_call", "function_call_output", "function_call_output", "message"
    ]  # fmt: skip
    assert items[1]["arguments"] == '{"a":1}'
    assert items[4]["output"] == "4"
    assert items[5] == {"type": "message", "role": "assistant", "content": "Rent ."}
    numbers = [item["content"][0]["text"] for item in openai.conversations[new["thread_2"]][1]]
    assert numbers == [f"number {n}" for n in range(45)]
    assert b'name="purpose"\r\n\r\nvision' in openai.files[0]
    code, _, err = run(*command, capsys=capsys)
    assert (code, len(openai.conversations), len(openai.files)) == (0, 2, 2)
    assert "0 conversations made of 0 items, 2 were there" in err


def test_assistants_become_parameters_of_responses(
    command: list[object], server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    OpenAI(server)
    run(*command, capsys=capsys)
    (parameters,) = json.loads((tmp_path / "out" / "assistants.json").read_text()).values()
    module = importlib.import_module("openai.types.responses.response_create_params")
    pydantic.TypeAdapter(module.ResponseCreateParamsNonStreaming).validate_python(parameters)
    assert parameters["metadata"] == {"a": "b", "assistant_id": "asst_1", "assistant_name": "Math"}
    kept = {"model": "gpt-4o", "instructions": "Be brief.", "temperature": 0.2, "truncation": "auto"}
    assert kept.items() <= parameters.items()
    assert parameters["text"] == {"format": {"type": "json_object"}}
    assert parameters["tools"][1] == {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert parameters["tools"][2]["container"] == {"type": "auto", "file_ids": ["file-1"]}


def test_what_was_cut_off_goes_on_without_a_double(
    command: list[object], server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    openai = OpenAI(server)
    openai.uncertain = True
    chosen = [*command, "--thread", "thread_2"]
    code, _, _ = run(*chosen, capsys=capsys)
    assert code == 1
    (kept,) = (tmp_path / "out" / "ids.csv").read_text().splitlines()[1:]
    assert kept == "thread,thread_2,conv_1,0,open"
    code, _, _ = run(*chosen, capsys=capsys)
    assert (code, list(openai.conversations)) == (0, ["conv_1"])
    assert [item["content"][0]["text"] for item in openai.conversations["conv_1"][1]] == [
        f"number {n}" for n in range(45)
    ]
    assert ids(tmp_path / "out") == {"thread_2": "conv_1"}


def test_a_thread_that_is_refused_is_told_and_the_rest_is_moved(
    command: list[object], server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    OpenAI(server)
    refusal = Reply.json({"error": {"message": "No such file."}}, 400)
    server.on("POST", "/conversations/conv_1/items", refusal)
    code, _, err = run(*command, capsys=capsys)
    assert code == 1
    assert "thread_1: " in err
    assert "No such file." in err
    assert "1 conversations made of 45 items" in err
    server.on("POST", "/conversations", Reply.json({"error": {"message": "Wrong key."}}, 401))
    code, _, err = run(*command, "--out", tmp_path / "other", capsys=capsys)
    assert (code, "Wrong key." in err.splitlines()[-1]) == (1, True)
