"""The engine owns the ports that a store and an upstream fill, and knows neither: by what it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import streaming_assistants
from streaming_assistants import backend

pytestmark = pytest.mark.any_sdk

PACKAGE = Path(streaming_assistants.__file__).parent
BACKEND = Path(backend.__file__).parent


def imported(file: Path) -> Iterator[str]:
    """The modules and names that a file imports wherever it does, by their full names."""
    parts = ("streaming_assistants", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{each.name}" for each in node.names)


def reached(start: Path) -> dict[str, str]:
    """What a file imports, and the files of the backend that it imports do, each with who imports it."""
    found: dict[str, str] = {}
    waiting, seen = [start], {start}
    while waiting:
        file = waiting.pop()
        for name in imported(file):
            found.setdefault(name, str(file.relative_to(PACKAGE)))
            tail = name.split(".")[1:] if name.startswith("streaming_assistants.") else []
            for path in (PACKAGE.joinpath(*tail), PACKAGE.joinpath(*tail[:-1])):
                module = path.with_suffix(".py")
                if tail and module.is_file() and module not in seen:
                    seen.add(module)
                    waiting.append(module)
    return found


def of(room: str) -> list[Path]:
    return sorted((BACKEND / room).glob("*.py"))


ROOMS = "streaming_assistants.backend."
IMPLEMENTATIONS = (ROOMS + "_store", ROOMS + "upstreams", "sqlalchemy")
SHELLS = (ROOMS + "_http", ROOMS + "_jobs", ROOMS + "_hook", ROOMS + "_local", ROOMS + "_serve")
CLIENTS = ("openai", "httpx", "httpx2", "anyio", "streaming_assistants._sdk", "streaming_assistants._io")


def strangers(file: Path, unknown: tuple[str, ...]) -> list[str]:
    return sorted(
        f"{by} imports {name}"
        for name, by in reached(file).items()
        if any(name == each or name.startswith(each + ".") for each in unknown)
    )


@pytest.mark.parametrize("file", of("_engine"), ids=lambda file: file.stem)
def test_the_engine_knows_no_store_no_upstream_and_no_client(file: Path) -> None:
    assert strangers(file, IMPLEMENTATIONS + SHELLS + CLIENTS) == []


@pytest.mark.parametrize("file", of("_http"), ids=lambda file: file.stem)
def test_the_endpoints_know_the_ports_alone(file: Path) -> None:
    assert strangers(file, IMPLEMENTATIONS) == []


@pytest.mark.parametrize("file", of("_jobs"), ids=lambda file: file.stem)
def test_the_jobs_know_the_ports_alone(file: Path) -> None:
    assert strangers(file, IMPLEMENTATIONS) == []


def test_the_way_of_looking_sees_an_import_where_there_is_one() -> None:
    assert strangers(BACKEND / "_store" / "database.py", ("sqlalchemy",))
    assert strangers(BACKEND / "_local.py", (ROOMS + "upstreams",))
