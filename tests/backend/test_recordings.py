"""Streams of the backend next to recorded streams of the hosted API: the same events, the same fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants._protocol.sse import FrameDecoder
from tests.loopback import Loopback
from tests.samples import recordings

from . import fakes
from .conftest import Api

pytestmark = pytest.mark.anyio

Event = tuple[str, Any]


def recording(name: str) -> Path:
    folder = recordings()
    assert folder is not None  # or the test is skipped
    return folder / name


def recorded(name: str) -> list[Event]:
    frames = FrameDecoder().feed(recording(name).read_bytes() + b"\n\n")
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


@pytest.mark.recordings
async def test_a_text_run(api: Api) -> None:
    theirs = recorded("openai__openai-dotnet__text_run.sse")
    body = {"assistant_id": await api.assistant(tools=[])}
    ours = await stream(api, f"/threads/{await api.thread('Hello! How are you?')}/runs", body)
    assert order(ours) == order(theirs)
    assert fields(ours) == fields(theirs)


@pytest.mark.recordings
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


@pytest.mark.recordings
async def test_a_failed_run(api: Api) -> None:
    theirs = recorded("Azure__azure-sdk-assets__aoai_run_failed_rate_limit.sse")
    body = {"assistant_id": await api.assistant(tools=[tool("f")])}
    ours = await stream(api, f"/threads/{await api.thread('echo:rate_limit')}/runs", body)
    assert order(ours) == order(theirs)
    newer = {"reasoning_effort"}  # a field that the API did not have when this was recorded
    assert {name: found - newer for name, found in fields(ours).items()} == fields(theirs)
    assert ours[-2][1]["last_error"]["code"] == theirs[-2][1]["last_error"]["code"]


SEARCH_CONTENTS = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}


@pytest.fixture
def server(server: Loopback) -> Loopback:
    return fakes.serve_files(server)


@pytest.mark.recordings
async def test_a_file_search(make_api: Callable[..., Api], server: Loopback) -> None:
    theirs = recorded("openai__openai-dotnet__file_search_citation.sse")
    result = fakes.search_result("file-a", "favorite_foods.txt")
    citation = fakes.file_citation(29, filename="favorite_foods.txt")
    script = fakes.ResponseScript().file_search([result])
    script.text("Filip's favorite food is cake", ".", annotations=[(1, citation)])
    fakes.serve_responses(server, script.completed())
    api = make_api("responses", client={"base_url": server.url})
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    assistant = await api.assistant(tools=[{"type": "file_search"}], tool_resources=resources)
    path = f"/threads/{await api.thread('What does Filip like?')}/runs"
    events = await (await api.open(path, {"assistant_id": assistant}, **SEARCH_CONTENTS)).rest()
    ours = [(name, without_v1(data)) for name, data in events]
    if any(tool["type"] == "retrieval" for tool in ours[0][1]["tools"]):
        pytest.skip("this SDK asks for v1, which had no file_search")
    assert order(ours) == order(theirs)
    assert fields(ours) == fields(theirs)

    def details(events: list[Event]) -> list[Any]:
        steps = [data for name, data in events if name == "thread.run.step.delta"]
        return [call | {"id": call["id"][:5]} for step in steps for call in tool_calls(step)]

    assert details(ours) == details(theirs)
    assert marks(ours) == marks(theirs)
    assert ours[0][1]["tools"] == theirs[0][1]["tools"]


def tool_calls(delta: Any) -> Any:
    return delta["delta"]["step_details"]["tool_calls"]


def marks(events: list[Event]) -> list[Any]:
    """The annotations of every delta and of the message at its end, without what differs by its nature."""
    found: list[Any] = []
    for name, data in events:
        if name == "thread.message.delta":
            found += [
                mark for part in data["delta"]["content"] for mark in part["text"].get("annotations", ())
            ]
        elif name == "thread.message.completed":
            found += [mark for part in data["content"] for mark in part["text"]["annotations"]]
    return [mark | {"file_citation": {**mark["file_citation"], "file_id": ""}} for mark in found]


@pytest.mark.recordings
async def test_an_image_that_code_made(make_api: Callable[..., Api], server: Loopback) -> None:
    theirs = recorded("sashirestela__simple-openai__ci_logs_image_and_image_file.sse")
    plot = [{"type": "image", "url": "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAA"}]
    citation = fakes.container_citation(0, 0, "plot.png")
    script = fakes.ResponseScript().code("plot()", outputs=plot)
    script.text("The graph has been plotted above.", annotations=[(1, citation)])
    fakes.serve_responses(server, script.completed())
    api = make_api("responses", client={"base_url": server.url})
    body = {"assistant_id": await api.assistant(tools=[{"type": "code_interpreter"}])}
    ours = await stream(api, f"/threads/{await api.thread('Plot it.')}/runs", body)

    def kinds(events: list[Event]) -> list[str]:
        shown = [data["content"] for name, data in events if name == "thread.message.completed"]
        pictured = [content for content in shown if any(part["type"] == "image_file" for part in content)]
        return [part["type"] for part in pictured[-1]]

    assert kinds(ours) == kinds(theirs) == ["image_file", "text"]
    ids = [
        call["id"]
        for name, data in ours
        if name == "thread.run.step.delta"
        for call in tool_calls(data)
        if "id" in call
    ]
    assert all(id.startswith("call_") for id in ids)
    assert ids


async def test_every_step_has_its_usage_and_the_details_are_passed_on(
    make_api: Callable[..., Api], server: Loopback
) -> None:
    events = fakes.ResponseScript().file_search([fakes.search_result()]).text("cake").completed()
    events[-1]["response"]["usage"]["input_tokens_details"]["cached_tokens"] = 7
    events[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] = 3
    fakes.serve_responses(server, events)
    api = make_api("responses", client={"base_url": server.url})
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    tools = [{"type": "file_search"}]
    run = await api.settled(await api.run("x", {"tools": tools, "tool_resources": resources}))
    assert run["usage"]["prompt_token_details"] == {"cached_tokens": 7}
    assert run["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
    spent = [step["usage"] for step in await api.steps(run)]
    assert len(spent) == 2
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert sum(usage[count] for usage in spent) == run["usage"][count]


async def test_chat_passes_token_details_on(make_api: Callable[..., Api], server: Loopback) -> None:
    spent = fakes.CHAT_USAGE | {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    fakes.serve_chat(server, [*fakes.chat_text("Hi")[:-1], fakes.chunk(usage=spent)])
    api = make_api("chat", client={"base_url": server.url})
    run = await api.settled(await api.run("x"))
    assert run["usage"]["prompt_token_details"] == {"cached_tokens": 4}
    assert run["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}


@pytest.mark.recordings
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


def states(answer: Any) -> list[str | None]:
    return [each.get("status") for each in answer.get("data", [answer])]


@pytest.mark.recordings
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
    for entry in json.loads(recording(name).read_text()):
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
        if states(ours) != states(theirs):
            continue  # ours has ended where theirs was still polled
        assert set(paths(theirs)) == set(paths(ours)), path
        compared += 1
    assert compared >= 5
