"""Passages and searches in each store: what is found, in which order, and what is not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_assistants.backend._engine.api_errors import ApiError
from streaming_assistants.backend._engine.file_port import Passage, Unsearchable
from streaming_assistants.backend._engine.store_port import Store
from streaming_assistants.backend._engine.vector_stores import entry_id
from streaming_assistants.backend._search import filters
from streaming_assistants.backend._search.fusion import fused
from streaming_assistants.backend._search.vectors import numbers, unit
from streaming_assistants.backend._search.words import asked, of_each, words
from streaming_assistants.backend._store import passage_vectors
from streaming_assistants.backend._store.database import Database

pytestmark = pytest.mark.any_sdk

TEXTS = {
    "file-rent": "The rent of the flat is due on the first day of each month.",
    "file-fees": "A late fee of 50 euros is added when the rent is late. Late fees are never waived.",
    "file-cats": "Cats and other pets live in the building with the landlord's consent.",
    "file-tokyo": "東京都の家賃は毎月一日に支払います。",
    "file-beijing": "房东同意后可以在公寓里养猫。",
    "file-thai": "ผู้เช่าต้องชำระค่าเช่าทุกเดือน",
}


def add(tx: Any, store_id: str, file_id: str, passages: list[Passage], **entry: Any) -> None:
    """A file with its passages in a store, each made if need be."""
    if tx.get("vector_stores", store_id) is None:
        tx.add("vector_stores", {"id": store_id})
    if tx.get("stored_files", file_id) is None:
        data = {"id": file_id, "filename": f"{file_id}.txt"}
        tx.add("stored_files", data, purpose="assistants", content_id="c")
    data = {"id": file_id, "vector_store_id": store_id, "attributes": {}, "status": "completed", **entry}
    columns = {"vector_store_id": store_id, "file_id": file_id, "status": data["status"]}
    tx.add("store_files", data, id=entry_id(store_id, file_id), **columns)
    tx.add_passages(store_id, file_id, passages, "model-1")


def passage(text: str, at: int = 0, vector: list[float] | None = None, **place: Any) -> Passage:
    return Passage(text, at, at + len(text), place, None if vector is None else unit(vector))


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as tx:
        for file_id, text in TEXTS.items():
            add(tx, "vs_1", file_id, [passage(text, page=1)], attributes={"kind": file_id[-4:]})
        add(tx, "vs_2", "file-rent", [passage("The rent again, of another store.")])
    return store


def by_words(store: Store, query: str, *, within: list[str] | None = None, **options: Any) -> list[Any]:
    with store.read() as tx:
        limit = options.get("limit", 10)
        return list(
            tx.keyword_hits(["vs_1"] if within is None else within, query, options.get("filters"), limit)
        )


def ids(hits: list[Any]) -> list[str]:
    return [hit.file_id for hit in hits]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("When is the rent due?", ["file-rent", "file-fees"]),
        ("LATE FEE", ["file-fees"]),  # a plural, and another case
        ("pet", ["file-cats"]),
        ("東京の家賃", ["file-tokyo"]),
        ("猫", ["file-beijing"]),
        ("ค่าเช่า", ["file-thai"]),
        ("unicorn", []),
        ("?!", []),
        ("the", ["file-cats", "file-rent", "file-fees"]),
    ],
)
def test_words_find_what_says_them(filled: Store, query: str, expected: list[str]) -> None:
    hits = by_words(filled, query)
    assert ids(hits) == expected or (query == "the" and set(ids(hits)) == set(expected))
    assert all(0 < hit.score <= 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_hit_says_where_it_is_from(filled: Store) -> None:
    [hit] = by_words(filled, "pets")
    assert hit.vector_store_id == "vs_1"
    assert hit.filename == "file-cats.txt"
    assert hit.text == TEXTS["file-cats"]
    assert (hit.start, hit.end) == (0, len(hit.text))
    assert hit.place == {"page": 1}
    assert hit.attributes == {"kind": "cats"}


def test_a_search_is_of_its_stores_alone(filled: Store) -> None:
    assert [hit.vector_store_id for hit in by_words(filled, "another store", within=["vs_2"])] == ["vs_2"]
    both = by_words(filled, "rent", within=["vs_1", "vs_2"])
    assert sorted(hit.vector_store_id for hit in both) == ["vs_1", "vs_1", "vs_2"]
    assert by_words(filled, "rent", within=["vs_3"]) == []
    assert by_words(filled, "rent", within=[]) == []


def test_every_store_ranks_alike(filled: Store) -> None:
    """The rank is computed from the same words, whatever finds them."""
    plain = Database("sqlite://")
    with plain.write() as tx:
        for file_id, text in TEXTS.items():
            add(tx, "vs_1", file_id, [passage(text)])
    for query in ("the rent is late", "late late fee euros", "東京都の家賃は毎月", "consent of the landlord"):
        expected = [(hit.file_id, pytest.approx(hit.score)) for hit in by_words(plain, query)]
        assert [(hit.file_id, hit.score) for hit in by_words(filled, query)] == expected
    plain.close()


def test_filters_starve_no_search(store: Store) -> None:
    with store.write() as tx:
        for number in range(120):
            text = "wanted " * (1 if number == 7 else 3) + "and more"
            add(tx, "vs_1", f"file-{number}", [passage(text, vector=[1, number])], attributes={"n": number})
    wanted = {"type": "eq", "key": "n", "value": 7}
    assert ids(by_words(store, "wanted", filters=wanted, limit=1)) == ["file-7"]
    with store.read() as tx:
        hits = tx.vector_hits(["vs_1"], unit([0, 1]), "model-1", wanted, 1)
        assert ids(list(hits)) == ["file-7"]


def test_only_what_is_completed_is_found_and_what_is_dropped_is_gone(filled: Store) -> None:
    with filled.write() as tx:
        add(tx, "vs_1", "file-new", [passage("A new rent.", vector=[1, 0])], status="in_progress")
        tx.drop_passages("vs_1", "file-fees")
    assert ids(by_words(filled, "rent")) == ["file-rent"]
    with filled.write() as tx:
        tx.change("store_files", entry_id("vs_1", "file-new"), {"status": "completed"}, status="completed")
    assert set(ids(by_words(filled, "rent"))) == {"file-rent", "file-new"}
    with filled.write() as tx:
        tx.remove("vector_stores", "vs_1")
    with filled.write() as tx:
        while tx.sweep_passages():
            pass
    assert by_words(filled, "rent") == []
    with filled.read() as tx:
        assert list(tx.vector_hits(["vs_1"], unit([1, 0]), "model-1", None, 5)) == []
    assert ids(by_words(filled, "rent", within=["vs_2"])) == ["file-rent"]


def test_a_file_that_comes_again_is_found_once(filled: Store) -> None:
    with filled.write() as tx:
        tx.drop_passages("vs_1", "file-rent")
        tx.remove("store_files", entry_id("vs_1", "file-rent"))
        add(tx, "vs_1", "file-rent", [passage("Rent, anew.")])
        while tx.sweep_passages():
            pass
    assert by_words(filled, "anew rent month")[0].text == "Rent, anew."


def test_passages_are_in_order(store: Store) -> None:
    with store.write() as tx:
        add(tx, "vs_1", "file-1", [passage(f"word{number}", number) for number in range(3)])
        tx.add_passages("vs_1", "file-1", [passage("word3", 3)], None)
    with store.read() as tx:
        got = tx.passages("vs_1", "file-1", after=1, limit=2)
        assert [each.text for each in got] == ["word1", "word2"]
        assert [each.start for each in tx.passages("vs_1", "file-1", after=0, limit=9)] == [0, 1, 2, 3]
        assert list(tx.passages("vs_1", "file-2", after=0, limit=9)) == []


def test_vectors_find_the_nearest_of_their_model(store: Store) -> None:
    with store.write() as tx:
        for number, vector in enumerate([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [-1, 0, 0]]):
            add(tx, "vs_1", f"file-{number}", [passage("text", vector=vector)])
    with store.read() as tx:
        hits = list(tx.vector_hits(["vs_1"], unit([2, 0, 0]), "model-1", None, 3))
        assert ids(hits) == ["file-0", "file-1", "file-2"]
        assert [hit.score for hit in hits] == pytest.approx([1, 0.9939, 0], abs=1e-3)
        assert list(tx.vector_hits(["vs_1"], unit([1, 0, 0]), "model-2", None, 3)) == []
    with store.write() as tx:
        tx.put_vectors("vs_1", "file-2", 0, [unit([1, 1])], "model-2")
    with store.read() as tx:
        assert ids(list(tx.vector_hits(["vs_1"], unit([1, 0]), "model-2", None, 3))) == ["file-2"]
        assert len(list(tx.vector_hits(["vs_1"], unit([1, 0, 0]), "model-1", None, 9))) == 3


@pytest.mark.parametrize(
    ("store", "by"), [("file", "numpy"), ("file", "sqlite-vec"), ("postgres", "numpy")], indirect=["store"]
)
def test_vectors_follow_their_passages(store: Store, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are packed: files of one passage and of many, some of which go or are embedded anew."""
    if by == "sqlite-vec":
        monkeypatch.setitem(__import__("sys").modules, "numpy", None)
        monkeypatch.setattr(passage_vectors, "_loads_sqlite_vec", _like_sqlite_vec)
    rng = random.Random(5)
    random_vector = lambda: [rng.uniform(-1, 1) for _ in range(4)]  # noqa: E731
    sizes = {f"file-{number}": 1 if number % 35 else 300 for number in range(80)}
    known: dict[tuple[str, int], list[float]] = {}
    with store.write() as tx:
        for file_id, size in sizes.items():
            vectors = [random_vector() for _ in range(size)]
            known.update(((file_id, at), vector) for at, vector in enumerate(vectors))
            add(tx, "vs_1", file_id, [passage("text", at, vector) for at, vector in enumerate(vectors)])

    def check() -> None:
        wanted = random_vector()
        cosine = lambda one: _product(unit(one), unit(wanted))  # noqa: E731
        expected = sorted(known, key=lambda each: -cosine(known[each]))[:20]
        with store.read() as tx:
            hits = tx.vector_hits(["vs_1"], unit(wanted), "model-1", None, 20)
        assert [(hit.file_id, hit.start) for hit in hits] == expected
        assert [hit.score for hit in hits] == pytest.approx([cosine(known[each]) for each in expected])

    check()
    gone = ("file-0", "file-3", "file-33", "file-79")
    with store.write() as tx:
        for file_id in gone:
            tx.drop_passages("vs_1", file_id)
        anew = [random_vector() for _ in range(64)]
        tx.put_vectors("vs_1", "file-35", 100, [unit(each) for each in anew], "model-1")
    known = {each: vector for each, vector in known.items() if each[0] not in gone}
    known.update((("file-35", 100 + at), vector) for at, vector in enumerate(anew))
    check()
    with store.write() as tx:
        while tx.sweep_passages():
            pass
        add(tx, "vs_1", "file-new", [passage("text", at, random_vector()) for at in range(2)])
        tx.drop_passages("vs_1", "file-new")
    check()
    with store.write() as tx:
        tx.drop_passages("vs_1")
        while tx.sweep_passages():
            pass
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM vector_blocks").scalar() == 0


def _like_sqlite_vec(connection: Any) -> bool:
    distance = lambda one, other: 1 - _product(one, other)  # noqa: E731
    connection.connection.driver_connection.create_function("vec_distance_cosine", 2, distance)
    return True


def _product(one: bytes, other: bytes) -> float:
    return sum(each * of_other for each, of_other in zip(numbers(one), numbers(other), strict=True))


def test_without_fts5_or_numpy_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Database(tmp_path / "assistants.db")
    with store.write() as tx:
        add(tx, "vs_1", "file-1", [passage("text", vector=[1, 0])])
    with store.write() as tx:
        tx.connection.exec_driver_sql("DROP TABLE passage_occurrences")
        with pytest.raises(Unsearchable, match=r"has no FTS5.*PostgreSQL\.$"):
            tx.keyword_hits(["vs_1"], "text", None, 1)
    store.close()
    monkeypatch.setattr(passage_vectors, "_loads_sqlite_vec", lambda connection: False)
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    store = Database(tmp_path / "assistants.db")
    with pytest.raises(ImportError, match=r"pip install 'streaming_assistants\[vectors\]'"):
        store.check_vectors()
    store.close()


VALUES = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, "a", "b", "", "1"]))
KEYS = st.sampled_from(["x", "y"])
COMPARISONS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["eq", "ne"]), "key": KEYS, "value": VALUES}),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["gt", "gte", "lt", "lte"]),
            "key": KEYS,
            "value": VALUES.filter(lambda value: not isinstance(value, bool)),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["in", "nin"]), "key": KEYS, "value": st.lists(VALUES, max_size=3)}
    ),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "filters": st.lists(inner, max_size=3)}
    ),
    max_leaves=6,
)


@given(FILTERS, st.dictionaries(KEYS, VALUES))
def test_filters_mean_what_they_say(given_filters: Any, attributes: dict[str, Any]) -> None:
    filters.checked(given_filters)
    assert filters.matches(given_filters, attributes) is plainly(given_filters, attributes)


def plainly(each: Any, attributes: dict[str, Any]) -> bool:
    """The same, over again: values with their types, so that ``True`` is not ``1``."""
    if each["type"] == "and":
        return all(plainly(inner, attributes) for inner in each["filters"])
    if each["type"] == "or":
        return any(plainly(inner, attributes) for inner in each["filters"])

    def typed(value: Any) -> tuple[str, Any]:
        names = {bool: "boolean", int: "number", float: "number", str: "string"}
        return names[type(value)], value

    there = typed(attributes[each["key"]]) if each["key"] in attributes else None
    if each["type"] in ("in", "nin"):
        return (there in [typed(value) for value in each["value"]]) == (each["type"] == "in")
    value = typed(each["value"])
    if each["type"] in ("eq", "ne"):
        return (there == value) == (each["type"] == "eq")
    if there is None or there[0] != value[0]:
        return False
    compared = {"gt": there > value, "gte": there >= value, "lt": there < value, "lte": there <= value}
    return compared[each["type"]]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ([], "filters"),
        ({"key": "a", "value": 1}, "filters.type"),
        ({"type": "like", "key": "a", "value": 1}, "filters.type"),
        ({"type": "eq", "value": 1}, "filters.key"),
        ({"type": "eq", "key": "a"}, "filters.value"),
        ({"type": "eq", "key": "a", "value": {}}, "filters.value"),
        ({"type": "gt", "key": "a", "value": True}, "filters.value"),
        ({"type": "in", "key": "a", "value": "a"}, "filters.value"),
        ({"type": "in", "key": "a", "value": [None]}, "filters.value[0]"),
        ({"type": "and", "filters": [{"type": "eq", "key": 1, "value": 1}]}, "filters.filters[0].key"),
        ({"type": "or", "filters": {}}, "filters.filters"),
        ({"type": "eq", "key": "a", "value": 1, "more": 1}, "filters.more"),
    ],
)
def test_what_is_no_filter_is_refused(wrong: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        filters.checked(wrong)
    assert caught.value.status == 400
    assert caught.value.body["error"]["param"] == param


def test_rankings_are_fused_by_their_places() -> None:
    ranked = fused([["a", "b", "c"], ["b", "d"]])
    assert [key for key, _ in ranked] == ["b", "a", "d", "c"]
    assert ranked[0][1] == pytest.approx((61 / 62 + 1) / 2)
    assert fused([["a"], ["a"]]) == [("a", 1.0)]
    assert fused([["a"], []]) == [("a", 0.5)]


@given(st.text(max_size=60))
def test_questions_ask_for_words_that_texts_have(text: str) -> None:
    """Whatever is asked for is in an index of the same text, and is no syntax of any database."""
    there = words(text)
    assert set(asked(text)) <= set(there)
    assert not any(set(word) & set(" '\"\\:&|!()*") for word in there)


@given(st.text(alphabet="ab É東京s_\n.", max_size=60), st.integers(1, 9), st.integers(0, 9))
def test_passages_have_their_words_however_they_overlap(text: str, size: int, overlap: int) -> None:
    parts = [(text[at : at + size + overlap], at) for at in range(0, len(text), size)]
    stripped = [(part.strip(), at + len(part) - len(part.lstrip())) for part, at in parts if part.strip()]
    for passages in (parts, stripped):
        told = [sorted(each) for each in of_each(passages)]
        assert told == [sorted(words(part)) for part, _ in passages]
