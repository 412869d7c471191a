"""A chat's endpoints in Flask: a run's events go to the browser as they come.

A browser that leaves cancels the run.

pip install "streaming_assistants[backend]" flask
flask --app examples/web/flask_app.py run
"""

from flask import Flask, Response, request
from openai import OpenAI

from streaming_assistants import patch
from streaming_assistants.web import sse

client = patch(OpenAI(api_key="unused"), backend="echo")
app = Flask(__name__)


@app.post("/threads")
def start() -> dict[str, str]:
    assistant = client.beta.assistants.create(model="echo")
    thread = client.beta.threads.create()
    return {"assistant_id": assistant.id, "thread_id": thread.id}


@app.post("/threads/<thread_id>/ask")
def ask(thread_id: str) -> Response:
    client.beta.threads.messages.create(thread_id, role="user", content=request.args["question"])
    run = client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=request.args["assistant_id"], cancel_on_close=True
    )
    return Response(sse(run), mimetype="text/event-stream")
