"""The fakes speak the shapes that the openai package types, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.backend import fakes
from tests.loopback import Loopback

pydantic = pytest.importorskip("pydantic", minversion="2")
pytest.importorskip("openai.types.responses")
from openai.types.chat import ChatCompletionChunk  # noqa: E402 - after the check that it can be imported
from openai.types.responses import ResponseStreamEvent, ResponseUsage  # noqa: E402

newest_types = pytest.mark.skipif(
    "cache_write_tokens" not in ResponseUsage.model_fields["input_tokens_details"].annotation.model_fields,
    reason="the fakes follow newer types than this SDK has",
)


def unknown_members(value: Any, path: str = "") -> list[str]:
    if isinstance(value, pydantic.BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or ()]
        for name in type(value).model_fields:
            found += unknown_members(getattr(value, name), f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [name for item in value for name in unknown_members(item, path + "[]")]
    return []


@newest_types
@pytest.mark.parametrize("name", fakes.RESPONSES_SCRIPTS)
def test_responses_scripts_have_the_typed_shapes(name: str) -> None:
    adapter: Any = pydantic.TypeAdapter(ResponseStreamEvent)
    for event in fakes.RESPONSES_SCRIPTS[name]:
        typed = adapter.validate_json(json.dumps(event), strict=True)
        assert typed.type == event["type"]
        # The API sends a name here that the type of this event lacks.
        allowed = [".name"] if event["type"] == "response.function_call_arguments.done" else []
        assert unknown_members(typed) == allowed


@newest_types
@pytest.mark.parametrize("name", fakes.CHAT_SCRIPTS)
def test_chat_scripts_have_the_typed_shapes(name: str) -> None:
    for chunk in fakes.CHAT_SCRIPTS[name]:
        typed = ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
        assert unknown_members(typed) == []


@newest_types
def test_other_resources_have_the_typed_shapes() -> None:
    from openai.types import ContainerRetrieveResponse, FileObject, VectorStore
    from openai.types.vector_stores import VectorStoreFile

    for model, value in (
        (FileObject, fakes.file_object()),
        (ContainerRetrieveResponse, fakes.container()),
        (VectorStore, fakes.vector_store()),
        (VectorStoreFile, fakes.vector_store_file()),
    ):
        assert unknown_members(model.model_validate_json(json.dumps(value), strict=True)) == []


@pytest.mark.parametrize("name", fakes.RESPONSES_SCRIPTS)
def test_sequence_numbers_count_up(name: str) -> None:
    numbers = [event["sequence_number"] for event in fakes.RESPONSES_SCRIPTS[name]]
    assert numbers == list(range(len(numbers)))


def test_the_sdk_reads_the_fakes_on_a_socket() -> None:
    import openai

    with Loopback() as server:
        fakes.serve_responses(server, fakes.responses_text("Hi"), fakes.http_error(429))
        fakes.serve_chat(server, fakes.chat_text("Hi", "!"), fakes.chat_cut())
        with openai.OpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
            stream: Any = client.responses.create(model="gpt-4o", input="Hello", stream=True)
            assert [event.type for event in stream][-1] == "response.completed"
            with pytest.raises(openai.RateLimitError):
                client.responses.create(model="gpt-4o", input="Hello", stream=True)
            messages: Any = [{"role": "user", "content": "Hello"}]
            chunks: Any = client.chat.completions.create(model="m", messages=messages, stream=True)
            said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
            assert "".join(text or "" for text in said) == "Hi!"
            chunks = client.chat.completions.create(model="m", messages=messages, stream=True)
            with pytest.raises(Exception, match=r"peer closed|reset|Connection"):
                list(chunks)
