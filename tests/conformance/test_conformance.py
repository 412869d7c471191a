"""Every behaviour, in every colour, of a patched client on the SDK that is installed."""

from __future__ import annotations

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
