"""Streams a run through an event handler. Runs as it stands: the built-in echo backend answers.

Needs the extra [backend].
"""

from openai import OpenAI

from streaming_assistants import AssistantEventHandler, patch


class Printer(AssistantEventHandler):
    def on_text_delta(self, delta, snapshot):
        print(delta.value, end="", flush=True)

    def on_text_done(self, text):
        print(f"\n[{len(text.value.split())} words]")


client = patch(OpenAI(api_key="unused"), backend="echo")
assistant = client.beta.assistants.create(model="echo", instructions="Be brief.")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello from every SDK."}])

with client.beta.threads.runs.stream(
    thread_id=thread.id, assistant_id=assistant.id, event_handler=Printer()
) as stream:
    stream.until_done()

run = stream.get_final_run()
assert run.status == "completed", run
assert stream.get_final_messages()[0].content[0].text.value == "Hello from every SDK."
