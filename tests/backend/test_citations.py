from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend.upstreams._citations import MarkedText

pytestmark = pytest.mark.any_sdk

MARK = "【4:0†foods.txt】"


def added_up(values: list[Any]) -> tuple[str, list[Any]]:
    annotations = [mark for value in values for mark in value.get("annotations", [])]
    return "".join(value["value"] for value in values), annotations


def assert_annotations_match(text: str, annotations: list[Any]) -> None:
    assert [mark["index"] for mark in annotations] == list(range(len(annotations)))
    for mark in annotations:
        assert mark["text"]
        assert text[mark["start_index"] : mark["end_index"]] == mark["text"]


def test_a_citation_at_the_end_of_the_text_becomes_a_marker_there() -> None:
    cited = MarkedText()
    values = [*cited.feed("cake"), *cited.cite(4, MARK, "file-a"), *cited.feed("."), *cited.flush()]
    text, annotations = added_up(values)
    assert text == f"cake{MARK}."
    assert annotations == [
        {
            "index": 0,
            "type": "file_citation",
            "text": MARK,
            "start_index": 4,
            "end_index": 4 + len(MARK),
            "file_citation": {"file_id": "file-a", "quote": ""},
        }
    ]


def test_a_citation_ahead_of_the_text_waits_for_it() -> None:
    cited = MarkedText()
    values = [*cited.cite(3, MARK, "file-a")]
    assert values == []
    values += [*cited.feed("ab"), *cited.feed("cdef"), *cited.flush()]
    assert added_up(values)[0] == f"abc{MARK}def"


def test_a_citation_for_text_already_said_goes_to_the_end() -> None:
    cited = MarkedText()
    assert added_up([*cited.feed("abcdef"), *cited.cite(2, MARK, "file-a")])[0] == f"abcdef{MARK}"


def test_a_marker_written_by_the_model_is_taken_once() -> None:
    cited = MarkedText()
    values = [*cited.feed("cake 【1:0†source】"), *cited.cite(5, MARK, "a"), *cited.cite(5, MARK, "b")]
    text, annotations = added_up(values)
    assert text == f"cake 【1:0†source】{MARK}"
    assert_annotations_match(text, annotations)
    assert [mark["file_citation"]["file_id"] for mark in annotations] == ["a", "b"]


def test_only_the_first_delta_has_an_empty_annotation_list() -> None:
    cited = MarkedText()
    assert [*cited.feed("a"), *cited.feed("b")] == [{"value": "a", "annotations": []}, {"value": "b"}]


def test_a_link_is_found_by_its_place_after_a_marker_moved_it() -> None:
    cited = MarkedText()
    link = "sandbox:/mnt/data/out.csv"
    values = [*cited.feed("ab"), *cited.cite(2, MARK, "file-a"), *cited.feed(f" [x]({link})"), *cited.flush()]
    values.append(cited.link(7, 7 + len(link), "other-name.csv", "file-b"))
    text, annotations = added_up(values)
    assert_annotations_match(text, annotations)
    assert annotations[1]["text"] == link
    assert annotations[1]["file_path"] == {"file_id": "file-b"}


def test_a_link_is_found_by_its_filename_without_a_place() -> None:
    cited = MarkedText()
    values = [*cited.feed("[1](sandbox:/mnt/data/a.csv) [2](sandbox:/mnt/data/b.csv)")]
    values.append(cited.link(0, 0, "b.csv", "file-b"))
    text, annotations = added_up(values)
    assert_annotations_match(text, annotations)
    assert annotations[0]["text"] == "sandbox:/mnt/data/b.csv"
    assert cited.link(0, 0, "c.csv", "file-c") is None
    values.append(cited.append_link("c.csv", "file-c"))
    text, annotations = added_up(values)
    assert_annotations_match(text, annotations)
    assert text.endswith("\nsandbox:/mnt/data/c.csv")


words = st.text(alphabet="ab 🍰é†【】\n()/:", max_size=12)
marks = st.tuples(st.integers(0, 60), st.sampled_from([MARK, "【0:1†b】"]))
places = st.tuples(st.integers(-5, 70), st.integers(-5, 70))


@given(
    st.lists(st.one_of(words, st.just(" sandbox:/mnt/data/a.csv "), marks), max_size=12),
    st.lists(places, max_size=4),
)
def test_annotations_match_the_text_wherever_they_point(steps: list[Any], links: list[Any]) -> None:
    cited, values, source, count = MarkedText(), [], "", 0
    for step in steps:
        if isinstance(step, str):
            source += step
            values += cited.feed(step)
        else:
            count += 1
            values += cited.cite(step[0], step[1], "file-a")
    values += cited.flush()
    for start, end in links:
        value = cited.link(start, end, "a.csv", "file-b")
        values.append(value or cited.append_link("a.csv", "file-b"))
    text, annotations = added_up(values)
    assert_annotations_match(text, annotations)
    assert len(annotations) == count + len(links)
    # Nothing of the model's text is lost: without what was put in, it is what was fed.
    put_in = [m for m in annotations if m["text"] in (MARK, "【0:1†b】")]
    if "【" not in source and not links:
        for mark in reversed(put_in):
            text = text[: mark["start_index"]] + text[mark["end_index"] :]
        assert text == source
