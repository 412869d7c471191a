"""``import`` and ``export``: what they write, where, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants import cli

pytestmark = pytest.mark.any_sdk
pytest.importorskip("sqlalchemy")

T = 1_700_000_000


def run(*argv: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in process."""
    try:
        code = cli.main([str(each) for each in argv])
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def thread(number: int) -> dict[str, Any]:
    return {"id": f"thread_{number}", "object": "thread", "created_at": T + number, "metadata": {}}


def lines(*objects: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


def exported(*argv: object, capsys: pytest.CaptureFixture[str]) -> list[str]:
    code, out, _ = run("export", *argv, capsys=capsys)
    assert code == 0
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_files_are_imported_wrong_lines_told_by_place_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, store = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "s.db"
    first.write_text(lines(thread(1), {"object": "thread"}).rstrip("\n"))
    second.write_text(lines(thread(2)) + "nothing\n")
    code, out, err = run("import", first, second, "--store", store, capsys=capsys)
    assert (code, out) == (1, "")
    assert f"{first}:2: the thread has no id" in err
    assert f"{second}:2: it is no JSON" in err
    assert "thread: 2 stored\n2 errors\n" in err
    code, out, err = run("import", first, "--store", store, capsys=capsys)
    assert "thread: 0 stored, 1 there already" in err
    assert exported("--store", store, capsys=capsys) == ["thread_1", "thread_2"]
    assert exported("--store", store, "--since", T + 2, capsys=capsys) == ["thread_2"]
    assert exported("--store", store, "--until", "2023-11-14T22:13:22Z", capsys=capsys) == ["thread_1"]
    ids = tmp_path / "ids.csv"
    ids.write_text("# mine\nthread_2,somebody\n")
    assert exported("--store", store, "--threads", ids, capsys=capsys) == ["thread_2"]


def test_standard_input_and_contents_in_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {
        "id": "file-1",
        "object": "file",
        "created_at": T,
        "bytes": 2,
        "filename": "a.txt",
        "purpose": "vision",
    }
    given = io.TextIOWrapper(io.BytesIO(lines({**file, "content": "aGk="}).encode()))
    monkeypatch.setattr(sys, "stdin", given)
    store, folder = tmp_path / "s.db", tmp_path / "contents"
    assert run("import", "-", "--store", store, "--files-at", tmp_path / "kept", capsys=capsys)[0] == 0
    code, out, _ = run(
        "export", "--store", store, "--files-at", tmp_path / "kept", "--files", folder, capsys=capsys
    )
    assert code == 0
    assert "content" not in json.loads(out)
    assert (folder / "file-1").read_bytes() == b"hi"
    (tmp_path / "out.jsonl").write_text(out)
    other = tmp_path / "other.db"
    code, _, err = run("import", tmp_path / "out.jsonl", "--files", folder, "--store", other, capsys=capsys)
    assert (code, err) == (0, "file: 1 stored\n")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["import", "--store", "s.db"], "name files"),
        (["import", "a", "--from", "http://x", "--store", "s.db"], "name files"),
        (["import", "none.jsonl", "--store", "s.db"], "none.jsonl"),
        (["import", "-", "--store", "no/s.db"], "There is no folder no"),
        (["import", "-", "--store", "s.db", "--files", "no"], "there is no folder no"),
        (["export", "--store", "s.db"], "There is no store s.db"),
        (["export", "--store", "s.db", "--since", "soon"], "'soon' is no time"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    argv: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*argv, capsys=capsys)
    assert (code, out) == (2, "")
    assert said in err
    assert not os.path.exists("no")
