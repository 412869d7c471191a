"""What the servers that this library was first made for answer, and what comes of it. Both colours."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from .clients import Colour
from .loopback import Loopback
from .samples import values
from .servers import TEXT, WORDS, Astra, OpenAssistantApi

pytestmark = pytest.mark.anyio

V1 = {"OpenAI-Beta": "assistants=v1"}


@pytest.fixture
def astra(server: Loopback) -> Astra:
    return Astra(server)


@pytest.fixture
def open_assistant_api(server: Loopback) -> OpenAssistantApi:
    return OpenAssistantApi(server)


async def asked(colour: Colour, client: Any, **headers: Any) -> str:
    """A thread with a question and a run that answered it; its id."""
    threads = client.beta.threads
    thread = await colour.of(threads.create(**headers))
    await colour.of(threads.messages.create(thread.id, role="user", content="Tell me.", **headers))
    run = await colour.of(threads.runs.create(thread.id, assistant_id="asst_1", **headers))
    while run.status not in ("generating", "completed"):
        run = await colour.of(threads.runs.retrieve(run.id, thread_id=thread.id, **headers))
    return str(thread.id)


async def told(colour: Colour, client: Any, thread_id: str, **more: Any) -> list[str]:
    listing = client.beta.threads.messages.list
    return values([part async for part in colour.each(listing(thread_id, stream=True, **more))])


def versions(fake: Any) -> set[str]:
    return {request.headers.get("openai-beta", "none") for request in fake.requests}


async def test_messages_of_a_v2_thread_are_followed_where_only_v1_streams(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url)
    thread_id = await asked(colour, client)
    assert "".join(await told(colour, client, thread_id)) == TEXT
    guesses = [request for request in astra.requests if request.headers["openai-beta"] == "assistants=v1"]
    assert [request.query.get("stream") for request in guesses] == [["true"]]


@pytest.mark.parametrize("name", ["OpenAI-Beta", "openai-beta"])
async def test_default_headers_say_the_version_of_every_request(
    colour: Colour, server: Loopback, astra: Astra, name: str
) -> None:
    client = colour.client(server.url, default_headers={name: "assistants=v1"})
    thread_id = await asked(colour, client)
    assert await told(colour, client, thread_id) == list(WORDS)
    await colour.of(client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id="asst_1"))
    await colour.of(client.beta.threads.messages.list(thread_id))
    asked_for = client.beta.threads.runs.stream(thread_id=thread_id, assistant_id="asst_1")
    async with colour.entered(asked_for) as stream:
        await colour.next(stream)
    assert versions(astra) == {"assistants=v1"}


@pytest.mark.parametrize("name", ["OpenAI-Beta", "openai-beta"])
@pytest.mark.parametrize("default", [{}, V1], ids=["v2", "v1"])
async def test_a_header_of_one_call_wins_over_the_clients(
    colour: Colour, server: Loopback, astra: Astra, name: str, default: dict[str, str]
) -> None:
    client = colour.client(server.url, default_headers=default)
    said = {"extra_headers": {name: "assistants=v3"}}
    thread_id = await asked(colour, client, **said)
    assert "".join(await told(colour, client, thread_id, **said)) == TEXT
    runs = client.beta.threads.runs
    await colour.of(runs.create_and_poll(thread_id=thread_id, assistant_id="asst_1", **said))
    stream = await colour.of(runs.create(thread_id, assistant_id="asst_1", stream=True, **said))
    await colour.next(stream)
    await colour.of(stream.close())
    assert versions(astra) == {"assistants=v3"}


async def test_a_copy_speaks_the_version_of_its_own_headers(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url).with_options(default_headers=V1)
    await asked(colour, client)
    assert versions(astra) == {"assistants=v1"}


async def test_a_v1_thread_streams_to_a_client_that_speaks_v2(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url)
    thread_id = await asked(colour, client, extra_headers=V1)
    assert await told(colour, client, thread_id) == list(WORDS)


@pytest.mark.parametrize("default", [{}, V1], ids=["v2", "v1"])
async def test_an_unknown_thread_is_an_error(
    colour: Colour, server: Loopback, astra: Astra, default: dict[str, str]
) -> None:
    client = colour.client(server.url, default_headers=default)
    with pytest.raises(openai.NotFoundError):
        await told(colour, client, "thread_unknown")


async def test_a_thread_whose_newest_message_is_the_users_has_a_part(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url)
    thread = await colour.of(client.beta.threads.create())
    assert await told(colour, client, thread.id) == []
    await colour.of(client.beta.threads.messages.create(thread.id, role="user", content="Tell me."))
    assert await told(colour, client, thread.id) == ["Tell me."]


async def test_followed_is_the_newest_run_of_this_thread(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url)
    thread_id = await asked(colour, client)
    astra.now += 5
    other = await asked(colour, client)
    astra.runs["assistants=v2", other][0]["status"] = "in_progress"
    assert "".join(await told(colour, client, thread_id, max_wait_seconds=5)) == TEXT


async def test_content_of_a_message_and_v1s_file_ids_go_into_the_body(
    colour: Colour, server: Loopback, astra: Astra
) -> None:
    client = colour.client(server.url, default_headers=V1)
    beta = client.beta
    made = await colour.of(beta.assistants.create(model="words", file_ids=["file-1"]))
    assert made.file_ids == ["file-1"]
    server.on("POST", "/assistants/asst_1", lambda request: astra.made("assistant", request.json))
    updated = await colour.of(beta.assistants.update("asst_1", file_ids=["file-2"]))
    assert updated.file_ids == ["file-2"]
    thread = await colour.of(beta.threads.create())
    message = await colour.of(
        beta.threads.messages.create(thread.id, role="user", content="puppies", file_ids=["file-3"])
    )
    assert message.file_ids == ["file-3"]
    changed = await colour.of(
        beta.threads.messages.update(message.id, thread_id=thread.id, content="kittens")
    )
    assert changed.content[0].text.value == "kittens"


# ---------------------------------------------------------------- open-assistant-api


async def test_an_answer_of_the_same_second_as_its_question_is_listed(
    colour: Colour, server: Loopback, open_assistant_api: OpenAssistantApi
) -> None:
    client = colour.client(server.url)
    thread_id = await asked(colour, client)
    assert "".join(await told(colour, client, thread_id)) == TEXT


async def test_deltas_that_come_before_their_message(
    colour: Colour, server: Loopback, open_assistant_api: OpenAssistantApi
) -> None:
    client = colour.client(server.url)
    thread = await colour.of(client.beta.threads.create())
    log: list[tuple[Any, ...]] = []
    handler = colour.logging_handler(log)
    asked_for = client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id="asst_1", event_handler=handler
    )
    async with colour.entered(asked_for) as stream:
        await colour.of(stream.until_done())
    names = [name for name, *_ in log if name.startswith(("on_text", "on_message_c", "on_message_done"))]
    first, last = (
        ["on_text_created", "on_text_delta", "on_message_created"],
        ["on_text_done", "on_message_done"],
    )
    assert names == [*first, "on_text_delta", "on_text_delta", *last]
    grown = [args[1].value for name, *args in log if name == "on_text_delta"]
    assert grown == ["Otters ", "Otters hold ", TEXT]
    (final,) = await colour.of(stream.get_final_messages())
    assert final.content[0].text.value == TEXT
