"""What searches have found, as the model is given it and as steps show it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .._engine.file_port import Hit
from .._engine.objects import RANKING
from .._engine.port import Json, Turn
from ._fitting import text_tokens
from ._history import has_tool
from ._markers import Marker

MOST_TOKENS = 16_000
"""What the passages of a search may come to, as with the hosted API."""

FEWER_TOKENS = 4_000
"""The same for the 3.5 models, and for a model of which nobody knows how much it takes."""

_SMALL = "gpt-3.5"
_LEAST_TOKENS = 200
_RESULTS, _FEWER_RESULTS = 20, 5
_PLAIN = str.maketrans({"【": "[", "】": "]", "\n": " ", "\r": " "})

FUNCTION = {
    "description": (
        "Searches the files that the user has provided, and gives the passages that fit best. Each begins "
        "with its marker, such as 【4:0†report.pdf】. Put the marker of a passage, copied exactly, right "
        "behind whatever you take from it."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for, in words that the files may use."}
        },
        "required": ["query"],
    },
}
"""The function that a model is offered."""

_FOUND = "Found for {query}, the best first. Cite a passage by its marker, copied exactly:"
_BEFORE = "Passages of the user's files that may help. Cite one by its marker, copied exactly:"
_NOTHING = "Nothing in the files fits {query}."
_EARLIER = "(Passages of {names} were found. Their text is not repeated; search again for it.)"
_NO_QUERY = 'Nothing was searched: file_search needs its argument "query".'


def budget(turn: Turn, room: int | None) -> int:
    """Tokens that the passages of a search may have; ``room`` is what the whole prompt may, if that is
    known."""
    most = FEWER_TOKENS if room is None or turn.model.startswith(_SMALL) else MOST_TOKENS
    return most if room is None else min(most, max(room // 2, _LEAST_TOKENS))


def halved(tokens: int) -> int | None:
    """What to try where that many were too many; None at the end of that."""
    return tokens // 2 if tokens > _LEAST_TOKENS else None


def options(turn: Turn) -> Json:
    """The run's file_search, as it was asked for."""
    for tool in turn.tools:
        if tool.get("type") == "file_search":
            return tool.get("file_search") or {}
    return {}


def limit(turn: Turn) -> int:
    """How many passages a search may find."""
    few = turn.model.startswith(_SMALL)
    return int(options(turn).get("max_num_results") or (_FEWER_RESULTS if few else _RESULTS))


def ranking(turn: Turn) -> Json:
    """What the step says of the ranking: the tool's own options, or the hosted API's defaults."""
    given = options(turn).get("ranking_options") or {}
    return {name: given.get(name) or default for name, default in RANKING.items()}


def searches(turn: Turn) -> bool:
    return has_tool(turn, "file_search")


def query_of(arguments: str) -> str:
    """What a call of the function asks for, however the model has put it; empty where it asks for nothing."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return ""
    if isinstance(given, dict):
        given = given.get("query") or given.get("queries") or next(iter(given.values()), "")
    if isinstance(given, list):
        given = " ".join(each for each in given if isinstance(each, str))
    return given.strip() if isinstance(given, str) else ""


def results_of(hits: Sequence[Hit], limit: int, tokens: int) -> tuple[list[Json], list[Json]]:
    """At most so many ``results`` of a step, as fit into so many tokens, each passage once: a file may be in
    two of the stores. And where each stands in its file. The best is there in any case."""
    results: list[Json] = []
    places: list[Json] = []
    seen: set[tuple[str, int, int]] = set()
    for hit in hits:
        passage = (hit.file_id, hit.start, hit.end)
        if passage in seen:
            continue
        seen.add(passage)
        tokens -= text_tokens(hit.text)
        if (tokens < 0 and results) or len(results) == limit:
            break
        results.append(
            {
                "file_id": hit.file_id,
                "file_name": hit.filename,
                "score": hit.score,
                "attributes": dict(hit.attributes),
                "content": [{"type": "text", "text": hit.text}],
            }
        )
        places.append(dict(hit.place))
    return results, places


class Passages:
    """The passages that a model is given in one request, by their markers. ``tokens`` is what those of one
    search may have."""

    def __init__(self, tokens: int) -> None:
        self.given = 0
        self._tokens = tokens
        self._by_place: dict[tuple[int, int], str] = {}
        self._by_name: dict[str, set[str]] = {}

    def file_named(self, marker: Marker) -> str | None:
        """The id of the file that a marker means: by its numbers, else by the name of one file alone."""
        by_place = self._by_place.get((marker.place, marker.rank)) if marker.rank is not None else None
        if by_place is not None or marker.name is None:
            return by_place
        named = self._by_name.get(marker.name.strip(), set())
        return next(iter(named)) if len(named) == 1 else None

    def found(self, place: int, results: list[Json], search: Mapping[str, Json]) -> str:
        """What a call gives the model; ``place`` is that of this output among all messages."""
        query = search.get("query")
        if not query:
            return _NO_QUERY
        said = json.dumps(query, ensure_ascii=False)
        if not results:
            return _NOTHING.format(query=said)
        return "\n\n".join([_FOUND.format(query=said), *self._listed(place, results, search)])

    def before(self, place: int, results: list[Json], search: Mapping[str, Json]) -> str:
        """What a model that calls nothing is given before its message; empty where nothing was found."""
        listed = self._listed(place, results, search)
        return "\n\n".join([_BEFORE, *listed]) if listed else ""

    def _listed(self, place: int, results: list[Json], search: Mapping[str, Json]) -> list[str]:
        listed: list[str] = []
        left = self._tokens
        places = search.get("places") or []
        for rank, result in enumerate(results):
            text = "".join(part.get("text") or "" for part in result.get("content") or ())
            if text_tokens(text) > left:
                if listed:
                    break
                text = text.encode()[: 4 * left].decode(errors="ignore") + " …"
            left -= text_tokens(text)
            name = (result.get("file_name") or "source").translate(_PLAIN)
            self._by_place[place, rank] = result["file_id"]
            self._by_name.setdefault(name, set()).add(result["file_id"])
            self.given += 1
            where = ", ".join(f"{kind} {value}" for kind, value in (places[rank] if places else {}).items())
            listed.append(f"【{place}:{rank}†{name}】{' ' + where if where else ''}\n{text}")
        return listed


def earlier(results: list[Json]) -> str:
    """What stands for a search of an earlier turn."""
    names = dict.fromkeys((result.get("file_name") or "").translate(_PLAIN) for result in results)
    return _EARLIER.format(names=", ".join(names)) if names else "(Nothing was found.)"


def best(given: str) -> str:
    """The first passage of what a search gave, with its marker behind it; empty where it found none."""
    for listed in given.split("\n\n【")[1:2]:
        head, _, text = listed.partition("\n")
        return f"{text.strip()}【{head.partition('】')[0]}】"
    return ""


def is_before(text: str) -> bool:
    """Whether a text is that of passages put before a message."""
    return text.startswith(_BEFORE)
