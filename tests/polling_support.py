"""Objects of the API that are waited for, and the helpers that wait for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import objects
from .loopback import Loopback, Reply
from .samples import RUN

FILE = objects.store_file(id="file-1")
BATCH = objects.batch("in_progress", in_progress=1)
STORE = objects.vector_store(name="papers")
UPLOAD = objects.uploaded("file-1")


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
