"""Marvin 2's assistants, as its documentation uses them: a client for each call, and streams."""

import json

from marvin.beta.assistants import Assistant, Thread
from marvin.tools.assistants import FileSearch
from openai import AsyncAssistantEventHandler

saw = {"streamed": []}


def get_weather(city: str) -> str:
    """Says what the weather of a city is."""
    return f"sunny in {city}"


def look() -> str:
    """Looks outside."""
    return 'get_weather {"city": "Oslo"}'


class Handler(AsyncAssistantEventHandler):
    async def on_text_delta(self, delta, snapshot):
        saw["streamed"].append(delta.value)


def said(run):
    return run.messages[-1].content[0].text.value


with open("ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
with Assistant(
    name="guide", model="gpt-4o", instructions="Be brief.", tools=[get_weather, look, FileSearch]
) as guide:
    saw["text"] = said(guide.say("Good morning, guide.", event_handler_class=Handler))
    saw["streamed"] = ["".join(saw["streamed"]), len(saw["streamed"]) > 1]
    run = guide.say("look {}", event_handler_class=None)
    saw["function"] = said(run)
    saw["rounds"] = sum(step.type == "tool_calls" for step in run.steps)
    saw["history"] = said(guide.say("count"))  # printed by its own handler
    saw["found"] = said(guide.say("search: ferry", file_search_files=["ferries.txt"]))
    thread = Thread(id=guide.default_thread.id)
    thread.add("count")
    saw["again"] = said(thread.run(guide))
    saw["messages"] = [message.role for message in thread.get_messages()][-2:]
print("saw", json.dumps(saw))
