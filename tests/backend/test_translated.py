"""The ``responses`` and ``chat`` upstreams behind a real client: requests in, Assistants events out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.loopback import Loopback

from .conftest import WEATHER, Api, text_of

fakes = pytest.importorskip("tests.backend.fakes", reason="the upstreams and their fakes are not here")
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", ["responses", "chat"])]
MakeApi = Callable[..., Api]

CREATED = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = [*STEP, "thread.message.created", "thread.message.in_progress", "thread.message.delta"]


@pytest.fixture
def server(server: Loopback) -> Loopback:
    return fakes.serve_files(server)


def play(server: Loopback, kind: str, *names: tuple[Any, ...]) -> None:
    scripts = [getattr(fakes, f"{kind}_{name}")(*arguments) for name, *arguments in names]
    getattr(fakes, f"serve_{kind}")(server, *scripts)


async def stream(make_api: MakeApi, server: Loopback, kind: str) -> tuple[Api, list[str], Any]:
    """A streamed run: the names of its events, each run of deltas as one, and the run at its end."""
    api = make_api(kind, client={"base_url": server.url + "/v1"})
    assistant_id, thread_id = await api.assistant(), await api.thread("hello")
    names: list[str] = []
    run: Any = None
    for name, data in await api.stream(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id}):
        if not (names and names[-1] == name):
            names.append(name)
        run = data if name.startswith("thread.run.") and data["object"] == "thread.run" else run
    return api, names, run


async def test_text(make_api: MakeApi, server: Loopback, kind: str) -> None:
    play(server, kind, ("text", "Hello", " there"))
    api, names, run = await stream(make_api, server, kind)
    ended = ["thread.message.completed", "thread.run.step.completed", "thread.run.completed", "done"]
    assert names == [*CREATED, *MESSAGE, *ended]
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "Hello there"
    assert run["usage"]["total_tokens"] == 17
    assert (await api.steps(run))[0]["usage"] == run["usage"]


async def test_refusal(make_api: MakeApi, server: Loopback, kind: str) -> None:
    play(server, kind, ("refusal", "no ", "way"))
    api, _, run = await stream(make_api, server, kind)
    (part,) = (await api.messages(run["thread_id"]))[-1]["content"]
    assert part == {"type": "refusal", "refusal": "no way"}


async def test_parallel_calls_then_text(make_api: MakeApi, server: Loopback, kind: str) -> None:
    play(server, kind, ("parallel_calls",), ("text", "warm"))
    api, names, run = await stream(make_api, server, kind)
    assert names == [*CREATED, *STEP, "thread.run.step.delta", "thread.run.requires_action", "done"]
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_1", "call_2"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    outputs = [{"tool_call_id": call["id"], "output": f"out of {call['id']}"} for call in calls]
    ended = await api.settled(await api.post(f"{path}/submit_tool_outputs", {"tool_outputs": outputs}))
    assert (ended["status"], ended["last_error"]) == ("completed", None)
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "warm"
    sent = server.requests[-1].body.decode()
    assert sent.index("out of call_1") < sent.index("out of call_2")


async def test_a_fault_fails_the_run(make_api: MakeApi, server: Loopback, kind: str) -> None:
    play(server, kind, ("error",))
    _, names, run = await stream(make_api, server, kind)
    assert names[-2:] == ["thread.run.failed", "done"]
    assert run["last_error"] == {"code": "server_error", "message": "The model broke."}


async def test_a_cut_stream_fails_the_run(make_api: MakeApi, server: Loopback, kind: str) -> None:
    play(server, kind, ("cut",))
    api, names, run = await stream(make_api, server, kind)
    ended = ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "done"]
    assert names == [*CREATED, *MESSAGE, *ended]
    assert run["last_error"]["code"] == "server_error"
    assert text_of((await api.messages(run["thread_id"]))[-1]) == "Once upon"


QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "told", "message", "code"),
    [
        (429, None, "Not now.", "rate_limit_exceeded"),
        (429, "insufficient_quota", QUOTA, "rate_limit_exceeded"),
        (403, "insufficient_quota", QUOTA, "rate_limit_exceeded"),
        (400, "invalid_prompt", "Not this.", "invalid_prompt"),
        (400, "invalid_image_url", "No such image.", "invalid_prompt"),
        (401, None, "Not you.", "server_error"),
        (500, None, "Sorry, something went wrong.", "server_error"),
    ],
)
async def test_a_refused_request_fails_the_run(
    make_api: MakeApi, server: Loopback, kind: str, status: int, told: str | None, message: str, code: str
) -> None:
    getattr(fakes, f"serve_{kind}")(server, fakes.http_error(status, message, code=told))
    _, names, run = await stream(make_api, server, kind)
    assert names == [*CREATED, "thread.run.failed", "done"]
    assert run["last_error"] == {"code": code, "message": message}


async def test_the_tools_of_the_hosted_api(make_api: MakeApi, server: Loopback, kind: str) -> None:
    api = make_api(kind, client={"base_url": server.url + "/v1"})
    fields = {"tools": [WEATHER, {"type": "code_interpreter"}]}
    if kind == "chat":
        play(server, kind, ("text", "unasked"))
        run = await api.settled(await api.run("x", fields))
        assert run["status"] == "failed"
        assert "code_interpreter" in run["last_error"]["message"]
        assert "responses" in run["last_error"]["message"]
        return
    play(server, kind, ("code_interpreter",))
    run = await api.settled(await api.run("x", fields))
    assert (run["status"], run["last_error"]) == ("completed", None)
    tools, message = await api.steps(run)
    (call,) = tools["step_details"]["tool_calls"]
    assert call["code_interpreter"]["input"] == "print(1+1)"
    assert [output["type"] for output in call["code_interpreter"]["outputs"]] == ["logs", "image"]
    assert (tools["status"], message["type"]) == ("completed", "message_creation")
    image, part = (await api.messages(run["thread_id"]))[-1]["content"]
    assert image["image_file"]["file_id"] == call["code_interpreter"]["outputs"][1]["image"]["file_id"]
    text = part["text"]
    for annotation in text["annotations"]:
        start, end = annotation["start_index"], annotation["end_index"]
        assert text["value"][start:end] == annotation["text"]
