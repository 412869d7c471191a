"""What a job of either colour knows of its work, and how the work ends."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streaming_assistants._io.drive import run
from streaming_assistants._io.loops import nowhere
from streaming_assistants._protocol.plan import Outcome, Say

from .._engine.api_errors import ApiError
from .._engine.effects import Abandoned, Do, Events, Interrupted, Work
from .._engine.scoped import scoped
from .._engine.store_port import Store, StoreClosed, Transaction
from .._engine.transacting import transacted
from .feed import AsyncFeed, Feed
from .teller import Teller

logger = logging.getLogger("streaming_assistants")

# For a reader whose run the store could not be told the end of.
_BROKEN_OFF: Events = [("error", ApiError(500, "The backend broke off its work on the run.").body)]


class _Unread(Exception):
    """Nobody reads any more what the work would say."""


class Driver:
    """Carries out :class:`Work`."""

    def __init__(self, work: Work, store: Store, feed: Feed | AsyncFeed | None) -> None:
        self.work = work
        self.teller: Teller | None = None
        """Of a run: where it goes what the work says. It is given before the work begins."""
        self._store = store
        self._reader = feed
        self._broken_off = False  # a wait for the upstream was: it may have more to say
        self._abandoned = False
        self.begin: Callable[[Work], object] = nowhere
        """What begins other work beside this."""
        self._loop_ended = False  # the event loop of a task

    def interrupt(self) -> None:
        """Breaks off what the work waits for; from any thread."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends the work, begun or not: its run fails."""
        self._abandoned = True
        self.interrupt()

    @contextmanager
    def _ending(self, wake: Callable[..., object] = nowhere) -> Iterator[None]:
        """Has ``wake`` told of each change of the work's thread, and ends the work with what is within."""
        unwatch = self._store.watch(self.work.thread_id, wake)
        try:
            yield
        except _Unread:
            logger.debug("%s has left.", self.work.name)
        except (StoreClosed, Abandoned):
            if not self._loop_ended:
                logger.warning("%s was under way when its backend was closed.", self.work.name)
        except Exception:
            logger.exception("%s broke off.", self.work.name)
        finally:
            unwatch()
            self.work.steps.close()
            self._finish(_BROKEN_OFF)

    def _finish(self, events: Events = ()) -> None:
        """The last that a reader is told, unless one has been."""
        if self.teller is not None:
            self.teller.finish(events)
        if self._reader is not None:
            self._reader.finish(events)

    def _need_reader(self) -> None:
        """Raises where the work ends with its reader, who has left."""
        if self._reader is not None and self._reader.left and self.work.run_id is None:
            raise _Unread

    def _interruption(self) -> Exception:
        self._broken_off = True
        return Abandoned() if self._abandoned else Interrupted()

    def _done(self, effect: Do) -> object:
        action = self._within_project(effect.action)
        if effect.says and self.teller is not None:
            return self.teller.done(action, durable=effect.durable, of=effect)  # type: ignore[arg-type]
        return transacted(self._store, action, writes=effect.writes, durable=effect.durable)

    def _within_project(self, action: Callable[[Transaction], object]) -> Callable[[Transaction], object]:
        """The action as it sees the work's project alone."""
        return lambda tx: action(scoped(tx, self.work.project))

    @property
    def _begun(self) -> bool:
        return inspect.getgeneratorstate(self.work.steps) != inspect.GEN_CREATED

    def _abandon(self) -> None:
        """The event loop has ended: so does the run, in the store."""
        self._loop_ended = True
        outcome = Outcome(error=Abandoned()) if self._begun else Outcome()
        with self._ending():
            self._finish(run(self.work.steps, self._do_at_once, outcome))

    def _do_at_once(self, effect: object) -> object:
        """Does what waits for nothing but the store."""
        if isinstance(effect, Do):
            return self._done(effect)
        if isinstance(effect, Say):
            if self.teller is not None:
                self.teller.say(effect.what)
            elif self._reader is not None:
                self._reader.push(effect.what)
        raise Abandoned
