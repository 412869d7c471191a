"""messages.list(stream=True): the newest message of a thread, while its run writes it.

Needs the extra [backend].
"""

import time

from openai import OpenAI

from streaming_assistants import patch
from streaming_assistants.backend import Echo, LocalBackend

backend = LocalBackend(Echo(delay=0.02), generating=True)  # says `generating`, as Astra Assistants does
client = patch(OpenAI(api_key="unused"), backend=backend)
assistant = client.beta.assistants.create(model="echo")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "The call it all began with."}])

run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
while run.status not in ("generating", "completed"):
    time.sleep(0.01)
    run = client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)

text = ""
for part in client.beta.threads.messages.list(thread_id=thread.id, stream=True):
    text += part.data[0].content[0].delta.value
    print(part.data[0].content[0].delta.value, end="", flush=True)
print()

assert text == "The call it all began with.", text
