"""Which releases the matrix asks, and what is claimed of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import matrix, report
from tests.conformance.registry import load

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def result(release: str, *, failed: tuple[str, ...] = ()) -> dict[str, Any]:
    one = {
        "versions": {"python": "3.11.7", "openai": release, "pydantic": "2.14.3", "httpx": "0.28.1"},
        "behaviours": 2,
        "passed": [],
        "failed": {name: {"sync": "no"} for name in failed},
        "not_applicable": {},
    }
    return {"bare": one, "patched": {**one, "failed": {}}}


def asked(newest: str, **more: Any) -> dict[str, Any]:
    releases = {release: release for release in matrix.RELEASES}
    releases[matrix.NEWEST] = newest
    return {cell: result(release, **more) for cell, release in releases.items()}


def test_the_newest_release_is_what_the_index_has() -> None:
    cell = matrix.Cell(matrix.NEWEST)
    assert "openai" in cell.packages()
    assert not any(package.startswith("httpx") for package in cell.packages())
    assert matrix.Cell("1.30.5").packages()[0] == "openai==1.30.5"
    assert matrix.RELEASES[-1] == matrix.NEWEST
    assert cell in matrix.chosen(["newest"])


def test_an_environment_of_the_newest_release_is_brought_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    monkeypatch.setattr(matrix.shutil, "which", lambda name: name)
    monkeypatch.setattr(
        matrix.subprocess,
        "run",
        lambda words, **_: ran.append([str(word) for word in words]) or type("Done", (), {"returncode": 0}),
    )
    for release in (matrix.NEWEST, "1.30.5"):
        python = matrix.python_of(matrix.Cell(release))
        python.parent.mkdir(parents=True)
        python.touch()
        matrix.run(matrix.Cell(release))
    (install,) = [words for words in ran if "install" in words]
    assert "--upgrade" in install
    assert "openai" in install


def test_the_pages_name_the_release_that_was_newest() -> None:
    name = next(iter(load()))
    found = asked("9.8.7", failed=(name,))
    found["2.0.1"] = result("2.0.1")
    page = "\n".join(report._lines(load(), found))
    assert "| 9.8.7, the newest | 3.11.7" in page
    assert "| 1.1.2 to 1.109.1, 2.23.0 to 9.8.7 |" in page
    text = "a <!-- releases -->openai 1 to 2: 3 releases<!-- /releases --> b"
    count = len(matrix.RELEASES)
    claim = f"a <!-- releases -->openai 1.1.2 to 9.8.7: {count} releases<!-- /releases --> b"
    assert report.claimed(text, found) == claim
    # the same release twice is one release
    assert f"{count - 1} releases" in report.claimed(text, asked(matrix.RELEASES[-2]))


def test_the_pages_stay_until_every_release_was_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked("9.8.7")
    patched = found["2.0.1"].pop("patched")
    monkeypatch.setattr(report, "results", lambda: found)
    page, readme = tmp_path / "compatibility.md", tmp_path / "README.md"
    page.write_text("whole")
    readme.write_text("<!-- releases -->all<!-- /releases -->")
    report.write(page, readme)
    assert (page.read_text(), "all" in readme.read_text()) == ("whole", True)
    assert "compatibility.md stays as it is: 2.0.1 not asked yet\n" in capsys.readouterr().out
    found["2.0.1"]["patched"] = patched
    report.write(page, readme)
    assert "| 9.8.7, the newest |" in page.read_text()
    assert "1.1.2 to 9.8.7" in readme.read_text()


def test_an_environment_that_cannot_be_made_does_not_keep_the_others_from_being_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(words: list[str], **_: Any) -> None:
        raise matrix.subprocess.CalledProcessError(2, [str(word) for word in words])

    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    monkeypatch.setattr(matrix.shutil, "which", lambda name: name)
    monkeypatch.setattr(matrix.subprocess, "run", fails)
    assert not matrix.run(matrix.Cell("1.30.5"))
    assert "1.30.5 was not asked: Command" in capsys.readouterr().out


def test_the_pythons_are_the_classifiers() -> None:
    assert matrix.PYTHON in matrix.PYTHONS
    assert {cell.python for cell in matrix.CELLS} == set(matrix.PYTHONS)
    if README.exists():
        claim = f"Python {matrix.PYTHONS[0]} to {matrix.PYTHONS[-1]};"
        assert claim in README.read_text(encoding="utf-8")


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.skipif(not WORKFLOWS, reason="the workflows are not here")
def test_ci_runs_every_session_on_every_python() -> None:
    written = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    sessions = re.findall(r"^def (\w+)\(session: ", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.M)
    run = " ".join(re.findall(r"(?:nox .*-s|session:) ([^\n]*)", written))
    assert set(sessions) <= set(re.findall(r"\w+", run))
    listed = re.findall(r"python-version: \|\n((?: +3\.\d+\n)+)", written)
    assert listed
    assert all(sorted(each.split()) == sorted(matrix.PYTHONS) for each in listed)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_named_by_the_hash_of_its_commit(workflow: Path) -> None:
    for used in re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8")):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v[\d.]+", used), used


@pytest.mark.skipif(not README.exists(), reason="the pages are not here")
def test_the_readme_claims_what_the_matrix_found() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    table = page.partition("## Other environments")[0]
    releases = re.findall(r"^\| ([0-9.]+)(?:, the newest)? \|", table, re.MULTILINE)
    claim = f"openai {releases[0]} to {releases[-1]}: {len(releases)} releases"
    assert f"<!-- releases -->{claim}<!-- /releases -->" in README.read_text(encoding="utf-8")
