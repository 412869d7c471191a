"""Passages: what they hold, where they are, and how they overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend._files import cutting, kinds, tokens
from streaming_assistants.backend._files.cutting import chunks
from streaming_assistants.backend._files.kinds import Unreadable
from streaming_assistants.backend._files.sections import Section

pytestmark = pytest.mark.any_sdk

TEXTS = st.text(alphabet="ab 1,.\n\u4e2d\u6587\u0e01\U0001f600_", max_size=400)


@given(st.lists(TEXTS, max_size=4), st.integers(1, 30), st.data())
def test_passages_cover_the_text_in_order(texts: list[str], size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    text = cutting.BETWEEN.join(texts)
    made = list(chunks([Section(text, {"page": n}) for n, text in enumerate(texts)], size, overlap))
    for chunk in made:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert tokens.count(chunk.text) <= size
    covered = {place for chunk in made for place in range(chunk.start, chunk.end)}
    assert {place for place, sign in enumerate(text) if not sign.isspace()} <= covered
    assert [chunk.start for chunk in made] == sorted({chunk.start for chunk in made})


def test_neighbours_share_the_overlap() -> None:
    words = [f"w{n}" for n in range(100)]
    made = list(chunks([Section(" ".join(words), {})], 20, 8))
    for one, other in zip(made, made[1:], strict=False):
        shared = one.text[other.start - one.start :]
        assert other.text.startswith(shared)
        assert tokens.count(shared) <= 8
        assert tokens.count(shared) > 4


def test_a_short_text_is_one_passage() -> None:
    assert [chunk.text for chunk in chunks([Section(" Hello there. ", {})])] == ["Hello there."]


def test_a_passage_knows_the_page_where_it_begins() -> None:
    made = list(chunks([Section("one two three", {"page": 1}), Section("four five six", {"page": 2})], 4, 0))
    assert [(chunk.text, chunk.place) for chunk in made] == [
        ("one two three\n\nfour", {"page": 1}),
        ("five six", {"page": 2}),
    ]


def test_a_file_of_too_many_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_TOKENS", 10)
    with pytest.raises(Unreadable, match="too large"):
        list(chunks([Section("word " * 11, {})]))
    assert kinds.MAX_TOKENS == 5_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", 0), ("Hello, world", 3), ("incomprehensibility", 2), ("1234567", 3), ("中文字", 3)],
)
def test_the_estimate(text: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_counting", lambda: None)
    assert tokens.count(text) == wanted


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_ascii_is_measured_like_any_text(text: str) -> None:
    whole = list(tokens.measured(text).ends)
    assert list(tokens.measured(f"{text}\u00e9").ends)[: len(whole) - 1] == whole[:-1]
