"""file_search for upstreams whose servers know nothing of it: the backend searches its own files. Sans-IO.

A model that calls functions is offered one more, which is answered here: a turn is then several
conversations with the upstream, one after another. Any other is given what its user's words find.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from dataclasses import replace

from .._engine.file_settings import Searching
from .._engine.port import (
    Conversation,
    Failed,
    Finished,
    Indexed,
    Json,
    Piece,
    Search,
    StepEnd,
    ToolCallDelta,
    Turn,
    Upstream,
    UpstreamError,
    room_for,
    wants_more,
)
from . import _passages as passages
from ._files import data_url
from ._fitting import overflowed
from ._history import attached, has_tool, past_searches, resources
from ._members import Fault
from ._passages import Passages
from ._rewriting import rewritten
from ._search_round import Round
from ._search_turn import check, chosen, function_name, newest_user, offered, without_attachments, words_of

logger = logging.getLogger("streaming_assistants")

_MOST_ROUNDS = 8
"""How often a model may search before it has to answer."""


class LocalSearch:
    """An upstream whose runs search the backend's own files. ``mode`` is how: the model calls a function, or
    ``always`` gets what its user's message finds. ``inline_images``: the upstream's server has no such files,
    and takes images that are in the request."""

    def __init__(self, upstream: Upstream, mode: Searching, *, inline_images: bool = False) -> None:
        self._upstream = upstream
        self._mode = mode
        self._inline_images = inline_images

    def __call__(self, turn: Turn) -> Conversation:
        if passages.searches(turn) or self._inline_images or chosen(turn):
            return self._talk(turn)
        return self._upstream(without_attachments(turn))

    def wants_more(self, turn: Turn) -> bool:
        if passages.searches(turn):
            tokens = passages.budget(turn, self.room(turn))
            turn = offered(turn, turn.items, Passages(tokens), function=self._mode == "function", again=True)
        return wants_more(self._upstream, turn)

    def room(self, turn: Turn) -> int | None:
        return room_for(self._upstream, turn)

    def _talk(self, turn: Turn) -> Conversation:
        try:
            check(turn)
            if self._inline_images:
                turn = yield from _inlined(turn)
            if not passages.searches(turn):
                yield from self._upstream(without_attachments(turn))
                return
            tokens = passages.budget(turn, self.room(turn))
            yield from _Talk(self._upstream, turn, tokens, function=self._mode == "function").pieces()
        except Fault as fault:
            yield fault.failed()


class _Talk:
    """A turn that may search, from its beginning to its end."""

    def __init__(self, upstream: Upstream, turn: Turn, tokens: int, *, function: bool) -> None:
        self._upstream = upstream
        self._turn = turn  # what is left of it: its items grow, its limits shrink
        self._tokens = tokens
        self._function = function
        self._name = function_name(turn)
        self._stores = resources(turn, "file_search", "vector_store_ids")
        newest = newest_user(turn.items)
        self._asks = words_of(turn.items[newest]) if newest >= 0 else ""
        self._known = any(past_searches(item) for item in turn.items[newest + 1 :])
        self._searched = 0  # rounds

    def pieces(self) -> Conversation:
        if self._stores:
            yield Indexed(self._stores)
        unasked = not self._function and not self._known and self._turn.tool_choice != "none"
        if unasked and self._asks:
            yield from self._search_at_once()
        while True:
            limit = self._turn.max_completion_tokens
            if limit is not None and limit <= 0:
                yield Finished("max_completion_tokens")
                return
            round = yield from self._ask()
            last = round.last or Finished()
            if isinstance(last, Failed) or last.reason is not None:
                yield last
                return
            if round.disobeyed:
                yield from self._search_at_once(last.usage)
                continue
            if round.asked:
                yield from self._answer(round)
            if not round.asked or round.waits:
                yield last
                return
            yield from self._go_on(round, last.usage)

    def _ask(self) -> Generator[Piece, Json, Round]:
        """Asks the model, with fewer passages where these were too many for it."""
        while True:
            given = Passages(self._tokens)
            again = self._searched < _MOST_ROUNDS
            turn = offered(self._turn, self._turn.items, given, function=self._function, again=again)
            choice = self._turn.tool_choice
            forced = self._function and isinstance(choice, dict) and choice.get("type") == "file_search"
            round = Round(self._name, given.file_named, passages.ranking(self._turn), forced=forced)
            fewer = passages.halved(self._tokens) if given.given else None
            try:
                yield from rewritten(self._upstream(turn), round)
            except UpstreamError as error:
                if fewer is None or round.items or not overflowed(error):
                    raise
            else:
                last = round.last
                cut = isinstance(last, Finished) and last.reason == "max_prompt_tokens"
                if fewer is None or round.items or not cut:
                    if round.asked and not turn.search:
                        raise Fault(f"The model has searched {self._searched} times and would not answer.")
                    return round
            logger.debug("passages of %d tokens were too many; asked again with fewer", self._tokens)
            self._tokens = fewer

    def _answer(self, round: Round) -> Conversation:
        """Answers the model's calls of the search."""
        searches = []
        for index, query in round.asked.items():
            results, search = yield from self._found(query)
            if results:
                yield round.found(index, results)
            searches.append(search)
        yield round.searched(searches)
        self._searched += 1

    def _search_at_once(self, usage: Json = None) -> Conversation:
        """A search that the model has not asked for, by what its user has said."""
        round = Round(self._name, lambda marker: None, passages.ranking(self._turn))
        function = {"name": self._name, "arguments": json.dumps({"query": self._asks})}
        yield from round.read(ToolCallDelta({"index": 0, "id": "", "type": "function", "function": function}))
        yield from self._answer(round)
        yield from self._go_on(round, usage)

    def _found(self, query: str) -> Generator[Piece, Json, tuple[list[Json], Json]]:
        """The results of a search, and what is kept of it."""
        if not query or not self._stores:
            return [], {"query": query, "places": []}
        options = passages.options(self._turn).get("ranking_options")
        limit = passages.limit(self._turn)
        hits = yield Search(self._stores, query, limit * len(self._stores), options)
        results, places = passages.results_of(hits, limit, self._tokens)
        return results, {"query": query, "places": places}

    def _go_on(self, round: Round, usage: Json) -> Conversation:
        """The step is over, and the model is asked again: with less left to it, and with a choice of its own
        where it had none, or no run would ever end."""
        yield StepEnd(usage)
        turn, used = self._turn, usage or {}
        forced = turn.tool_choice == "required" or isinstance(turn.tool_choice, dict)
        self._turn = replace(
            turn,
            items=[*turn.items, *round.items],
            tool_choice=None if forced else turn.tool_choice,
            max_completion_tokens=_left(turn.max_completion_tokens, used.get("completion_tokens")),
            max_prompt_tokens=_left(turn.max_prompt_tokens, used.get("prompt_tokens")),
        )


def _left(limit: int | None, used: int | None) -> int | None:
    return None if limit is None else limit - (used or 0)


def _inlined(turn: Turn) -> Generator[Piece, Json, Turn]:
    """The turn with the files of its images in it. Raises :class:`Fault` for files of another use, which the
    upstream's server does not have."""
    if has_tool(turn, "code_interpreter"):
        files = [*attached(turn, "code_interpreter"), *resources(turn, "code_interpreter", "file_ids")]
        if files:
            raise Fault(
                f"code_interpreter runs at the upstream's server, which has no file {files[0]}: with "
                'files="local" files stay here. files="upstream" keeps them there.'
            )
    items = []
    for item in turn.items:
        if item["kind"] == "message" and item["role"] == "user":
            item = {**item, "content": list(item["content"])}
            for number, part in enumerate(item["content"]):
                item["content"][number] = yield from _with_image(part)
        items.append(item)
    return replace(turn, items=items)


def _with_image(part: Json) -> Generator[Piece, Json, Json]:
    if part["type"] != "image_file":
        return part
    image = part["image_file"]
    url = yield from data_url(image["file_id"])
    return {"type": "image_url", "image_url": {"url": url, "detail": image.get("detail") or "auto"}}
