"""LlamaIndex's OpenAIAssistantAgent, as its documentation uses it."""

import asyncio
import json

from llama_index.agent.openai import OpenAIAssistantAgent
from llama_index.core.tools import FunctionTool

saw = {}


def get_weather(city: str) -> str:
    """Says what the weather of a city is."""
    return f"sunny in {city}"


def look(where: str) -> str:
    """Looks outside."""
    return 'get_weather {"city": "Oslo"}'


with open("ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
agent = OpenAIAssistantAgent.from_new(
    name="guide",
    instructions="Be brief.",
    model="gpt-4o",
    tools=[FunctionTool.from_defaults(fn=get_weather), FunctionTool.from_defaults(fn=look)],
    openai_tools=[{"type": "file_search"}],
    instructions_prefix="Be brief. Be kind.",
    files=["ferries.txt"],
    run_retrieve_sleep_time=0.01,
)
saw["text"] = str(agent.chat("Good morning, guide."))
answer = agent.chat('look {"where": "out"}')
saw["function"] = str(answer)
saw["outputs"] = [str(source) for source in answer.sources]
saw["async"] = str(asyncio.run(agent.achat('get_weather {"city": "Rome"}')))
saw["history"] = str(agent.chat("count"))
agent.add_message("Look into this.", file_ids=list(agent.files_dict))
saw["found"] = str(agent.chat("search: ferry"))
saw["messages"] = [str(message.role.value) for message in agent.chat_history[:2]]
same = OpenAIAssistantAgent.from_existing(agent.assistant.id, thread_id=agent.thread_id)
saw["again"] = str(same.chat("count"))
agent.reset()
saw["reset"] = str(agent.chat("count"))
print("saw", json.dumps(saw))
