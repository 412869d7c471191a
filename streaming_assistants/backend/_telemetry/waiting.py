"""The functions that a client calls for a run, as long as the run waits for them here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .._engine.port import Json

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from .tracing import Tracing

_MOST = 10_000  # runs that are remembered: some never go on, and some do elsewhere


class _Asked(NamedTuple):
    at: int  # nanoseconds since the epoch
    calls: Json


class Waiting:
    """Remembers since when runs wait, and makes a span of each call once its output is there."""

    def __init__(self, telemetry: Tracing) -> None:
        self._telemetry = telemetry
        self._since: dict[str, _Asked] = {}

    def began(self, run: Json) -> None:
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        if len(self._since) >= _MOST:
            self._since.pop(next(iter(self._since)), None)
        self._since[run["id"]] = _Asked(time.time_ns(), calls)

    def ended(self, run_id: str, context: Context) -> None:
        asked = self._since.pop(run_id, None)
        for call in asked.calls if asked is not None else ():
            told = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": call["function"]["name"],
                "gen_ai.tool.call.id": call["id"],
                "gen_ai.tool.type": "function",
            }
            if self._telemetry.content:
                told["gen_ai.tool.call.arguments"] = call["function"]["arguments"]
            name = f"execute_tool {call['function']['name']}"
            tracer, began = self._telemetry.tracer, asked.at if asked is not None else None
            tracer.start_span(name, context, attributes=told, start_time=began).end()
