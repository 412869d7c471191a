"""Streams a run that calls a function, over all its rounds. Needs the extra [backend]."""

from openai import OpenAI

from streaming_assistants import function_tool, patch


@function_tool
def get_weather(city: str) -> str:
    return f"18 degrees in {city}"


client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo", tools=[get_weather.definition])
thread = client.beta.threads.create(messages=[{"role": "user", "content": 'get_weather {"city": "Paris"}'}])
runs, tools = client.beta.threads.runs, [get_weather]
with runs.stream(thread_id=thread.id, assistant_id=assistant.id, tool_handlers=tools) as stream:
    assert "".join(stream.text_deltas) == "18 degrees in Paris", stream.current_run
