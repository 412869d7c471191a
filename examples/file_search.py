"""The quickstart of OpenAI's guide to file search, on the built-in backend. Needs the extra [backend].

The guide's own calls, one after another: an assistant that searches, a vector store filled by a batch, a file
that comes with a message, and a handler that prints what was cited.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from openai import OpenAI

from streaming_assistants import AssistantEventHandler, patch

STATEMENTS = {
    "goog-10k.md": "# Alphabet\n\nRevenue of Alphabet in 2023 was 307 billion dollars.\n",
    "brka-10k.txt": "Berkshire Hathaway owned 41% of the See's Candies of its annual meeting.\n",
}
SHARES = "As of October 20, 2023, 15,552,752,000 shares of AAPL common stock were outstanding.\n"


def quickstart(client: OpenAI, folder: Path) -> list[str]:
    """Searches the files of ``folder`` on whatever answers the client; what the assistant said, and cited."""
    assistant = client.beta.assistants.create(
        name="Financial Analyst Assistant",
        instructions="You are an expert financial analyst. Answer from the statements that you are given.",
        model="gpt-4o",
        tools=[{"type": "file_search"}],
    )

    vector_store = client.vector_stores.create(name="Financial Statements")
    file_streams = [open(folder / name, "rb") for name in STATEMENTS]  # noqa: SIM115
    file_batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=vector_store.id, files=file_streams
    )
    for stream in file_streams:
        stream.close()
    print(file_batch.status, file_batch.file_counts)

    assistant = client.beta.assistants.update(
        assistant_id=assistant.id,
        tool_resources={"file_search": {"vector_store_ids": [vector_store.id]}},
    )

    with open(folder / "aapl-10k.txt", "rb") as statement:
        message_file = client.files.create(file=statement, purpose="assistants")
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "How many shares of AAPL were outstanding at the end of October 2023?",
                "attachments": [{"file_id": message_file.id, "tools": [{"type": "file_search"}]}],
            }
        ]
    )
    print(thread.tool_resources.file_search)  # the thread has a vector store with that file now

    said: list[str] = []

    class EventHandler(AssistantEventHandler):
        def on_text_created(self, text):
            print("\nassistant > ", end="", flush=True)

        def on_tool_call_created(self, tool_call):
            print(f"\nassistant > {tool_call.type}\n", flush=True)

        def on_message_done(self, message):
            content = message.content[0].text
            value, citations = content.value, []
            for index, annotation in enumerate(content.annotations):
                value = value.replace(annotation.text, f"[{index}]")
                if file_citation := getattr(annotation, "file_citation", None):
                    cited_file = client.files.retrieve(file_citation.file_id)
                    citations.append(f"[{index}] {cited_file.filename}")
            print(value)
            print("\n".join(citations))
            said.extend([value, *citations])

    with client.beta.threads.runs.stream(
        thread_id=thread.id,
        assistant_id=assistant.id,
        instructions="Please address the user as Jane Doe. The user has a premium account.",
        event_handler=EventHandler(),
    ) as stream:
        stream.until_done()
    return said


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        for filename, text in {**STATEMENTS, "aapl-10k.txt": SHARES}.items():
            (Path(name) / filename).write_text(text, encoding="utf-8")
        said = quickstart(patch(OpenAI(api_key="unused"), backend="echo"), Path(name))
    assert said == [SHARES.strip() + "[0]", "[0] aapl-10k.txt"], said
