"""What a type checker must accept of a patched client. Checked by mypy --strict and pyright, never run."""

from __future__ import annotations

import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI, Stream
from openai.types.beta import AssistantStreamEvent, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
from typing_extensions import assert_type

from streaming_assistants import (
    AssistantEventHandler,
    AsyncAssistantEventHandler,
    FunctionTool,
    PollTimeoutError,
    RunFailedError,
    ToolError,
    UnknownEvent,
    capabilities,
    function_tool,
    patch,
    unpatch,
)
from streaming_assistants._io.message_streams import AsyncMessageStream, MessageStream
from streaming_assistants._io.streams import AsyncEventStream, EventStream
from streaming_assistants.types import MessageChunk


class Mine(AssistantEventHandler):
    def on_event(self, event: AssistantStreamEvent) -> None:
        if isinstance(event, UnknownEvent):
            str(event.data)

    def on_end(self) -> None: ...


class AsyncMine(AsyncAssistantEventHandler):
    async def on_end(self) -> None: ...


@function_tool
def get_weather(city: str, days: int = 1) -> str:
    return city * days


@function_tool(name="later", strict=True)
async def wait(seconds: float) -> None: ...


class Station:
    @function_tool
    def measure(self, city: str) -> int:
        return len(city)


def excuse(error: ToolError) -> str | None:
    return error.tool_name if error.stage == "execution" else None


def tools(made: OpenAI) -> None:
    assert_type(get_weather("Rome", days=2), str)
    assert_type(Station().measure("Rome"), int)
    tool: FunctionTool[[str], int] = Station().measure
    client = patch(made)
    defined = [get_weather.definition, tool.definition]
    client.beta.assistants.create(model="m", tools=[get_weather.definition, {"type": "file_search"}])
    client.beta.assistants.update("asst_1", tools=defined)
    client.beta.threads.runs.create("t", assistant_id="a", tools=defined)
    runs = client.beta.threads.runs
    with runs.stream(
        thread_id="t", assistant_id="a", tool_handlers=[get_weather, tool], on_tool_error=excuse, max_rounds=3
    ) as stream:
        for output in stream.tool_outputs:
            assert_type(output["tool_call_id"], str)
    events = runs.create(
        "t", assistant_id="a", stream=True, tool_handlers={"f": lambda said: said}, tool_timeout=1
    )
    as_a_stream: Stream[AssistantStreamEvent] = events
    list(as_a_stream)
    assert_type(len(events.tool_outputs), int)
    runs.submit_tool_outputs("r", thread_id="t", tool_outputs=[], stream=True, tool_handlers=[get_weather])
    client.beta.threads.create_and_run(assistant_id="a", stream=True, tool_handlers=[get_weather])
    client.beta.threads.create_and_run_stream(assistant_id="a", tool_handlers=[get_weather])
    show(runs.create_and_poll(thread_id="t", assistant_id="a", tool_handlers=[get_weather]))
    assert_type(runs.create_and_poll(thread_id="t", assistant_id="a", tool_handlers=None), Run)
    handled = runs.poll("r", "t", tool_handlers=[get_weather], on_tool_error=excuse, max_wait_seconds=5)
    rest = [*handled.tool_outputs, *stream.tool_outputs, *events.tool_outputs]
    runs.submit_tool_outputs("r", thread_id="t", tool_outputs=[*rest, {"tool_call_id": "c", "output": "1"}])
    handled = runs.submit_tool_outputs_and_poll(
        thread_id="t", run_id="r", tool_outputs=rest, tool_handlers={"get": get_weather, "measure": tool}
    )
    handled = client.beta.threads.create_and_run_poll(assistant_id="a", tool_handlers=[get_weather])
    assert_type(handled.tool_outputs[0]["output"], str)
    with runs.create_and_stream(thread_id="t", assistant_id="a", tool_handlers=[get_weather]) as stream:
        assert_type(stream, AssistantEventHandler)
    with runs.submit_tool_outputs_stream(
        thread_id="t", run_id="r", tool_outputs=rest, tool_handlers=[get_weather], tool_timeout=2.5
    ) as stream:
        stream.until_done()


def maybe(made: OpenAI, some: list[FunctionTool[[str, int], str]] | None) -> None:
    """Handlers that there may be."""
    runs = patch(made).beta.threads.runs
    run: Run = runs.create_and_poll(thread_id="t", assistant_id="a", tool_handlers=some)
    with runs.stream(thread_id="t", assistant_id="a", tool_handlers=some):
        str(run)


async def tools_async(made: AsyncOpenAI) -> None:
    assert_type(await wait(seconds=1.0), None)
    runs = patch(made).beta.threads.runs
    async with runs.stream(thread_id="t", assistant_id="a", tool_handlers=[get_weather, wait]) as stream:
        assert_type(len(stream.tool_outputs), int)
    handled = await runs.poll("r", "t", tool_handlers=[wait], max_concurrent_calls=2)
    handled = await runs.create_and_poll(thread_id="t", assistant_id="a", tool_handlers=[wait])
    handled = await runs.submit_tool_outputs_and_poll(
        thread_id="t", run_id="r", tool_outputs=handled.tool_outputs, tool_handlers=[wait]
    )
    assert_type(handled.tool_outputs[0]["tool_call_id"], str)
    threads = patch(made).beta.threads
    handled = await threads.create_and_run_poll(assistant_id="a", tool_handlers=[wait, get_weather])
    async with runs.create_and_stream(thread_id="t", assistant_id="a", tool_handlers=[wait]):
        pass
    async with threads.create_and_run_stream(assistant_id="a", tool_handlers=[wait], max_rounds=3):
        pass
    async with runs.submit_tool_outputs_stream(
        thread_id="t", run_id="r", tool_outputs=[], tool_handlers=[wait]
    ):
        pass
    await runs.create("t", assistant_id="a", stream=True, tool_handlers=[wait])
    await runs.submit_tool_outputs("r", thread_id="t", tool_outputs=[], stream=True, tool_handlers=[wait])
    await threads.create_and_run(assistant_id="a", stream=True, tool_handlers=[wait])


def handle(handler: openai.AssistantEventHandler) -> None: ...


def handle_async(handler: openai.AsyncAssistantEventHandler) -> None: ...


def show(run: Run) -> None: ...


async def show_later(run: Run) -> None: ...


def sync(made: OpenAI) -> None:
    client = patch(made)
    as_before: OpenAI = client
    threads = client.beta.threads
    parts = threads.messages.list("thread_1", stream=True, run_id="run_1", max_wait_seconds=30)
    assert_type(parts, MessageStream[MessageChunk])
    as_a_stream: Stream[MessageChunk] = parts
    for part in as_a_stream:
        assert_type(part.data[0].content[0].delta.value, str)
    assert_type(threads.messages.update("msg_1", thread_id="thread_1", content="Hi"), Message)
    with threads.messages.list(thread_id="thread_1", stream=True) as entered:
        assert_type(entered, MessageStream[MessageChunk])
        assert_type(entered.get_final_message(), Message)
    page = threads.messages.list("thread_1", run_id="run_1", limit=3)
    for message in page:
        assert_type(message, Message)
    assert_type(threads.messages.delete("msg_1", thread_id="thread_1").deleted, bool)
    with threads.runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        assert_type(stream, AssistantEventHandler)
        handle(stream)
        for event in stream:
            assert_type(event, AssistantStreamEvent)
        for text in stream.text_deltas:
            assert_type(text, str)
        assert_type(stream.current_run, "Run | None")
        assert_type(stream.current_event, "AssistantStreamEvent | None")
        assert_type(stream.current_message_snapshot, "Message | None")
        assert_type(stream.current_run_step_snapshot, "RunStep | None")
        assert_type(stream.get_final_run_steps(), list[RunStep])
        assert_type(stream.get_final_messages(), list[Message])
    with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=Mine(), temperature=0.5
    ) as mine:
        assert_type(mine, Mine)
    with threads.create_and_run_stream(assistant_id="asst_1", event_handler=Mine()) as mine:
        mine.until_done()
    with threads.runs.resume("run_1", thread_id="thread_1", starting_after=3, event_handler=Mine()) as mine:
        assert_type(mine, Mine)
    with threads.runs.resume("run_1", thread_id="thread_1", tool_handlers=[show]) as stream:
        assert_type(stream, AssistantEventHandler)
    again = threads.runs.retrieve("run_1", thread_id="thread_1", stream=True, starting_after=3, resume=True)
    assert_type(again, EventStream[AssistantStreamEvent])
    assert_type(threads.runs.retrieve("run_1", thread_id="thread_1", timeout=3), Run)
    with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=openai.AssistantEventHandler()
    ) as theirs:
        assert_type(theirs, openai.AssistantEventHandler)
    with threads.runs.submit_tool_outputs_stream(
        thread_id="thread_1", run_id="run_1", tool_outputs=[{"tool_call_id": "call_1", "output": "4"}]
    ) as stream:
        assert_type(stream.get_final_run(), Run)
    try:
        run = threads.runs.create_and_poll(
            thread_id="thread_1",
            assistant_id="asst_1",
            poll_interval_ms=100,
            max_wait_seconds=30,
            on_poll=show,
        )
    except PollTimeoutError as error:
        assert_type(error.status, "str | None")
        raise
    assert_type(run, Run)
    assert_type(threads.runs.poll("run_1", "thread_1", max_wait_seconds=2.5), Run)
    assert_type(threads.create_and_run_poll(assistant_id="asst_1", max_wait_seconds=2.5), Run)
    try:
        run = threads.runs.create_and_poll(
            thread_id="thread_1", assistant_id="asst_1", if_active="wait", raise_on_failure=True, retries=2
        )
    except RunFailedError as error:
        str((error.run, error.last_error, error.incomplete_details, error.code))
    threads.runs.submit_tool_outputs_and_poll(
        thread_id="thread_1", run_id="run_1", tool_outputs=[], raise_on_failure=True
    )
    assert_type(threads.runs.create("thread_1", assistant_id="asst_1", if_active="cancel"), Run)
    streamed = threads.runs.create(
        "thread_1", assistant_id="asst_1", stream=True, if_active="wait", max_wait_seconds=60
    )
    assert_type(streamed, EventStream[AssistantStreamEvent])
    with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", resume=True, cancel_on_close=True, raise_on_failure=True,
        retries=2, if_active="wait", max_wait_seconds=60,
    ) as stream:  # fmt: skip
        assert_type(stream, AssistantEventHandler)
    patch(OpenAI(), resume=True)
    for thread in threads.list(limit=2, order="asc", metadata={"user": "7"}):
        assert_type(thread, Thread)
    said = threads.messages.create("thread_1", role="user", content="Hi", if_active="wait")
    assert_type(said, Message)
    for stores in (client.vector_stores, client.beta.vector_stores):
        made_file = stores.files.upload_and_poll(
            vector_store_id="vs_1", file=b"abc", max_wait_seconds=5, on_poll=print
        )
        assert_type(made_file, VectorStoreFile)
        batch = stores.file_batches.upload_and_poll("vs_1", files=[b"abc"], max_concurrency=2)
        assert_type(batch, VectorStoreFileBatch)
        assert_type(stores.create(name="papers").id, str)
    client.with_options(timeout=3).beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=2)
    assert_type(unpatch(client), OpenAI)
    assert_type(unpatch(made), OpenAI)
    str(capabilities(as_before))


async def asynchronous(made: AsyncOpenAI) -> None:
    client = patch(made)
    threads = client.beta.threads
    async for part in await threads.messages.list("thread_1", stream=True):
        assert_type(part.data[0].content[0].delta.value, str)
    async for part in threads.messages.list("thread_1", stream=True):
        assert_type(part, MessageChunk)
    async with threads.messages.list("thread_1", stream=True, max_wait_seconds=30) as parts:
        assert_type(parts, AsyncMessageStream[MessageChunk])
        assert_type(await parts.get_final_message(), Message)
    async for text in threads.messages.list("thread_1", stream=True).text_deltas:
        assert_type(text, str)
    assert_type(await threads.messages.list("thread_1", stream=True).get_final_message(), Message)
    async for message in threads.messages.list("thread_1"):
        assert_type(message, Message)
    async with threads.runs.resume("run_1", thread_id="thread_1") as again:
        assert_type(again, AsyncAssistantEventHandler)
    events = await threads.runs.retrieve("run_1", thread_id="thread_1", stream=True, starting_after=3)
    assert_type(events, AsyncEventStream[AssistantStreamEvent])
    assert_type(await threads.runs.retrieve("run_1", thread_id="thread_1"), Run)
    async with threads.runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        assert_type(stream, AsyncAssistantEventHandler)
        handle_async(stream)
        async for event in stream:
            assert_type(event, AssistantStreamEvent)
        async for text in stream.text_deltas:
            assert_type(text, str)
        assert_type(await stream.get_final_run(), Run)
        assert_type(await stream.get_final_run_steps(), list[RunStep])
        assert_type(await stream.get_final_messages(), list[Message])
    async with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=AsyncMine()
    ) as mine:
        assert_type(mine, AsyncMine)
    run = await threads.runs.create_and_poll(
        thread_id="thread_1", assistant_id="asst_1", max_wait_seconds=30, on_poll=show_later
    )
    assert_type(run, Run)
    assert_type(await threads.runs.create("thread_1", assistant_id="asst_1", if_active="wait"), Run)
    streamed = await threads.runs.create("thread_1", assistant_id="asst_1", stream=True, if_active="wait")
    assert_type(streamed, AsyncEventStream[AssistantStreamEvent])
    said = await threads.messages.create("thread_1", role="user", content="Hi", if_active="cancel")
    assert_type(said, Message)
    for stores in (client.vector_stores, client.beta.vector_stores):
        assert_type(
            await stores.files.poll("file-1", vector_store_id="vs_1", max_wait_seconds=5), VectorStoreFile
        )
    assert_type(unpatch(client), AsyncOpenAI)


def azure(made: AzureOpenAI) -> None:
    client = patch(made, repair=False)
    as_before: AzureOpenAI = client
    client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)
    client.beta.vector_stores.retrieve("vs_1")
    assert_type(unpatch(client), AzureOpenAI)
    del as_before


async def azure_asynchronous(made: AsyncAzureOpenAI) -> None:
    client = patch(made)
    as_before: AsyncAzureOpenAI = client
    await client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)
    await client.beta.vector_stores.retrieve("vs_1")
    assert_type(unpatch(client), AsyncAzureOpenAI)
    del as_before


def module() -> None:
    patch(openai)
    unpatch(openai)


def left_out(made: OpenAI) -> None:
    """What the SDK's own methods take for a parameter that is left out."""
    runs, messages = patch(made).beta.threads.runs, patch(made).beta.threads.messages
    files = patch(made).vector_stores.files
    with runs.stream(thread_id="t", assistant_id="a", instructions=openai.omit, tools=openai.NOT_GIVEN):
        pass
    runs.create_and_poll(thread_id="t", assistant_id="a", model=openai.omit, poll_interval_ms=openai.omit)
    assert_type(messages.list("t", stream=True, run_id=openai.omit), MessageStream[MessageChunk])
    messages.list("t", limit=openai.omit, after=openai.NOT_GIVEN)
    files.upload_and_poll(vector_store_id="vs_1", file=b"", chunking_strategy=openai.omit)
