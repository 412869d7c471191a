"""A few of the runs of ``python -m tests.backend.killing``, which kills workers at random moments."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from .databases import Postgres
from .killing import KINDS, killed

pytestmark = [
    pytest.mark.any_sdk,
    pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there"),
]


# Its processes begin, die and begin again, and runs wait for a lease that is over.
def test_no_run_is_lost_whoever_is_killed(postgres: Postgres) -> None:
    runs = killed(postgres.url, runs=8, lease=1.0, every=0.4, clients=8, servers=2, workers=0, reads=False)
    assert Counter(run.kind for run in runs) == dict.fromkeys(KINDS, 2)
