"""The loop of docs/migration.md, for type checkers; tests/test_docs.py holds the two together."""

from __future__ import annotations

from openai import OpenAI

from streaming_assistants import patch

client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Stream the message."}])

run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
while run.status not in ("generating", "completed"):
    run = client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
for part in client.beta.threads.messages.list(thread_id=thread.id, stream=True):
    print(part.data[0].content[0].delta.value, end="")
