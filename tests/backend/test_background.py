"""``LocalBackend(background=True)``: an answer outlives the process that has asked for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import openai
import pytest

from streaming_assistants import cli
from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine import picking_up
from streaming_assistants.backend._engine.port import ContentDelta, MessageEnd
from tests.loopback import Loopback, Reply

from . import fakes
from .conftest import Api, text_of
from .databases import File, Postgres
from .processes import Elsewhere, Process

pytestmark = [pytest.mark.anyio, pytest.mark.any_sdk]
MakeApi = Callable[..., Api]
Shared = File | Postgres

TEXT = "Filip's favorite food is cake【4:0†foods.txt】. Or so they say."
SCRIPT = fakes.responses_background()
MIDDLE = next(place for place, event in enumerate(SCRIPT) if event.get("delta") == ".")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def drive(here: Elsewhere, url: str) -> None:
    """Begins a run whose answer comes by half, and says so when all of that is stored."""
    client = openai.OpenAI(api_key="unused", base_url=url, max_retries=0)
    LocalBackend("responses", here.store, background=True).attach(client)
    here.client = client
    tools = {"tools": [{"type": "file_search"}]}
    places = {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}}
    assistant = here.post("/assistants", {"model": "m", **tools, **places})
    thread = here.post("/threads", {"messages": [{"role": "user", "content": "What does Filip like?"}]})
    run = here.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
    while True:
        said = here.get(f"/threads/{thread['id']}/messages")["data"]
        if said[0]["role"] == "assistant" and "cake" in json.dumps(said[0]["content"]):
            break
        time.sleep(0.01)
    here.say(run)
    here.wait()


async def killed(shared: Shared, server: Loopback) -> Any:
    process = Process(drive, shared.url, server.url)
    run = await anyio.to_thread.run_sync(process.hear)
    process.kill()
    return run


async def log(api: Api, run: Any) -> list[tuple[str, Any]]:
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    stream = await api.open(path, method="get", stream="true", starting_after=0)
    return await stream.rest()


async def test_the_upstream_s_own_answer_is_picked_up(
    shared: Shared, make_api: MakeApi, gate: threading.Event
) -> None:
    with Loopback() as server:
        fakes.serve_background(server, SCRIPT, gate, MIDDLE)
        run = await killed(shared, server)
        api = make_api("responses", shared.url, client={"base_url": server.url}, background=True)
        ended = await api.settled(await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))
        assert ended["status"] == "completed"
        asked = [(each.method, each.path) for each in server.requests]
        assert asked == [("POST", "/responses"), ("GET", "/responses/resp_1")]
        assert server.requests[0].json["background"] is True
        assert server.requests[1].query == {"stream": ["true"], "starting_after": ["0"]}
    _, message = await api.messages(run["thread_id"])
    assert text_of(message) == TEXT
    assert len(message["content"][0]["text"]["annotations"]) == 1
    assert [step["status"] for step in await api.steps(run)] == ["completed", "completed"]
    events = await log(api, run)
    deltas = [data for name, data in events if name == "thread.message.delta"]
    assert "".join(part["text"]["value"] for data in deltas for part in data["delta"]["content"]) == TEXT
    names = [name for name, _ in events if "delta" not in name]
    assert names.count("thread.message.created") == names.count("thread.message.completed") == 1
    assert names[-2:] == ["thread.run.completed", "done"]


@pytest.mark.parametrize("what", ["is gone", "is another"])
async def test_an_answer_that_cannot_be_picked_up_is_asked_for_again(
    shared: Shared, make_api: MakeApi, gate: threading.Event, what: str
) -> None:
    with Loopback() as server:
        fakes.serve_background(server, SCRIPT, gate, MIDDLE)
        run = await killed(shared, server)
        other = fakes.sse(fakes.responses_text("Something else."))
        server.on(
            "GET", ".*/responses/resp_1", fakes.http_error(404) if what == "is gone" else Reply.sse(other)
        )
        fakes.serve_responses(server, fakes.responses_text("Cake."))
        api = make_api("responses", shared.url, client={"base_url": server.url}, background=True)
        ended = await api.settled(await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))
        assert ended["status"] == "completed"
    _, broken, message = await api.messages(run["thread_id"])
    assert broken["status"] == "incomplete"
    assert text_of(message) == "Cake."


async def test_a_cancel_cancels_it_there(make_api: MakeApi, gate: threading.Event) -> None:
    with Loopback() as server:
        fakes.serve_background(server, SCRIPT, gate, MIDDLE)
        api = make_api("responses", client={"base_url": server.url}, background=True)
        run = await api.run("What does Filip like?", {"tools": []})
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        with anyio.fail_after(20):
            while not await api.steps(run):
                await anyio.sleep(0.01)
        await api.post(f"{path}/cancel")
        assert (await api.settled(run))["status"] == "cancelled"
        with anyio.fail_after(20):
            while server.requests[-1].path != "/responses/resp_1/cancel":
                await anyio.sleep(0.01)


async def test_without_it_nothing_is_asked_in_the_background(make_api: MakeApi) -> None:
    with Loopback() as server:
        fakes.serve_responses(server, fakes.responses_text("Cake."))
        api = make_api("responses", client={"base_url": server.url})
        assert (await api.settled(await api.run("What?", {"tools": []})))["status"] == "completed"
        assert "background" not in server.requests[0].json


def test_where_it_makes_no_sense() -> None:
    with pytest.raises(ValueError, match='upstream="responses"'):
        LocalBackend("echo", background=True)
    with pytest.raises(ValueError, match="store"):
        LocalBackend("responses", background=True, upstream_options={"store": False})
    with pytest.raises(SystemExit):
        cli.main(["serve", "--upstream", "echo", "--background", "--port", "0"])


@pytest.mark.parametrize("chunks", [[TEXT], list(TEXT), [TEXT[:20], TEXT[20:]], [TEXT[:40], TEXT[40:]]])
@pytest.mark.parametrize("seen", [0, 1, 20, 40, len(TEXT)])
def test_what_was_said_is_not_said_again_however_it_comes(chunks: list[str], seen: int) -> None:
    def part(value: str) -> Any:
        return {"index": 0, "type": "text", "text": {"value": value}}

    said = [{"type": "text", "text": {"value": TEXT[:seen], "annotations": []}}] if seen else []
    step: Any = {"data": {"type": "message_creation", "status": "in_progress"}}
    answers = picking_up.Answers.__new__(picking_up.Answers)
    answers._items, answers._grown, answers.open = [picking_up.Item(step, None, said, False)], [], None
    left = [answers.unsaid(ContentDelta(part(chunk))) for chunk in chunks]
    text = "".join(piece.part["text"]["value"] for piece in left if isinstance(piece, ContentDelta))
    assert text == TEXT[seen:]
    assert answers.unsaid(MessageEnd()) == MessageEnd()
