"""Starts a run and waits for its end, with a callback for progress and a deadline.

Needs the extra [backend].
"""

from openai import OpenAI

from streaming_assistants import PollTimeoutError, patch
from streaming_assistants.backend import Echo, LocalBackend

client = patch(OpenAI(api_key="unused"), backend=LocalBackend(Echo(delay=0.02)))
assistant = client.beta.assistants.create(model="echo")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Ask until I am done."}])

seen = []
run = client.beta.threads.runs.create_and_poll(
    thread_id=thread.id,
    assistant_id=assistant.id,
    poll_interval_ms=20,
    max_wait_seconds=30,
    on_poll=lambda run: seen.append(run.status),
)
print(" > ".join(dict.fromkeys(seen)), f"({len(seen)} answers)")
assert run.status == "completed", run

# A run that takes longer than the caller wants to wait: it is left alone, and named in the error.
client.beta.threads.messages.create(thread.id, role="user", content="echo:stall 60")
try:
    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50, max_wait_seconds=0.3
    )
except PollTimeoutError as error:
    print(error)
    client.beta.threads.runs.cancel(error.id, thread_id=thread.id)
else:
    raise AssertionError("the deadline did not hold")
