"""The text of a run, and nothing else.

Needs the extra [backend].
"""

from openai import OpenAI

from streaming_assistants import patch

client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "One word at a time."}])

words = []
with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
    for text in stream.text_deltas:
        print(text, end="", flush=True)
        words.append(text)
print()

assert words == ["One", " word", " at", " a", " time."], words
