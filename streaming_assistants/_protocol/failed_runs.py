"""Which runs have failed, what is said of them, and which are worth another try. Sans-IO."""

from __future__ import annotations

import openai

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .offered import offered
from .plan import Effect, Plan
from .status import status_of

FAILED = frozenset({"failed", "expired", "cancelled", "incomplete"})
"""The statuses of a run that has ended without an answer, or without a whole one."""

_PASSING = frozenset({"server_error", "rate_limit_exceeded"})

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


def has_failed(run: object) -> bool:
    """Whether a run has ended, and not well."""
    return status_of(run) in FAILED


def may_pass(run: Model) -> bool:
    """Whether a run failed for a reason that may be gone at the next try."""
    return status_of(run) == "failed" and _said(run, "last_error", "code") in _PASSING


def pause(tries: int) -> float:
    """The seconds before another run is started, after so many that failed."""
    return min(_FIRST_PAUSE * 2.0 ** (tries - 1), _LONGEST_PAUSE)


def why(run: Model) -> str:
    """A sentence: how the run ended."""
    status = status_of(run)
    said = {
        "failed": _joined(_said(run, "last_error", "code"), _said(run, "last_error", "message")),
        "incomplete": _joined(_said(run, "incomplete_details", "reason")),
    }
    words = {"failed": "failed", "incomplete": "is incomplete", "cancelled": "was cancelled"}
    sentence = f"Run {run.id} {words.get(status or '', status)}{said.get(status or '', '')}"
    return sentence if sentence.endswith(".") else f"{sentence}."


def _joined(*words: Json) -> str:
    said = ": ".join(word for word in words if isinstance(word, str) and word)
    return f": {said}" if said else ""


def _said(run: Model, thing: str, name: str) -> Json:
    part = getattr(run, thing, None)
    return part.get(name) if isinstance(part, dict) else getattr(part, name, None)


def wrote(newest: Effect, run_id: str) -> Plan[bool]:
    """Whether a run has left text in its thread; ``newest`` asks for the thread's newest messages."""
    try:
        page = yield from offered(newest)
    except openai.APIError:
        return True  # nobody knows: a second answer beside the first is worse than none
    listed: Json = page.value.get("data") if isinstance(page.value, dict) else None
    return any(
        isinstance(message, dict) and message.get("run_id") == run_id and bool(message.get("content"))
        for message in (listed if isinstance(listed, list) else ())
    )
