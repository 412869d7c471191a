"""The command ``serve``: what it says, what keeps it from starting, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants import cli
from streaming_assistants._protocol.sse import FrameDecoder
from streaming_assistants.backend._serve import process
from tests.loopback import Loopback

from . import fakes
from .served import Command, ask, connected, post, read_answer

pytestmark = [
    pytest.mark.any_sdk,
    pytest.mark.skipif(sys.platform == "win32", reason="a process there gets no SIGTERM"),
]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "STREAMING_ASSISTANTS_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""

    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("it serves")

    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as ended:
        patched.setattr("uvicorn.Server.run", started)
        cli.main(["serve", *arguments])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    return line


# ---------------------------------------------------------------- what it says


def test_it_says_where_it_is_and_how_it_is_used() -> None:
    with Command("--upstream", "echo", "--model", "gpt-4-turbo=echo") as command:
        assert command.url.startswith("http://127.0.0.1:")
        assert command.url.endswith("/v1")
        _, *use = command.told.splitlines()
        assert len(use) == 2
        assert all(command.url in line for line in use)
        root = ask(command.url, "GET / HTTP/1.1")
        assert (root.status, root.body.decode()) == (200, command.told.partition(" on ")[2])
        assert ask(command.url, "GET /health HTTP/1.1").status == 200
        assert ask(command.url, "HEAD /health HTTP/1.1").status == 200
        listed = json.loads(ask(command.url, "GET /v1/models HTTP/1.1").body)
        assert {model["id"] for model in listed["data"]} == {"echo", "gpt-4-turbo"}
        assert json.loads(ask(command.url, "GET /v1/models/echo HTTP/1.1").body)["object"] == "model"
        assert ask(command.url, "GET /v1/models/other HTTP/1.1").status == 404
        assert "has no server" in ask(command.url, "GET /v1/containers HTTP/1.1").error["message"]


def test_keys_come_from_options_and_the_environment() -> None:
    options = ["--upstream", "echo", "--api-key", "k-1", "--api-key", "k-2"]
    with Command(*options, STREAMING_ASSISTANTS_API_KEY="k-3,k-4") as command:
        for key in ("k-1", "k-2", "k-3", "k-4"):
            assert post(command.url, "/v1/threads", {}, f"Authorization: Bearer {key}").status == 200
        assert post(command.url, "/v1/threads", {}).status == 401
        assert post(command.url, "/v1/threads", {}, "Authorization: Bearer k-5").status == 401
    assert "k-1" not in command.log + command.told


def test_what_is_written_to_a_connection_goes_out_at_once() -> None:
    """An event is a small write: held back until the last one is acknowledged it comes 40 ms late."""

    async def accepted() -> int:
        options: list[int] = []
        came = asyncio.Event()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server_side = writer.get_extra_info("socket")
            options.append(server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            came.set()

        with process._listener("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(connected, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                await asyncio.wait_for(came.wait(), 10)
                writer.close()
        return options[0]

    assert asyncio.run(accepted())


# ---------------------------------------------------------------- what keeps it from starting


def test_no_key_for_the_upstream(capsys: pytest.CaptureFixture[str]) -> None:
    assert "OPENAI_API_KEY" in refused(capsys, "--upstream", "chat", "--base-url", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ("sqlite:///no/such/folder/a.db", "There is no folder no/such/folder"),
        ("no/such/folder/a.db", "There is no folder no/such/folder"),
        ("mysql+pymysql://me:hidden-word@host/db", "SQLite"),
        ("sqlitte:///a.db", "sqlitte"),
        ("sqlite:///pyproject.toml", "pyproject.toml"),
    ],
)
def test_a_store_that_cannot_be(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("no database " * 100)
    line = refused(capsys, "--upstream", "echo", "--port", "0", "--store", store)
    assert says in line
    assert "hidden-word" not in line


def test_a_store_s_password_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("psycopg")
    for store in ("me:hidden-word@127.0.0.1:1/db", "/db?host=127.0.0.1&port=1&password=hidden-word"):
        options = ["--upstream", "echo", "--port", "0", "--store", f"postgresql+psycopg://{store}"]
        assert "hidden-word" not in refused(capsys, *options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--upstream", "echo", "--context-window", "100"], "context_window"),
        (["--upstream", "echo", "--upstream-option", "model=x"], "model"),
    ],
)
def test_options_that_make_no_sense(
    capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert says in refused(capsys, *options, "--port", "0")


def test_options_of_the_backend(tmp_path: Path) -> None:
    with Loopback() as far:
        fakes.serve_chat(far, fakes.chat_text("<think>Well.</think>", "Yes."))
        options = ["--context-window", "4000", "--think", "drop", "--no-strict"]
        options += ["--upstream-option", 'service_tier="flex"', "--upstream-option", "user=me"]
        upstream = ["--upstream", "chat", "--base-url", far.url + "/v1"]
        with Command(*upstream, *options, OPENAI_API_KEY="k") as command:
            made = post(command.url, "/v1/assistants", {"model": "m"})
            body = {"assistant_id": json.loads(made.body)["id"], "stream": True}
            body["thread"] = {"messages": [{"role": "user", "content": ""}]}  # which the hosted API refused
            answer = post(command.url, "/v1/threads/runs", body)
    sent = far.requests[0].json
    assert (sent["service_tier"], sent["user"]) == ("flex", "me")
    assert b"thread.run.completed" in answer.body
    assert b"Well." not in answer.body


def test_a_store_of_another_release(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table streaming_assistants (version integer)")
        database.execute("insert into streaming_assistants values (99)")
    database.close()
    store = f"sqlite:///{tmp_path}/a.db"
    assert "version 99" in refused(capsys, "--upstream", "echo", "--port", "0", "--store", store)


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(capsys, "--upstream", "echo", "--port", port)
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line.lower()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_a_network_takes_a_key(capsys: pytest.CaptureFixture[str], host: str) -> None:
    line = refused(capsys, "--upstream", "echo", "--host", host)
    assert "--api-key" in line
    assert "--no-auth" in line


def test_a_network_without_a_key_when_that_is_meant() -> None:
    with Command("--upstream", "echo", "--host", "0.0.0.0", "--no-auth") as command:
        assert post(command.url, "/v1/threads", {}).status == 200


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.3"),
    ],
)
def test_its_own_address_is_no_upstream(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str, address: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{address}:{port}/v1")
    line = refused(capsys, "--upstream", "chat", "--host", host, "--port", str(port), "--no-auth")
    assert "this server's own" in line


# ---------------------------------------------------------------- how it ends


def rows(store: Path, query: str) -> list[Any]:
    database = sqlite3.connect(store)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


class Stalled:
    """A streamed run that says nothing, read over a socket."""

    def __init__(self, url: str, assistant_id: str) -> None:
        message = {"role": "user", "content": "echo:stall"}
        body = {"assistant_id": assistant_id, "stream": True, "thread": {"messages": [message]}}
        self.sock = connected(url)
        text = json.dumps(body).encode()
        head = f"POST /v1/threads/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n"
        self.sock.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + text)

    def begun(self) -> None:
        self.seen = b""
        while b"thread.run.in_progress" not in self.seen:
            chunk = self.sock.recv(65536)
            assert chunk, self.seen
            self.seen += chunk

    def ended(self) -> list[tuple[str, Any]]:
        """The rest of its events, up to the end of the connection."""
        with self.sock:
            while chunk := self.sock.recv(65536):
                self.seen += chunk
        assert self.seen.endswith(b"0\r\n\r\n"), self.seen[-200:]
        decoder = FrameDecoder()
        # Its chunks are framed in lines that are no fields of an event.
        frames = [*decoder.feed(self.seen.partition(b"\r\n\r\n")[2]), decoder.close()]
        return [(frame.event, frame.data) for frame in frames if frame is not None]


# 500 streams at once take as long as it takes to open each and to tell each its end.
@pytest.mark.parametrize("count", [1, 500])
def test_the_end_of_the_process_ends_its_runs_and_tells_their_readers(tmp_path: Path, count: int) -> None:
    store = tmp_path / "a.db"
    with Command("--upstream", "echo", "--store", f"sqlite:///{store}") as command:
        assistant = json.loads(post(command.url, "/v1/assistants", {"model": "echo"}).body)["id"]
        streams = [Stalled(command.url, assistant) for _ in range(count)]
        for stream in streams:
            stream.begun()
        half = connected(command.url)
        half.sendall(b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n")
        half.sendall(b"Content-Type: application/json\r\n\r\n{")
        idle = connected(command.url)
        time.sleep(0.2)  # until the server waits for the rest of that body
        command.process.send_signal(signal.SIGTERM)
        for stream in streams:
            events = stream.ended()
            name, data = events[-2]
            assert (name, events[-1]) == ("thread.run.failed", ("done", b"[DONE]"))
            assert b"ended before the run did" in data
        command.process.wait(10)
        with half, idle:
            assert read_answer(half).status == 503
    assert "Traceback" not in command.log
    assert rows(store, "select count(*) from owners") == [(0,)]
    runs = [json.loads(data) for (data,) in rows(store, "select data from runs")]
    assert {run["status"] for run in runs} == {"failed"}
    assert all("ended before the run did" in run["last_error"]["message"] for run in runs)
    assert len(runs) == count


def test_an_interrupt_from_the_keyboard_is_no_traceback() -> None:
    with Command("--upstream", "echo") as command:
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(10) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in command.log
