"""Runs that fail, stop short or wait: how code under test meets each state, without a model.

The echo backend does what a message says; docs/backend.md lists its commands.

Needs the extra [backend].
"""

from openai import OpenAI

from streaming_assistants import patch

client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo")

EXPECTED = {
    "echo:fail The model is on holiday.": "failed",
    "echo:rate_limit": "failed",
    "echo:limit 2\nThis stops after two words.": "incomplete",
    "echo:filter\nThis is filtered at its end.": "incomplete",
    "All is well.": "completed",
}
for content, status in EXPECTED.items():
    thread = client.beta.threads.create(messages=[{"role": "user", "content": content}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        run = stream.get_final_run()
    reason = run.last_error.message if run.last_error else ""
    print(f"{content.splitlines()[0]:36} {run.status:11} {reason}")
    assert run.status == status, run
