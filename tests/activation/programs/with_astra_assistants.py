"""Astra Assistants' client and manager, as its documentation uses them."""

import asyncio
import json
import os

os.environ["ASTRA_DB_APPLICATION_TOKEN"] = "AstraCS:unused"
from astra_assistants import patch
from astra_assistants.astra_assistants_manager import AssistantManager
from astra_assistants.tools.tool_interface import ToolInterface, ToolResult
from openai import AsyncOpenAI, OpenAI
from openai.lib.streaming import AssistantEventHandler
from pydantic import BaseModel

saw = {}


class City(BaseModel):
    city: str


class GetWeather(ToolInterface):
    def call(self, arguments: City) -> ToolResult:
        """Says what the weather of a city is."""
        return {"output": f"sunny in {arguments.city}", "cache_id": "1"}


# The client

client = patch(OpenAI())
assistant = client.beta.assistants.create(name="guide", instructions="Be brief.", model="gpt-4o")
thread = client.beta.threads.create()


def ask(text):
    client.beta.threads.messages.create(thread_id=thread.id, role="user", content=text)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    return client.beta.threads.messages.list(thread_id=thread.id).data[0].content[0].text.value


saw["text"] = ask("Good morning, guide.")
saw["history"] = ask("count")
parts = []


class Handler(AssistantEventHandler):
    def on_text_delta(self, delta, snapshot):
        parts.append(delta.value)


client.beta.threads.messages.create(thread_id=thread.id, role="user", content="Good morning, guide.")
with client.beta.threads.runs.create_and_stream(
    thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()
) as stream:
    stream.until_done()
saw["streamed"] = ["".join(parts), len(parts) > 1]


async def again():
    aclient = patch(AsyncOpenAI())
    async with aclient.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        return "".join([text async for text in stream.text_deltas])


saw["async"] = asyncio.run(again())

# The manager, with a client of OpenAI's own for the files: Astra's asks them for what only its server says

del os.environ["ASTRA_DB_APPLICATION_TOKEN"]
tool = GetWeather()
manager = AssistantManager(instructions="Use tools.", model="gpt-4o", tools=[tool])
answer = asyncio.run(manager.run_thread('GetWeather {"city": "Oslo"}', tool))
saw["function"] = answer["text"]
parts = list(manager.stream_thread('GetWeather {"city": "Oslo"}', tool_choice=tool))
saw["streamed function"] = "".join(part for part in parts if isinstance(part, str))
with open("ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
with open("ferries.txt", "rb") as file:
    uploaded = OpenAI().files.create(file=file, purpose="assistants")
store = OpenAI().vector_stores.create(name="ferries", file_ids=[uploaded.id])
searching = AssistantManager(
    instructions="Search.",
    model="gpt-4o",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
)
run = searching.client.beta.threads.create_and_run_poll(
    assistant_id=searching.assistant.id, thread={"messages": [{"role": "user", "content": "search: ferry"}]}
)
messages = searching.client.beta.threads.messages.list(thread_id=run.thread_id)
saw["found"] = messages.data[0].content[0].text.value
again = AssistantManager(
    assistant_id=manager.assistant.id, thread_id=manager.thread.id, tools=[tool], model="gpt-4o"
)
answer = asyncio.run(again.run_thread('GetWeather {"city": "Rome"}', tool))
saw["again"] = answer["text"]
print("saw", json.dumps(saw))
