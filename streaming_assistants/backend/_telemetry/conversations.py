"""An upstream that is watched: a span for each turn, below it those of its requests, tools and searches."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from streaming_assistants._protocol.plan import Outcome

from .._engine.port import (
    AS_NAMED,
    Call,
    ContentDelta,
    Conversation,
    Failed,
    Finished,
    Json,
    Next,
    Open,
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
from .content import Said, given

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from .tracing import Tracing

_CHAT = "chat"  # as the conventions call a request for inference, to whichever API
_OPERATIONS = {"/responses": _CHAT, "/chat/completions": _CHAT, "/embeddings": "embeddings"}


class Conversations:
    """An upstream in place of another, which it asks."""

    def __init__(self, telemetry: Tracing, upstream: Upstream) -> None:
        self._telemetry = telemetry
        self._upstream = upstream

    def __call__(self, turn: Turn) -> Conversation:
        watched = _Turn(self._telemetry, turn)
        pieces = self._upstream(turn)
        outcome = Outcome()
        try:
            while True:
                try:
                    piece = outcome.into(pieces)
                except StopIteration:
                    return
                piece = watched.saying(piece)
                try:
                    outcome = Outcome((yield piece))
                except Exception as error:  # noqa: BLE001 - it is the conversation's
                    outcome = Outcome(error=error)
                watched.heard(piece, outcome)
        except BaseException as error:
            watched.broke_off(error)
            raise
        finally:
            pieces.close()
            watched.close()

    def wants_more(self, turn: Turn) -> bool:
        return wants_more(self._upstream, turn)

    def room(self, turn: Turn) -> int | None:
        return room_for(self._upstream, turn)


class _Asking:
    """A request that is under way."""

    def __init__(self, span: Span, told: Json) -> None:
        self.span = span
        self.told = told
        self.began = time.monotonic()
        self.answered = False


class _Turn:
    def __init__(self, telemetry: Tracing, turn: Turn) -> None:
        self._telemetry = telemetry
        self._turn = turn
        parent, self._began = telemetry.of_run(turn.run_id)
        told = {
            "gen_ai.conversation.id": turn.thread_id,
            "gen_ai.request.model": turn.model,
            "streaming_assistants.run.id": turn.run_id,
        }
        self._span = telemetry.tracer.start_span("turn", parent, attributes=told)
        self._context = telemetry.within(self._span, parent)
        self._told: Json = {"gen_ai.operation.name": _CHAT, "gen_ai.request.model": turn.model}
        self._asking: _Asking | None = None
        self._searching: Span | None = None
        self._tools: dict[int, Span] = {}
        self._first = True
        self._said: Said | None = None
        if telemetry.content:
            self._span.set_attributes(given(turn))
            self._said = Said()

    def saying(self, piece: Piece) -> Piece:
        """Notes what the conversation says or asks for; as it is to be asked."""
        if isinstance(piece, Next):
            return piece
        if isinstance(piece, (Open, Call)):
            return self._ask(piece)
        if isinstance(piece, (ContentDelta, ToolCallDelta)):
            self._grow(piece)
        elif isinstance(piece, Search):
            self._search(piece)
        elif isinstance(piece, (StepEnd, Finished)):
            self._step(piece)
        elif isinstance(piece, Failed):
            self._telemetry.failed(self._span, piece.code)
        return piece

    def heard(self, piece: Piece, outcome: Outcome) -> None:
        """Notes what came of it."""
        error = outcome.error
        if isinstance(piece, Search) and self._searching is not None:
            if error is not None:
                self._telemetry.failed(self._searching, _kind(error))
            else:
                self._searching.set_attribute("streaming_assistants.search.results", len(outcome.value or ()))
            self._searching.end()
            self._searching = None
        elif isinstance(piece, (Open, Call, Next)) and self._asking is not None:
            if error is not None:
                self._asked(error)
            elif isinstance(piece, Call):
                self._asked()
            elif isinstance(piece, Next) and not self._asking.answered:
                self._answered(self._asking, outcome.value)

    def broke_off(self, error: BaseException) -> None:
        if not isinstance(error, GeneratorExit):
            self._telemetry.failed(self._span, _kind(error))

    def close(self) -> None:
        self._asked()
        self._end_tools()
        if self._searching is not None:
            self._searching.end()
        if self._said is not None:
            self._span.set_attributes(self._said.attributes())
        self._span.end()

    def _ask(self, piece: Open | Call) -> Open | Call:
        self._asked()
        operation = _OPERATIONS.get(piece.path)
        body = piece.body if isinstance(piece.body, dict) else {}
        if operation is None:
            name = f"{piece.method} /{piece.path.strip('/').partition('/')[0]}"
            told: Json = {"http.request.method": piece.method}
        else:
            model = body.get("model", self._turn.model)
            name = f"{operation} {model}"
            told = {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model,
            }
        self._told = told if operation == _CHAT else self._told
        parameters = _parameters(self._turn) if operation == _CHAT else {}
        kind, tracer = self._telemetry.client_kind(), self._telemetry.tracer
        span = tracer.start_span(name, self._context, kind, {**told, **parameters})
        self._asking = _Asking(span, told)
        headers = self._telemetry.carried(self._telemetry.within(span, self._context))
        return replace(piece, headers=headers)

    def _answered(self, asking: _Asking, event: Json) -> None:
        """The first event of an answer says which model gives it."""
        asking.answered = True
        told = event.get("response") or event if isinstance(event, dict) else {}
        for name in ("id", "model"):
            if isinstance(told, dict) and isinstance(told.get(name), str):
                asking.span.set_attribute(f"gen_ai.response.{name}", told[name])

    def _asked(self, error: Exception | None = None) -> None:
        """Ends the request that is under way."""
        asking, self._asking = self._asking, None
        if asking is None:
            return
        told = asking.told
        if error is not None:
            self._telemetry.failed(asking.span, _kind(error))
            told = {**told, "error.type": _kind(error)}
        asking.span.end()
        if "gen_ai.operation.name" in told:
            self._telemetry.instruments.asked(time.monotonic() - asking.began, told)

    def _grow(self, piece: ContentDelta | ToolCallDelta) -> None:
        if self._first:
            self._first = False
            if self._began is not None:
                took = time.monotonic() - self._began
                self._telemetry.instruments.first_token(took, self._told)
                self._span.set_attribute("streaming_assistants.time_to_first_token", took)
        if isinstance(piece, ContentDelta):
            self._end_tools()
        else:
            self._tool(piece.call)
        if self._said is not None:
            self._said.grow(piece)

    def _tool(self, call: Json) -> None:
        """A tool that is used within the turn; a function is called by the client, after it."""
        kind, index = call.get("type"), call.get("index", 0)
        if index in self._tools or kind in (None, "function") or not call.get("id"):
            return
        told = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": kind,
            "gen_ai.tool.call.id": call["id"],
            "gen_ai.tool.type": "extension",
        }
        tracer = self._telemetry.tracer
        self._tools[index] = tracer.start_span(f"execute_tool {kind}", self._context, attributes=told)

    def _end_tools(self) -> None:
        for span in self._tools.values():
            span.end()
        self._tools.clear()

    def _search(self, piece: Search) -> None:
        told: Json = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": ",".join(piece.vector_store_ids),
            "streaming_assistants.search.limit": piece.limit,
        }
        if self._telemetry.content:
            told["gen_ai.retrieval.query.text"] = piece.query
        within = self._context
        for span in self._tools.values():  # the newest call of a tool is the one that searches
            within = self._telemetry.within(span, self._context)
        self._searching = self._telemetry.tracer.start_span("retrieval", within, attributes=told)

    def _step(self, piece: StepEnd | Finished) -> None:
        self._end_tools()
        usage = piece.usage or {}
        told: Json = {
            f"gen_ai.usage.{name}_tokens": usage[ours]
            for name, ours in (("input", "prompt_tokens"), ("output", "completion_tokens"))
            if usage.get(ours) is not None
        }
        if isinstance(piece, Finished):
            told["gen_ai.response.finish_reasons"] = [piece.reason or "stop"]
        (self._asking.span if self._asking is not None else self._span).set_attributes(told)
        self._telemetry.instruments.used(usage, self._told)
        self._asked()


def _parameters(turn: Turn) -> dict[str, Json]:
    """What is asked of the model. The conventions have the names that APIs of inference have."""
    named = {each.name: getattr(turn, each.name) for each in fields(turn) if each.metadata == AS_NAMED}
    named["max_tokens"] = turn.max_completion_tokens
    return {f"gen_ai.request.{name}": value for name, value in named.items() if value is not None}


def _kind(error: BaseException) -> str:
    """What kind of failure it was, and nothing of what was said: a server may quote it."""
    if isinstance(error, UpstreamError) and error.status is not None:
        return str(error.status)
    return type(error).__name__
