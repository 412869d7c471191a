"""From frames to message chunks: the shape, its lenient readings, and every way to be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants import types
from streaming_assistants._protocol import models
from streaming_assistants._protocol.chunks import Accumulator, ChunkReader, MessageChunk, ServerFailed, growth
from streaming_assistants._protocol.dialects import Malformed
from tests.objects import message
from tests.samples import chunk_frame, values


def chunks(body: bytes) -> list[MessageChunk]:
    reader = ChunkReader()
    return [*reader.feed(body), *reader.close()]


def data(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def shaped(**changes: Any) -> dict[str, Any]:
    """A chunk with other fields in its message."""
    value = json.loads(chunk_frame("Hi")[6:])
    value["data"][0].update(changes)
    return value


@pytest.mark.parametrize("name", ["list", "thread.message.delta"])
def test_a_frame_is_a_typed_chunk(name: str) -> None:
    (chunk,) = chunks(chunk_frame("Hel", object=name))
    assert type(chunk) is types.MessageChunk
    assert (chunk.object, chunk.first_id, chunk.last_id) == (name, "msg_1", "msg_1")
    (data,) = chunk.data
    assert (data.id, data.object, data.created_at) == ("msg_1", "thread.message", 1700000001)
    assert (data.thread_id, data.role, data.run_id) == ("thread_1", "assistant", "run_1")
    assert (data.assistant_id, data.file_ids, data.metadata) == ("asst_1", [], {})
    (item,) = data.content
    assert (item.type, item.index, item.delta.value) == ("text", 0, "Hel")
    assert item.text is item.delta


def test_the_end_is_announced_or_just_comes() -> None:
    body = chunk_frame("Hel") + chunk_frame("lo")
    assert values(chunks(body)) == ["Hel", "lo"]
    reader = ChunkReader()
    assert values(list(reader.feed(body + b"data: [DONE]\n\n" + chunk_frame("more")))) == ["Hel", "lo"]
    assert reader.done
    assert list(reader.close()) == []


@pytest.mark.parametrize(
    "body",
    [
        (chunk_frame("Hel") + chunk_frame("lo")).rstrip(b"\n"),
        (chunk_frame("Hel") + chunk_frame("lo")).replace(b"\n\n", b"\n") + b"\n",
        (chunk_frame("Hel") + chunk_frame("lo")).replace(b"\n", b"\r\n"),
        (chunk_frame("Hel") + chunk_frame("lo")).replace(b"data: ", b"data:"),
        b": ping\n\n" + chunk_frame("Hel") + b"event: ping\ndata:\n\n" + chunk_frame("lo"),
        chunk_frame("Hel") + chunk_frame("lo") + b"event: done\ndata: {}\n\n",
    ],
    ids=["cut-end", "no-blank-line", "crlf", "no-space", "comments-and-empty-data", "done-event"],
)
def test_framings(body: bytes) -> None:
    assert values(chunks(body)) == ["Hel", "lo"]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.integers(1, 7))
def test_cut_anywhere_it_reads_the_same(texts: list[str], size: int) -> None:
    body = b"".join(chunk_frame(text) for text in texts)
    reader = ChunkReader()
    found = [chunk for i in range(0, len(body), size) for chunk in reader.feed(body[i : i + size])]
    assert values(found) == texts


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": None},
        {"file_ids": None, "metadata": None},
        {"assistant_id": None, "run_id": None},
        {"role": "bot"},
        {"created_at": 1700000001.5},
        {"content": [{"delta": {"value": "Hi"}}]},
        {"content": [{"type": "text", "text": {"value": "", "annotations": []}, "delta": {"value": "Hi"}}]},
        {"status": "in_progress", "attachments": []},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_what_servers_leave_out_or_add_is_no_error(changes: dict[str, Any]) -> None:
    (chunk,) = chunks(data(shaped(**changes)))
    assert isinstance(chunk, MessageChunk)
    assert chunk.data[0].content[0].delta.value == "Hi"
    assert chunk.data[0].content[0].text.value == "Hi"
    for name in changes.keys() - {"content"}:
        assert getattr(chunk.data[0], name) == changes[name]


def test_a_text_that_did_not_grow_is_empty_and_not_none() -> None:
    nothing = [{"type": "text", "delta": {"value": None}}]
    assert values(chunks(data(shaped(content=nothing)))) == [""]
    assert values(chunks(data(shaped(content=[{"type": "text", "delta": {}}])))) == [""]


def test_a_chunk_without_content_is_not_handed_out() -> None:
    assert chunks(data(shaped(content=[]))) == []
    assert chunks(data({"object": "list", "data": []})) == []
    assert values(chunks(data(shaped(content=None)) + chunk_frame("Hi"))) == ["Hi"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: {oops\n\n", "JSON"),
        (b"data: \xff\n\n", "JSON"),
        (b"data: 5\n\n", "object"),
        (b'data: "x"\n\n', "object"),
        (b"data: [1]\n\n", "object"),
        (data({"detail": "x"}), "'object'"),
        (data({"object": "thread.run", "data": []}), "'object'"),
        (data({"object": "list"}), "'data'"),
        (data({"object": "list", "data": [1]}), "'data'"),
        (data({"object": "list", "data": [{"content": []}]}), "'id'"),
        (data(shaped(id=None)), "'id'"),
        (data(shaped(content={})), "'content'"),
        (data(shaped(content=[1])), "'delta'"),
        (data(shaped(content=[{"type": "text", "text": {"value": "Hi"}}])), "'delta'"),
        (data(shaped(content=[{"type": "text", "delta": {"value": 5}}])), "'delta'"),
    ],
)
def test_a_frame_that_is_no_chunk_says_what_was_expected(body: bytes, expected: str) -> None:
    with pytest.raises(Malformed) as caught:
        chunks(chunk_frame("Hel") + body)
    assert expected in str(caught.value)
    assert "got" in str(caught.value)
    assert caught.value.frame.data == body[6:-2]


@pytest.mark.parametrize(
    ("body", "message", "said"),
    [
        (b"data: []\n\n", "reported an error", None),
        (data({"error": {"message": "over quota", "code": "c"}}), "over quota", {"message": "over quota"}),
        (data({"error": "over quota"}), "over quota", "over quota"),
        (b"event: error\n" + data({"message": "over quota"}), "over quota", {"message": "over quota"}),
    ],
    ids=["empty-list", "nested", "text", "event"],
)
def test_an_error_of_the_server_is_no_malformed_frame(body: bytes, message: str, said: Any) -> None:
    reader = ChunkReader()
    assert values(list(reader.feed(chunk_frame("Hel")))) == ["Hel"]
    with pytest.raises(ServerFailed, match=message) as caught:
        list(reader.feed(body))
    body_of = caught.value.body
    assert (body_of | said == body_of) if isinstance(said, dict) else body_of == said


def test_chunks_add_up_to_the_message_of_the_sdk() -> None:
    added = Accumulator()
    assert added.message() is None
    for chunk in chunks(chunk_frame("Hel") + chunk_frame("lo")):
        added.add(chunk)
    whole = added.message()
    assert isinstance(whole, models.model("Message"))
    assert (whole.id, whole.role, whole.thread_id, whole.run_id) == (
        "msg_1",
        "assistant",
        "thread_1",
        "run_1",
    )
    assert [(block.type, block.text.value) for block in whole.content] == [("text", "Hello")]
    assert whole.content[0].text.annotations == []


def test_a_newer_message_takes_the_place_of_the_older() -> None:
    added = Accumulator()
    for chunk in chunks(chunk_frame("one") + chunk_frame("two", "msg_2")):
        added.add(chunk)
    assert (added.message().id, added.message().content[0].text.value) == ("msg_2", "two")


def test_blocks_are_told_apart_by_index() -> None:
    added = Accumulator()
    for index, text in ((0, "a"), (2, "b"), (0, "c")):
        added.add(growth(message("x"), index, text))
    assert [block.text.value for block in added.message().content] == ["ac", "b"]


def test_growth_is_a_chunk_like_the_servers() -> None:
    made = growth(message("Hello"), 0, "lo")
    (streamed,) = chunks(chunk_frame("lo"))
    assert type(made) is type(streamed)
    assert (made.object, made.first_id, made.last_id) == (streamed.object, "msg_1", "msg_1")
    assert made.data[0].content[0].delta == streamed.data[0].content[0].delta
    for name in ("id", "object", "created_at", "thread_id", "role", "assistant_id", "run_id", "metadata"):
        assert getattr(made.data[0], name) == getattr(streamed.data[0], name)
