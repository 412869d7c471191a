"""The SDK's defects in what waits for an end, and in where Azure's requests go. See ``defects.py``.

The resource of a probe never sleeps, and its server hangs up after the answers that are written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from streaming_assistants import _sdk

from .defects import RUN, Defect

FILE = {"id": "file-1", "object": "vector_store.file", "vector_store_id": "vs_1"}
_COUNTS = {"in_progress": 1, "completed": 0, "failed": 0, "cancelled": 0, "total": 1}
BATCH = {
    "id": "vsfb_1",
    "object": "vector_store.file_batch",
    "vector_store_id": "vs_1",
    "file_counts": _COUNTS,
}

Answer = tuple[int, dict[str, str], dict[str, Any]]


def _said(thing: dict[str, Any], status: str, after: str | None = None) -> Answer:
    headers = {"content-type": "application/json"}
    return (
        200,
        headers if after is None else {**headers, "openai-poll-after-ms": after},
        {
            **thing,
            "status": status,
        },
    )


class _Polled:
    """What became of a ``poll`` of the SDK: requests that were made, pauses that were asked for, its end."""

    def __init__(
        self, ask: Callable[[Any], Any], answers: tuple[Answer, ...], *, is_async: bool = False
    ) -> None:
        self.requests = 0
        self.pauses: list[float] = []
        self.failed = False
        client = _sdk.probe_client_of(self._answer, is_async=is_async)
        self._answers = list(answers)
        self._is_async = is_async
        self._is_async = is_async
        try:
            _sdk.run_aside(ask(self._resource(client))) if is_async else ask(self._resource(client))
        except Exception:  # noqa: BLE001  (which one the SDK raises differs from release to release)
            self.failed = True

    def _answer(self, _: object) -> tuple[int, dict[str, str], bytes]:
        self.requests += 1
        status, headers, body = self._answers.pop(0)
        return status, headers, json.dumps(body).encode()

    def _resource(self, client: Any) -> Any:
        runs = client.beta.threads.runs
        stores = getattr(client, "vector_stores", None) or getattr(client.beta, "vector_stores", None)

        def sleep(seconds: float) -> Any:
            self.pauses.append(seconds)
            return _nothing() if self._is_async else None

        for resource in (runs, *((stores.files, stores.file_batches) if stores is not None else ())):
            resource._sleep = sleep
        return _Resources(runs, stores)


class _Resources:
    def __init__(self, runs: Any, stores: Any) -> None:
        self.runs, self.stores = runs, stores


async def _nothing() -> None: ...


def _run_poll(found: _Resources, **more: Any) -> Any:
    return found.runs.poll(run_id="run_1", thread_id="thread_1", **more)


def _file_poll(found: _Resources, **more: Any) -> Any:
    return found.stores.files.poll("file-1", vector_store_id="vs_1", **more)


def _batch_poll(found: _Resources, **more: Any) -> Any:
    return found.stores.file_batches.poll("vsfb_1", vector_store_id="vs_1", **more)


Poll = Callable[..., Any]


def _goes_on(poll: Poll, thing: dict[str, Any], status: str) -> bool:
    def ask(found: _Resources) -> Any:
        return poll(found, poll_interval_ms=0)

    return _Polled(ask, (_said(thing, status),)).requests > 1


def _reads_once(poll: Poll, thing: dict[str, Any]) -> bool:
    pending, done = (
        (_said(thing, "in_progress", "1"), _said(thing, "in_progress", "2")),
        _said(_ended(thing), "completed"),
    )
    return _Polled(poll, (*pending, done)).pauses != [0.001, 0.002]


def _fraction_crashes(poll: Poll, thing: dict[str, Any]) -> bool:
    return _Polled(poll, (_said(thing, "in_progress", "0.5"), _said(_ended(thing), "completed"))).failed


def _absent_is_fatal(poll: Poll, thing: dict[str, Any]) -> bool:
    absent: Answer = (404, {"content-type": "application/json"}, {"error": {"message": "not found"}})

    def ask(found: _Resources) -> Any:
        return poll(found, poll_interval_ms=0)

    return _Polled(ask, (absent, _said(_ended(thing), "completed"))).failed


def _ended(thing: dict[str, Any]) -> dict[str, Any]:
    return {**thing, "file_counts": {**_COUNTS, "in_progress": 0}} if "file_counts" in thing else thing


def _blocks() -> bool:
    def ask(found: _Resources) -> Any:
        return _run_poll(found, poll_interval_ms=0)

    answers = _said(RUN, "in_progress"), _said(RUN, "completed")
    return not _Polled(ask, answers, is_async=True).pauses


def _common(poll: Poll, thing: dict[str, Any], noun: str) -> tuple[Defect, ...]:
    return (
        Defect(
            f"{noun}_poll_after_fraction_crashes",
            'openai-poll-after-ms: "20.5" is a ValueError',
            lambda: _fraction_crashes(poll, thing),
        ),
        Defect(
            f"{noun}_poll_after_is_read_once",
            "the server's openai-poll-after-ms is read once, not on each answer",
            lambda: _reads_once(poll, thing),
        ),
        Defect(
            f"{noun}_not_found_after_create_is_fatal",
            "a 404 right after create ends the poll",
            lambda: _absent_is_fatal(poll, thing),
        ),
    )


RUNS = (
    Defect(
        "unknown_status_is_polled_for_ever",
        "a status that the SDK does not know is polled for ever",
        lambda: _goes_on(_run_poll, RUN, "paused"),
    ),
    Defect(
        "incomplete_is_polled_for_ever",
        "a run that ends incomplete is polled for ever",
        lambda: _goes_on(_run_poll, RUN, "incomplete"),
    ),
    Defect("async_poll_blocks", "polling with an async client blocks the event loop", _blocks),
    *_common(_run_poll, RUN, "run"),
)

FILES = _common(_file_poll, FILE, "file")

BATCHES = (
    Defect(
        "cancelled_batch_is_polled_for_ever",
        "a cancelled batch is polled while its counts say in progress",
        lambda: _goes_on(_batch_poll, BATCH, "cancelled"),
    ),
    *_common(_batch_poll, BATCH, "batch"),
)


def _below_a_deployment() -> bool:
    paths: list[str] = []

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        paths.append(request.url.path)
        return 200, {"content-type": "application/json"}, b"{}"

    client = _sdk.probe_azure(answer)
    client.beta.threads.retrieve("thread_1")
    return paths != ["/openai/threads/thread_1"]


AZURE = Defect(
    "azure_deployment_in_the_path",
    "a client with azure_deployment asks for /openai/deployments/.../threads, which does not exist",
    _below_a_deployment,
)
