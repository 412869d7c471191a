"""``serve --workers`` and ``worker``: several processes on one store, and how each of them ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants import cli

from .databases import Postgres
from .served import ROOT, Command, ask, post

pytestmark = [
    pytest.mark.any_sdk,
    pytest.mark.skipif(sys.platform == "win32", reason="a process there gets no SIGTERM, and no socket"),
]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--upstream", "echo"])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize("command", [["serve", "--workers", "2", "--port", "0"], ["worker"]])
def test_a_store_in_memory_is_one_process_s(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert "in memory" in refused(capsys, *command)


@pytest.mark.parametrize(("option", "given"), [("--lease", "0"), ("--lease", "soon"), ("--workers", "0")])
def test_numbers_that_make_no_sense(capsys: pytest.CaptureFixture[str], option: str, given: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", option, given])
    assert "is no number of" in capsys.readouterr().err


def waited(ready: Callable[[], Any], seconds: float = 20.0) -> Any:
    until = time.monotonic() + seconds
    while not (there := ready()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return there


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def stalled(url: str) -> str:
    """The path of a run that never ends by itself."""
    assistant = json.loads(post(url, "/v1/assistants", {"model": "m"}).body)["id"]
    thread = {"messages": [{"role": "user", "content": "echo:stall\nHello"}]}
    run = json.loads(post(url, "/v1/threads/runs", {"assistant_id": assistant, "thread": thread}).body)
    return f"/v1/threads/{run['thread_id']}/runs/{run['id']}"


def get(url: str, path: str) -> Any:
    return json.loads(ask(url, f"GET {path} HTTP/1.1").body)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks the kernel for the processes")
def test_processes_share_a_port_begin_anew_and_end_together(tmp_path: Path) -> None:
    with Command("--upstream", "echo", "--store", f"sqlite:///{tmp_path}/a.db", "--workers", "2") as command:
        pids = children(command.process.pid)
        assert len(pids) == 2
        path = stalled(command.url)
        os.kill(pids[0], signal.SIGKILL)
        waited(lambda: pids[0] not in children(command.process.pid))
        assert get(command.url, path)["status"] == "in_progress"
        waited(lambda: len(children(command.process.pid)) == 2)
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(12) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "another begins" in command.log
    assert "Traceback" not in command.log
    with Command("--upstream", "echo", "--store", f"sqlite:///{tmp_path}/a.db") as command:
        ended = get(command.url, path)
        assert (ended["status"], ended["last_error"]["code"]) == ("failed", "server_error")


def test_who_is_told_to_end_gives_its_runs_to_a_worker(tmp_path: Path) -> None:
    store = ["--upstream", "echo", "--store", f"sqlite:///{tmp_path}/a.db"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "streaming_assistants", "worker", *store],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with Command(*store) as command:
            assert worker.stdout is not None
            assert worker.stdout.readline().startswith("Driving")
            path = stalled(command.url)
            command.process.send_signal(signal.SIGTERM)
            assert command.process.wait(10) is not None
        with Command(*store) as command:
            assert get(command.url, path)["status"] == "in_progress"
            steps = waited(lambda: get(command.url, f"{path}/steps")["data"][1:])  # the turn is asked again
            assert steps[0]["status"] == "failed"
            command.process.kill()
            command.process.wait(10)
        worker.send_signal(signal.SIGTERM)  # which is alone now, as the other is dead
        assert worker.wait(10) == 0
        with Command(*store) as command:
            assert get(command.url, path)["status"] == "failed"
    finally:
        worker.kill()
        worker.communicate()


# It waits for its store as long as it may.
def test_who_is_told_to_end_is_gone_in_time_though_its_store_is_away(postgres: Postgres) -> None:
    with Command("--upstream", "echo", "--store", postgres.url) as command:
        path = stalled(command.url)
        waited(lambda: get(command.url, f"{path}/steps")["data"])
        with postgres.away():
            command.process.send_signal(signal.SIGTERM)
            assert command.process.wait(10) is not None
    with Command("--upstream", "echo", "--store", postgres.url) as command:
        assert get(command.url, path)["status"] == "in_progress"  # taken over, as after a crash
