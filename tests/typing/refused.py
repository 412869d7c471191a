"""What a type checker must refuse: mypy --strict with --warn-unused-ignores holds each line to it."""

from __future__ import annotations

from openai import OpenAI

from streaming_assistants import function_tool, patch


@function_tool
def get_weather(city: str, unit: str = "c") -> str:
    return city + unit


def refused(made: OpenAI) -> None:
    runs = patch(made).beta.threads.runs
    runs.poll("run_1")  # type: ignore[call-overload]
    runs.poll("run_1", "thread_1", max_wait_seconds="5")  # type: ignore[call-overload]
    runs.create_and_poll(thread_id="thread_1")  # type: ignore[call-overload]
    runs.stream(thread_id="thread_1", assistant_id="asst_1", nonsense=1)  # type: ignore[call-overload]
    made.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)  # type: ignore[call-arg]
    runs.create_and_poll(thread_id="t", assistant_id="a", tool_handlers=3)  # type: ignore[call-overload]
    runs.create_and_poll(thread_id="t", assistant_id="a").tool_outputs  # type: ignore[attr-defined]  # noqa: B018
    runs.create("t", assistant_id="a", tool_handlers=[print])  # type: ignore[call-overload]
    get_weather("Rome", unit=3)  # type: ignore[arg-type]
    function_tool(3)  # type: ignore[call-overload]
    patch("client")  # type: ignore[call-overload]
