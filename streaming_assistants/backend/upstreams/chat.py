"""The upstream that speaks POST /chat/completions: Ollama, vLLM, llama.cpp, OpenAI, and most others.

Source of the chunks: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from .base import DONE, Conversation, Failed, Finished, Json, Next, Open, Turn, UpstreamError
from .chat_calls import ToolCalls
from .chat_request import adapted, check, request
from .output import Output, unsaid
from .reading import Fault, failure, member, members, optional, usage

logger = logging.getLogger("streaming_assistants")

_REASONS = {"length": "max_completion_tokens", "content_filter": "content_filter"}


def chat(turn: Turn) -> Conversation:
    """One inference by POST /chat/completions. See :mod:`.base` for the protocol."""
    try:
        check(turn)
        body = yield from request(turn)
        yield from unsaid(turn)
        yield from _open(body)
        yield from _follow()
    except Fault as fault:
        yield fault.failed()


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


def _follow() -> Conversation:
    output = Output()
    calls = ToolCalls(output)
    spent: Json = None
    ended = False
    reason: str | None = None
    while True:
        try:
            chunk = yield Next()
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
    yield Finished(_REASONS.get(reason or "stop"), spent)


def _read(delta: Json, output: Output, calls: ToolCalls) -> Conversation:
    if delta.get("content"):
        for text in _texts(delta["content"]):
            # Some models end their calls with a line feed that is no message.
            if text and (text.strip() or not output.functions):
                yield from _say(output, text)
    refusal = optional(delta, "refusal", str)
    if refusal:
        yield from output.say("refusal", "refusal", refusal)
    for call in members(delta, "tool_calls"):
        yield from calls.read(call)
    legacy = optional(delta, "function_call", dict)
    if legacy:
        yield from calls.read({"index": 0, "function": legacy})


def _say(output: Output, text: str) -> Conversation:
    value = {"value": text} if output.knows("text") else {"value": text, "annotations": []}
    yield from output.say("text", "text", value)


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
