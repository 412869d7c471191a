"""Three runs at once on an async client, each with a handler of its own.

Needs the extra [backend].
"""

import asyncio

from openai import AsyncOpenAI

from streaming_assistants import AsyncAssistantEventHandler, patch


class Collector(AsyncAssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    async def on_text_done(self, text):
        self.text = text.value

    def on_end(self):  # a callback of an async handler may be plain
        print(f"over: {self.text}")


async def ask(client: AsyncOpenAI, assistant_id: str, question: str) -> str:
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": question}])
    handler = Collector()
    async with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant_id, event_handler=handler
    ) as stream:
        await stream.until_done()
    return handler.text


async def main() -> None:
    async with patch(AsyncOpenAI(api_key="unused"), backend="echo") as client:
        assistant = await client.beta.assistants.create(model="echo")
        questions = ["The first of three.", "The second of three.", "The third of three."]
        answers = await asyncio.gather(*(ask(client, assistant.id, question) for question in questions))
    assert list(answers) == questions, answers


asyncio.run(main())
