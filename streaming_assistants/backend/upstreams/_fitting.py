"""A conversation cut to what fits: whole turns go, the oldest first.

A turn begins at a user's message and holds what it led to, so a call never loses its output. Instructions
and the newest turn always stay. Tokens are estimated, as nobody here has the model's tokenizer: four bytes
of text are one, which is near for English and generous for most else.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace

from .._engine.port import Conversation, Finished, Json, Turn, Upstream, UpstreamError, room_for, wants_more

_MESSAGE_TOKENS = 4  # what a chat template puts around a message
_IMAGE_TOKENS = {"low": 85}
_IMAGE_TOKENS_ELSE = 765
_RESERVE = 4096  # of a window, for an answer whose length nobody has limited
_STEP = 0.75  # of what was refused by a server that does not say how much it takes

_KNOWN = {
    "gpt-3.5-turbo": 16_385,
    "gpt-4": 8_192,
    "gpt-4-32k": 32_768,
    "gpt-4-turbo": 128_000,
    "gpt-4-turbo-preview": 128_000,
    "gpt-4-1106-preview": 128_000,
    "gpt-4-0125-preview": 128_000,
    "gpt-4o": 128_000,
    "gpt-4o-mini": 128_000,
    "gpt-4.1": 1_047_576,
    "gpt-4.1-mini": 1_047_576,
    "gpt-4.1-nano": 1_047_576,
    "o1": 200_000,
    "o3": 200_000,
    "o3-mini": 200_000,
    "o4-mini": 200_000,
}
_DATE = re.compile(r"-(\d{4}|\d{4}-\d\d-\d\d)\Z")
_OVERFLOW = re.compile(
    r"context.?(length|size|window)|maximum context|prompt is too long|too many (input |prompt )?tokens", re.I
)
_WINDOW = (
    re.compile(r"maximum context length (?:is|of) (\d+)", re.I),
    re.compile(r"context (?:size|window|length)\D{0,20}(\d+)", re.I),
    re.compile(r"> (\d+) maximum", re.I),
)
_USED = (
    re.compile(r"(\d+) (?:in the messages|input tokens|prompt tokens)", re.I),
    re.compile(r"resulted in (\d+)", re.I),
    re.compile(r"request(?:ed)?(?: tokens)?:? \(?(\d+)", re.I),
    re.compile(r"too long: (\d+)", re.I),
)


def prompt_tokens(turn: Turn) -> int:
    """An estimate of what the turn costs before anything is said."""
    return _always(turn) + sum(_item(item) for item in turn.items)


def estimated(turn: Turn, said: int) -> Json:
    """The usage of a turn that was answered with ``said`` bytes, for a server that does not tell it."""
    prompt, completion = prompt_tokens(turn), math.ceil(said / 4)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def fitted(turn: Turn, limit: int) -> Turn | None:
    """The turn with as many of its newest items as fit into ``limit`` tokens; None when too few do."""
    room = limit - _always(turn)
    begins = [
        place for place, item in enumerate(turn.items) if item["kind"] == "message" and item["role"] == "user"
    ]
    newest = begins[-1] if begins else 0
    room -= sum(_item(item) for item in turn.items[newest:])
    if room < 0:
        return None
    start, end = newest, newest
    for begin in reversed([0, *begins[:-1]]):
        room -= sum(_item(item) for item in turn.items[begin:end])
        if room < 0:
            break
        start = end = begin
    if start and turn.truncation != "auto":
        return None
    return replace(turn, items=turn.items[start:]) if start else turn


def exceeds(turn: Turn, limit: int | None) -> bool:
    """Whether items before those of the turn could make no difference to what :func:`fitted` leaves."""
    return limit is not None and prompt_tokens(turn) > limit


class WithinMaxPromptTokens:
    """An upstream that is given no more of a thread than the run's ``max_prompt_tokens`` leave."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def __call__(self, turn: Turn) -> Conversation:
        limit = turn.max_prompt_tokens
        shorter = turn if limit is None else fitted(turn, limit)
        return _refused() if shorter is None else self._upstream(shorter)

    def wants_more(self, turn: Turn) -> bool:
        return not exceeds(turn, turn.max_prompt_tokens) and wants_more(self._upstream, turn)

    def room(self, turn: Turn) -> int | None:
        takes = room_for(self._upstream, turn)
        takes = known(turn.model).room(turn) if takes is None else takes
        limit = turn.max_prompt_tokens
        return takes if limit is None else min(limit, limit if takes is None else takes)


def _refused() -> Conversation:
    yield Finished("max_prompt_tokens")


@dataclass(frozen=True)
class Window:
    """How many tokens a model takes, where that is known, and how many of its own one of ours is."""

    tokens: int | None = None
    ratio: float = 1.0

    def room(self, turn: Turn) -> int | None:
        """What the prompt may cost, as :func:`prompt_tokens` counts."""
        if self.tokens is None:
            return None
        reserve = turn.max_completion_tokens or min(_RESERVE, self.tokens // 8)
        return int((self.tokens - reserve) / self.ratio)


def known(model: str) -> Window:
    """The window of a model of the Assistants API's years, by the name that OpenAI gave it."""
    return Window(_KNOWN.get(model) or _KNOWN.get(_DATE.sub("", model)))


def overflowed(error: UpstreamError) -> bool:
    """Whether a server refused a prompt for its length."""
    return "context_length" in (error.code or "") or bool(_OVERFLOW.search(error.message))


def learned(window: Window, error: UpstreamError, sent: int) -> Window:
    """The window as the refusal of a prompt of ``sent`` tokens tells it."""
    said = re.sub(r"(?<=\d)[,_](?=\d{3})", "", error.message)
    tokens, used = _number(_WINDOW, said), _number(_USED, said)
    ratio = max(window.ratio, used / sent) if used and sent else window.ratio
    return Window(tokens or window.tokens, ratio)


def shorter(turn: Turn, window: Window) -> int:
    """What is left to try after the server refused the turn."""
    sent = prompt_tokens(turn)
    room = window.room(turn)
    return int(sent * _STEP) if room is None else min(room, sent - 1)


def _number(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    match = next((match for pattern in patterns if (match := pattern.search(text))), None)
    return int(match[1]) if match else None


def _always(turn: Turn) -> int:
    """What no cutting takes away."""
    form = turn.response_format if isinstance(turn.response_format, dict) else None
    told = [turn.instructions or "", *(json.dumps(tool, ensure_ascii=False) for tool in turn.tools)]
    return sum(text_tokens(text) for text in told) + (text_tokens(json.dumps(form)) if form else 0)


def _item(item: Json) -> int:
    if item["kind"] == "message":
        return _MESSAGE_TOKENS + sum(_part(part) for part in item["content"])
    return sum(_call(call) for call in item.get("calls") or ())


def _part(part: Json) -> int:
    value = part.get(part["type"])
    if part["type"] in ("image_url", "image_file"):
        return _IMAGE_TOKENS.get((value or {}).get("detail") or "", _IMAGE_TOKENS_ELSE)
    return text_tokens(value.get("value") or "" if isinstance(value, dict) else value or "")


def _call(call: Json) -> int:
    kind = call.get("type")
    if kind == "file_search":
        return 0  # what was found is not repeated to the model
    held = call.get(kind) or {}
    return 2 * _MESSAGE_TOKENS + text_tokens(json.dumps(held, ensure_ascii=False))


def text_tokens(text: str) -> int:
    """An estimate of what a text costs."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)
