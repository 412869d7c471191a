"""The upstream that speaks POST /responses: OpenAI, Azure OpenAI, and servers that follow them.

Source of the events: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from .._engine.port import (
    DONE,
    Answering,
    Conversation,
    Failed,
    Finished,
    Json,
    Next,
    Open,
    Turn,
    Upstream,
)
from .._engine.run_failures import failure
from ._containers import container
from ._fitting import estimated
from ._history import has_tool
from ._members import Fault, member, optional, usage
from ._output import unsaid
from ._responses_events import Response
from ._responses_request import request
from ._vector_stores import searchable
from .registry import BuiltIn

logger = logging.getLogger("streaming_assistants")

_REASONS = {"max_output_tokens": "max_completion_tokens", "content_filter": "content_filter"}


def responses(turn: Turn, *, background: bool = False) -> Conversation:
    """One inference by POST /responses. See :mod:`.base` for the protocol. In the ``background`` of the
    server it goes on there whoever reads it."""
    try:
        stores = (yield from searchable(turn)) if has_tool(turn, "file_search") else []
        place = (yield from container(turn)) if has_tool(turn, "code_interpreter") else None
        body = request(turn, stores, place)
        yield from unsaid(turn)
        yield Open("POST", "/responses", {**body, "background": True} if background else body)
        yield from _follow(turn, Response(turn))
    except Fault as fault:
        yield fault.failed()


def _made(background: bool = False) -> Upstream:
    return partial(responses, background=True) if background else responses


UPSTREAM = BuiltIn(_made, ("background",), path="/responses", vector_stores=True)


def _follow(turn: Turn, response: Response) -> Conversation:
    while (event := (yield Next())) is not None and event != DONE:
        kind = member(event, "type", str)
        if kind in ("response.completed", "response.incomplete"):
            last = member(event, "response", dict)
            end = _finished(last, kind, turn.max_completion_tokens)
            yield from response.close(last, isinstance(end, Finished) and end.reason is None)
            if isinstance(end, Finished) and end.usage is None:
                end = replace(end, usage=estimated(turn, response.size))
            yield end
            return
        if kind == "response.failed":
            yield failure(member(event, "response", dict).get("error"))
            return
        if kind == "error":
            # Documented flat, sent nested by some deployments.
            nested = event.get("error")
            yield failure(nested if isinstance(nested, dict) else event)
            return
        if kind == "response.created":
            yield from _background(event)
        yield from response.read(kind, event)
    yield Failed("server_error", "The stream of /responses was cut: it ended before the response did.")


def _background(event: Json) -> Conversation:
    """Where an answer that goes on in the background can be picked up: after the event that tells its id."""
    response = member(event, "response", dict)
    if response.get("background"):
        place = f"/responses/{member(response, 'id', str)}"
        number = optional(event, "sequence_number", int) or 0
        yield Answering(f"{place}?stream=true&starting_after={number}", f"{place}/cancel")


def _finished(response: Json, kind: str, limit: int | None) -> Finished | Failed:
    spent = usage(optional(response, "usage", dict), "input_tokens", "output_tokens")
    details = optional(response, "incomplete_details", dict)
    if kind == "response.completed" and not details:
        # Some servers call an answer complete that their own limit has cut. And a limit that is too small
        # for /responses was not asked for: what was said then is more than the run had left.
        cut = limit is not None and spent is not None and spent["completion_tokens"] >= limit
        return Finished("max_completion_tokens" if cut else None, spent)
    reason = (details or {}).get("reason")
    if reason not in _REASONS:
        return Failed("server_error", f"The upstream left its response incomplete: {reason!r}.")
    return Finished(_REASONS[reason], spent)
