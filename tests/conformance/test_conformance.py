"""Every behaviour, in every colour, of a patched client on the SDK that is installed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.conformance.registry import Case, load
from tests.conformance.runner import Runner

CASES = [
    pytest.param(case, colour, id=f"{case.name}-{colour}")
    for case in load().values()
    for colour in case.colours
]


@pytest.mark.parametrize(("case", "colour"), CASES)
def test_behaviour(case: Case, colour: str, patched: Runner) -> None:
    outcome = patched.run(case, colour)
    if outcome.outcome == "n/a":
        pytest.skip(outcome.reason)
    assert outcome.outcome == "passed", f"{case.sentence}\n{outcome.reason}\n{outcome.trace}"


def test_the_suite_is_complete() -> None:
    names = [case.name for case in load().values()]
    assert len(names) >= 98
    assert all(case.sentence.endswith(".") for case in load().values())


ROOT = Path(__file__).parents[2]


def imported(file: Path) -> set[str]:
    """The modules that a file imports, whole names."""
    found: set[str] = set()
    package = ".".join(file.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (package if node.level else "", node.module)))
            found |= {module, *(f"{module}.{each.name}" for each in node.names)}
    return found


def test_it_imports_nothing_but_an_sdk_and_what_asks_it() -> None:
    """So that it runs where nothing but an SDK is installed: without pytest, and without this library."""
    waiting = [
        path for path in Path(__file__).parent.rglob("*.py") if path.name[:5] not in ("test_", "conft")
    ]
    seen, strangers = set(waiting), set()
    while waiting:
        for name in imported(waiting.pop()):
            if name.partition(".")[0] == "tests":
                file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
                if file.is_file() and file not in seen:
                    seen.add(file)
                    waiting.append(file)
            else:
                strangers.add(name.partition(".")[0])
    assert {file.name for file in seen} >= {"objects.py", "samples.py", "framings.py", "recorder.py"}
    assert strangers - set(sys.stdlib_module_names) == {"openai", "pydantic"}
