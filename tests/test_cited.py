"""``cited`` with a client, and ``cited_text_deltas`` of a stream, both colours."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from streaming_assistants import cited

from .clients import Colour
from .loopback import CUT, Loopback, Reply
from .samples import frame, message, run, sse, text

pytestmark = pytest.mark.anyio

A = "【4:0†a.txt】"


def note(start: int, file: str = "file_a", **more: Any) -> dict[str, Any]:
    place = {"start_index": start, "end_index": start + len(A)}
    return {"type": "file_citation", "text": A, "file_citation": {"file_id": file}, **place, **more}


def run_of(*texts: Any) -> list[Any]:
    return [run("in_progress"), message("created"), *texts]


CUT_MARKER = [
    text("One【4:"),
    text("0†a.txt】", annotations=[note(3, index=0)]),
    text(", two" + A, annotations=[note(19, "file_b", index=1)]),
    text("."),
]


async def test_a_stream_gives_the_cited_text(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.sse([frame(event) for event in run_of(*CUT_MARKER, run("completed"))]))
    runs = colour.client(server.url).beta.threads.runs
    async with colour.entered(runs.stream(thread_id="thread_1", assistant_id="asst_1")) as stream:
        assert await colour.list(stream.cited_text_deltas) == ["One", "[1]", ", two[2]", "."]
        (said,) = await colour.of(stream.get_final_messages())
    assert cited(said).text == "One[1], two[2]."


async def test_what_was_held_back_comes_before_the_error(colour: Colour, server: Loopback) -> None:
    body = [sse(run_of(text("One【4:")), end=b""), CUT]
    server.on("POST", "/threads/thread_1/runs", Reply.sse(body))
    runs, said = colour.client(server.url).beta.threads.runs, []
    with pytest.raises(openai.APIConnectionError):
        async with colour.entered(runs.stream(thread_id="thread_1", assistant_id="asst_1")) as stream:
            said.append(await colour.next(stream.cited_text_deltas))
            said.append(await colour.next(stream.cited_text_deltas))
            await colour.next(stream.cited_text_deltas)
    assert said == ["One", "【4:"]


async def test_names_of_files_are_asked_for_once_each(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.sse([sse(run_of(*CUT_MARKER, text(A), run("completed")))]))
    server.on("GET", "/files/file_a", Reply.json({"id": "file_a", "object": "file", "filename": "a.txt"}))
    server.on("GET", "/files/file_b", Reply.json({"error": {"message": "No such File object"}}, 404))
    client = colour.client(server.url)
    stream = await colour.handled(client)
    (said,) = await colour.of(stream.get_final_messages())
    found = await colour.of(cited(said, client))
    assert [(each.number, each.filename) for each in found.citations] == [(1, "a.txt"), (2, None)]
    assert len([request for request in server.requests if request.method == "GET"]) == 2


async def test_another_failure_of_the_client_is_raised(colour: Colour, server: Loopback) -> None:
    server.on("POST", ".*", Reply.sse([sse(run_of(*CUT_MARKER, run("completed")))]))
    server.on("GET", "/files/.*", Reply.json({"error": {"message": "broken"}}, 500))
    client = colour.client(server.url)
    (said,) = await colour.of((await colour.handled(client)).get_final_messages())
    with pytest.raises(openai.InternalServerError):
        await colour.of(cited(said, client))
