"""The self-retiring rule, on the SDK that is installed: what the SDK alone does wrong, the library repairs.

Whether a defect still shows on any release is a question for all of them: ``matrix.py`` answers it.
"""

from __future__ import annotations

import pytest

from streaming_assistants._patch import defects as library
from tests.conformance.defects import DEFECTS, behaviours
from tests.conformance.registry import load
from tests.conformance.runner import Outcome, Runner

SHOWN = behaviours(load())
LISTED = {
    entry.name
    for table in vars(library).values()
    if isinstance(table, tuple)
    for entry in table
    if isinstance(entry, library.Defect)
}


# Where the SDK alone waits for ever, this takes as long as the runner's patience, twice: 10 s.
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_this_sdk_is_repaired(defect: str, alone: Runner, patched: Runner) -> None:
    shown = [outcome for outcome in alone.run_all(SHOWN[defect]) if outcome.outcome == "failed"]
    if not shown:
        pytest.skip("this SDK does not show it")
    cases = {case.name: case for case in SHOWN[defect]}
    repaired = [patched.run(cases[outcome.case], outcome.colour) for outcome in shown]
    left = [outcome for outcome in repaired if outcome.outcome == "failed"]
    assert not left, "\n".join(_said(outcome) for outcome in left)


def _said(outcome: Outcome) -> str:
    return f"{outcome.case} [{outcome.colour}] {outcome.reason}"


@pytest.mark.parametrize("name", sorted(LISTED))
def test_every_defect_of_the_library_has_a_behaviour(name: str) -> None:
    assert name in SHOWN, f"the library repairs {name}, which no behaviour of this suite shows"
