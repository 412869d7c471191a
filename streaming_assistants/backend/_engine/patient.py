"""Steps that wait for a store that is away, so that a database that is restarted ends no run. Sans-IO."""

from __future__ import annotations

import logging
from typing import TypeVar

from streaming_assistants._protocol.plan import Outcome

from .effects import Do, Interrupted, Steps, WorkEffect
from .port import Sleep
from .store_port import StoreAway

ResultT = TypeVar("ResultT")

logger = logging.getLogger("streaming_assistants")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


def patient(steps: Steps[ResultT], whose: str) -> Steps[ResultT]:
    """The same steps. A transaction that the store was away for is done again until the store is back, unless
    it need not be waited for. It may hold already: what is said is not done twice by that (the driver of a
    run sees whether it is in the log), and what says nothing is the same a second time."""
    outcome = Outcome()
    try:
        while True:
            try:
                effect = outcome.into(steps)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            outcome = yield from _done(effect, whose)
    finally:
        steps.close()


def _done(effect: WorkEffect, whose: str) -> Steps[Outcome]:
    waits = isinstance(effect, Do) and effect.waits
    pause = _FIRST_PAUSE
    while True:
        try:
            return Outcome((yield effect))
        except StoreAway as error:
            if not waits:
                return Outcome(error=error)
            if pause == _FIRST_PAUSE:
                logger.warning("The store is away; %s goes on when it is back: %s", whose, error)
        except Exception as error:  # noqa: BLE001 - it is the steps' own
            return Outcome(error=error)
        try:
            yield Sleep(pause)
        except Interrupted:
            logger.debug("%s is asked for; the store is tried now.", whose)
        except Exception as error:  # noqa: BLE001 - it is the steps' own
            return Outcome(error=error)
        pause = min(2 * pause, _LONGEST_PAUSE)
