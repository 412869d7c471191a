"""Objects of the API that are waited for, and the helpers that wait for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .loopback import Loopback, Reply
from .samples import RUN

COUNTS = {"in_progress": 1, "completed": 0, "failed": 0, "cancelled": 0, "total": 1}
FILE = {
    "id": "file-1",
    "object": "vector_store.file",
    "created_at": 1700000000,
    "usage_bytes": 10,
    "vector_store_id": "vs_1",
    "last_error": None,
}
BATCH = {
    "id": "vsfb_1",
    "object": "vector_store.files_batch",
    "created_at": 1700000000,
    "vector_store_id": "vs_1",
    "file_counts": COUNTS,
}
STORE = {
    "id": "vs_1",
    "object": "vector_store",
    "created_at": 1700000000,
    "name": "papers",
    "bytes": 0,
    "usage_bytes": 0,
    "file_counts": {**COUNTS, "in_progress": 0},
    "status": "completed",
    "metadata": {},
}
UPLOAD = {
    "id": "file-1",
    "object": "file",
    "bytes": 3,
    "created_at": 1700000000,
    "filename": "a.txt",
    "purpose": "assistants",
    "status": "processed",
}


@dataclass(frozen=True)
class Helper:
    """A helper that waits: how it is called, the route that it starts by, and the one that it polls."""

    name: str
    call: Callable[..., Any]
    thing: dict[str, Any]
    polls: str
    start: str | None = None

    def __str__(self) -> str:
        return self.name

    def served(self, server: Loopback, *answers: Any) -> None:
        """Answers the start with a pending object, and the polls with ``answers``: statuses or replies."""
        server.on("POST", "/files", Reply.json(UPLOAD))
        if self.start is not None:
            server.on("POST", self.start, Reply.json({**self.thing, "status": "in_progress"}))
        server.on("GET", self.polls, *(self.reply(each) for each in answers))

    def reply(self, answer: Any, **headers: str) -> Reply:
        if not isinstance(answer, str):
            return answer  # type: ignore[no-any-return]
        return Reply.json({**self.thing, "status": answer}, **headers)


_RUN_PATH = "/threads/thread_1/runs/run_1"
_OUTPUTS = [{"tool_call_id": "call_1", "output": "4"}]


def _runs(name: str, **call: Any) -> Callable[..., Any]:
    return lambda client, **more: getattr(client.beta.threads.runs, name)(**{**call, **more})


def _of(path: str, name: str, *args: Any, **call: Any) -> Callable[..., Any]:
    def made(client: Any, **more: Any) -> Any:
        found = client
        for word in path.split("."):
            found = getattr(found, word)
        return getattr(found, name)(*args, **{**call, **more})

    return made


_FILES, _BATCHES = "vector_stores.files", "vector_stores.file_batches"
_STORE = {"vector_store_id": "vs_1"}
_FILE_PATH, _BATCH_PATH = "/vector_stores/vs_1/files", "/vector_stores/vs_1/file_batches"

HELPERS = (
    Helper("runs.poll", _runs("poll", run_id="run_1", thread_id="thread_1"), RUN, _RUN_PATH),
    Helper(
        "runs.create_and_poll",
        _runs("create_and_poll", thread_id="thread_1", assistant_id="asst_1"),
        RUN,
        _RUN_PATH,
        "/threads/thread_1/runs",
    ),
    Helper(
        "runs.submit_tool_outputs_and_poll",
        _runs("submit_tool_outputs_and_poll", run_id="run_1", thread_id="thread_1", tool_outputs=_OUTPUTS),
        RUN,
        _RUN_PATH,
        f"{_RUN_PATH}/submit_tool_outputs",
    ),
    Helper(
        "threads.create_and_run_poll",
        _of("beta.threads", "create_and_run_poll", assistant_id="asst_1"),
        RUN,
        _RUN_PATH,
        "/threads/runs",
    ),
    Helper("files.poll", _of(_FILES, "poll", "file-1", **_STORE), FILE, f"{_FILE_PATH}/file-1"),
    Helper(
        "files.create_and_poll",
        _of(_FILES, "create_and_poll", "file-1", **_STORE),
        FILE,
        f"{_FILE_PATH}/file-1",
        _FILE_PATH,
    ),
    Helper(
        "files.upload_and_poll",
        _of(_FILES, "upload_and_poll", file=("a.txt", b"abc"), **_STORE),
        FILE,
        f"{_FILE_PATH}/file-1",
        _FILE_PATH,
    ),
    Helper("file_batches.poll", _of(_BATCHES, "poll", "vsfb_1", **_STORE), BATCH, f"{_BATCH_PATH}/vsfb_1"),
    Helper(
        "file_batches.create_and_poll",
        _of(_BATCHES, "create_and_poll", "vs_1", file_ids=["file-1"]),
        BATCH,
        f"{_BATCH_PATH}/vsfb_1",
        _BATCH_PATH,
    ),
    Helper(
        "file_batches.upload_and_poll",
        _of(_BATCHES, "upload_and_poll", "vs_1", files=[("a.txt", b"abc")]),
        BATCH,
        f"{_BATCH_PATH}/vsfb_1",
        _BATCH_PATH,
    ),
)
