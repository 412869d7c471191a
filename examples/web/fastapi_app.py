"""A chat's endpoints in FastAPI: a run's events go to the browser as they come.

A browser that leaves cancels the run.

pip install "streaming_assistants[backend]" fastapi uvicorn
uvicorn --app-dir examples/web fastapi_app:app
"""

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

from streaming_assistants import patch
from streaming_assistants.web import sse

client = patch(AsyncOpenAI(api_key="unused"), backend="echo")
app = FastAPI()


@app.post("/threads")
async def start() -> dict[str, str]:
    assistant = await client.beta.assistants.create(model="echo")
    thread = await client.beta.threads.create()
    return {"assistant_id": assistant.id, "thread_id": thread.id}


@app.post("/threads/{thread_id}/ask")
async def ask(thread_id: str, assistant_id: str, question: str) -> StreamingResponse:
    await client.beta.threads.messages.create(thread_id, role="user", content=question)
    run = client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant_id, cancel_on_close=True
    )
    return StreamingResponse(sse(run), media_type="text/event-stream")
