"""Every block of Python in the README and in docs/ runs; blocks of one page share their names, as read.

A block that cannot run here is marked on the line above its fence: ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .clients import no_warnings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
if not PAGES[0].exists():  # the tests of a wheel are run away from the source tree
    PAGES = []

_BLOCK = re.compile(
    r"(?P<above>^[^\n]*\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
_GENERATED = "compatibility.md"  # by `nox -s matrix`
_NOT_RUN = re.compile(r"<!-- not run: .{5,} -->")


class Block(NamedTuple):
    line: int
    code: str


def blocks(text: str) -> list[Block]:
    """The Python blocks of a page that are to be run."""
    found = []
    for match in _BLOCK.finditer(text):
        if match["language"] == "python" and not _NOT_RUN.search(match["above"] or ""):
            line = text.count("\n", 0, match.start("code")) + 1
            found.append(Block(line, textwrap.dedent(match["code"])))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sqlalchemy", reason="the echo backend needs streaming_assistants[backend]")
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.chdir(tmp_path)  # stores in files
    names: dict[str, Any] = {"__name__": page.stem}
    with no_warnings():
        for block in blocks(page.read_text(encoding="utf-8")):
            # Blank lines first, so that a traceback has the page's own line numbers.
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
            exec(code, names)
        for name, value in list(names.items()):
            if name.startswith("test_"):  # a page may show a test
                value()


@pytest.mark.skipif(not PAGES, reason="the pages are not here")
def test_the_loop_of_the_migration_page_is_what_type_checkers_see() -> None:
    checked = (Path(__file__).parent / "typing" / "migration.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    (loop,) = [block.code for block in blocks(page) if 'while run.status not in ("generating"' in block.code]
    assert checked.endswith("\n\n" + loop)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.endswith(_GENERATED):
            assert (page.parent / target).exists(), target


def test_blocks_are_found_and_marks_are_read() -> None:
    fence = "```"
    page = f"a\n{fence}python\none\n{fence}\n"
    page += f"<!-- not run: needs a key -->\n{fence}python\ntwo\n{fence}\n"
    page += f"\n   {fence}python\n   three\n   {fence}\n"
    assert blocks(page) == [Block(3, "one\n"), Block(11, "three\n")]
    assert blocks("```sh\nls\n```\n") == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert blocks("") == []


INSTALLS = re.compile(r"pip (?:install|wheel)[^`\n&]*")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_installs_the_other_library_of_this_name(page: Path) -> None:
    """The index has 0.19 by other authors: a wheel, a checkout or a lower bound keeps that one out."""
    text = page.read_text(encoding="utf-8")
    for command in INSTALLS.findall(text):
        if "streaming_assistants" in command and "plain `" + command not in text:
            assert re.search(r"\.whl|checkout|streaming_assistants(\[\w+\])?>=1", command), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_at_its_top_what_its_blocks_need(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    runs = [block for block in blocks(text) if "backend=" in block.code]
    if runs:
        # The first thing that a reader can run comes with what it needs.
        assert "extra `[backend]`" in text
        assert text.index("extra `[backend]`") < text.index(runs[-1].code.splitlines()[-1].strip())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_says_what_it_needs(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    extra = "serve" if '"serve"' in text else "backend" if "backend" in text else None
    assert extra is None or f"Needs the extra [{extra}]." in text.split('"""')[1]


def test_what_is_imported_is_declared() -> None:
    package = ROOT / "streaming_assistants"
    declared = ROOT / "pyproject.toml"
    if not declared.exists() or not package.exists():
        pytest.skip("away from the source tree")
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    names = re.findall(r'"([A-Za-z_-]+)[\[>=]', declared.read_text(encoding="utf-8"))
    known = (
        {name.lower().replace("-", "_") for name in names}
        | set(sys.stdlib_module_names)
        | {"streaming_assistants"}
    )
    # trio is asked for only where it is the loop that runs, pydantic_core is a part of pydantic 2, and
    # opentelemetry is where both opentelemetry-api and opentelemetry-sdk are.
    assert found - known <= {"trio", "pydantic_core", "opentelemetry"}
