"""The bodies that both upstreams send fit the openai package's own parameter types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from streaming_assistants.backend._engine.port import Open, Turn
from streaming_assistants.backend.upstreams.chat import chat
from streaming_assistants.backend.upstreams.responses import responses
from tests.backend import fakes, talk
from tests.backend.driving import drive, turn

pydantic = pytest.importorskip("pydantic", minversion="2")
params: Any = pytest.importorskip("openai.types.responses.response_create_params")
from openai.types.chat import completion_create_params  # noqa: E402 - after the check above

newest_types = pytest.mark.skipif(
    not hasattr(params, "ContextManagement"), reason="the newest types know all that is sent; these do not"
)


def consumed(value: Any) -> Any:
    """Forces pydantic's lazy validation of Iterable members."""
    if isinstance(value, dict):
        return {name: consumed(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, Iterator)) or type(value).__name__ == "ValidatorIterator":
        return [consumed(member) for member in value]
    return value


def assert_fits(body: Any, kind: Any) -> None:
    assert body.keys() <= get_type_hints(kind).keys()
    assert consumed(pydantic.TypeAdapter(kind).validate_python(body)) == body


def rich(**values: Any) -> Turn:
    items = [
        talk.user("Look", talk.image_url("https://x/y.png", detail="low"), talk.image_file("file-1")),
        talk.assistant("A cat", {"type": "refusal", "refusal": "No."}),
        talk.user("Go"),
        talk.assistant("Let me see."),
        talk.tool_calls(talk.function_call("c1", "weather", "{}", "sunny"), talk.code_call("ci", "1+1")),
    ]
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    given: dict[str, Any] = {
        "instructions": "Be brief.",
        "tools": [talk.WEATHER, talk.function_tool("now", description="The time.", strict=True)],
        "tool_choice": {"type": "function", "function": {"name": "now"}},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.5,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "reasoning_effort": "low",
        "max_completion_tokens": 100,
    }
    return turn(*items, **{**given, **values})


STORES = {"file_search": {"vector_store_ids": ["vs_1"]}, "code_interpreter": {"file_ids": ["file-2"]}}
RANKED = {"ranking_options": {"ranker": "auto", "score_threshold": 0.5}, "max_num_results": 3}


@newest_types
@pytest.mark.parametrize(
    "given",
    [
        turn(),
        rich(),
        rich(
            tools=[{**talk.FILE_SEARCH, "file_search": RANKED}, talk.CODE_INTERPRETER],
            tool_choice={"type": "file_search"},
            assistant_tool_resources=STORES,
        ),
        rich(response_format={"type": "json_object"}, instructions="In JSON.", tool_choice="required"),
    ],
)
def test_responses_bodies(given: Turn) -> None:
    body = drive(responses(given), fakes.responses_text()).body
    assert_fits(body, params.ResponseCreateParamsStreaming)


@newest_types
def test_what_was_kept_is_input_that_the_types_know() -> None:
    script = fakes.ResponseScript().code("1+1", outputs=[{"type": "logs", "logs": "2"}]).reasoning()
    script.file_search([fakes.search_result()]).reasoning().call("weather", "{}")
    kept = drive(responses(turn()), script.completed()).noted[-1]
    assert len(kept.value["items"]) == 5
    step = talk.tool_calls(talk.function_call("call_1", "weather", "{}", "sunny"), kept=kept.value)
    body = drive(responses(turn(talk.user("Go"), step)), fakes.responses_text()).body
    assert body["input"][1:6] == kept.value["items"]
    assert_fits(body, params.ResponseCreateParamsStreaming)


@newest_types
@pytest.mark.parametrize("given", [turn(), rich(), rich(tool_choice="required", response_format="auto")])
def test_chat_bodies(given: Turn) -> None:
    done = drive(chat(given), fakes.chat_text(), [fakes.PNG] if given.items[1:] else [])
    assert isinstance(done.asked[-1], Open)
    assert_fits(done.body, completion_create_params.CompletionCreateParamsStreaming)
