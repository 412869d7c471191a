"""What the hosted API refused, in its words; ``strict=False`` takes what can be done all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.colours import done

from .conftest import JSON, WEATHER, Api, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_store]
MakeApi = Callable[..., Api]

SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
RETRIEVAL = {"type": "retrieval"}
V2 = {"default_headers": {"OpenAI-Beta": "assistants=v2"}}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.fixture(params=[True, False], ids=["strict", "lenient"])
def strict(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def api(make_api: MakeApi, strict: bool) -> Api:
    return make_api("echo", strict=strict, client=V2)


async def expect(
    api: Api, strict: bool, path: str, body: Any, *, message: str, param: str | None, code: str | None
) -> None:
    """The request is refused in these words, and answered where nobody is strict."""
    if not strict:
        assert "id" in await api.post(path, body)
        return
    error = await api.refused(path, body)
    assert error == {
        "status": 400,
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }


async def test_an_id_of_another_kind(api: Api, strict: bool) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("x")
    if strict:
        for method, path, name, value, prefix in (
            ("get", "/threads/asst_1", "thread_id", "asst_1", "thread"),
            ("get", f"/assistants/{thread_id}", "assistant_id", thread_id, "asst"),
            ("get", f"/threads/{thread_id}/messages/run_1", "message_id", "run_1", "msg"),
            ("get", f"/threads/{thread_id}/runs/msg_1", "run_id", "msg_1", "run"),
            ("get", f"/threads/{thread_id}/runs/run_1/steps/run_1", "step_id", "run_1", "step"),
            ("delete", "/threads/x", "thread_id", "x", "thread"),
        ):
            error = await api.refused(path, method=method)
            words = f"Invalid '{name}': '{value}'. Expected an ID that begins with '{prefix}'."
            assert (error["status"], error["message"]) == (400, words)
            assert (error["param"], error["code"]) == (name, "invalid_value")
        error = await api.refused(f"/threads/{thread_id}/runs", {"assistant_id": thread_id})
        words = f"Invalid 'assistant_id': '{thread_id}'. Expected an ID that begins with 'asst'."
        assert (error["status"], error["message"]) == (400, words)
        assert (error["param"], error["code"]) == ("assistant_id", "invalid_value")
    else:
        for path in ("/threads/asst_1", f"/assistants/{thread_id}"):
            assert (await api.refused(path, method="get"))["status"] == 404
        error = await api.refused(f"/threads/{thread_id}/runs", {"assistant_id": thread_id})
        assert error["message"] == f"No assistant found with id '{thread_id}'."
    assert (await api.get(f"/assistants/{assistant_id}"))["id"] == assistant_id


async def test_an_unknown_object_is_named_in_its_own_word(api: Api) -> None:
    run = await api.settled(await api.run("x"))
    thread = f"/threads/{run['thread_id']}"
    for path, kind, id in (
        ("/assistants/asst_0", "assistant", "asst_0"),
        ("/threads/thread_0", "thread", "thread_0"),
        (f"{thread}/messages/msg_0", "message", "msg_0"),
        (f"{thread}/runs/run_0", "run", "run_0"),
        (f"{thread}/runs/{run['id']}/steps/step_0", "run step", "step_0"),
    ):
        error = await api.refused(path, method="get")
        assert (error["status"], error["message"]) == (404, f"No {kind} found with id '{id}'.")
        assert error["type"] == "invalid_request_error"


UNKNOWN_TOOL = "Supported values are: 'code_interpreter', 'function', and 'file_search'."


async def test_a_tool_type_that_never_was(api: Api) -> None:
    error = await api.refused("/assistants", {"model": "m", "tools": [{"type": "telepathy"}]})
    assert (error["status"], error["message"]) == (400, f"Invalid value: 'telepathy'. {UNKNOWN_TOOL}")
    assert (error["param"], error["code"]) == ("tools[0].type", "invalid_value")


async def test_retrieval_went_with_v1(api: Api, strict: bool) -> None:
    message = f"Invalid value: 'retrieval'. {UNKNOWN_TOOL}"
    body = {"model": "m", "tools": [WEATHER, RETRIEVAL]}
    await expect(
        api, strict, "/assistants", body, message=message, param="tools[1].type", code="invalid_value"
    )
    old = {"options": {"headers": {"OpenAI-Beta": "assistants=v1"}}}
    assert await done(api.client.post("/assistants", cast_to=JSON, body=body, **old))


@pytest.mark.parametrize("hosted", ["code_interpreter", "file_search"])
async def test_json_schema_beside_hosted_tools(api: Api, strict: bool, hosted: str) -> None:
    message = (
        "Invalid tools: all tools must be of type `function` when `response_format` is of type `json_schema`."
    )
    both = {"tools": [WEATHER, {"type": hosted}], "response_format": SCHEMA}
    await expect(api, strict, "/assistants", {"model": "m", **both}, message=message, param=None, code=None)
    plain, schema = await api.assistant(), await api.assistant(response_format=SCHEMA)
    await expect(api, strict, f"/assistants/{plain}", both, message=message, param=None, code=None)
    body = {"assistant_id": schema, "tools": both["tools"]}
    path = f"/threads/{await api.thread('x')}/runs"
    await expect(api, strict, path, body, message=message, param=None, code=None)


async def test_long_content(api: Api) -> None:
    thread_id = await api.thread()
    error = await api.refused(f"/threads/{thread_id}/messages", user("x" * 256_001))
    assert error == {
        "status": 400,
        "message": "Invalid 'content': string too long. Expected a string with maximum length 256000, but "
        "got a string with length 256001 instead.",
        "type": "invalid_request_error",
        "param": "content",
        "code": "string_above_max_length",
    }


@pytest.mark.parametrize(
    "model", ["text-embedding-3-small", "o1-mini", "whisper-1", "gpt-4o-realtime-preview"]
)
async def test_a_model_it_never_served(api: Api, strict: bool, model: str) -> None:
    message = f"The requested model '{model}' cannot be used with the Assistants API."
    refused: Any = {"message": message, "param": "model", "code": "unsupported_model"}
    await expect(api, strict, "/assistants", {"model": model}, **refused)
    body = {"assistant_id": await api.assistant(), "model": model}
    await expect(api, strict, f"/threads/{await api.thread('x')}/runs", body, **refused)


async def test_a_model_that_is_mapped_is_taken(make_api: MakeApi) -> None:
    api = make_api("echo", models={"o1-mini": "gpt-5.5"})
    assert (await api.post("/assistants", {"model": "o1-mini"}))["model"] == "o1-mini"
    assert (await api.post("/assistants", {"model": "o1-minimal"}))["model"] == "o1-minimal"


async def test_a_function_whose_schema_is_no_object(api: Api, strict: bool) -> None:
    for schema, got in (({"type": "string"}, "string"), ({"properties": {}}, "None")):
        message = (
            "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got "
            f"'type: \"{got}\"'."
        )
        body = {"model": "m", "tools": [function("g", parameters={}), function("f", parameters=schema)]}
        await expect(
            api,
            strict,
            "/assistants",
            body,
            message=message,
            param="tools[1].function.parameters",
            code="invalid_function_parameters",
        )


async def test_two_functions_of_one_name(api: Api, strict: bool) -> None:
    body = {"model": "m", "tools": [function("f"), function("g"), function("f")]}
    message = "Function must have unique names."
    await expect(api, strict, "/assistants", body, message=message, param="tools", code=None)


@pytest.mark.parametrize(
    ("content", "where"),
    [("", "content"), ([], "content"), ([{"type": "text", "text": ""}], "content[0].text")],
)
async def test_an_empty_message(api: Api, strict: bool, content: Any, where: str) -> None:
    words: Any = {"message": "Message content must be non-empty.", "code": None}
    path = f"/threads/{await api.thread('x')}"
    await expect(api, strict, f"{path}/messages", user(content), param=where, **words)
    messages = [user("x"), user(content)]
    await expect(api, strict, "/threads", {"messages": messages}, param=f"messages[1].{where}", **words)
    body = {"assistant_id": await api.assistant(), "additional_messages": messages}
    await expect(api, strict, f"{path}/runs", body, param=f"additional_messages[1].{where}", **words)
    both = {"assistant_id": body["assistant_id"], "thread": {"messages": messages}}
    await expect(api, strict, "/threads/runs", both, param=f"thread.messages[1].{where}", **words)


async def test_an_image_of_another_type(api: Api, strict: bool) -> None:
    path = f"/threads/{await api.thread('x')}/messages"
    for url in ("data:image/png;base64,iVBO", "data:image/jpeg;base64,/9j/", "https://example.com/a.bmp"):
        assert (await api.post(path, user([image(url)])))["id"]
    await expect(
        api,
        strict,
        path,
        user([image("data:image/bmp;base64,Qk0=")]),
        message="You uploaded an unsupported image. Please make sure your image has of one the following "
        "formats: ['png', 'jpeg', 'gif', 'webp'].",
        param="content[0].image_url.url",
        code="invalid_image_format",
    )


async def test_last_messages_without_a_number(api: Api, strict: bool) -> None:
    name = "truncation_strategy.last_messages"
    body = {"assistant_id": await api.assistant(), "truncation_strategy": {"type": "last_messages"}}
    await expect(
        api,
        strict,
        f"/threads/{await api.thread('x')}/runs",
        body,
        message=f"Missing required parameter: '{name}'.",
        param=name,
        code="missing_required_parameter",
    )


async def test_a_busy_thread(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.run("echo:stall")
    thread_id = run["thread_id"]
    error = await api.refused(f"/threads/{thread_id}/messages", user("y"))
    words = f"Can't add messages to {thread_id} while a run {run['id']} is active."
    assert (error["status"], error["message"], error["param"], error["code"]) == (400, words, None, None)
    error = await api.refused(f"/threads/{thread_id}/runs", {"assistant_id": run["assistant_id"]})
    words = f"Thread {thread_id} already has an active run {run['id']}."
    assert (error["status"], error["message"], error["param"], error["code"]) == (400, words, None, None)


async def test_outputs_that_do_not_fit(make_api: MakeApi) -> None:
    api = make_api("echo")
    run = await api.settled(await api.run("get_weather {}\nget_weather {}"))
    a, b = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"

    def outputs(*ids: str) -> dict[str, Any]:
        return {"tool_outputs": [{"tool_call_id": id, "output": "x"} for id in ids]}

    for given in ([a], [a, "call_foreign"]):
        error = await api.refused(path, outputs(*given))
        words = f"Expected tool outputs for call_ids {[a, b]}, got {given}"
        assert (error["status"], error["message"]) == (400, words)
    await api.settled(await api.post(path, outputs(a, b)))
    error = await api.refused(path, outputs(a, b))
    assert error["message"] == 'Runs in status "completed" do not accept tool outputs.'
    error = await api.refused(path.replace("submit_tool_outputs", "cancel"))
    assert (error["status"], error["message"]) == (400, "Cannot cancel run with status 'completed'.")


async def test_ids_with_nul_are_unknown(make_api: MakeApi, shared: Any) -> None:
    api = make_api("echo", shared.url)
    nul = "\0"
    assistant_id, thread_id = await api.assistant(), await api.thread(f"Hello {nul} there")
    for path in ("/threads/thread_%00", "/assistants/asst_%00", f"/threads/{thread_id}/runs/run_%00"):
        assert (await api.refused(path, method="get"))["status"] == 404
    run = {"assistant_id": f"asst_{nul}"}
    assert (await api.refused(f"/threads/{thread_id}/runs", run))["status"] == 404
    messages = f"/threads/{thread_id}/messages"
    assert (await api.get(messages, run_id=f"run_{nul}"))["data"] == []
    with pytest.raises(openai.NotFoundError):
        await api.get(messages, after=f"msg_{nul}")
    ended = await api.settled(
        await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, "metadata": {"a": nul}})
    )
    assert (ended["status"], ended["metadata"]) == ("completed", {"a": nul})
    assert nul in text_of((await api.messages(thread_id))[0])


async def test_code_interpreter_takes_twenty_files(api: Api, strict: bool) -> None:
    def body(count: int) -> dict[str, Any]:
        files = [f"file-{number}" for number in range(count)]
        return {"model": "m", "tool_resources": {"code_interpreter": {"file_ids": files}}}

    if not strict:  # else the files have to be there
        assert (await api.post("/assistants", body(20)))["id"]
    for path in ("/assistants", "/threads"):
        error = await api.refused(
            path, body(21) if path == "/assistants" else {"tool_resources": body(21)["tool_resources"]}
        )
        assert (error["status"], error["code"]) == (400, "array_above_max_length")
        assert error["param"] == "tool_resources.code_interpreter.file_ids"
