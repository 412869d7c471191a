"""Agency Swarm 0.7, as its documentation uses it: two agents, tools, files, and a stream."""

import json
import os

from agency_swarm import Agency, Agent
from agency_swarm.tools import BaseTool, FileSearch
from agency_swarm.util.streaming import AgencyEventHandler
from pydantic import Field

saw = {"streamed": []}


class GetWeather(BaseTool):
    """Says what the weather of a city is."""

    city: str = Field(..., description="The city.")

    def run(self):
        return f"sunny in {self.city}"


class Look(BaseTool):
    """Looks outside."""

    def run(self):
        return 'GetWeather {"city": "Oslo"}'


class Handler(AgencyEventHandler):
    def on_text_delta(self, delta, snapshot):
        saw["streamed"].append(delta.value)


os.makedirs("files")
with open("files/ferries.txt", "w") as file:
    file.write("The ferry to Skye leaves at nine.")
guide = Agent(
    name="Guide",
    description="Guides.",
    instructions="Be brief.",
    tools=[GetWeather, Look, FileSearch],
    files_folder=os.path.abspath("files"),
    model="gpt-4o",
)
clerk = Agent(name="Clerk", description="Says things back.", instructions="Say it back.", model="gpt-4o")
agency = Agency([guide, [guide, clerk]], shared_instructions="Be kind.")

saw["text"] = agency.get_completion("Good morning, guide.")
agency.get_completion_stream("Good morning, guide.", event_handler=Handler)
saw["streamed"] = ["".join(saw["streamed"]), len(saw["streamed"]) > 1]
saw["function"] = agency.get_completion("Look {}")
asked = {
    "my_primary_instructions": "-",
    "recipient": "Clerk",
    "message": "Told by the clerk.",
    "additional_instructions": "",
    "message_files": None,
}
saw["agents"] = agency.get_completion(f"SendMessage {json.dumps(asked)}")
saw["history"] = agency.get_completion("count")
saw["found"] = agency.get_completion("search: ferry")
messages = list(agency.get_completion("Look {}", yield_messages=True))
saw["messages"] = [message.msg_type for message in messages]
again = Agent(id=guide.id, refresh_from_id=True).init_oai()
saw["again"] = again.instructions
guide.delete()
print("saw", json.dumps(saw))
