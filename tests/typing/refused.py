"""What a type checker must refuse: mypy --strict with --warn-unused-ignores holds each line to it."""

from __future__ import annotations

from openai import OpenAI

from streaming_assistants import patch


def refused(made: OpenAI) -> None:
    runs = patch(made).beta.threads.runs
    runs.poll("run_1")  # type: ignore[call-arg]
    runs.poll("run_1", "thread_1", max_wait_seconds="5")  # type: ignore[arg-type]
    runs.create_and_poll(thread_id="thread_1")  # type: ignore[call-arg]
    runs.stream(thread_id="thread_1", assistant_id="asst_1", nonsense=1)  # type: ignore[call-overload]
    made.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)  # type: ignore[call-arg]
    patch("client")  # type: ignore[call-overload]
