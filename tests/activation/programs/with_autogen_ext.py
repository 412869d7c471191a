"""AutoGen 0.7's OpenAIAssistantAgent, as its documentation uses it."""

import asyncio
import json

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_ext.agents.openai import OpenAIAssistantAgent
from openai import AsyncOpenAI


def get_weather(city: str) -> str:
    """Says what the weather of a city is."""
    return f"sunny in {city}"


async def look(where: str) -> str:
    """Looks outside."""
    return 'get_weather {"city": "Oslo"}'


async def main():
    saw = {}
    client = AsyncOpenAI()
    token = CancellationToken()
    with open("ferries.txt", "w") as file:
        file.write("The ferry to Skye leaves at nine.")
    agent = OpenAIAssistantAgent(
        name="guide",
        description="Helps.",
        client=client,
        model="gpt-4o",
        instructions="Be brief.",
        tools=[get_weather, look, "file_search"],
    )

    async def ask(text):
        return await agent.on_messages([TextMessage(source="user", content=text)], token)

    await agent.on_upload_for_file_search("ferries.txt", token)
    saw["text"] = (await ask("Good morning, guide.")).chat_message.content
    answer = await ask('look {"where": "out"}')
    saw["function"] = answer.chat_message.content
    saw["rounds"] = sum(type(each).__name__ == "ToolCallExecutionEvent" for each in answer.inner_messages)
    saw["history"] = (await ask("count")).chat_message.content
    saw["found"] = (await ask("search: ferry")).chat_message.content
    state = await agent.save_state()
    other = OpenAIAssistantAgent("other", "Helps.", AsyncOpenAI(), model="gpt-4o", instructions="")
    await other.load_state(state)
    answer = await other.on_messages([TextMessage(source="user", content="count")], token)
    saw["again"] = answer.chat_message.content
    await agent.on_reset(token)
    saw["reset"] = (await ask("count")).chat_message.content
    await agent.delete_uploaded_files(token)
    await agent.delete_vector_store(token)
    await agent.delete_assistant(token)
    print("saw", json.dumps(saw))


asyncio.run(main())
