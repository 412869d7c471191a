"""The project's own recordings, replayed without a server: whole conversations as they crossed the wire.

Made anew by ``pytest tests/test_cassettes.py --record-mode=rewrite``, which runs them against a server of
this project that answers in the shapes of the real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .clients import Colour
from .loopback import Loopback, Reply
from .objects import function
from .samples import RUN, call, calls, run, sse, step, text_run

pytestmark = pytest.mark.anyio

PORT = 18913
URL = f"http://127.0.0.1:{PORT}"
RUNS = "/threads/thread_1/runs"


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    kept = {"accept", "content-type", "openai-beta"}
    return {
        "match_on": ["method", "path", "query", "json"],
        "before_record_request": lambda request: _with_headers(request, kept),
        "decode_compressed_response": True,
    }


def _with_headers(request: Any, kept: set[str]) -> Any:
    # neither keys nor what tells of the machine that recorded
    request.headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
    return request


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(Path(__file__).parents[1] / "cassettes")


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return request.node.originalname.removeprefix("test_")


@pytest.fixture(autouse=True)
def recorder(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server to record from; nothing at all when replaying."""
    if request.config.getoption("--record-mode") not in ("rewrite", "all"):
        yield
        return
    with Loopback(PORT) as server:
        server.on(
            "POST",
            RUNS,
            lambda r: Reply.sse([sse(first_round())]) if r.json.get("stream") else Reply.json(RUN),
        )
        server.on("POST", f"{RUNS}/run_1/submit_tool_outputs", Reply.sse([sse(second_round())]))
        server.on("GET", f"{RUNS}/run_1", Reply.json({**RUN, "status": "completed"}))
        yield


def first_round() -> list[Any]:
    wanted = function("get_weather", '{"city": "Paris"}', "call_0")
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [wanted]}}
    return [
        run("queued", "created"),
        run("in_progress"),
        step("created"),
        calls(call(0, "", "get_weather")),
        *(calls(call(0, piece)) for piece in ('{"city":', ' "Paris"}')),
        run("requires_action", required_action=action),
    ]


def second_round() -> list[Any]:
    done = step("completed", function("get_weather", '{"city": "Paris"}', "call_0", output="sunny"))
    return [done, run("queued"), run("in_progress"), *text_run("It is", " sunny", ".")[3:]]


@pytest.mark.vcr
async def test_tool_loop(colour: Colour) -> None:
    """One run over two streams: a function call, its output, the answer."""
    log: list[Any] = []
    client = colour.client(URL)
    first = await colour.handled(client, colour.logging_handler(log))
    (wanted,) = first.current_run.required_action.submit_tool_outputs.tool_calls
    assert json.loads(wanted.function.arguments) == {"city": "Paris"}
    asked = client.beta.threads.runs.submit_tool_outputs_stream(
        thread_id="thread_1",
        run_id=first.current_run.id,
        tool_outputs=[{"tool_call_id": wanted.id, "output": "sunny"}],
        event_handler=colour.logging_handler(log),
    )
    async with colour.entered(asked) as second:
        (answer,) = await colour.of(second.get_final_messages())
    assert answer.content[0].text.value == "It is sunny."
    assert [entry[0] for entry in log].count("on_tool_call_done") == 1
    assert [entry[0] for entry in log].count("on_end") == 2


@pytest.mark.vcr
async def test_plain_run(colour: Colour) -> None:
    """A run that is created and looked at, nothing streamed."""
    runs = colour.client(URL).beta.threads.runs
    created = await colour.of(runs.create("thread_1", assistant_id="asst_1", reasoning_effort="low"))
    found = await colour.of(runs.retrieve(created.id, thread_id="thread_1"))
    assert (created.status, found.status) == ("queued", "completed")


def test_cassettes_hold_no_key() -> None:
    for path in Path(__file__).parents[1].joinpath("cassettes").glob("*.yaml"):
        assert "authorization" not in path.read_text().lower()
        assert "Bearer" not in path.read_text()
