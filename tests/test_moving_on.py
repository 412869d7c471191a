"""Each call on docs/moving-on.md that is not run there is one of the SDK's, with its parameters."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from .loopback import Loopback, Reply
from .test_docs import _BLOCK, ROOT

PAGE = ROOT / "docs" / "moving-on.md"
pytestmark = [
    pytest.mark.any_sdk,
    pytest.mark.skipif(not PAGE.exists(), reason="the pages are not here"),
    pytest.mark.skipif(not hasattr(openai.OpenAI, "conversations"), reason="this SDK knows no conversations"),
]


def not_run() -> list[str]:
    """The blocks of the page that ask OpenAI."""
    found = _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))
    return [match["code"] for match in found if "not run" in (match["above"] or "")]


def calls() -> Iterator[tuple[str, list[str]]]:
    """What is called of ``client``, each with the names of its arguments."""
    for code in not_run():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and re.fullmatch(r"client(\.\w+)+", ast.unparse(node.func)):
                yield ast.unparse(node.func), [each.arg for each in node.keywords if each.arg is not None]


def test_the_sdk_has_each_call_and_its_parameters() -> None:
    known = list(calls())
    assert len(known) >= 8
    client: Any = openai.OpenAI(api_key="unused")
    if not hasattr(client.beta, "agents"):
        pytest.skip("this SDK knows no agents")
    for path, names in known:
        method = client
        for name in path.split(".")[1:]:
            method = getattr(method, name)
        assert set(names) <= set(inspect.signature(method).parameters), path
    client.close()


def events(*each: dict[str, Any]) -> Reply:
    return Reply.sse([f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in each])


def test_the_program_on_responses_runs(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather",
            "arguments": '{"city": "Rome"}'}  # fmt: skip
    said = {"type": "response.output_text.delta", "delta": "Rain.", "item_id": "m", "output_index": 0,
            "content_index": 0, "sequence_number": 1, "logprobs": []}  # fmt: skip
    done = {"type": "response.output_item.done", "item": call, "output_index": 0, "sequence_number": 1}
    server.on("POST", "/responses", events(done), events(said))
    server.on("GET", "/conversations/conv_1/items", Reply.json({"object": "list", "data": []}))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-tests")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "assistants.json").write_text('{"asst_1": {"model": "gpt-5.5"}}')
    (tmp_path / "moved" / "ids.csv").write_text("kind,old,new\nthread,thread_1,conv_1\n")
    names: dict[str, Any] = {"get_weather": lambda city: f"It rains in {city}."}
    exec(not_run()[0], names)
    assert names["ask"]("thread_1", "asst_1", "Rome?") == "Rain."
    first, second = (json.loads(request.body) for request in server.requests if request.method == "POST")
    assert (first["model"], first["conversation"]) == ("gpt-5.5", "conv_1")
    output = {"type": "function_call_output", "call_id": "call_1", "output": "It rains in Rome."}
    assert second["input"] == [output]
    names["client"].close()
