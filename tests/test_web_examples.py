"""The web applications of ``examples/web``, each on its own server, with a client that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from openai import AsyncOpenAI, OpenAI

from streaming_assistants import patch
from streaming_assistants._protocol.events import EventReader

from . import objects
from .loopback import Loopback, Reply
from .samples import frame, run, text

WEB = Path(__file__).parents[1] / "examples" / "web"
pytestmark = pytest.mark.skipif(not WEB.exists(), reason="the examples are not in the wheel")


@contextlib.contextmanager
def fastapi(app: Any) -> Iterator[str]:
    uvicorn = pytest.importorskip("uvicorn")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def flask(app: Any) -> Iterator[str]:
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


FRAMEWORKS = pytest.mark.parametrize(
    ("framework", "serving", "kind"), [("fastapi", fastapi, AsyncOpenAI), ("flask", flask, OpenAI)]
)


def example(framework: str) -> Any:
    pytest.importorskip(framework)
    spec = importlib.util.spec_from_file_location(f"{framework}_example", WEB / f"{framework}_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def post(url: str) -> Any:
    return urlopen(Request(url, method="POST"), timeout=20)


@FRAMEWORKS
def test_a_question_is_answered_event_by_event(framework: str, serving: Any, kind: Any) -> None:
    with serving(example(framework).app) as url:
        with post(f"{url}/threads") as answer:
            ids = json.load(answer)
        asked = f"{url}/threads/{ids['thread_id']}/ask?assistant_id={ids['assistant_id']}&question=Hello"
        with post(asked) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            body = stream.read()
    events = list(EventReader().feed(body))
    assert events[-1].event == "thread.run.completed"
    assert body.endswith(b"event: done\ndata: [DONE]\n\n")


@FRAMEWORKS
def test_a_browser_that_leaves_cancels_the_run(framework: str, serving: Any, kind: Any) -> None:
    module, asked_for = example(framework), threading.Event()
    with Loopback() as server:
        pieces = [frame(run("queued")), asked_for, *[frame(text("a" * 9000))] * 500]
        server.on("POST", "/threads/.*/messages", Reply.json({"id": "msg_1", "object": "thread.message"}))
        server.on("POST", "/threads/.*/runs", Reply.sse(pieces))
        cancelled = threading.Event()

        def cancel(_: object) -> Reply:
            cancelled.set()
            return Reply.json(objects.run("cancelling"))

        server.on("POST", "/threads/.*/cancel", cancel)
        # Nobody closes the client of an application: no connection of it is kept.
        options = {"api_key": "test", "max_retries": 0, "default_headers": {"connection": "close"}}
        module.client = patch(kind(base_url=server.url, **options))
        with serving(module.app) as url:
            stream = post(f"{url}/threads/thread_1/ask?assistant_id=asst_1&question=Hello")
            assert b"thread.run.queued" in stream.readline()
            stream.close()
            asked_for.set()
            assert cancelled.wait(10)
