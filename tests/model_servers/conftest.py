"""The matrix needs real servers, which ``nox -s servers`` makes ready; without them nothing is collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.backend.conftest import make_api, new_store
from tests.model_servers.servers import FOLDER, Server, running

__all__ = ["make_api", "new_store"]

collect_ignore = [] if FOLDER.is_dir() else ["test_matrix.py"]

CELLS: dict[tuple[str, str], str] = {}  # (row, server and upstream): what was seen
TARGETS = [
    ("llama.cpp", "chat"),
    ("llama.cpp", "responses"),
    ("transformers", "chat"),
    ("transformers", "responses"),
    ("litellm", "chat"),
    ("litellm", "responses"),
    ("llama-cpp-python", "chat"),
]


def _expected() -> Iterator[tuple[tuple[str, str, str], str]]:
    llama_cpp, transformers, litellm = (
        [(name, upstream) for upstream in ("chat", "responses")]
        for name in ("llama.cpp", "transformers", "litellm")
    )
    python = [("llama-cpp-python", "chat")]
    words = {
        "thoughts": {"in the text": python},
        "usage": {"estimated": python},
        "calls": {"as text": python},
        "text_and_call": {"as text": python},
        "parallel": {"as text": python},
        "outputs": {"of a forced call": python},
        "forced": {"ignored": [*llama_cpp, *transformers, *litellm]},
        "required": {"ignored": [*transformers, *python]},
        "schema": {"ignored": [llama_cpp[1], *transformers], "refused": python},
        "image": {"refused": [*llama_cpp, *litellm], "ignored": [*transformers, *python]},
        "unknown_model": {"refused": [*transformers, *litellm], "ignored": [*llama_cpp, *python]},
    }
    for row, found in words.items():
        for word, targets in found.items():
            yield from (((row, *target), word) for target in targets)


EXPECTED = dict(_expected())
"""What is not "yes", by row, server and upstream."""


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    with running() as started:
        yield started


@pytest.fixture(params=TARGETS, ids=lambda target: "-".join(target))
def target(request: pytest.FixtureRequest) -> tuple[str, str]:
    name, upstream = request.param
    return str(name), str(upstream)


@pytest.fixture
def server(servers: dict[str, Server], target: tuple[str, str]) -> Server:
    found = servers[target[0]]
    found.start()
    return found


@pytest.fixture
def seen(request: pytest.FixtureRequest, target: tuple[str, str]) -> Callable[[str], None]:
    """Notes for the table at the end what a server makes of the test's row, which must be as expected."""
    row = request.node.originalname.removeprefix("test_")

    def note(word: str) -> None:
        CELLS[row, " ".join(target)] = word
        assert word == EXPECTED.get((row, *target), "yes")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CELLS:
        columns = [" ".join(target) for target in TARGETS]
        terminalreporter.write_line("| | " + " | ".join(columns) + " |")
        for row in dict.fromkeys(row for row, _ in CELLS):
            words = [CELLS.get((row, column), "") for column in columns]
            terminalreporter.write_line(f"| {row.replace('_', ' ')} | " + " | ".join(words) + " |")
