"""The same engine over a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend.server import app, main
from streaming_assistants.backend.upstreams.echo import Echo

from .conftest import JSON, Api, done, text_of

uvicorn = pytest.importorskip("uvicorn", reason="serving needs streaming_assistants[serve]")
pytestmark = pytest.mark.anyio


@pytest.fixture
def url() -> Iterator[str]:
    backend = LocalBackend(Echo(delay=0.01))
    upstream = openai.AsyncOpenAI(api_key="unused")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app(backend, upstream), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join(10)
    backend.close()


@pytest.fixture
def remote(url: str, colour: str) -> Api:
    options = {"api_key": "any", "base_url": url, "max_retries": 0}
    client = openai.OpenAI(**options) if colour == "sync" else openai.AsyncOpenAI(**options)
    return Api(client, None)  # type: ignore[arg-type]


async def test_a_client_elsewhere_uses_it_like_the_hosted_api(remote: Api) -> None:
    run = await remote.settled(await remote.run("over the wire"))
    assert run["status"] == "completed"
    assert text_of((await remote.messages(run["thread_id"]))[-1]) == "over the wire"
    error = await remote.refused("/threads/thread_0", method="get")
    assert (error["status"], error["message"]) == (404, "No thread found with id 'thread_0'.")
    assert (await remote.refused("/nothing"))["message"] == "Invalid URL (POST /v1/nothing)"
    await done(remote.client.close())


async def test_it_streams(remote: Api) -> None:
    assistant_id, thread_id = await remote.assistant(), await remote.thread("word " * 50)
    events = await remote.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    while (event := await events.next()) is not None and event[0] != "thread.message.delta":
        run_path = f"/threads/{thread_id}/runs/{event[1].get('run_id') or event[1]['id']}"
    assert (await remote.get(run_path))["status"] == "in_progress"  # the stream is ahead of its end
    assert (await events.rest())[-1] == ("done", "[DONE]")
    await done(remote.client.close())


async def test_a_reader_that_hangs_up_leaves_the_run_to_its_end(remote: Api) -> None:
    assistant_id, thread_id = await remote.assistant(), await remote.thread("word " * 20)
    events = await remote.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    _, run = await events.next() or ("", None)
    await events.close()
    assert (await remote.settled(run))["status"] == "completed"
    await done(remote.client.close())


def test_the_command_serves(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--upstream", "echo", "--store", f"sqlite:///{tmp_path}/a.db", "--port", str(port)]
    script = "import sys; from streaming_assistants.backend.server import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
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
