"""The same engine over a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend.upstreams.echo import Echo
from streaming_assistants.cli.serve import main
from tests.clients import Colour
from tests.colours import done
from tests.loopback import Loopback, Reply

from .conftest import JSON, Api, text_of
from .served import served

pytestmark = pytest.mark.anyio


@pytest.fixture
def url() -> Iterator[str]:
    with served(LocalBackend(Echo(delay=0.01)), openai.AsyncOpenAI(api_key="unused")) as address:
        yield address


@pytest.fixture
def remote(url: str, colour: Colour) -> Api:
    return Api(colour.bare(url), None)  # type: ignore[arg-type]


async def test_a_client_elsewhere_uses_it_like_the_hosted_api(remote: Api) -> None:
    run = await remote.settled(await remote.run("over the wire"))
    assert run["status"] == "completed"
    assert text_of((await remote.messages(run["thread_id"]))[-1]) == "over the wire"
    error = await remote.refused("/threads/thread_0", method="get")
    assert (error["status"], error["message"]) == (404, "No thread found with id 'thread_0'.")
    assert (await remote.refused("/nothing"))["message"] == "Invalid URL (POST /v1/nothing)"


async def test_it_streams(remote: Api) -> None:
    assistant_id, thread_id = await remote.assistant(), await remote.thread("word " * 50)
    events = await remote.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    while (event := await events.next()) is not None and event[0] != "thread.message.delta":
        run_path = f"/threads/{thread_id}/runs/{event[1].get('run_id') or event[1]['id']}"
    assert (await remote.get(run_path))["status"] == "in_progress"  # the stream is ahead of its end
    assert (await events.rest())[-1] == ("done", "[DONE]")


async def test_a_reader_that_hangs_up_leaves_the_run_to_its_end(remote: Api) -> None:
    assistant_id, thread_id = await remote.assistant(), await remote.thread("word " * 20)
    events = await remote.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    _, run = await events.next() or ("", None)
    await events.close()
    assert (await remote.settled(run))["status"] == "completed"


async def test_files_and_vector_stores_go_to_the_upstream(colour: Colour) -> None:
    with Loopback() as far:
        far.on("POST", "/v1/files", Reply.json({"id": "file-1"}))
        far.on("GET", "/v1/files/file-1/content", Reply.json({"the": "content"}))
        far.on("GET", "/v1/vector_stores", Reply.json({"object": "list", "data": []}))
        upstream = openai.AsyncOpenAI(api_key="sk-server", base_url=far.url + "/v1")
        with served(LocalBackend("responses"), upstream) as url:
            client = colour.bare(url, api_key="sk-caller")
            made = await done(client.files.create(file=("a.txt", b"words"), purpose="assistants"))
            assert made.id == "file-1"
            content = await done(client.get("/files/file-1/content", cast_to=JSON))
            assert content == {"the": "content"}
            assert (await done(client.get("/vector_stores?limit=2", cast_to=JSON)))["data"] == []
            with pytest.raises(openai.NotFoundError, match="Invalid URL"):
                await done(client.get("/fine_tuning/jobs", cast_to=JSON))
    uploaded, _, listed = far.requests
    assert b"words" in uploaded.body
    assert {request.headers["authorization"] for request in far.requests} == {"Bearer sk-server"}
    assert listed.query == {"limit": ["2"]}


async def test_an_upstream_that_is_not_there_is_a_bad_gateway(colour: Colour) -> None:
    with served(LocalBackend("chat"), openai.AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:9")) as url:
        client = colour.bare(url)
        with pytest.raises(openai.InternalServerError, match="could not be reached") as caught:
            await done(client.get("/models", cast_to=JSON))
        assert caught.value.status_code == 502


def test_the_command_serves(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--upstream", "echo", "--store", f"sqlite:///{tmp_path}/a.db", "--port", str(port)]
    command = [sys.executable, "-m", "streaming_assistants", "serve", *arguments]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with openai.OpenAI(api_key="any", base_url=f"http://127.0.0.1:{port}", max_retries=0) as client:
            for _ in range(300):
                try:
                    thread = client.post("/threads", cast_to=JSON)
                    break
                except openai.APIConnectionError:
                    time.sleep(0.1)
            assert client.get(f"/threads/{thread['id']}", cast_to=JSON) == thread
    finally:
        process.terminate()
        process.wait(10)


def test_bad_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--upstream", "echo", "--model", "no-equals-sign"])
    assert ended.value.code == 2
    assert "NAME=UPSTREAM_NAME" in capsys.readouterr().err
