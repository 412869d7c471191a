"""AutoGen 0.2's GPTAssistantAgent, as its notebooks use it."""

import json

from autogen import UserProxyAgent
from autogen.agentchat.contrib.gpt_assistant_agent import GPTAssistantAgent
from openai import OpenAI

saw = {}
WEATHER = {
    "name": "get_weather",
    "description": "Says what the weather of a city is.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
LOOK = {"name": "look", "description": "Looks outside.", "parameters": {"type": "object", "properties": {}}}

with open("ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
with open("ferries.txt", "rb") as file:
    uploaded = OpenAI().files.create(file=file, purpose="assistants")

agent = GPTAssistantAgent(
    name="guide",
    instructions="Be brief.",
    llm_config={"config_list": [{"model": "gpt-4o"}], "check_every_ms": 10},
    assistant_config={
        "tools": [
            {"type": "function", "function": WEATHER},
            {"type": "function", "function": LOOK},
            {"type": "file_search"},
            {"type": "retrieval"},
        ],
        "file_ids": [uploaded.id],
    },
)
agent.register_function(
    {"get_weather": lambda city: f"sunny in {city}", "look": lambda: 'get_weather {"city": "Oslo"}'}
)
user = UserProxyAgent(
    "user",
    code_execution_config=False,
    human_input_mode="NEVER",
    max_consecutive_auto_reply=0,
    is_termination_msg=lambda message: True,
)


def ask(text, **options):
    user.initiate_chat(agent, message=text, silent=True, **options)
    return user.last_message(agent)["content"]


saw["text"] = ask("Good morning, guide.")
saw["function"] = ask("look {}", clear_history=False)
saw["history"] = ask("count", clear_history=False)
saw["found"] = ask("search: ferry", clear_history=False)
same = GPTAssistantAgent(
    name="again",
    llm_config={"config_list": [{"model": "gpt-4o"}]},
    assistant_config={"assistant_id": agent.assistant_id},
)
saw["again"] = same.get_assistant_instructions()
agent.delete_assistant()
print("saw", json.dumps(saw))
