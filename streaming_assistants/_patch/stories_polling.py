"""What waits for an end is told, with the traps that releases of the SDK fall into. Nothing sleeps here."""

from __future__ import annotations

import json
from collections.abc import Callable

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import HttpRequest

from .judge import Act, Beat, Stage, Story

_PATHS = {
    "run": ("beta.threads.runs", {"run_id": "run_1", "thread_id": "thread_1"}),
    "file": ("vector_stores.files", {"file_id": "file-1", "vector_store_id": "vs_1"}),
    "batch": ("vector_stores.file_batches", {"batch_id": "vsfb_1", "vector_store_id": "vs_1"}),
}
_KIND = {"content-type": "application/json"}


def _said(status: str, after: str | None = None) -> _sdk.Answered:
    pending = int(status in ("in_progress", "cancelled"))  # a batch may count so after it was cancelled
    counts = {"in_progress": pending, "completed": 0, "failed": 0, "cancelled": 0, "total": 1}
    headers = _KIND if after is None else {**_KIND, "openai-poll-after-ms": after}
    return 200, headers, json.dumps({"id": "it", "status": status, "file_counts": counts}).encode()


_ABSENT: _sdk.Answered = (404, _KIND, b'{"error": {"message": "not found"}}')


def _polls(kind: str, *, is_async: bool = False, **more: object) -> Callable[[Stage], None]:
    """How an act is played through the ``poll`` of runs, files or batches."""

    def play(stage: Stage) -> None:
        said = stage.server()
        asked: list[_sdk.Answered] = []

        def answer(_: HttpRequest) -> _sdk.Answered:
            if asked:
                stage.see("ask again")
            asked.append(next(said))
            return asked[-1]

        async def nothing() -> None: ...

        def sleep(seconds: float) -> object:
            if "openai-poll-after-ms" in asked[-1][1]:
                stage.see(f"wait {seconds:.2f} seconds")
            elif is_async:
                stage.see("pause")
            return nothing() if is_async else None

        path, ids = _PATHS[kind]
        resource = _sdk.probe_client(answer, is_async=is_async)
        if not hasattr(resource, path.partition(".")[0]):
            resource = resource.beta  # where releases before 1.66 have vector stores
        for name in path.split("."):
            resource = getattr(resource, name)
        resource._sleep = sleep
        if is_async:
            _sdk.run_aside(resource.poll(**ids, **more))
        else:
            stage.see(f"end as {resource.poll(**ids, **more).status}")

    return play


def _story(kind: str, **ends: str) -> Story:
    """``ends`` are statuses that end the wait, and what they are."""
    return Story(
        *(
            Act(_polls(kind, poll_interval_ms=0), Beat(about, f"end as {status}", _said(status)))
            for status, about in ends.items()
        ),
        Act(
            _polls(kind),
            Beat("a 404 right after create", "ask again", _ABSENT),
            Beat(
                "a fraction in openai-poll-after-ms",
                "wait 0.01 seconds, ask again",
                _said("in_progress", "10.4"),
            ),
            Beat(
                "a second openai-poll-after-ms",
                "wait 0.01 seconds, ask again, wait 0.02 seconds, ask again",
                _said("in_progress", "10"),
                _said("in_progress", "20"),
            ),
            Beat("a status of completed", "end as completed", _said("completed")),
        ),
    )


def _deployment(stage: Stage) -> None:
    def answer(request: HttpRequest) -> _sdk.Answered:
        stage.see(f"ask {request.url.path}")
        return 200, _KIND, b"{}"

    _sdk.probe_azure(answer).beta.threads.retrieve("thread_1")


def _cited(stage: Stage) -> None:
    mark = {"type": "file_citation", "text": "", "start_index": 0, "end_index": 0}
    text = {"value": "", "annotations": [{**mark, "file_citation": {"file_id": "file_1"}}]}
    message = {"object": "thread.message", "content": [{"type": "text", "text": text}]}

    def answer(_: HttpRequest) -> _sdk.Answered:
        return 200, _KIND, json.dumps(message).encode()

    messages = _sdk.probe_client(answer).beta.threads.messages
    part = messages.retrieve("msg_1", thread_id="thread_1").content[0]
    stage.see("read text" if hasattr(part.text, "value") else f"read {type(part).__name__}")


RUNS = Story(
    *_story("run", paused="a status that nobody knows", incomplete="a run that ends incomplete").acts,
    Act(
        _polls("run", is_async=True, poll_interval_ms=0),
        Beat(
            "the poll of an async client",
            "pause, ask again",
            _said("in_progress"),
            _said("completed"),
        ),
    ),
)
FILES = _story("file")
BATCHES = _story("batch", cancelled="a cancelled batch")
AZURE = Story(Act(_deployment, Beat("azure_deployment", "ask /openai/threads/thread_1")))
CITATIONS = Story(Act(_cited, Beat("a citation without a quote", "read text")))
