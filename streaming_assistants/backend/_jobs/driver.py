"""What a job of either colour does alike: it asks its work for the next effect, and ends with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from streaming_assistants._protocol.plan import Outcome

from .._engine.api_errors import ApiError
from .._engine.effects import Abandoned, Do, Interrupted, Work
from .._engine.store_port import Store, StoreClosed
from .feed import AsyncFeed, Events, Feed

logger = logging.getLogger("streaming_assistants")

# For a reader whose run the store could not be told the end of.
_BROKEN_OFF: Events = [("error", ApiError(500, "The backend broke off its work on the run.").body)]


class Driver:
    """Carries out :class:`Work`."""

    def __init__(self, work: Work, store: Store, feed: Feed | AsyncFeed | None) -> None:
        self.work = work
        self._store = store
        self._reader = feed
        self._broken_off = False  # a wait for the upstream was: it may have more to say
        self._abandoned = False

    def _next(self, outcome: Outcome) -> object | None:
        """The effect that follows on what came of the last one; None at the end, which the reader is told."""
        if self._reader is not None and self._reader.left and self.work.run_id is None:
            self._broken_off = True  # nobody reads what it would say
            return None
        try:
            effect: object = outcome.into(self.work.steps)
            return effect
        except StopIteration:
            self._finish()
            return None

    @contextmanager
    def _ending(self, wake: Callable[[], object]) -> Iterator[None]:
        """Has ``wake`` told of each change of the work's thread, and ends the work with what is within."""
        unwatch = self._store.watch(self.work.thread_id, wake)
        try:
            yield
        except (StoreClosed, Abandoned):
            logger.warning("%s was under way when its backend was closed.", self.work.name)
        except Exception:
            logger.exception("%s broke off.", self.work.name)
        finally:
            unwatch()
            self.work.steps.close()
            self._finish(_BROKEN_OFF)

    def _finish(self, events: Events = ()) -> None:
        """The last that a reader is told, unless one has been."""
        if self._reader is not None:
            self._reader.finish(events)

    def _interruption(self) -> Exception:
        self._broken_off = True
        return Abandoned() if self._abandoned else Interrupted()

    def _done(self, effect: Do) -> Any:
        with self._store.write() if effect.writes else self._store.read() as tx:
            return effect.action(tx)
