"""A runner is a server and a process that imports the SDK: one of each kind does for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.runner import Runner


@pytest.fixture(scope="session")
def alone() -> Iterator[Runner]:
    """Asks the SDK by itself."""
    with Runner(patched=False) as started:
        yield started


@pytest.fixture(scope="session")
def patched() -> Iterator[Runner]:
    """Asks a client after ``patch()``."""
    with Runner(patched=True) as started:
        yield started
