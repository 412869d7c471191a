"""Semantic Kernel's OpenAIAssistantAgent, as its documentation uses it."""

import asyncio
import json
from typing import Annotated

from semantic_kernel.agents import AssistantAgentThread, OpenAIAssistantAgent
from semantic_kernel.contents import StreamingTextContent
from semantic_kernel.functions import kernel_function


class Weather:
    @kernel_function(description="Says what the weather of a city is.")
    def get_weather(self, city: Annotated[str, "The city."]) -> str:
        return f"sunny in {city}"

    @kernel_function(description="Looks outside.")
    def look(self) -> str:
        return 'Weather-get_weather {"city": "Oslo"}'


async def main():
    saw = {}
    with open("ferries.txt", "w") as file:
        file.write("The ferry to Skye leaves at nine.")
    client = OpenAIAssistantAgent.create_client(ai_model_id="gpt-4o")
    with open("ferries.txt", "rb") as file:
        uploaded = await client.files.create(file=file, purpose="assistants")
    store = await client.vector_stores.create(name="ferries", file_ids=[uploaded.id])
    tools, resources = OpenAIAssistantAgent.configure_file_search_tool(store.id)
    definition = await client.beta.assistants.create(
        model="gpt-4o", name="guide", instructions="Be brief.", tools=tools, tool_resources=resources
    )
    agent = OpenAIAssistantAgent(client=client, definition=definition, plugins=[Weather()])

    thread = AssistantAgentThread(client=client)
    saw["text"] = str(await agent.get_response(messages="Good morning, guide.", thread=thread))
    parts, final = [], []

    async def completed(message):
        final.append([type(item).__name__ for item in message.items])

    async for part in agent.invoke_stream(
        messages="Good morning, guide.", thread=thread, on_intermediate_message=completed
    ):
        parts += [item.text for item in part.message.items if isinstance(item, StreamingTextContent)]
    saw["streamed"] = ["".join(parts), len(parts) > 1]
    saw["function"] = ""
    async for answer in agent.invoke(messages="Weather-look {}", thread=thread):
        saw["function"] = str(answer.message)
    parts, final = [], []
    async for part in agent.invoke_stream(
        messages="Weather-look {}", thread=thread, on_intermediate_message=completed
    ):
        parts += [str(part.message)]
    saw["streamed function"] = "".join(parts)
    saw["rounds"] = final
    saw["history"] = str(await agent.get_response(messages="count", thread=thread))
    answer = await agent.get_response(messages="search: ferry", thread=thread)
    saw["found"] = str(answer)
    saw["items"] = [type(item).__name__ for item in answer.message.items]
    same = AssistantAgentThread(client=client, thread_id=thread.id)
    saw["again"] = str(await agent.get_response(messages="count", thread=same))
    saw["messages"] = [message.role.value async for message in thread.get_messages(sort_order="asc")][:2]
    await thread.delete()
    await client.vector_stores.delete(store.id)
    await client.beta.assistants.delete(agent.id)
    print("saw", json.dumps(saw))


asyncio.run(main())
