"""The hosted API has closed: what a patched client without a backend says, and with one does."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import streaming_assistants
from streaming_assistants import patch

from .clients import Colour
from .loopback import Loopback, Reply

pytestmark = pytest.mark.anyio

GONE = {"error": {"code": "assistants_api_deprecated", "message": "The Assistants API is deprecated."}}
ADVICE = "hosted Assistants API is closed.*backend='responses'"


def asked(client: Any) -> list[Any]:
    """The calls that meet a closed API, one after the other."""
    return [
        lambda: client.beta.threads.create(),
        lambda: client.beta.threads.runs.create("thread_1", assistant_id="asst_1"),
        lambda: client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True),
        lambda: client.beta.assistants.list(),
    ]


async def test_410_of_azure(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.json(GONE, 410)).on("GET", ".*", Reply.json(GONE, 410))
    client = colour.client(server.url)
    for ask in asked(client):
        with pytest.raises(openai.APIStatusError, match=ADVICE) as caught:
            await colour.of(ask())
        assert caught.value.status_code == 410
        assert "The Assistants API is deprecated." in str(caught.value)


async def test_404_of_openai(colour: Colour) -> None:
    client = patch(colour.client_answered(404, b"", "https://api.openai.com/v1"))
    for ask in asked(client):
        with pytest.raises(openai.NotFoundError, match=ADVICE):
            await colour.of(ask())


async def test_other_404s_are_left_as_they_are(colour: Colour, server: Loopback) -> None:
    client = patch(
        colour.client_answered(404, b'{"error":{"message":"No thread found"}}', "https://api.openai.com/v1")
    )
    with pytest.raises(openai.NotFoundError, match="No thread found") as caught:
        await colour.of(client.beta.threads.retrieve("thread_1"))
    assert "closed" not in str(caught.value)
    elsewhere = colour.client(server.url)
    server.on("GET", ".*", Reply(404))
    with pytest.raises(openai.NotFoundError) as other:
        await colour.of(elsewhere.beta.threads.retrieve("thread_1"))
    assert "closed" not in str(other.value)
    with pytest.raises(openai.NotFoundError) as models:
        await colour.of(
            patch(colour.client_answered(404, b"", "https://api.openai.com/v1")).models.retrieve("m")
        )
    assert "closed" not in str(models.value)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_that_lists_no_threads_says_so_and_who_does(
    status: int, colour: Colour, server: Loopback
) -> None:
    server.on("GET", "/threads", Reply.json({"error": {"message": "Not here."}}, status))
    with pytest.raises(openai.APIStatusError, match=r"lists no threads.*Not here") as caught:
        await colour.of(colour.client(server.url, max_retries=0).beta.threads.list())
    assert caught.value.status_code == status


async def test_with_a_backend_the_same_code_runs(colour: Colour, server: Loopback) -> None:
    client = streaming_assistants.patch(colour.bare(server.url), backend="echo")
    assistant = await colour.of(client.beta.assistants.create(model="gpt-4o"))
    thread = await colour.of(
        client.beta.threads.create(messages=[{"role": "user", "content": "hello there"}])
    )
    asked = client.with_options(timeout=20).beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id
    )
    async with colour.entered(asked) as stream:
        assert "".join(await colour.list(stream.text_deltas)) == "hello there"
        assert (await colour.of(stream.get_final_run())).status == "completed"
    assert server.requests == []
    patch(client)
    patch(client, backend="echo")
    with pytest.raises(ValueError, match="another backend"):
        patch(client, backend="chat")
    streaming_assistants.unpatch(client)
    server.on("POST", "/threads", Reply.json({"id": "thread_9", "object": "thread"}))
    assert (await colour.of(client.beta.threads.create())).id == "thread_9"


async def test_a_copy_of_a_copy_is_hooked_once(colour: Colour, server: Loopback) -> None:
    client = streaming_assistants.patch(colour.bare(server.url), backend="echo")
    for _ in range(3):
        client = client.with_options(timeout=9)
    proxies = 0
    inner = client._client
    while hasattr(inner, "__wrapped__"):
        inner, proxies = inner.__wrapped__, proxies + 1
    assert proxies == 1
    assert (await colour.of(client.beta.threads.create())).object == "thread"


async def test_what_is_no_backend_is_refused(colour: Colour, server: Loopback) -> None:
    with pytest.raises(ValueError, match="no upstream 'gpt'"):
        patch(colour.bare(server.url), backend="gpt")
    with pytest.raises(TypeError, match="backend="):
        patch(colour.bare(server.url), backend=5)
