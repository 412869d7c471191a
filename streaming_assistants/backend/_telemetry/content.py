"""What users and models say, as the conventions have it in spans. Only where somebody asks for it."""

from __future__ import annotations

import json

from .._engine.port import ContentDelta, Json, ToolCallDelta, Turn


def given(turn: Turn) -> dict[str, str]:
    """The attributes of what a turn is given."""
    told = {"gen_ai.input.messages": json.dumps([each for item in turn.items for each in _messages(item)])}
    if turn.instructions:
        told["gen_ai.system_instructions"] = json.dumps([_text(turn.instructions)])
    return told


class Said:
    """What a turn says, as it grows."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: dict[int, Json] = {}

    def grow(self, piece: ContentDelta | ToolCallDelta) -> None:
        if isinstance(piece, ContentDelta):
            self._texts.append((piece.part.get("text") or {}).get("value") or "")
            return
        call = piece.call
        kept = self._calls.setdefault(call.get("index", 0), {"type": "tool_call", "arguments": ""})
        kept.update({"id": call["id"]} if call.get("id") else {})
        function = call.get("function") or {}
        kept["name"] = function.get("name") or kept.get("name") or call.get("type")
        kept["arguments"] += function.get("arguments") or ""

    def attributes(self) -> dict[str, str]:
        text = "".join(self._texts)
        parts = [*([_text(text)] if text else []), *self._calls.values()]
        return {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts}])}


def _messages(item: Json) -> list[Json]:
    if item["kind"] == "message":
        texts = [part["text"]["value"] for part in item["content"] if part["type"] == "text"]
        return [{"role": item["role"], "parts": [_text(text) for text in texts]}]
    calls = [call for call in item["calls"] if call.get("type") == "function"]
    asked = [
        {"type": "tool_call", "id": call["id"], **{k: call["function"][k] for k in ("name", "arguments")}}
        for call in calls
    ]
    told = [
        {"type": "tool_call_response", "id": call["id"], "response": call["function"].get("output")}
        for call in calls
    ]
    return [{"role": "assistant", "parts": asked}, {"role": "tool", "parts": told}] if calls else []


def _text(text: str) -> Json:
    return {"type": "text", "content": text}
