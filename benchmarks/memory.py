"""Clients of the installed SDK that are answered from memory, and what is done with their streams."""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import openai

from streaming_assistants import AssistantEventHandler, patch

from .shapes import Frames


@functools.cache
def sdk_handler() -> Any:
    """The SDK's own handler; None where it has none, and then it cannot stream runs either."""
    return getattr(openai, "AssistantEventHandler", None)


def transport() -> Any:
    """httpx or httpx2, whichever the SDK was written for.

    Not asked of the library, whose rooms may be others at the commit that it is compared with.
    """
    base = sys.modules["openai._base_client"]
    return getattr(base, "httpx2", None) or vars(base)["httpx"]


def client(frames: Frames, *, whole: bool = False) -> Any:
    """A client that is answered with the frames, one in a chunk, or the ``whole`` body in one chunk."""
    http = transport()
    body = [b"".join(frames)] if whole else frames

    def answer(_: Any) -> Any:
        # A generator has no known length: what comes of it is handed on chunk by chunk.
        content = (chunk for chunk in body)
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=content)

    made = http.Client(transport=http.MockTransport(answer))
    return openai.OpenAI(api_key="unused", base_url="http://nowhere.invalid", http_client=made, max_retries=0)


def patched(frames: Frames, *, whole: bool = False) -> Any:
    return patch(client(frames, whole=whole))


def iterated(client: Any) -> Iterator[Any]:
    """The events of ``create(stream=True)``."""
    return iter(client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True))


def handled(client: Any, callbacks: Iterable[str], base: Any = AssistantEventHandler) -> Iterator[Any]:
    """The events of ``runs.stream()`` with a handler that has these callbacks.

    ``on_event`` looks at the snapshots so far; the others get theirs as arguments.
    """
    runs = client.beta.threads.runs
    asked = getattr(runs, "stream", None) or runs.create_and_stream
    handler = _handler_class(base, tuple(callbacks))()
    with asked(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        yield from stream


@functools.cache
def _handler_class(base: Any, callbacks: tuple[str, ...]) -> Any:
    def looks(self: Any, event: Any) -> None:
        self.current_message_snapshot  # noqa: B018
        self.current_run_step_snapshot  # noqa: B018

    def two(self: Any, first: Any, second: Any) -> None:
        pass

    return type("Handler", (base,), {name: looks if name == "on_event" else two for name in callbacks})


def drained(events: Iterator[Any]) -> None:
    for _ in events:
        pass


def spent(job: Callable[[], object]) -> float:
    """Seconds of processor time; what others left to the garbage collector is not the job's."""
    gc.collect()
    start = time.process_time()
    job()
    return time.process_time() - start


def best_in_turns(jobs: dict[str, Callable[[], object]], turns: int, events: int) -> dict[str, float]:
    """Microseconds per event of each job, the best of so many turns."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(turns):
        for name, job in jobs.items():
            best[name] = min(best[name], spent(job) / events * 1e6)
    return best
