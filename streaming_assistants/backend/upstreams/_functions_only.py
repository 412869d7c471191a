"""What an upstream without hosted tools refuses, before anything is asked or said."""

from __future__ import annotations

from .._engine.objects import HOSTED_TOOLS
from .._engine.port import Turn
from ._history import attached
from ._members import Fault


def check(turn: Turn, upstream: str, why: str) -> None:
    """Raises :class:`Fault` for a turn that needs more than function tools of ``upstream``."""
    for tool in turn.tools:
        kind = tool.get("type")
        if kind in HOSTED_TOOLS:
            raise _unavailable(f"The tool {kind}", kind, upstream, why)
        if kind != "function":
            raise Fault(f"The tool type {kind!r} is none of the Assistants API's.")
    for kind in HOSTED_TOOLS:
        if attached(turn, kind):
            raise _unavailable(f"A message's attachment for {kind}", kind, upstream, why)
    choice = turn.tool_choice
    if isinstance(choice, dict) and choice["type"] in HOSTED_TOOLS:
        raise _unavailable(f"The tool_choice {choice['type']}", choice["type"], upstream, why)
    if not turn.tools and choice not in (None, "auto", "none"):
        raise Fault(f"tool_choice is {choice!r}, but the run has no tool that can be called.")


def _unavailable(what: str, kind: str, upstream: str, why: str) -> Fault:
    here = ', and so has files="local"' if kind == "file_search" else ""
    return Fault(
        f'{what} is not available with upstream="{upstream}", because {why}. '
        f'upstream="responses" (OpenAI, Azure OpenAI) has it{here}.'
    )
