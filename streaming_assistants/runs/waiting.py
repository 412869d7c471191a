"""How long to wait before the next look, and when to look no more. Sans-IO: who asks tells the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

HEADER = "openai-poll-after-ms"
DEFAULT_SECONDS = 1.0
LEAST_SECONDS, MOST_SECONDS = 0.01, 60.0


class WaitedTooLong(Exception):
    """The deadline passed."""


class Waits:
    """The pauses of one wait.

    ``poll_interval_ms`` wins over the server's hint, which is read anew for each pause; without either
    a pause is one second. ``max_wait_seconds`` counts from here on; None waits for ever.
    """

    def __init__(
        self, poll_interval_ms: int | None, max_wait_seconds: float | None, clock: Callable[[], float]
    ) -> None:
        self._given = None if poll_interval_ms is None else poll_interval_ms / 1000
        self._clock = clock
        self._deadline = None if max_wait_seconds is None else clock() + max_wait_seconds

    def next(self, headers: Mapping[str, str]) -> float:
        """The seconds until the next look; the last one is at the deadline. Raises WaitedTooLong after it."""
        seconds = hinted(headers) if self._given is None else self._given
        if self._deadline is None:
            return seconds
        left = self._deadline - self._clock()
        if left <= 0:
            raise WaitedTooLong
        return min(seconds, left)


def hinted(headers: Mapping[str, str]) -> float:
    """The interval that an answer asks for, in seconds; the default where it says nothing of use."""
    try:
        seconds = float(headers[HEADER]) / 1000
    except (KeyError, ValueError):
        return DEFAULT_SECONDS
    if not 0 <= seconds < float("inf"):
        return DEFAULT_SECONDS
    return min(max(seconds, LEAST_SECONDS), MOST_SECONDS)


def check(poll_interval_ms: object, max_wait_seconds: object) -> None:
    """Refuses what is no interval or no deadline. Raises TypeError or ValueError, which say what came."""
    if poll_interval_ms is not None:
        if not isinstance(poll_interval_ms, int) or isinstance(poll_interval_ms, bool):
            raise TypeError(f"poll_interval_ms: expected whole milliseconds, got {poll_interval_ms!r}")
        if poll_interval_ms < 0:
            raise ValueError(f"poll_interval_ms: expected 0 or more milliseconds, got {poll_interval_ms!r}")
    if max_wait_seconds is not None:
        if not isinstance(max_wait_seconds, (int, float)) or isinstance(max_wait_seconds, bool):
            raise TypeError(f"max_wait_seconds: expected a number of seconds, got {max_wait_seconds!r}")
        if not max_wait_seconds > 0:
            raise ValueError(f"max_wait_seconds: expected more than 0 seconds, got {max_wait_seconds!r}")
