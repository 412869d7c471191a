"""How long to wait before the next look, and when to look no more. Sans-IO: the clock is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .plan import WaitedTooLong

HEADER = "openai-poll-after-ms"
DEFAULT_SECONDS = 1.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.01, 60.0


WHOLE_SECONDS = 1.0
"""A deadline from here on counts from the call; a shorter one would be over before anything was asked."""


def checked_seconds(name: str, value: object) -> float | None:
    """What a parameter says in seconds, None for none. Raises TypeError or ValueError for what is neither."""
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a number of seconds, got {value!r:.80}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: expected more than 0 seconds, and an end, got {value!r}")
    return value


@dataclass(frozen=True)
class Terms:
    """What a caller asked of a poll: the interval in ms, the deadline in seconds, None for neither."""

    interval_ms: int | None = None
    max_wait: float | None = None

    @classmethod
    def checked(cls, interval_ms: object, max_wait: object) -> Terms:
        """Raises TypeError or ValueError, which say what was expected and what came."""
        if interval_ms is not None:
            if not isinstance(interval_ms, int) or isinstance(interval_ms, bool):
                raise TypeError(f"poll_interval_ms: expected whole milliseconds, got {interval_ms!r}")
            if interval_ms < 0:
                raise ValueError(f"poll_interval_ms: expected 0 or more milliseconds, got {interval_ms!r}")
        return cls(interval_ms, checked_seconds("max_wait_seconds", max_wait))

    @property
    def is_short(self) -> bool:
        """Whether the deadline is for the waiting alone, and not for what starts it."""
        return self.max_wait is not None and self.max_wait < WHOLE_SECONDS

    def seconds(self, headers: Mapping[str, str]) -> float:
        """How long to wait after an answer with these headers."""
        if self.interval_ms is not None:
            return self.interval_ms / 1000
        try:
            asked = float(headers[HEADER]) / 1000
        except (KeyError, ValueError):
            return DEFAULT_SECONDS
        if not (math.isfinite(asked) and asked >= 0):
            return DEFAULT_SECONDS
        return min(max(asked, SHORTEST_SECONDS), LONGEST_SECONDS)


class Wait:
    """One wait on a caller's terms. It began when this is made, unless ``began`` says otherwise."""

    def __init__(self, terms: Terms, clock: Callable[[], float], began: float | None = None) -> None:
        self.terms = terms
        self.clock = clock
        self._ends = (clock() if began is None else began) + self._allowed

    @property
    def _allowed(self) -> float:
        return math.inf if self.terms.max_wait is None else self.terms.max_wait

    def begin(self) -> None:
        """Says that the waiting begins, which is all that a short deadline is for."""
        if self.terms.is_short:
            self._ends = self.clock() + self._allowed

    def left(self) -> float | None:
        """The seconds until the deadline, None where there is none."""
        return None if self.terms.max_wait is None else self._ends - self.clock()

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self._ends <= self.clock()

    def cut(self, seconds: float) -> float:
        """So many seconds, at the longest until the deadline."""
        return max(0.0, min(seconds, self._ends - self.clock()))

    def next(self, headers: Mapping[str, str]) -> float:
        """The seconds until the next look; the last one is at the deadline. Raises WaitedTooLong after it."""
        if self.over:
            raise WaitedTooLong
        return self.cut(self.terms.seconds(headers))
