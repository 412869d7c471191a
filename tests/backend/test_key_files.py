"""Files of keys, and how ``serve`` and ``worker`` take them, write their logs and are watched."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants import cli
from streaming_assistants.backend._serve import key_files

from .served import Command, ask, post

pytestmark = pytest.mark.any_sdk

FILE = """
# for the shop
shop:k-0123456789
k-of-nobody
shop:k-both
 back-office : k-both
"""


def test_a_line_is_a_key_or_a_project_and_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(FILE)
    assert key_files.api_keys(path) == {
        "k-0123456789": ["shop"],
        "k-of-nobody": [""],
        "k-both": ["shop", "back-office"],
    }
    path.write_text("shop:sk-1\nsk-2\n")
    assert key_files.upstream_keys(path) == {"shop": "sk-1", "": "sk-2"}
    assert key_files.upstream_keys_in("shop:sk-1, :sk-2".replace(" :", " "), "X") == {
        "shop": "sk-1",
        "": "sk-2",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shop:", "Line 2 of {} is neither a key nor project:key."),
        ("shop:two secrets", "Line 2 of {} is neither a key nor project:key."),
        (":secret", "Line 2 of {} names no project before its colon."),
        ("sh op:secret", "Line 2 of {} names no project before its colon."),
    ],
)
def test_what_is_neither_is_refused_and_not_shown(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# keys\n{line}\n")
    with pytest.raises(ValueError, match="Line 2 of ") as refused:
        key_files.api_keys(path)
    assert str(refused.value) == said.format(path)


def test_a_file_without_a_key_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# keys\n\n")
    with pytest.raises(ValueError, match="holds no key"):
        key_files.api_keys(path)


def test_two_keys_of_one_project_for_the_upstream_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("shop:sk-1\nshop:sk-2\n")
    with pytest.raises(ValueError, match="two keys for the project 'shop'"):
        key_files.upstream_keys(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--upstream", "echo", "--api-key-file", "nowhere"],
            "The file nowhere cannot be read: No such file",
        ),
        (["--upstream", "chat"], "There is no key for the upstream"),
        (
            ["--upstream", "chat", "--upstream-key", "caller", "--embedding-model", "m"],
            "takes OPENAI_API_KEY",
        ),
    ],
)
def test_serve_says_what_keeps_it_from_starting(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--port", "0", *arguments])
    assert (ended.value.code, said in capsys.readouterr().err) == (2, True)


def test_a_key_of_ones_own_is_taken_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path / "s.db")]
    for given, code in (("sk-of-ones-own-0123\n", 0), ("sk-of-ones-own-0123\n", 2), ("short\n", 2)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        assert cli.main(["keys", "add", "--project", "shop", "--stdin", *store]) == code
    captured = capsys.readouterr()
    assert "sk-of-ones-own" not in captured.out + captured.err
    with pytest.raises(SystemExit):
        cli.main(["keys", "add", "--project", "no name", *store])


@pytest.mark.skipif(sys.platform == "win32", reason="a process there gets no SIGTERM")
def test_serve_writes_its_log_in_json_and_tells_opentelemetry(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="needs streaming_assistants[otel]")
    keys = tmp_path / "keys"
    keys.write_text("shop:k-shop\n")
    arguments = ["--upstream", "echo", "--api-key-file", str(keys), "--log-format", "json", "--otel"]
    told = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with Command(*arguments, **told) as command:
        headers = ["Authorization: Bearer k-shop", f"traceparent: 00-{trace}-00f067aa0ba902b7-01"]
        assert ask(command.url, "GET /v1/assistants HTTP/1.1").status == 401
        made = post(command.url, "/v1/assistants", {"model": "m"}, *headers)
        thread = {"messages": [{"role": "user", "content": "the secret word"}]}
        begun = {"assistant_id": json.loads(made.body)["id"], "thread": thread, "stream": True}
        assert post(command.url, "/v1/threads/runs", begun, *headers).status == 200
        command.process.send_signal(signal.SIGTERM)
        command.process.wait(20)
        for reader in command._readers:
            reader.join(10)
        log = command.log
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in log.splitlines() if line.startswith('{"time"')
    ]
    began, ended = [line for line in lines if line.get("event")]
    assert (began["event"], ended["event"], ended["status"]) == ("began", "ended", "completed")
    assert ended["project"] == "shop"
    assert any(line["logger"] == "uvicorn.access" and " 401" in line["message"] for line in lines)
    for name in ("POST /threads/runs", "invoke_agent", "turn"):
        assert f'"name": "{name}"' in log
    assert f'"trace_id": "0x{trace}"' in log
    assert "the secret word" not in log
    assert "k-shop" not in log
