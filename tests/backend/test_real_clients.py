"""Code as people wrote it for the hosted API, unmodified, on ``patch(client, backend="echo")``.

Each class of tests follows one source: the SDK's README and helpers.md, the function calling guide, the
polling loops of the first months, the cookbook's helpers, and LangChain's ``OpenAIAssistantRunnable``.
Sync and async code are written out separately, as their users had to.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import openai
import pytest

from streaming_assistants import AssistantEventHandler, AsyncAssistantEventHandler, patch
from streaming_assistants.backend import LocalBackend

from .balancer import Balancer
from .conftest import WEATHER

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:.*(deprecated|Assistants API):DeprecationWarning"),
]

TEMPERATURE = {
    "type": "function",
    "function": {
        "name": "get_current_temperature",
        "description": "Get the current temperature for a specific location",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["location", "unit"],
        },
    },
}
RAIN = {
    "type": "function",
    "function": {
        "name": "get_rain_probability",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
QUESTION = (
    'get_current_temperature {"location": "San Francisco", "unit": "F"}\n'
    'get_rain_probability {"location": "San Francisco"}'
)
# The handlers of the SDK where it has them: that is what the code of its time imports.
Handler: Any = getattr(openai, "AssistantEventHandler", AssistantEventHandler)
AsyncHandler: Any = getattr(openai, "AsyncAssistantEventHandler", AsyncAssistantEventHandler)


@pytest.fixture
def client(balancer: Balancer | None) -> Iterator[Any]:
    if balancer is not None:
        with openai.OpenAI(api_key="unused", base_url=balancer.url) as made:
            yield patch(made)
        return
    with openai.OpenAI(api_key="unused") as made:
        with LocalBackend("echo") as backend:
            yield patch(made, backend=backend)


@pytest.fixture
async def aclient(balancer: Balancer | None) -> AsyncIterator[Any]:
    if balancer is not None:
        async with openai.AsyncOpenAI(api_key="unused", base_url=balancer.url) as made:
            yield patch(made)
        return
    backend = LocalBackend("echo")
    async with openai.AsyncOpenAI(api_key="unused") as made:
        yield patch(made, backend=backend)
    await backend.aclose()


def outputs_for(run: Any) -> list[Any]:
    """The dispatch on function names that every guide shows."""
    outputs = []
    for tool in run.required_action.submit_tool_outputs.tool_calls:
        arguments = json.loads(tool.function.arguments)
        if tool.function.name == "get_current_temperature":
            outputs.append({"tool_call_id": tool.id, "output": "57 in " + arguments["location"]})
        elif tool.function.name == "get_rain_probability":
            outputs.append({"tool_call_id": tool.id, "output": "0.06"})
    return outputs


def needs(client: Any, method: str) -> Any:
    """The method of ``beta.threads.runs``; skips where neither the SDK nor the library has it."""
    found = getattr(client.beta.threads.runs, method, None)
    return found if found is not None else pytest.skip(f"there is no runs.{method}()")


# The SDK's README and helpers.md.


def test_quickstart_with_a_handler(client: Any) -> None:
    said: list[str] = []

    class EventHandler(Handler):  # type: ignore[misc]
        def on_text_created(self, text: Any) -> None:
            said.append("assistant > ")

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            said.append(delta.value)
            assert snapshot.value.endswith(delta.value)

        def on_tool_call_created(self, tool_call: Any) -> None:
            said.append(f"{tool_call.type} > ")

    assistant = client.beta.assistants.create(
        name="Math Tutor", instructions="You are a personal math tutor.", model="gpt-4o"
    )
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(
        thread_id=thread.id, role="user", content="I need to solve the equation `3x + 11 = 14`."
    )
    with client.beta.threads.runs.stream(
        thread_id=thread.id,
        assistant_id=assistant.id,
        instructions="Please address the user as Jane Doe.",
        event_handler=EventHandler(),
    ) as stream:
        stream.until_done()
    assert "".join(said) == "assistant > I need to solve the equation `3x + 11 = 14`."
    assert stream.get_final_run().status == "completed"


async def test_quickstart_with_an_async_handler(aclient: Any) -> None:
    said: list[str] = []

    class EventHandler(AsyncHandler):  # type: ignore[misc]
        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            said.append(delta.value)

    assistant = await aclient.beta.assistants.create(instructions="Help.", model="gpt-4o")
    thread = await aclient.beta.threads.create(messages=[{"role": "user", "content": "What is 1 + 1?"}])
    async with aclient.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=EventHandler()
    ) as stream:
        await stream.until_done()
    assert "".join(said) == "What is 1 + 1?"


def test_iterating_events_text_and_final_objects(client: Any) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "count with me"}])
    ask = {"thread_id": thread.id, "assistant_id": assistant.id}
    with client.beta.threads.runs.stream(**ask) as stream:
        text = ""
        for event in stream:
            if event.event == "thread.message.delta" and event.data.delta.content:
                text += event.data.delta.content[0].text.value
    assert text == "count with me"
    with client.beta.threads.runs.stream(**ask) as stream:
        assert "".join(stream.text_deltas) == "count with me"
        (message,) = stream.get_final_messages()
        (step,) = stream.get_final_run_steps()
    assert step.step_details.message_creation.message_id == message.id
    assert step.status == message.status == "completed"


def test_a_thread_and_a_run_in_one_request(client: Any) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = {"messages": [{"role": "user", "content": "both at once"}]}
    with client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
        names = [event.event for event in stream]
    assert (names[0], names[-1]) == ("thread.created", "thread.run.completed")


# The function calling guide: the handler submits the outputs of its own run, within its own stream.


def test_a_handler_that_submits_inside_on_event(client: Any) -> None:
    said: list[str] = []

    class EventHandler(Handler):  # type: ignore[misc]
        def on_event(self, event: Any) -> None:
            if event.event == "thread.run.requires_action":
                self.handle_requires_action(event.data, event.data.id)

        def handle_requires_action(self, data: Any, run_id: str) -> None:
            outputs = outputs_for(data)
            assert self.current_run.id == run_id
            with client.beta.threads.runs.submit_tool_outputs_stream(
                thread_id=self.current_run.thread_id,
                run_id=self.current_run.id,
                tool_outputs=outputs,
                event_handler=EventHandler(),
            ) as stream:
                said.extend(stream.text_deltas)

    assistant = client.beta.assistants.create(model="gpt-4o", tools=[TEMPERATURE, RAIN])
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread_id=thread.id, role="user", content=QUESTION)
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=EventHandler()
    ) as stream:
        stream.until_done()
    assert "".join(said) == "57 in San Francisco\n0.06"
    (run,) = client.beta.threads.runs.list(thread.id).data
    assert run.status == "completed"


async def test_an_async_handler_that_submits_inside_on_event(aclient: Any) -> None:
    said: list[str] = []

    class EventHandler(AsyncHandler):  # type: ignore[misc]
        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            said.append(delta.value)

        async def on_event(self, event: Any) -> None:
            if event.event == "thread.run.requires_action":
                async with aclient.beta.threads.runs.submit_tool_outputs_stream(
                    thread_id=event.data.thread_id,
                    run_id=event.data.id,
                    tool_outputs=outputs_for(event.data),
                    event_handler=EventHandler(),
                ) as stream:
                    await stream.until_done()

    assistant = await aclient.beta.assistants.create(model="gpt-4o", tools=[TEMPERATURE, RAIN])
    thread = await aclient.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    async with aclient.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=EventHandler()
    ) as stream:
        await stream.until_done()
    assert "".join(said) == "57 in San Francisco\n0.06"


def test_a_raw_stream_whose_consumer_submits_and_reads_on(client: Any) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[TEMPERATURE, RAIN])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    texts: list[str] = []

    def consume(stream: Any) -> None:
        for event in stream:
            if event.event == "thread.message.delta":
                texts.append(event.data.delta.content[0].text.value)
            elif event.event == "thread.run.requires_action":
                run = event.data
                consume(
                    client.beta.threads.runs.submit_tool_outputs(
                        run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run), stream=True
                    )
                )

    consume(client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True))
    assert "".join(texts) == "57 in San Francisco\n0.06"


# The polling helpers.


def test_create_and_poll_with_tools(client: Any) -> None:
    create_and_poll = needs(client, "create_and_poll")
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[TEMPERATURE, RAIN])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    run = create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs_for(run)
    )
    assert run.status == "completed"
    newest = client.beta.threads.messages.list(thread_id=thread.id).data[0]
    assert newest.content[0].text.value == "57 in San Francisco\n0.06"


async def test_async_create_and_run_poll(aclient: Any) -> None:
    needs(aclient, "create_and_poll")
    assistant = await aclient.beta.assistants.create(model="gpt-4o")
    run = await aclient.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "poll me"}]}
    )
    assert run.status == "completed"
    page = await aclient.beta.threads.messages.list(thread_id=run.thread_id, run_id=run.id)
    assert [message.content[0].text.value for message in page.data] == ["poll me"]


# Loops as they were written before there were helpers, and the cookbook's.


def wait_on_run(client: Any, run: Any, thread: Any) -> Any:
    while run.status == "queued" or run.status == "in_progress":
        run = client.beta.threads.runs.retrieve(thread_id=thread.id, run_id=run.id)
        time.sleep(0.01)
    return run


def test_the_loop_of_the_first_months(client: Any) -> None:
    assistant = client.beta.assistants.create(model="gpt-4-1106-preview", tools=[TEMPERATURE, RAIN])
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(thread_id=thread.id, role="user", content=QUESTION)
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    rounds = 0
    while run.status not in ["completed", "failed", "cancelled", "expired"]:
        run = client.beta.threads.runs.retrieve(thread_id=thread.id, run_id=run.id)
        if run.status == "requires_action":
            rounds += 1
            assert run.required_action.type == "submit_tool_outputs"
            run = client.beta.threads.runs.submit_tool_outputs(
                thread_id=thread.id, run_id=run.id, tool_outputs=outputs_for(run)
            )
        time.sleep(0.01)
    assert (run.status, rounds, run.last_error) == ("completed", 1, None)
    new = client.beta.threads.messages.list(thread_id=thread.id, order="asc", after=message.id)
    assert [each.content[0].text.value for each in new.data] == ["57 in San Francisco\n0.06"]
    steps = client.beta.threads.runs.steps.list(thread_id=thread.id, run_id=run.id, order="asc")
    calls = steps.data[0].step_details.tool_calls
    assert [call.function.output for call in calls] == ["57 in San Francisco", "0.06"]
    assert json.loads(steps.data[0].model_dump_json())["step_details"]["type"] == "tool_calls"


def test_the_cookbook_s_helpers(client: Any) -> None:
    assistant = client.beta.assistants.create(name="Math Tutor", model="gpt-4o")
    threads_and_runs = []
    for question in ("I need to solve x.", "Could you explain linear algebra?", "I do not like math."):
        thread = client.beta.threads.create()
        client.beta.threads.messages.create(thread_id=thread.id, role="user", content=question)
        run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
        threads_and_runs.append((question, thread, run))
    for question, thread, run in threads_and_runs:
        assert wait_on_run(client, run, thread).status == "completed"
        messages = client.beta.threads.messages.list(thread_id=thread.id, order="asc")
        shown = [f"{message.role}: {message.content[0].text.value}" for message in messages]
        assert shown == [f"user: {question}", f"assistant: {question}"]
    assistant = client.beta.assistants.update(assistant.id, tools=[TEMPERATURE])
    assert assistant.tools[0].function.name == "get_current_temperature"
    assert client.beta.assistants.list(limit=20).data[0].id == assistant.id
    assert client.beta.threads.delete(threads_and_runs[0][1].id).deleted
    assert client.beta.assistants.delete(assistant.id).deleted
    with pytest.raises(openai.NotFoundError, match="No assistant found with id"):
        client.beta.assistants.retrieve(assistant.id)


async def test_an_async_loop_with_a_cancel(aclient: Any) -> None:
    assistant = await aclient.beta.assistants.create(model="gpt-4o")
    thread = await aclient.beta.threads.create(messages=[{"role": "user", "content": "echo:stall"}])
    run = await aclient.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    run = await aclient.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    with anyio.fail_after(20):
        while run.status in ("queued", "in_progress", "cancelling"):
            await anyio.sleep(0.01)
            run = await aclient.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    assert run.status == "cancelled"


# LangChain: session "clients" of noxfile.py brings it.


@pytest.fixture
def langchain() -> Any:
    return pytest.importorskip(
        "langchain_classic.agents.openai_assistant", reason="langchain-classic is not installed"
    )


def get_weather(city: str) -> str:
    """Says what the weather of a city is."""
    return f"sunny in {city}"


def test_langchain_text_and_a_second_turn(client: Any, langchain: Any) -> None:
    runnable = langchain.OpenAIAssistantRunnable.create_assistant(
        name="tutor",
        instructions="You are a personal math tutor.",
        tools=[WEATHER],
        model="gpt-4o",
        client=client,
        check_every_ms=10,
    )
    (message,) = runnable.invoke({"content": "What's 10 - 4 raised to the 2.7"})
    assert message.content[0].text.value == "What's 10 - 4 raised to the 2.7"
    (again,) = runnable.invoke({"content": "now add 17.241", "thread_id": message.thread_id})
    assert again.content[0].text.value == "now add 17.241"
    (call,) = runnable.invoke({"content": 'get_weather {"city": "Oslo"}'})
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})


def test_langchain_an_agent_executor_runs_the_tools(client: Any, langchain: Any) -> None:
    from langchain_classic.agents import AgentExecutor
    from langchain_core.tools import tool

    tools = [tool(get_weather)]
    agent = langchain.OpenAIAssistantRunnable.create_assistant(
        name="agent",
        instructions="Use tools.",
        tools=tools,
        model="gpt-4o",
        client=client,
        as_agent=True,
        check_every_ms=10,
    )
    executor = AgentExecutor(agent=agent, tools=tools)
    answer = executor.invoke({"content": 'get_weather {"city": "Oslo"}\nget_weather {"city": "Rome"}'})
    assert answer["output"] == "sunny in Oslo\nsunny in Rome"
    run = client.beta.threads.runs.retrieve(answer["run_id"], thread_id=answer["thread_id"])
    assert run.status == "completed"


def test_langchain_tools_by_hand(client: Any, langchain: Any) -> None:
    agent = langchain.OpenAIAssistantRunnable.create_assistant(
        name="agent",
        instructions="Use tools.",
        tools=[WEATHER],
        model="gpt-4o",
        client=client,
        as_agent=True,
        check_every_ms=10,
    )
    response = agent.invoke({"content": 'get_weather {"city": "Oslo"}'})
    assert [type(action).__name__ for action in response] == ["OpenAIAssistantAction"]
    (action,) = response
    outputs = [{"output": get_weather(**action.tool_input), "tool_call_id": action.tool_call_id}]
    response = agent.invoke({"tool_outputs": outputs, "run_id": action.run_id, "thread_id": action.thread_id})
    assert response.return_values["output"] == "sunny in Oslo"


async def test_langchain_async(langchain: Any) -> None:
    # Its async calls go through a second client: unless it is given one, it makes one with the same key.
    backend = LocalBackend("echo")
    client = patch(openai.OpenAI(api_key="unused"), backend=backend)
    aclient = patch(openai.AsyncOpenAI(api_key="unused"), backend=backend)
    agent = langchain.OpenAIAssistantRunnable.create_assistant(
        name="agent",
        instructions="Use tools.",
        tools=[WEATHER],
        model="gpt-4o",
        client=client,
        async_client=aclient,
        as_agent=True,
        check_every_ms=10,
    )
    (action,) = await agent.ainvoke({"content": 'get_weather {"city": "Oslo"}'})
    ids = {"run_id": action.run_id, "thread_id": action.thread_id}
    outputs = [{"output": get_weather(**action.tool_input), "tool_call_id": action.tool_call_id}]
    # LangChain walks the async page of messages with a plain `for`, which gives pydantic's fields: it
    # fails so with every server. The run itself has got through.
    with contextlib.suppress(AttributeError):
        answer = await agent.ainvoke({"tool_outputs": outputs, **ids})
        assert answer.return_values["output"] == "sunny in Oslo"
    run = await aclient.beta.threads.runs.retrieve(ids["run_id"], thread_id=ids["thread_id"])
    assert run.status == "completed"
    newest = await aclient.beta.threads.messages.list(ids["thread_id"], limit=1)
    assert newest.data[0].content[0].text.value == "sunny in Oslo"
    await backend.aclose()
    await aclient.close()
    client.close()


def test_langchain_with_the_client_that_it_makes_itself(
    langchain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that hands no client over: the class that LangChain instantiates makes patched ones."""

    class PatchedOpenAI(openai.OpenAI):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            patch(self, backend=backend)

    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setattr(openai, "OpenAI", PatchedOpenAI)
    with LocalBackend("echo") as backend:
        runnable = langchain.OpenAIAssistantRunnable.create_assistant(
            name="n", instructions="i", tools=[], model="m", check_every_ms=10
        )
        (message,) = runnable.invoke({"content": "who made you?"})
        assert message.content[0].text.value == "who made you?"
        runnable.client.close()
