"""What a model writes as a marker becomes an annotation of the right place, however its text is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend.upstreams._markers import Marker, WrittenMarkers

from .test_citations import added_up, assert_annotations_match

pytestmark = pytest.mark.any_sdk

FILES = {(4, 0): "file-a", (4, 1): "file-b"}


def named(marker: Marker) -> str | None:
    if marker.rank is not None and (marker.place, marker.rank) in FILES:
        return FILES[marker.place, marker.rank]
    return "file-a" if marker.name == "a.pdf" else None


def read(*deltas: str) -> tuple[str, list[Any]]:
    text = WrittenMarkers(named)
    values = [value for delta in deltas for value in text.feed(delta)]
    values += text.flush()
    assert values == [] or values[0].get("annotations") is not None
    assert all(value["value"] for value in values)
    said, annotations = added_up(values)
    assert_annotations_match(said, annotations)
    return said, [(mark["text"], mark["file_citation"]["file_id"]) for mark in annotations]


@pytest.mark.parametrize(
    ("written", "said", "cited"),
    [
        ("Cake【4:0†a.pdf】.", None, ["file-a"]),
        ("【4:1†source】【4:0†a.pdf】", None, ["file-b", "file-a"]),
        ("🍰 ça【4:1】", None, ["file-b"]),  # the numbers are enough
        ("x【 4 : 1 †b】", None, ["file-b"]),
        ("x【9:9†a.pdf】【7†a.pdf】", None, ["file-a", "file-a"]),  # and so is the name
        ("Cake【9:9†nothing.pdf】.", "Cake.", []),
        ("Cake【9†source】.", "Cake.", []),
        ("a【9:9†x】b【4:0†a】c【9:8†y】d【4:1†b】e", "ab【4:0†a】cd【4:1†b】e", ["file-a", "file-b"]),
        ("【注意】【12】【3:1】【】【【4:0†a】", None, ["file-a"]),
        ("open 【4:0†never ends", None, []),
        ("【4:0†over\ntwo lines】", None, []),
        ("【4:0†" + "n" * 400, None, []),
        ("[4:0†a.pdf]", None, []),
    ],
)
def test_markers(written: str, said: str | None, cited: list[str]) -> None:
    wanted = (written if said is None else said, cited)
    text, annotations = read(written)
    assert (text, [file_id for _, file_id in annotations]) == wanted
    assert read(*written) == (text, annotations)
    for cut in range(min(len(written), 60)):
        assert read(written[:cut], written[cut:]) == (text, annotations)


def test_a_marker_has_a_delta_of_its_own_and_text_waits_no_longer_than_it_must() -> None:
    text = WrittenMarkers(named)
    assert [*text.feed("is cake")] == [{"value": "is cake", "annotations": []}]
    assert [*text.feed("【注")] == [{"value": "【注"}]
    assert [*text.feed(" 【4:0†")] == [{"value": " "}]
    marked, after = text.feed("a】.")
    citation = {"file_id": "file-a", "quote": ""}
    mark = {"text": "【4:0†a】", "start_index": 10, "end_index": 17, "file_citation": citation}
    assert marked == {"value": "【4:0†a】", "annotations": [{"index": 0, "type": "file_citation", **mark}]}
    assert after == {"value": "."}


def test_annotations_of_the_upstream_itself_move_with_the_text() -> None:
    text = WrittenMarkers(named)
    values = [*text.feed("a【9:9†x】b【4:0†a】 【5")]
    link = {"index": 0, "type": "file_path", "text": "sandbox:/x", "start_index": 19, "end_index": 29}
    values += text.annotated("sandbox:/x", [link])
    said, annotations = added_up(values)
    assert said == "ab【4:0†a】 【5sandbox:/x"
    assert_annotations_match(said, annotations)


@given(st.lists(st.text(alphabet="【】†:4019 \nx🍰n.", max_size=12), max_size=12))
def test_however_it_is_cut_the_text_is_the_same_and_nothing_else_is_lost(deltas: list[str]) -> None:
    whole = "".join(deltas)
    said, annotations = read(*deltas)
    assert (said, annotations) == read(whole) if whole else said == ""
    rest = iter(whole)
    assert all(letter in rest for letter in said)  # in its order
    if "†" not in whole:
        assert said == whole
