"""Runs that search files of the backend's own: over HTTP, by clients of either colour."""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from openai.types.beta import Thread

from streaming_assistants import cited, patch
from streaming_assistants.backend._engine import run_files
from tests.clients import Colour
from tests.colours import done
from tests.loopback import Loopback, Reply

from . import fakes
from .conftest import WEATHER, Api, text_of
from .databases import File, Postgres
from .test_recordings import (
    SEARCH_CONTENTS,
    fields,
    marks,
    order,
    paths,
    recorded,
    recording,
    tool_calls,
    without_v1,
)

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

FOODS = "The favorite food of several people:\n- Summanus Ferdinand: tacos\n- Filip Carola: cake"
SEARCH = {"type": "file_search"}
TEXTS = {"foods.txt": FOODS, "prices.md": "# Prices\n\nA ticket costs nineteen euros.\n"}


async def uploaded(api: Api, name: str, text: str) -> str:
    made = await done(api.client.files.create(file=(name, text.encode()), purpose="assistants"))
    return str(made.id)


async def filled(api: Api, **texts: str) -> str:
    """A vector store with files of these texts, once they can be searched."""
    ids = [await uploaded(api, name, text) for name, text in (texts or TEXTS).items()]
    store = await api.post("/vector_stores", {"file_ids": ids})
    with anyio.fail_after(20):
        while store["status"] == "in_progress":
            await anyio.sleep(0.01)
            store = await api.get(f"/vector_stores/{store['id']}")
    assert store["file_counts"]["completed"] == len(ids)
    return str(store["id"])


def searching(store_id: str, *tools: Any, **search: Any) -> dict[str, Any]:
    tool = {**SEARCH, "file_search": search} if search else SEARCH
    resources = {"file_search": {"vector_store_ids": [store_id]}}
    return {"tools": [tool, *tools], "tool_resources": resources}


async def ran(api: Api, text: str, assistant: dict[str, Any], **fields: Any) -> Any:
    return await api.settled(await api.run(text, assistant, **fields))


async def said(api: Api, run: Any) -> Any:
    return (await api.messages(run["thread_id"]))[-1]


def citations(message: Any) -> list[tuple[str, str]]:
    """What is marked, and with which file's id; each mark is where it says."""
    marked = []
    for part in message["content"]:
        text = part["text"]
        for mark in text["annotations"]:
            assert text["value"][mark["start_index"] : mark["end_index"]] == mark["text"]
            marked.append((mark["text"], mark["file_citation"]["file_id"]))
    return marked


@pytest.fixture(params=["echo", "chat"])
def api(request: pytest.FixtureRequest, make_api: MakeApi, server: Loopback) -> Api:
    fakes.serve_searching_chat(server)
    return make_api(request.param, client={"base_url": server.url})


@pytest.mark.recordings
async def test_its_events_are_those_of_the_hosted_api(api: Api) -> None:
    theirs = recorded("openai__openai-dotnet__file_search_citation.sse")
    store_id = await filled(api, **{"favorite_foods.txt": "Filip's favorite food is cake"})
    assistant = await api.assistant(**searching(store_id))
    path = f"/threads/{await api.thread('What does Filip like?')}/runs"
    events = await (await api.open(path, {"assistant_id": assistant}, **SEARCH_CONTENTS)).rest()
    ours = [(name, without_v1(data)) for name, data in events]
    assert order(ours) == order(theirs)
    assert marks(ours) == marks(theirs)
    if any(tool["type"] == "retrieval" for tool in ours[0][1]["tools"]):
        return  # this SDK asks for v1, whose steps have other names
    assert fields(ours) == fields(theirs)
    (delta,) = [data for name, data in ours if name == "thread.run.step.delta"]
    (known,) = [data for name, data in theirs if name == "thread.run.step.delta"]
    assert [call | {"id": call["id"][:5]} for call in tool_calls(delta)] == [
        call | {"id": call["id"][:5]} for call in tool_calls(known)
    ]
    assert ours[0][1]["tools"] == theirs[0][1]["tools"]


@pytest.mark.any_sdk
@pytest.mark.recordings
async def test_plain_answers_have_the_recorded_fields(make_api: MakeApi) -> None:
    """The recorded requests, from the upload on, sent again; their threshold was for another scale."""
    api = make_api("echo", client={"default_headers": {"OpenAI-Beta": "assistants=v2"}})
    ids: dict[str, str] = {}
    compared = 0

    def known(text: str) -> str:
        for theirs, ours in ids.items():
            text = text.replace(theirs, ours)
        return text

    run: Any = None
    for entry in json.loads(recording("openai__openai-dotnet__poll_file_search_citation.json").read_text()):
        path, theirs = known(entry["path"].removeprefix("/v1")), entry["response_json"]
        if path == "/files":
            text = f"This file describes the favorite foods of several people.\n\n{FOODS}"
            ours = await api.get(f"/files/{await uploaded(api, 'favorite_foods.txt', text)}")
        elif entry["method"] == "GET":
            run = run and await api.settled(run)
            ours = await api.get(path)
        else:
            body = known(json.dumps(entry["request_json"])).replace('_threshold": 0.5', '_threshold": 0.01')
            ours = await api.post(path, json.loads(body))
        if "id" in theirs:
            ids[theirs["id"]] = ours["id"]
        ids.update(zip(stores_of(theirs), stores_of(ours), strict=True))
        for theirs_step, our_step in zip(theirs.get("data", ()), ours.get("data", ()), strict=True):
            ids[theirs_step["id"]] = our_step["id"]
        if ours["object"] == "thread.run":
            run = ours
        assert set(paths(theirs)) == set(paths(ours)), path
        compared += 1
    assert compared == 10


def stores_of(data: Any) -> list[str]:
    search = (data.get("tool_resources") or {}).get("file_search") or {}
    return search.get("vector_store_ids") or []


@pytest.mark.any_sdk
async def test_a_search_its_results_and_what_it_used(api: Api) -> None:
    store_id = await filled(api)
    ranking = {"ranker": "auto", "score_threshold": 0.0}
    run = await ran(
        api, "What does a ticket cost?", searching(store_id, max_num_results=1, ranking_options=ranking)
    )
    assert (run["status"], run["last_error"]) == ("completed", None)
    message = await said(api, run)
    assert "A ticket costs nineteen euros." in text_of(message)
    ((_, file_id),) = citations(message)
    assert (await done(api.client.files.retrieve(file_id))).filename == "prices.md"

    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    tool, creation = (await api.get(path, order="asc", **SEARCH_CONTENTS))["data"]
    assert (tool["type"], creation["type"]) == ("tool_calls", "message_creation")
    (call,) = tool["step_details"]["tool_calls"]
    if "file_search" not in call:
        return  # v1
    (result,) = call["file_search"]["results"]
    assert call["file_search"]["ranking_options"] == ranking
    assert set(result) == {"file_id", "file_name", "score", "attributes", "content"}
    assert 0 < result["score"] <= 1
    assert "nineteen euros" in result["content"][0]["text"]
    (plain,) = (await api.get(path, order="asc"))["data"][0]["step_details"]["tool_calls"]
    assert "content" not in plain["file_search"]["results"][0]
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert tool["usage"][count] + creation["usage"][count] == run["usage"][count] > 0


@pytest.mark.any_sdk
async def test_attachments_are_searched_once_they_are_indexed(api: Api) -> None:
    file_id = await uploaded(api, "notes.txt", "The meeting is on Thursday 🍰.")
    attachments = [{"file_id": file_id, "tools": [SEARCH]}]
    message = {"role": "user", "content": "When is the meeting?", "attachments": attachments}
    thread = await api.post("/threads", {"messages": [message]})
    assert len(thread["tool_resources"]["file_search"]["vector_store_ids"]) == 1
    body = {"assistant_id": await api.assistant(tools=[SEARCH])}
    run = await api.settled(await api.post(f"/threads/{thread['id']}/runs", body))  # without a pause
    assert citations(await said(api, run)) == [("【4:0†notes.txt】", file_id)]

    more = await uploaded(api, "more.txt", "Whoever comes late brings marzipan.")
    attachments = [{"file_id": more, "tools": [SEARCH]}]
    added = {"role": "user", "content": "Who brings marzipan?", "attachments": attachments}
    run = await api.settled(
        await api.post(f"/threads/{thread['id']}/runs", {**body, "additional_messages": [added]})
    )
    ((marker, cited_id),) = citations(await said(api, run))
    assert cited_id == more
    assert int(marker[1:].partition(":")[0]) > 4  # what was said and searched before counts


@pytest.mark.any_sdk
async def test_a_function_beside_the_search(make_api: MakeApi) -> None:
    api = make_api("echo")
    store_id = await filled(api)
    message = 'get_weather {"city": "Rome"}\nsearch: Filip Carola'
    run = await ran(api, message, searching(store_id, WEATHER))
    assert run["status"] == "requires_action"
    (waiting,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    (step,) = await api.steps(run)
    assert step["step_details"]["tool_calls"][0]["id"] == waiting["id"]
    outputs = {"tool_outputs": [{"tool_call_id": waiting["id"], "output": "sunny"}]}
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    run = await api.settled(await api.post(f"{path}/submit_tool_outputs", outputs))
    message = await said(api, run)
    assert text_of(message) == f"sunny\n{FOODS}【5:0†foods.txt】"
    assert len(citations(message)) == 1
    assert [step["type"] for step in await api.steps(run)] == ["tool_calls", "message_creation"]


@pytest.mark.any_sdk
async def test_passages_before_the_message(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_searching_chat(server)
    api = make_api("chat", client={"base_url": server.url}, search="always")
    run = await ran(api, "What does Filip like?", searching(await filled(api)))
    (request,) = server.requests
    assert "tools" not in request.json
    assert [step["type"] for step in await api.steps(run)] == ["tool_calls", "message_creation"]
    assert len(citations(await said(api, run))) == 1


@pytest.mark.any_sdk
async def test_a_model_that_cites_nothing_cites_nothing(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_searching_chat(server, cites=False)
    api = make_api("chat", client={"base_url": server.url})
    run = await ran(api, "What does Filip like?", searching(await filled(api)))
    message = await said(api, run)
    assert text_of(message) == FOODS
    assert citations(message) == []


@pytest.mark.any_sdk
async def test_a_run_that_is_cancelled_after_its_search(make_api: MakeApi, server: Loopback) -> None:
    go_on = threading.Event()
    stalls = Reply.sse([b": nothing yet\n\n", go_on])
    fakes.serve_chat(server, fakes.chat_call("file_search", '{"query":"cake"}'), stalls)
    api = make_api("chat", client={"base_url": server.url})
    run = await api.run("What does Filip like?", searching(await filled(api)))
    with anyio.fail_after(20):
        while len(server.requests) < 2:
            await anyio.sleep(0.01)
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    run = await api.settled(run)
    go_on.set()
    assert run["status"] == "cancelled"
    assert run["usage"]["total_tokens"] == fakes.CHAT_USAGE["total_tokens"]  # of the search
    (step,) = await api.steps(run)
    assert (step["status"], step["usage"]["total_tokens"]) == ("completed", run["usage"]["total_tokens"])


@pytest.mark.any_sdk
async def test_a_search_that_fails_fails_the_run_and_frees_the_thread(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api("echo")
    assistant = searching(await filled(api))

    def broken(*asked: Any) -> Any:
        raise ValueError("no index")

    with monkeypatch.context() as patched:
        patched.setattr(run_files, "hits", broken)
        run = await ran(api, "search: cake", assistant)
    assert run["status"] == "failed"
    assert run["last_error"] == {
        "code": "server_error",
        "message": "The search of files raised ValueError: no index",
    }
    (step,) = await api.steps(run)
    assert (step["status"], step["last_error"]) == ("failed", run["last_error"])
    body = {"assistant_id": run["assistant_id"]}
    again = await api.settled(await api.post(f"/threads/{run['thread_id']}/runs", body))
    assert again["status"] == "completed"


@pytest.mark.any_sdk
async def test_responses_searches_here_and_no_file_leaves(make_api: MakeApi, server: Loopback) -> None:
    script = fakes.ResponseScript().call("file_search", '{"query":"Filip"}').completed()
    fakes.serve_responses(server, script, fakes.responses_text("cake", "【4:0†foods.txt】"))
    api = make_api("responses", client={"base_url": server.url}, files="local")
    run = await ran(api, "What does Filip like?", searching(await filled(api)))
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert len(citations(await said(api, run))) == 1
    assert {request.path for request in server.requests} == {"/responses"}


@pytest.mark.any_sdk
async def test_an_image_that_is_kept_here_goes_with_the_request(make_api: MakeApi, server: Loopback) -> None:
    fakes.serve_chat(server, fakes.chat_text("A dot."))
    api = make_api("chat", client={"base_url": server.url})
    image = await done(api.client.files.create(file=("dot.png", fakes.PNG), purpose="assistants"))
    part = {"type": "image_file", "image_file": {"file_id": image.id}}
    thread = await api.post("/threads", {"messages": [{"role": "user", "content": [part]}]})
    body = {"assistant_id": await api.assistant()}
    run = await api.settled(await api.post(f"/threads/{thread['id']}/runs", body))
    assert (run["status"], run["last_error"]) == ("completed", None)
    (request,) = server.requests
    (sent,) = request.json["messages"][0]["content"]
    assert sent["image_url"]["url"].startswith("data:image/png;base64,")


async def test_files_of_an_assistant_of_v1(colour: Colour, make_api: MakeApi) -> None:
    v1 = {"OpenAI-Beta": "assistants=v1"}
    api = make_api("echo", client={"default_headers": v1})
    file_id = await uploaded(api, "foods.txt", FOODS)
    run = await ran(api, "What does Filip like?", {"tools": [{"type": "retrieval"}], "file_ids": [file_id]})
    assert run["status"] == "completed"
    message = await said(api, run)
    assert citations(message) == [("【4:0†foods.txt】", file_id)]
    (mark,) = message["content"][0]["text"]["annotations"]
    assert mark["file_citation"]["quote"] == ""  # which those SDKs ask for
    await api.delete(f"/files/{file_id}")  # which is no reason to refuse its next run
    thread_id = await api.thread("What does Filip like?")
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": run["assistant_id"]})
    assert (await api.settled(run))["status"] == "completed"


async def test_what_a_program_reads_of_it(colour: Colour) -> None:
    """Attributes of the SDK's own classes, as programs of the hosted API read them."""
    calls = pytest.importorskip("openai.types.beta.threads.runs.file_search_tool_call")
    if not hasattr(calls, "FileSearchResult"):
        pytest.skip("this SDK has no results of a search")
    client = patch(colour.bare("http://localhost"), backend="echo")
    beta, of = client.beta, colour.of
    file = await of(client.files.create(file=("foods.txt", FOODS.encode()), purpose="assistants"))
    assert (file.object, file.filename, file.bytes) == ("file", "foods.txt", len(FOODS))
    store = await of(client.vector_stores.create(name="Foods"))
    held = await of(
        client.vector_stores.files.create_and_poll(
            file.id, vector_store_id=store.id, poll_interval_ms=10, attributes={"year": 2023.0}
        )
    )
    assert (held.status, held.attributes) == ("completed", {"year": 2023.0})
    assistant = await of(beta.assistants.create(model="echo", **searching(store.id)))
    assert assistant.tool_resources.file_search.vector_store_ids == [store.id]
    thread = await of(beta.threads.create())
    attachments: Any = [{"file_id": file.id, "tools": [SEARCH]}]
    asked = await of(
        beta.threads.messages.create(thread.id, role="user", content="Filip?", attachments=attachments)
    )
    assert asked.attachments[0].file_id == file.id
    assert asked.attachments[0].tools[0].type == "file_search"
    run = await of(beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id))
    listed = await of(beta.threads.messages.list(thread.id, run_id=run.id))
    (message,) = listed.data
    text = message.content[0].text
    (mark,) = text.annotations
    assert (mark.type, mark.file_citation.file_id) == ("file_citation", file.id)
    assert text.value[mark.start_index : mark.end_index] == mark.text == "【4:0†foods.txt】"
    assert text.value.replace(mark.text, "") == FOODS
    assert [source.file_id for source in cited(message).citations] == [file.id]

    steps = await of(beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"))
    (call,) = steps.data[0].step_details.tool_calls
    (found,) = call.file_search.results  # which is in both stores, and once among them
    assert (found.file_id, found.file_name, found.content) == (file.id, "foods.txt", None)
    whole = await of(
        beta.threads.runs.steps.retrieve(
            steps.data[0].id, thread_id=thread.id, run_id=run.id, include=list(SEARCH_CONTENTS.values())
        )
    )
    (found,) = whole.step_details.tool_calls[0].file_search.results
    assert found.content[0].text == FOODS
    await of(client.files.delete(file.id))
    await of(beta.threads.messages.create(thread.id, role="user", content="Filip?"))
    run = await of(beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id))
    steps = await of(beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"))
    assert steps.data[0].step_details.tool_calls[0].file_search.results == []


async def test_the_quickstart_of_the_guide(
    colour: Colour, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On echo as it stands, and on a server that speaks chat completions; it is a program of sync clients."""
    example = Path(__file__).parents[2] / "examples" / "file_search.py"
    if colour.is_async or not example.exists() or "tool_resources" not in Thread.__annotations__:
        pytest.skip("the program is not here, not of this colour, or newer than this SDK")
    names = runpy.run_path(str(example), run_name="__main__")
    assert "[0] aapl-10k.txt" in capsys.readouterr().out
    for name, text in {**names["STATEMENTS"], "aapl-10k.txt": names["SHARES"]}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    fakes.serve_searching_chat(server)
    client = patch(colour.bare(server.url), backend="chat")
    said = names["quickstart"](client, tmp_path)
    assert said == [names["SHARES"].strip() + "[0]", "[0] aapl-10k.txt"]


@pytest.mark.any_sdk
async def test_a_run_indexes_what_another_process_has_left_behind(
    make_api: MakeApi, shared: File | Postgres
) -> None:
    gone, api = make_api("echo", shared.url), make_api("echo", shared.url)
    gone.backend._app._indexing = lambda settings, store_ids: ()  # killed before it began
    await api.get("/assistants")  # what a backend finds at its first request is not what is asked for here
    file_id = await uploaded(gone, "foods.txt", FOODS)
    left = await gone.post("/vector_stores", {"file_ids": [file_id]})
    run = await ran(api, "What does Filip like?", searching(left["id"]))
    assert citations(await said(api, run)) == [("【4:0†foods.txt】", file_id)]


@pytest.mark.any_sdk
async def test_a_run_that_waits_for_files_can_be_cancelled(make_api: MakeApi) -> None:
    api = make_api("echo")
    api.backend._app._indexing = lambda settings, store_ids: ()
    await api.get("/assistants")
    stuck = await api.post("/vector_stores", {"file_ids": [await uploaded(api, "foods.txt", FOODS)]})
    with api.backend._store.write() as tx:  # somebody is at it, and takes long
        (row,) = tx.all("store_files", vector_store_id=stuck["id"])
        tx.seen("owner_else", "here", 1, "", api.backend._keeper.clock(), lease=15.0)
        tx.change("store_files", row["id"], {}, row=row, owner="owner_else")
    run = await api.run("What does Filip like?", searching(stuck["id"]))
    await anyio.sleep(0.05)
    assert (await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))["status"] == "in_progress"
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    assert (await api.settled(run))["status"] == "cancelled"
    assert await api.steps(run) == []
