"""How long a process that is told to end may take."""

from __future__ import annotations

import logging
import os
import threading

logger = logging.getLogger("streaming_assistants")

SECONDS = 9.5


def within(seconds: float = SECONDS) -> None:
    """Ends the process after so many seconds, whatever it still waits for: a store that is away, a request
    that hangs. What it drives is taken over by others then."""

    def end() -> None:
        logger.error("The process did not end within %g s, and is ended.", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
