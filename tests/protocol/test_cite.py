"""Citations: the same text from a stream, cut anywhere, as from the whole message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_assistants import cited
from streaming_assistants._protocol.cite import PATIENCE, CitedDeltas
from streaming_assistants._protocol.events import EventReader
from streaming_assistants.types import Message

from ..objects import message
from ..samples import frame, recorded_streams, text

A, B = "【4:0†a.txt】", "【4:1†b.txt】"


def citation(marker: str, start: int | None, file: str = "file_a", **more: Any) -> dict[str, Any]:
    made = {"type": "file_citation", "text": marker, "file_citation": {"file_id": file, **more}}
    return made if start is None else {**made, "start_index": start, "end_index": start + len(marker)}


def link(text: str, start: int, file: str = "file_out") -> dict[str, Any]:
    place = {"start_index": start, "end_index": start + len(text)}
    return {"type": "file_path", "text": text, "file_path": {"file_id": file}, **place}


def whole(value: str, *annotations: dict[str, Any]) -> Any:
    content = [{"type": "text", "text": {"value": value, "annotations": list(annotations)}}]
    return cited(Message.construct(None, **{**message(), "content": _models(content)}))


def _models(content: list[Any]) -> list[Any]:
    body = frame(("thread.message.completed", {**message(), "content": content}))
    (event,) = EventReader().feed(body)
    return event.data.content  # type: ignore[no-any-return]


def streamed(*deltas: tuple[str, list[dict[str, Any]]]) -> list[str]:
    """The pieces that deltas of one text let out; annotations are numbered as they come."""
    cite, count, out = CitedDeltas(), 0, []
    for value, notes in deltas:
        numbered = [{**each, "index": count + place} for place, each in enumerate(notes)]
        count += len(notes)
        for event in EventReader().feed(frame(text(value, annotations=numbered))):
            out += cite.add(event)
    return [*out, *cite.close()]


def brief(citations: Any) -> list[tuple[Any, ...]]:
    return [(each.number, each.file_id) for each in citations]


def test_a_marker_becomes_the_number_of_its_file() -> None:
    text = f"One{A} two{B} and one{A}."
    found = whole(
        text,
        citation(A, 3),
        citation(B, text.index(B), "file_b"),
        citation(A, text.rindex(A), quote="said so"),
    )
    assert found.text == "One[1] two[2] and one[1]."
    assert brief(found.citations) == [(1, "file_a"), (2, "file_b")]
    assert found.citations[0].quote == "said so"


def test_numbers_follow_the_text_and_not_the_list() -> None:
    found = whole(f"{B}{A}", citation(A, len(B)), citation(B, 0, "file_b"))
    assert found.text == "[1][2]"
    assert brief(found.citations) == [(1, "file_b"), (2, "file_a")]


def test_a_link_stays_a_link_and_is_listed() -> None:
    found = whole("[csv](sandbox:/mnt/data/o.csv)", link("sandbox:/mnt/data/o.csv", 6))
    assert found.text == "[csv](sandbox:/mnt/data/o.csv)"
    assert [(each.number, each.type, each.file_id) for each in found.citations] == [
        (None, "file_path", "file_out")
    ]


@pytest.mark.parametrize("shift", [-2, 1, 7, None])
def test_a_server_that_counts_otherwise(shift: int | None) -> None:
    text = f"😀 one{A} and{A}"
    places = [text.index(A), text.rindex(A)]
    notes = [
        citation(A, None if shift is None else place + shift, file)
        for place, file in zip(places, ("file_a", "file_b"), strict=True)
    ]
    assert whole(text, *notes).text == "😀 one[1] and[2]"


def test_overlapping_annotations_share_a_place() -> None:
    found = whole(f"x{A}y", citation(A, 1), citation(A, 1, "file_b"), citation(A[2:], 3, "file_c"))
    assert found.text == "x[1][2][3]y"


def test_an_annotation_that_the_text_does_not_show_is_listed_without_a_number() -> None:
    found = whole("nothing", citation(A, 3))
    assert found.text == "nothing"
    assert brief(found.citations) == [(None, "file_a")]


def test_what_is_no_marker_is_let_out_at_once() -> None:
    pieces = streamed(("【标", []), ("题】", []), (" 【4:", []), ("x", []))
    assert pieces[:2] == ["【标", "题】"]
    assert "".join(pieces) == "【标题】 【4:x"


def test_a_marker_is_never_cut_and_waits_for_its_annotation() -> None:
    pieces = streamed(("a【4:0", []), ("†a.txt", []), ("】", []), ("", [citation(A, 1)]), (" b", []))
    assert pieces == ["a", "[1]", " b"]


def test_a_marker_that_nothing_explains_is_text() -> None:
    assert streamed(("a" + A, []), ("b", [])) == ["a", A + "b"]
    assert streamed(("a" + A, []), ("b" * PATIENCE, [])) == ["a", A + "b" * PATIENCE]


def test_an_annotation_before_its_text() -> None:
    assert "".join(streamed(("a", [citation("[doc 1]", 1)]), ("[do", []), ("c 1]b", []))) == "a[1]b"


def test_a_second_block_ends_the_first() -> None:
    cite, out = CitedDeltas(), []
    for event in EventReader().feed(frame(text("a【4:0†", 0)) + frame(text("b", 1))):
        out += cite.add(event)
    assert "".join([*out, *cite.close()]) == "a【4:0†b"


PIECES = st.lists(
    st.one_of(
        st.text(alphabet="ab 【】†4:0\n😀é\u2028", max_size=6),
        st.sampled_from([(A, "file_a"), (B, "file_b"), ("【7†source】", "file_a")]),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.data())
def test_a_stream_says_the_same_as_its_message(pieces: list[Any], data: st.DataObject) -> None:
    value, notes = "", []
    for piece in pieces:
        if isinstance(piece, tuple):
            notes.append(citation(piece[0], len(value), piece[1]))
            piece = piece[0]
        value += piece
    cuts = sorted(data.draw(st.lists(st.integers(0, len(value)), max_size=10)))
    deltas = []
    for start, end in zip([0, *cuts], [*cuts, len(value)], strict=True):
        deltas.append((value[start:end], [note for note in notes if start < note["end_index"] <= end]))
    assert "".join(streamed(*deltas)) == whole(value, *notes).text


def test_a_recorded_citation() -> None:
    (recording,) = [path for path in recorded_streams() if "file_search_citation" in path.name] or [None]
    if recording is None:
        pytest.skip("no recordings")
    cite, out, final = CitedDeltas(), [], None
    for event in EventReader().feed(recording.read_bytes()):
        out += cite.add(event)
        final = event.data if event.event == "thread.message.completed" else final
    assert "".join(out) == cited(final).text == "Filip's favorite food is cake[1]."
