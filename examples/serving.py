"""Serves the backend over a socket, and talks to it with a client that knows nothing of it.

Needs the extra [serve].
"""

import socket
import subprocess
import sys
import time

from openai import OpenAI

from streaming_assistants import patch

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

command = [sys.executable, "-m", "streaming_assistants", "serve", "--upstream", "echo", "--port", str(port)]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None, "the server did not start"
        time.sleep(0.1)

    # Not patched: whoever speaks the protocol is served, in any language.
    plain = OpenAI(api_key="unused", base_url=f"http://127.0.0.1:{port}/v1")
    assistant = plain.beta.assistants.create(model="echo")
    thread = plain.beta.threads.create(messages=[{"role": "user", "content": "Over a socket."}])
    run = plain.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    while run.status in ("queued", "in_progress"):
        time.sleep(0.05)
        run = plain.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    messages = plain.beta.threads.messages.list(thread.id)
    print("plain client:  ", messages.data[0].content[0].text.value)
    assert messages.data[0].content[0].text.value == "Over a socket."

    # Patched: the same server, and every helper on every SDK.
    client = patch(OpenAI(api_key="unused", base_url=f"http://127.0.0.1:{port}/v1"))
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        text = "".join(stream.text_deltas)
    print("patched client:", text)
    assert text == "Over a socket."
finally:
    server.terminate()
    server.wait(10)
