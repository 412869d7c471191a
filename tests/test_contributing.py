"""What CONTRIBUTING.md says of how to add a thing, counted on things that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

import streaming_assistants
from streaming_assistants.backend.upstreams import registry

pytestmark = pytest.mark.any_sdk

PACKAGE = Path(streaming_assistants.__file__).parent
TESTS = Path(__file__).parent


def named_in(folder: Path, word: str) -> set[str]:
    """The modules below ``folder`` that hold the word."""
    modules = (path for path in folder.rglob("*.py") if word in path.read_text(encoding="utf-8"))
    return {path.relative_to(folder).as_posix() for path in modules}


@pytest.mark.parametrize(
    ("word", "modules"),
    [
        ("thread.run.step.expired", {"_protocol/models.py"}),
        ("on_image_file_done", {"_protocol/callbacks.py", "_protocol/message_notices.py"}),
        ("top_p", {"_resources/params.py", "backend/_engine/run_params.py", "backend/_engine/port.py"}),
    ],
)
def test_a_thing_is_named_in_three_modules_at_most(word: str, modules: set[str]) -> None:
    assert named_in(PACKAGE, word) == modules


def test_a_release_of_the_sdk_is_named_in_one() -> None:
    assert named_in(TESTS / "conformance", '"1.97.2"') == {"matrix.py"}


@pytest.mark.parametrize("name", registry.NAMES)
def test_an_upstream_is_a_module_and_a_name(name: str) -> None:
    imported = {f"from .{name} import", f"upstreams.{name} import", f"upstreams import {name}"}
    others = {module for words in imported for module in named_in(PACKAGE, words)}
    assert others <= {"backend/__init__.py", "cli/demo.py"}  # for Echo, which users import, too
    assert f'"{name}"' in (PACKAGE / "backend/upstreams/registry.py").read_text(encoding="utf-8")


def test_a_store_is_known_to_one_module() -> None:
    assert named_in(PACKAGE, "_store.database") == {"backend/_local.py"}


def test_no_two_files_have_one_name() -> None:
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []
