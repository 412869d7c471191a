"""langchain-community's OpenAIAssistantV2Runnable, as its documentation uses it."""

import asyncio
import json

from langchain.agents import AgentExecutor
from langchain_community.agents.openai_assistant import OpenAIAssistantV2Runnable
from langchain_core.tools import tool
from openai import OpenAI

saw = {}


@tool
def get_weather(city: str) -> str:
    """Says what the weather of a city is."""
    return f"sunny in {city}"


@tool
def look(where: str) -> str:
    """Looks outside."""
    return 'get_weather {"city": "Oslo"}'


def said(messages):
    return messages[0].content[0].text.value


with open("ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
with open("ferries.txt", "rb") as file:
    uploaded = OpenAI().files.create(file=file, purpose="assistants")
store = OpenAI().vector_stores.create(name="ferries", file_ids=[uploaded.id])

plain = OpenAIAssistantV2Runnable.create_assistant(
    name="guide",
    instructions="Be brief.",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    model="gpt-4o",
    check_every_ms=10,
)
answer = plain.invoke({"content": "Good morning, guide."})
saw["text"] = said(answer)
thread_id = answer[0].thread_id
saw["found"] = said(plain.invoke({"content": "search: ferry", "thread_id": thread_id}))
saw["history"] = said(plain.invoke({"content": "count", "thread_id": thread_id}))
attached = {
    "content": "count",
    "thread_id": thread_id,
    "attachments": [{"file_id": uploaded.id, "tools": [{"type": "file_search"}]}],
}
saw["attached"] = said(plain.invoke(attached))

tools = [get_weather, look]
agent = OpenAIAssistantV2Runnable.create_assistant(
    name="agent", instructions="Use tools.", tools=tools, model="gpt-4o", as_agent=True, check_every_ms=10
)
executor = AgentExecutor(agent=agent, tools=tools)
saw["function"] = executor.invoke({"content": 'look {"where": "out"}'})["output"]


async def again():
    same = OpenAIAssistantV2Runnable(assistant_id=plain.assistant_id, check_every_ms=10)
    return said(await same.ainvoke({"content": "Good morning, guide."}))


saw["async"] = asyncio.run(again())
print("saw", json.dumps(saw))
