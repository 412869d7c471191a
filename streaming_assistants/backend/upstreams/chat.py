"""The upstream that speaks POST /chat/completions: Ollama, vLLM, llama.cpp, OpenAI, and most others.

Source of the chunks: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace

from .._engine.port import DONE, Conversation, Failed, Finished, Json, Next, Open, Piece, Turn, UpstreamError
from .._engine.run_failures import failure
from ._chat_calls import ToolCalls
from ._chat_request import adapted, check, request
from ._fitting import Window, estimated, exceeds, fitted, known, learned, overflowed, prompt_tokens, shorter
from ._members import Fault, member, members, optional, usage
from ._output import Output, unsaid
from .registry import BuiltIn

logger = logging.getLogger("streaming_assistants")

_OF_TEXT = {"content", "role"}  # all that most deltas have
_REASONS = {"length": "max_completion_tokens", "content_filter": "content_filter"}


class Chat:
    """A chat upstream of one's own: ``LocalBackend(upstream=Chat(context_window=8192))``.

    ``context_window`` is how many tokens the models take, prompt and answer together. Without it the window
    is known for OpenAI's models, and learned from the server's own refusal for the rest.
    """

    def __init__(self, *, context_window: int | None = None) -> None:
        self._given = None if context_window is None else Window(context_window)
        self._learned: dict[str, Window] = {}

    def __call__(self, turn: Turn) -> Conversation:
        try:
            check(replace(turn, items=[]))
            yield from unsaid(turn)
            begun = yield from self._begin(turn)
            if begun is None:
                yield Finished("max_prompt_tokens")
            else:
                yield from _follow(*begun)
        except Fault as fault:
            yield fault.failed()

    def wants_more(self, turn: Turn) -> bool:
        """Whether older items could be sent besides those of the turn."""
        return turn.truncation != "auto" or not exceeds(turn, self.room(turn))

    def room(self, turn: Turn) -> int | None:
        """How many tokens the prompt may have, where the model's window is known."""
        return self._window(turn).room(turn)

    def _window(self, turn: Turn) -> Window:
        return self._learned.get(turn.model) or self._given or known(turn.model)

    def _begin(self, turn: Turn) -> Generator[Piece, Json, tuple[Turn, Json] | None]:
        """Opens the stream, with what fits of the conversation; answers with that and the first event, or
        with None where too little fits."""
        window = self._window(turn)
        room = window.room(turn)
        while True:
            fitting = turn if room is None else fitted(turn, room)
            if fitting is None and turn.truncation == "auto":
                return None
            sent = fitting or turn
            check(sent)
            body = yield from request(sent)
            try:
                yield from _open(body)
                first = yield Next()
                _refused(first)
                return sent, first
            except UpstreamError as error:
                if turn.truncation != "auto" or not overflowed(error):
                    raise
                window = learned(window, error, prompt_tokens(sent))
                self._learned[turn.model] = window
                room = shorter(sent, window)
                logger.debug("/chat/completions refused a prompt for its length; asked again with less")


def chat(turn: Turn) -> Conversation:
    """One inference by POST /chat/completions. See :mod:`.base` for the protocol."""
    yield from Chat()(turn)


UPSTREAM = BuiltIn(Chat, options=("context_window",), path="/chat/completions")


def _refused(chunk: Json) -> None:
    """Raises what some servers say of the prompt's length when they have begun to answer."""
    error = chunk.get("error") if isinstance(chunk, dict) else None
    if isinstance(error, dict):
        refusal = UpstreamError(str(error.get("message") or ""), code=str(error.get("code") or ""))
        if overflowed(refusal):
            raise refusal


def _open(body: Json) -> Conversation:
    while True:
        try:
            yield Open("POST", "/chat/completions", body)
            return
        except UpstreamError as error:  # noqa: PERF203 - the loop is the retry
            other = adapted(body, error)
            if other is None:
                raise
            logger.debug("/chat/completions refused %s; asked again", sorted(body.keys() - other.keys()))
            body = other


def _follow(turn: Turn, first: Json) -> Conversation:
    output = Output()
    calls = ToolCalls(output)
    spent: Json = None
    ended = False
    reason: str | None = None
    read = [first]
    while True:
        try:
            chunk = read.pop() if read else (yield Next())
        except UpstreamError:
            if reason is None:
                raise
            logger.debug("the connection broke after the answer was whole; its usage may be missing")
            break
        if chunk is None:
            break
        if chunk == DONE:
            ended = True
            continue
        if optional(chunk, "error", object) is not None:
            yield failure(chunk["error"])
            return
        if chunk.get("object") == "error":  # older vLLM
            yield failure(chunk)
            return
        spent = usage(optional(chunk, "usage", dict), "prompt_tokens", "completion_tokens") or spent
        for choice in members(chunk, "choices"):
            if optional(choice, "index", int):
                continue  # one choice was asked for
            yield from _read(optional(choice, "delta", dict) or {}, output, calls)
            reason = optional(choice, "finish_reason", str) or reason
    if reason is None and not ended:
        yield Failed("server_error", "The stream of /chat/completions was cut: nothing said that it ended.")
        return
    if reason == "error":
        yield Failed("server_error", "The upstream ended its answer with finish_reason 'error'.")
        return
    if reason not in _REASONS:
        yield from calls.close()
    yield from output.close(whole=reason not in _REASONS)
    yield Finished(_REASONS.get(reason or "stop"), spent or estimated(turn, output.size))


def _read(delta: Json, output: Output, calls: ToolCalls) -> Conversation:
    if delta.get("content"):
        for text in _texts(delta["content"]):
            # Some models end their calls with a line feed that is no message.
            if text and (text.strip() or not output.functions):
                more: Json = {} if output.knows("text") else {"annotations": []}
                yield from output.say("text", "text", {"value": text, **more})
    if delta.keys() <= _OF_TEXT:
        return
    refusal = optional(delta, "refusal", str)
    if refusal:
        yield from output.say("refusal", "refusal", refusal)
    made = members(delta, "tool_calls")
    legacy = optional(delta, "function_call", dict)
    if legacy and not made:  # some servers say a call in both ways
        made = [{"index": 0, "function": legacy}]
    for call in made:
        yield from calls.read(call)


def _texts(content: Json) -> Iterator[str]:
    """The text of a delta's content: a string, or a list of parts (Mistral), thinking left out."""
    if isinstance(content, str):
        yield content
        return
    if not isinstance(content, list):
        raise Fault(f"The upstream sent a malformed event: content is {type(content).__name__}.")
    for part in content:
        kind = optional(part, "type", str)
        if kind == "text":
            yield member(part, "text", str)
        elif kind not in ("thinking", "reasoning"):
            raise Fault(f"The upstream sent content of type {kind!r}, which messages cannot hold.")
