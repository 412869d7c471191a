"""Streams a run that calls functions: answers each round of calls until the run is through.

Needs the extra [backend].
"""

import json

from openai import OpenAI

from streaming_assistants import AssistantEventHandler, patch

TOOLS = {
    "get_weather": lambda city: f"18 degrees in {city}",
    "get_time": lambda city: f"noon in {city}",
}


class Calls(AssistantEventHandler):
    """Collects the tool calls of one round; each is done once."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[dict[str, str]] = []
        self.text = ""

    def on_tool_call_done(self, tool_call):
        function = tool_call.function
        output = TOOLS[function.name](**json.loads(function.arguments))
        print(f"{function.name}({function.arguments}) -> {output}")
        self.outputs.append({"tool_call_id": tool_call.id, "output": output})

    def on_text_done(self, text):
        self.text = text.value
        print(text.value)


client = patch(OpenAI(api_key="unused"), backend="echo")
parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
assistant = client.beta.assistants.create(
    model="echo",
    tools=[{"type": "function", "function": {"name": name, "parameters": parameters}} for name in TOOLS],
)
# The echo backend calls the functions that the message names, with their arguments.
question = 'get_weather {"city": "Paris"}\nget_time {"city": "Paris"}'
thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])

handler = Calls()
asked = client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=handler)
while True:
    with asked as stream:
        stream.until_done()
    run = handler.current_run
    if run.status != "requires_action":
        break
    outputs, handler = handler.outputs, Calls()
    asked = client.beta.threads.runs.submit_tool_outputs_stream(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs, event_handler=handler
    )

assert run.status == "completed", run
assert handler.text.split("\n") == ["18 degrees in Paris", "noon in Paris"], handler.text
