"""``python -m benchmarks.regress``: which library it measures, and what it calls slower."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not here")

from benchmarks import memory, regress

pytestmark = pytest.mark.skipif(memory.sdk_handler() is None, reason="this SDK has no streams to measure")


class Fake:
    """A library whose every number is known: those of ``takes``, then again the last."""

    def __init__(self, *takes: float) -> None:
        self.takes = list(takes)

    def next(self) -> float:
        return self.takes.pop(0) if len(self.takes) > 1 else self.takes[0]


def measured(name: str = "an event") -> regress.Measured:
    def measure(python: Any) -> float:
        return python.next()  # type: ignore[no-any-return]

    return regress.Measured(name, "us", measure)


def compared(before: Fake, now: Fake, runs: int = 5) -> list[regress.Measured]:
    old: Any = before
    new: Any = now
    return regress.compare(old, new, iter([measured()]), runs, 1.1)


def test_what_takes_more_than_a_tenth_longer_is_slower() -> None:
    (slower,) = compared(Fake(10.0), Fake(11.2))
    assert slower.what == "an event"
    assert slower.ratios == pytest.approx([1.12] * 5)


@pytest.mark.parametrize("now", [8.0, 10.0, 10.9])
def test_what_takes_less_or_hardly_longer_is_not(now: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(Fake(10.0), Fake(now)) == []
    assert "(again)" not in capsys.readouterr().out


def test_one_disturbed_look_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(Fake(10.0), Fake(*[20.0] * 5, 10.0)) == []
    assert "(again)" in capsys.readouterr().out


def test_a_disturbed_run_is_not_enough() -> None:
    assert compared(Fake(10.0), Fake(10.0, 30.0, 30.0, 10.0)) == []


def test_everything_is_measured_that_the_table_has_of_the_library() -> None:
    names = [each.what for each in regress.everything(list(regress.GROUPS))]
    assert len(names) == len(set(names))
    for name in ("mixed, handler, one event a chunk", "parts, on_message_delta, at 100", "first patch()"):
        assert name in names


def test_the_library_of_a_commit_is_measured_beside_the_working_tree(tmp_path: Path) -> None:
    asked = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(asked, cwd=regress.HOME, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no clone of the repository")
    folder = regress.checked_out(done.stdout.strip(), tmp_path)
    with regress.python_of(folder) as before, regress.python_of(regress.HOME) as now:
        assert before.library.is_relative_to(folder)
        assert now.library.is_relative_to(regress.HOME)
        for python in (before, now):
            answer = python.measure("streaming", "text", "raw", whole=False, events=5, turns=1, who="ours")
            assert answer["ours"] > 0


def test_a_commit_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no-such-commit"):
        regress.checked_out("no-such-commit", tmp_path)


def test_a_folder_without_a_library_is_not_measured_by_another(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="expected the library of"):
        regress.python_of(regress.beside(tmp_path))
