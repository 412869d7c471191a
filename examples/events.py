"""The typed events of a run: create(stream=True), also on SDKs that have no such parameter.

Needs the extra [backend].
"""

from openai import OpenAI

from streaming_assistants import patch
from streaming_assistants.types import ThreadMessageDelta, ThreadRunCompleted

client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Every event has a type."}])

names = []
for event in client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True):
    names.append(event.event)
    if isinstance(event, ThreadMessageDelta):
        print(f"{event.event:28} {event.data.delta.content[0].text.value!r}")
    elif isinstance(event, ThreadRunCompleted):
        print(f"{event.event:28} {event.data.status}")
    else:
        print(event.event)

assert names[0] == "thread.run.created", names
assert names.count("thread.message.delta") == 5, names
assert names[-1] in ("thread.run.completed", "done"), names
