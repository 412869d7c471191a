"""An upstream that has a name is known by it everywhere, from one table."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import openai
import pytest

import streaming_assistants
from streaming_assistants import patch
from streaming_assistants.backend import ContentDelta, Conversation, Finished, LocalBackend, Turn
from streaming_assistants.backend.upstreams import registry
from streaming_assistants.cli import main, server_check

_PACKAGE = Path(streaming_assistants.__file__).parent


def _parrot(turn: Turn) -> Conversation:
    yield ContentDelta({"index": 0, "type": "text", "text": {"value": "Pieces of eight"}})
    yield Finished()


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> str:
    """A new upstream: a module of its name, and its name in the list."""
    module = ModuleType("parrot")
    module.UPSTREAM = registry.BuiltIn(lambda: _parrot, path="/parrots")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streaming_assistants.backend.upstreams.parrot", module)
    monkeypatch.setattr(registry, "NAMES", (*registry.NAMES, "parrot"))
    return "parrot"


def test_a_new_upstream_answers_by_its_name(parrot: str) -> None:
    client = patch(openai.OpenAI(api_key="unused"), backend=parrot)  # type: ignore[call-overload]
    assistant = client.beta.assistants.create(model="gray")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What do you say?"}])
    run = client.beta.threads.runs.create_and_poll(assistant_id=assistant.id, thread_id=thread.id)
    assert run.status == "completed"
    said = client.beta.threads.messages.list(thread.id).data[0].content[0].text.value
    assert said == "Pieces of eight"


def test_a_new_upstream_is_named_where_the_others_are(
    parrot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="there are responses, chat, echo, parrot"):
        LocalBackend("dodo")
    with pytest.raises(SystemExit):
        main(["serve", "--upstream", "dodo"])
    assert "parrot" in capsys.readouterr().err
    assert "backend='parrot' on its /parrots" in server_check._of_upstreams()


def test_an_option_belongs_to_the_upstreams_that_take_it() -> None:
    LocalBackend("chat", context_window=8192).close()
    for upstream in ("responses", "echo", _parrot):
        with pytest.raises(
            ValueError, match=r'context_window= is for upstream="chat"; Chat\(context_window='
        ):
            LocalBackend(upstream, context_window=8192)


def test_nothing_else_lists_or_compares_the_names() -> None:
    """A list, a comparison or a Literal of names, outside the room of the upstreams, would be a second
    table."""
    found = []
    for file in _PACKAGE.rglob("*.py"):
        if file.parent.name == "upstreams":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.Compare, ast.List, ast.Tuple, ast.Set)):
                parts = [getattr(part, "value", None) for part in ast.iter_child_nodes(node)]
                found += [f"{file}:{node.lineno}" for part in parts if part in registry.NAMES]
    assert found == []
