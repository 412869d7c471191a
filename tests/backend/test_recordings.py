"""Streams of the backend next to recorded streams of the hosted API: the same events, the same fields."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.wire.sse import FrameDecoder

from .conftest import Api

pytestmark = pytest.mark.anyio

_DEFAULT = Path(__file__).parents[3] / "shared" / "recordings"
FOLDER = Path(os.environ.get("STREAMING_ASSISTANTS_RECORDINGS", _DEFAULT))

needs_recordings = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}; STREAMING_ASSISTANTS_RECORDINGS names the folder"
)

Event = tuple[str, Any]


def recorded(name: str) -> list[Event]:
    frames = FrameDecoder().feed((FOLDER / name).read_bytes() + b"\n\n")
    return [(f.event, None if f.data == b"[DONE]" else json.loads(f.data)) for f in frames]


def order(events: list[Event]) -> list[str]:
    """The names, each run of deltas as one."""
    names: list[str] = []
    for name, _ in events:
        if not (names and names[-1] == name and name.endswith(".delta")):
            names.append(name)
    return names


def fields(events: list[Event]) -> dict[str, set[str]]:
    """For each event's name every path of keys that its objects have."""
    found: dict[str, set[str]] = {}
    for name, data in events:
        if name != "done":
            found.setdefault(name, set()).update(paths(data))
    return found


# What the caller gave, shown as given: a schema's own keys are not the API's.
GIVEN = ("metadata", "parameters", "instructions", "description", "strict")


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in GIVEN:
                yield f"{prefix}{key}"
                yield from paths(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{prefix}[].")


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def without_v1(data: Any) -> Any:
    """The object as a v2 client sees it: an old SDK asks for v1's list of files besides."""
    if isinstance(data, dict):
        return {key: value for key, value in data.items() if key != "file_ids" or "id" not in data}
    return data


async def stream(api: Api, path: str, body: dict[str, Any]) -> list[Event]:
    return [(name, without_v1(data)) for name, data in await api.stream(path, body)]


@needs_recordings
async def test_a_text_run(api: Api) -> None:
    theirs = recorded("openai__openai-dotnet__text_run.sse")
    body = {"assistant_id": await api.assistant(tools=[])}
    ours = await stream(api, f"/threads/{await api.thread('Hello! How are you?')}/runs", body)
    assert order(ours) == order(theirs)
    assert fields(ours) == fields(theirs)


@needs_recordings
async def test_a_function_call_and_its_submit(api: Api) -> None:
    theirs = recorded("openai__openai-dotnet__tool_call_1_create_requires_action.sse")
    thread = {
        "messages": [{"role": "user", "content": 'get_current_weather {"city": "Paris"}'}],
        "tool_resources": {"code_interpreter": {"file_ids": []}},
    }
    body = {"assistant_id": await api.assistant(tools=[tool("get_current_weather")]), "thread": thread}
    ours = await stream(api, "/threads/runs", body)
    assert order(ours) == order(theirs)
    assert fields(ours) == fields(theirs)

    theirs = recorded("openai__openai-dotnet__tool_call_2_submit_outputs.sse")
    run = ours[-2][1]
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    outputs = [{"tool_call_id": call["id"], "output": "warm and sunny"}]
    ours = await stream(api, path, {"tool_outputs": outputs})
    assert order(ours) == order(theirs)
    assert fields(ours) == fields(theirs)


@needs_recordings
async def test_a_failed_run(api: Api) -> None:
    theirs = recorded("Azure__azure-sdk-assets__aoai_run_failed_rate_limit.sse")
    body = {"assistant_id": await api.assistant(tools=[{"type": "code_interpreter"}, tool("f")])}
    ours = await stream(api, f"/threads/{await api.thread('echo:rate_limit')}/runs", body)
    assert order(ours) == order(theirs)
    newer = {"reasoning_effort"}  # a field that the API did not have when this was recorded
    assert {name: found - newer for name, found in fields(ours).items()} == fields(theirs)
    assert ours[-2][1]["last_error"]["code"] == theirs[-2][1]["last_error"]["code"]


@needs_recordings
async def test_an_incomplete_run(api: Api) -> None:
    theirs = recorded("alexrudall__ruby-openai__incomplete_v2.sse")
    body = {"assistant_id": await api.assistant(tools=[])}
    ours = await stream(api, f"/threads/{await api.thread('echo:limit 1' + chr(10) + 'a b')}/runs", body)
    # Recorded before the API had thread.run.incomplete: the same run ended in an event called completed.
    renamed = ["thread.run.completed" if name == "thread.run.incomplete" else name for name in order(ours)]
    assert renamed == order(theirs)
    ended, message = ours[-2][1], theirs[-4][1]
    assert (ended["status"], ours[-4][1]["incomplete_details"]) == (
        "incomplete",
        message["incomplete_details"],
    )


@needs_recordings
@pytest.mark.parametrize(
    "name",
    ["openai__openai-dotnet__poll_basic_run.json", "traceloop__openllmetry__poll_create_and_poll_2026.json"],
)
async def test_plain_answers_have_the_recorded_fields(api: Api, name: str) -> None:
    """The recorded requests, sent again: every field that the hosted API gave is there."""
    ids: dict[str, str] = {}
    last: dict[str, Any] = {}

    def known(text: str) -> str:
        for theirs, ours in ids.items():
            text = text.replace(theirs, ours)
        return text

    compared = 0
    for entry in json.loads((FOLDER / name).read_text()):
        method, path = entry["method"].lower(), known(entry["path"].removeprefix("/v1"))
        theirs = entry["response_json"]
        body = json.loads(known(json.dumps(entry["request_json"])))
        if "status" in theirs and method == "get" and last.get("run"):
            await api.settled(last["run"])
        ours = await (api.get(path) if method == "get" else api.post(path, body))
        if "id" in theirs:
            ids[theirs["id"]] = ours["id"]
        if ours["object"] == "thread.run":
            last["run"] = ours
            if ours["status"] != theirs["status"]:
                continue  # ours has ended where theirs was still polled
        assert set(paths(theirs)) <= set(paths(ours)), path
        compared += 1
    assert compared >= 5
