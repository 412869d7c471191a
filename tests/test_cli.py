"""The command line: what it writes, its exit codes, and what it does where something is missing."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from streaming_assistants import _sdk, cli
from streaming_assistants.cli import console, demo, doctor, families, needs, screen, versions
from streaming_assistants.cli import server_check as endpoint

from .loopback import Loopback, Reply

ROOT = Path(__file__).parents[1]


def run(*argv: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in process."""
    try:
        code = cli.main(argv)
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# ---------------------------------------------------------------- as a program


def test_python_m_runs_it_and_a_pipe_gets_plain_text() -> None:
    command = [sys.executable, "-m", "streaming_assistants", "doctor"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT if ROOT.joinpath("README.md").exists() else None
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"on openai {openai.__version__}" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_closed_pipe_is_no_traceback() -> None:
    script = "from streaming_assistants.cli import main; main(['doctor', '--all'])"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert b"Traceback" not in program.stderr.read()


def test_commands_and_their_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--help", capsys=capsys)
    assert code == 0
    assert all(name in out for name in ("demo", "doctor", "serve"))
    assert run("doctor", "--help", capsys=capsys)[0] == 0
    code, out, _ = run("serve", "--help", capsys=capsys)
    assert code == 0
    assert "--upstream" in out


@pytest.mark.parametrize("argv", [(), ("dance",), ("doctor", "--dance"), ("serve", "--upstream", "x")])
def test_a_call_that_makes_no_sense_is_exit_code_2(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(*argv, capsys=capsys)
    assert code == 2
    assert "usage:" in err


def test_serve_hands_its_arguments_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from streaming_assistants.cli import serve as serving

    seen: list[Any] = []
    monkeypatch.setattr(serving, "main", lambda argv: seen.append(list(argv)) or 7)
    assert run("serve", "--upstream", "echo", "--port", "1", capsys=capsys)[0] == 7
    assert seen == [["--upstream", "echo", "--port", "1"]]


# ---------------------------------------------------------------- demo


def test_the_demo_shows_a_stream_a_call_a_poll_and_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sqlalchemy", reason="the demo needs streaming_assistants[backend]")
    monkeypatch.setattr(demo, "_WORD_SECONDS", 0.01)
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = run("demo", capsys=capsys)
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert "answer   Code for the Assistants API runs again, word by word." in lines
    assert 'call     get_weather({"city": "Paris"})' in lines
    assert "output   18 degrees and a clear sky over Paris" in lines
    assert "answer   18 degrees and a clear sky over Paris" in lines
    assert any(line.startswith("status") and "completed" in line for line in lines)
    assert any(line.startswith("streamed runs") for line in lines)
    assert "\x1b" not in out


def test_the_demo_moves_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="colours need streaming_assistants[cli]")
    monkeypatch.setattr(demo, "_WORD_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    assert cli.main(["demo"]) == 0
    assert "\x1b[" in shown.getvalue()
    assert "18 degrees" in shown.getvalue()


def test_the_demo_makes_a_picture_that_refers_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich", reason="a picture needs streaming_assistants[cli]")
    monkeypatch.setattr(demo, "_WORD_SECONDS", 0.01)
    file = tmp_path / "demo.svg"
    assert run("demo", "--svg", str(file), capsys=capsys)[0] == 0
    picture = file.read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "@font-face" not in picture
    assert "get_weather" in picture.replace("&#160;", " ")


def test_the_demo_without_the_backends_packages_says_which_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "streaming_assistants.backend._http.routes", None)

    def absent(*_: Any, **__: Any) -> Any:
        raise ImportError("The backend needs sqlalchemy: pip install 'streaming_assistants[backend]'")

    monkeypatch.setattr(demo, "LocalBackend", absent)
    code, out, err = run("demo", capsys=capsys)
    assert (code, out) == (1, "")
    assert "streaming_assistants[backend]" in err


def test_a_picture_without_rich_says_which_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_rich(monkeypatch)
    code, _, err = run("demo", "--svg", str(tmp_path / "x.svg"), capsys=capsys)
    assert code == 1
    assert "streaming_assistants[cli]" in err


def test_a_picture_in_no_folder_is_refused_before_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich", reason="a picture needs streaming_assistants[cli]")
    code, out, err = run("demo", "--svg", "no/such/folder/x.svg", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.splitlines() == ["There is no folder no/such/folder for the picture."]


def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "streaming_assistants.cli.terminal", raising=False)

    class Blind:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name.partition(".")[0] == "rich":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Blind, *sys.meta_path])


def test_a_terminal_without_rich_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    without_rich(monkeypatch)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(console.screen(file=Terminal()), screen.Plain)


# ---------------------------------------------------------------- doctor


def test_doctor_says_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("doctor", capsys=capsys)
    assert code == 0
    assert "Capabilities:" in out
    assert "streamed runs" in out
    assert "not asked; --base-url URL asks one" in out


def test_doctor_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("doctor", "--json", capsys=capsys)
    found = json.loads(out)
    assert code == 0
    assert found["ok"] is True
    assert found["versions"]["openai"] == openai.__version__
    assert found["endpoint"] is None
    names = {row["capability"]: row for row in found["capabilities"]}
    stream = names["beta.threads.runs.stream()"]
    assert stream["sound"] is True
    assert stream["provider"] in ("sdk", "streaming_assistants")
    assert (len(found["defects"]) > 0) == any(row["reason"].startswith("defective") for row in names.values())


def test_doctor_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run("doctor", "--all", capsys=capsys)
    assert "beta.threads.runs.submit_tool_outputs_stream()" in out


@pytest.mark.parametrize(
    "name",
    [
        "runs.stream",
        "stream()",
        "client.beta.threads.runs.stream",
        "beta.threads.runs.create(stream=True)",
        "runs.create(stream=True)",
        "runs.*",
        "runs.cancel",  # sound on new releases: in no table there
        "messages.list(stream=True)",
        "vector_stores.*",
        "runs.create_and_poll",
    ],
)
def test_strict_finds_a_capability_by_the_name_that_code_uses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("doctor", "--strict", name, capsys=capsys)
    assert (code, err) == (0, "")
    assert "sound provider" in out


def test_strict_refuses_a_name_that_means_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("doctor", "--strict", "runs.strem", capsys=capsys)
    assert code == 2
    assert "beta.threads.runs.stream()" in err


def test_strict_misses_an_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = versions.importlib.util.find_spec
    monkeypatch.setattr(
        versions.importlib.util, "find_spec", lambda name: None if name == "sqlalchemy" else found(name)
    )
    code, out, _ = run("doctor", "--strict", "backend", "runs.stream", capsys=capsys)
    assert code == 1
    assert "pip install 'streaming_assistants[backend]'" in out
    assert run("doctor", "--strict", "runs.stream", capsys=capsys)[0] == 0
    assert run("doctor", capsys=capsys)[0] == 0, "without --strict it is only told"


def test_strict_does_not_ask_for_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "EXTRAS", {"cli": ("no_such_module",)})
    monkeypatch.setattr(needs, "EXTRAS", {"cli": ("no_such_module",)})
    out = run("doctor", "--strict", capsys=capsys)[1]
    assert "cli:" not in out
    assert run("doctor", "--strict", "cli", capsys=capsys)[0] == 1


def test_strict_misses_the_threads_of_an_sdk_without_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bare:
        beta = None

    monkeypatch.setattr(needs, "probe", Bare)
    code, out, _ = run("doctor", "--strict", capsys=capsys)
    assert code == 1
    assert "has no client.beta.threads" in out
    assert "beta.threads" in json.loads(run("doctor", "--strict", "--json", capsys=capsys)[1])["lacking"]


def test_strict_misses_a_constructor_that_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Raises(openai.OpenAI):
        def __init__(self, **options: Any) -> None:
            if "http_client" not in options:
                raise TypeError("Client.__init__() got an unexpected keyword argument 'proxies'")
            super().__init__(**options)

    monkeypatch.setattr(openai, "OpenAI", Raises)
    code, out, _ = run("doctor", "--strict", "OpenAI()", capsys=capsys)
    assert code == 1
    assert "httpx<0.28" in out


def test_without_repair_defects_stay_and_strict_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    rows = needs.judged(needs.probe(), repair=False)
    if not any(row.reason.startswith("defective") for row in rows):
        pytest.skip("this SDK lacks what could be defective")
    code, out, _ = run("doctor", "--strict", "--no-repair", capsys=capsys)
    assert code == 1
    assert "leaves (repair=False)" in out


# ---------------------------------------------------------------- the endpoint

PAGE = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)


def test_an_endpoint_that_answers(server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("GET", "/v1/assistants", Reply.json(PAGE))
    code, out, _ = run("doctor", "--base-url", f"{server.url}/v1", capsys=capsys)
    assert code == 0
    assert "answers the Assistants API" in out
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in out


def _answered(status: int, body: Any) -> Reply:
    reply = Reply.json(body, status)
    return reply


@pytest.mark.parametrize(
    ("status", "body", "said", "advice"),
    [
        (401, {"error": {"message": f"Wrong key: {KEY}"}}, "401", "set OPENAI_API_KEY"),
        (401, {"error": {"message": "Wrong key: sk-very*****6789"}}, "401", "set OPENAI_API_KEY"),
        (404, {"error": {"message": "no such path"}}, "no Assistants API here", "end in /v1"),
        (410, {"error": {"code": "assistants_api_deprecated"}}, "is closed", "backend='responses'"),
        (500, {"error": {"message": "broken"}}, "broken", "its log"),
        (200, {"hello": "world"}, "not the API's", "end in /v1"),
        (200, ["hello"], "not the API's", "end in /v1"),
    ],
)
def test_an_endpoint_that_does_not(
    server: Loopback, status: int, body: Any, said: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("GET", "/v1/assistants", _answered(status, body))
    code, out, err = run("doctor", "--json", "--base-url", f"{server.url}/v1", capsys=capsys)
    found = json.loads(out)["endpoint"]
    assert code == 1
    assert found["answers"] is False
    assert said in found["said"]
    assert advice in found["advice"]
    assert KEY not in out + err
    assert "6789" not in out + err


def test_a_server_with_models_and_no_assistants_is_an_upstream(
    server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("GET", "/v1/models", Reply.json({"object": "list", "data": []}))
    code, out, _ = run("doctor", "--json", "--base-url", f"{server.url}/v1", capsys=capsys)
    assert code == 1
    assert "backend='chat'" in json.loads(out)["endpoint"]["advice"]


def test_azure_is_asked_its_own_way(server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    server.on("GET", "/openai/assistants", Reply.json(PAGE))
    url = f"{server.url}/openai"
    assert run("doctor", "--base-url", url, "--api-version", "2024-05-01-preview", capsys=capsys)[0] == 0
    assert server.requests[0].headers["api-key"] == KEY


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/v1", "nonsense", "http://user:pass@127.0.0.1:9/v1", "http://["]
)
def test_an_address_that_nobody_has(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("doctor", "--base-url", url, capsys=capsys)
    assert (code, err) == (1, "")
    assert "Check the" in out
    assert "pass@" not in out


def test_the_closed_api_of_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    http = _sdk.own_transport()

    def answer(request: Any) -> Any:
        return http.Response(404, content=b"", request=request)

    client = openai.OpenAI(
        api_key=KEY, max_retries=0, base_url="https://api.openai.com/v1",
        http_client=http.Client(transport=http.MockTransport(answer)),
    )  # fmt: skip
    monkeypatch.setattr(endpoint, "_client", lambda *_: client)
    found = endpoint.ask("https://api.openai.com/v1")
    assert not found.answers
    assert "closed" in found.said
    assert "backend='responses'" in found.advice


# ---------------------------------------------------------------- pieces


def test_families_hold_every_row_once() -> None:
    rows = [needs.judgement(row) for row in needs.judged(needs.probe(), repair=True)]
    found = families.families(rows)
    assert sum(len(family.rows) for family in found) == len(rows)
    assert len({family.name for family in found}) == len(found)


def test_long_lines_are_folded_and_tables_line_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    written = io.StringIO()
    out = screen.Plain(written)
    out.line("label", "word " * 30)
    out.table(["a", "bb"], [[("one", ""), ("1", "")], [("three", "bad"), ("", "")]])
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[-3:] == ["  a      bb", "  one    1", "  three"]


def test_doctor_never_reads_the_key_itself() -> None:
    assert "API_KEY" not in Path(doctor.__file__).read_text(encoding="utf-8")
    assert os.environ["OPENAI_API_KEY"] == KEY
