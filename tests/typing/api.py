"""What a type checker must accept of a patched client. Checked by mypy --strict and pyright, never run."""

from __future__ import annotations

import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.beta.threads import Message, Run
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
from typing_extensions import assert_type

from streaming_assistants import (
    AssistantEventHandler,
    AsyncAssistantEventHandler,
    PollTimeoutError,
    capabilities,
    patch,
    unpatch,
)


class Mine(AssistantEventHandler):
    def on_end(self) -> None: ...


class AsyncMine(AsyncAssistantEventHandler):
    async def on_end(self) -> None: ...


def show(run: Run) -> None: ...


async def show_later(run: Run) -> None: ...


def sync(made: OpenAI) -> None:
    client = patch(made)
    as_before: OpenAI = client
    threads = client.beta.threads
    for event in threads.messages.list("thread_1", stream=True):
        print(event.event)  # noqa: T201
    page = threads.messages.list("thread_1", run_id="run_1", limit=3)
    for message in page:
        assert_type(message, Message)
    assert_type(threads.messages.delete("msg_1", thread_id="thread_1").deleted, bool)
    with threads.runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        assert_type(stream, AssistantEventHandler)
        for text in stream.text_deltas:
            assert_type(text, str)
    with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=Mine(), temperature=0.5
    ) as mine:
        assert_type(mine, Mine)
    with threads.create_and_run_stream(assistant_id="asst_1", event_handler=Mine()) as mine:
        mine.until_done()
    with threads.runs.submit_tool_outputs_stream(
        thread_id="thread_1", run_id="run_1", tool_outputs=[{"tool_call_id": "call_1", "output": "4"}]
    ) as stream:
        stream.get_final_run()
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
    for stores in (client.vector_stores, client.beta.vector_stores):
        made_file = stores.files.upload_and_poll(
            vector_store_id="vs_1", file=b"abc", max_wait_seconds=5, on_poll=print
        )
        assert_type(made_file, VectorStoreFile)
        batch = stores.file_batches.upload_and_poll("vs_1", files=[b"abc"], max_concurrency=2)
        assert_type(batch, VectorStoreFileBatch)
        assert_type(stores.create(name="papers").id, str)
    client.with_options(timeout=3).beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=2)
    unpatch(client)
    str(capabilities(as_before))


async def asynchronous(made: AsyncOpenAI) -> None:
    client = patch(made)
    threads = client.beta.threads
    async for event in await threads.messages.list("thread_1", stream=True):
        print(event.event)  # noqa: T201
    async for message in threads.messages.list("thread_1"):
        assert_type(message, Message)
    async with threads.runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
        assert_type(stream, AsyncAssistantEventHandler)
        async for text in stream.text_deltas:
            assert_type(text, str)
    async with threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=AsyncMine()
    ) as mine:
        assert_type(mine, AsyncMine)
    run = await threads.runs.create_and_poll(
        thread_id="thread_1", assistant_id="asst_1", max_wait_seconds=30, on_poll=show_later
    )
    assert_type(run, Run)
    for stores in (client.vector_stores, client.beta.vector_stores):
        assert_type(
            await stores.files.poll("file-1", vector_store_id="vs_1", max_wait_seconds=5), VectorStoreFile
        )


def azure(made: AzureOpenAI) -> None:
    client = patch(made, repair=False)
    as_before: AzureOpenAI = client
    client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)
    client.beta.vector_stores.retrieve("vs_1")
    del as_before


async def azure_asynchronous(made: AsyncAzureOpenAI) -> None:
    client = patch(made)
    as_before: AsyncAzureOpenAI = client
    await client.beta.threads.runs.poll("run_1", "thread_1", max_wait_seconds=5)
    await client.beta.vector_stores.retrieve("vs_1")
    del as_before


def module() -> None:
    patch(openai)
    unpatch(openai)
