"""langchain-classic's OpenAIAssistantRunnable, as its documentation uses it."""

import asyncio
import json

from langchain_classic.agents import AgentExecutor
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_core.tools import tool

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


plain = OpenAIAssistantRunnable.create_assistant(
    name="guide", instructions="Be brief.", tools=[], model="gpt-4o", check_every_ms=10
)
answer = plain.invoke({"content": "Good morning, guide."})
saw["text"] = said(answer)
saw["history"] = said(plain.invoke({"content": "count", "thread_id": answer[0].thread_id}))
same = OpenAIAssistantRunnable(assistant_id=plain.assistant_id, check_every_ms=10)
saw["again"] = said(same.invoke({"content": "count", "thread_id": answer[0].thread_id}))

tools = [get_weather, look]
agent = OpenAIAssistantRunnable.create_assistant(
    name="agent", instructions="Use tools.", tools=tools, model="gpt-4o", as_agent=True, check_every_ms=10
)
executor = AgentExecutor(agent=agent, tools=tools)
saw["function"] = executor.invoke({"content": 'look {"where": "out"}'})["output"]


async def actions():
    made = await OpenAIAssistantRunnable.acreate_assistant(
        name="agent", instructions="Use tools.", tools=tools, model="gpt-4o", as_agent=True, check_every_ms=10
    )
    return [action.tool for action in await made.ainvoke({"content": 'get_weather {"city": "Oslo"}'})]


saw["async"] = asyncio.run(actions())
print("saw", json.dumps(saw))
