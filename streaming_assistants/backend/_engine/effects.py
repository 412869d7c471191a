"""What goes on after an answer has begun: a generator that a driver of either colour runs.

Work yields what a conversation yields to the outside (Call, Open, Next, Sleep), and three things more:
:class:`Do` for the store, :class:`Changed` to wait for it, and :class:`Emit` for whoever reads. The
driver sends results in, and throws :class:`Interrupted` where it broke off a wait, :class:`Abandoned`
where it cannot go on at all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .port import Call, Calls, Json, Next, Open, Sleep, UpstreamError
from .store_port import Transaction

Event: TypeAlias = "tuple[str, Json]"
"""The name of an event and its object; without a name it is a frame of data alone."""


@dataclass(frozen=True)
class Do:
    """A transaction, one that may write unless told otherwise; is sent what ``action`` answers."""

    action: Callable[[Transaction], Any]
    writes: bool = True


@dataclass(frozen=True)
class Emit:
    """Events for the reader."""

    events: Sequence[Event]
    last: bool = False  # whoever tells a reader its last events first is the one who tells them


Steps: TypeAlias = "Generator[Call | Open | Next | Sleep | Do | Emit | Changed, Any, None]"


@dataclass(frozen=True)
class Changed:
    """Asks to go on when the work's thread has changed since the last time, at the latest after so many
    seconds."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """``run_id`` is set for a run, which goes on when its reader leaves; other work ends with its reader."""

    steps: Steps
    thread_id: str
    run_id: str | None = None

    @property
    def name(self) -> str:
        return f"Run {self.run_id}" if self.run_id else f"A reader of {self.thread_id}"


class Errand:
    """Calls that a request needs done before it can be answered. A driver of either colour asks what
    :meth:`go_on` gives it and hands the answer in, an error included, until there is a :attr:`result`."""

    def __init__(self, key: str, calls: Calls) -> None:
        self.key = key
        self.result: Json = None
        self._calls = calls

    def go_on(self, answer: Json = None) -> Call | None:
        try:
            if isinstance(answer, UpstreamError):
                return self._calls.throw(answer)
            return self._calls.send(answer)
        except StopIteration as end:
            self.result = end.value
        except UpstreamError as error:
            self.result = error
        return None


class Interrupted(Exception):
    """The wait was broken off from outside: somebody changed the run."""


class Abandoned(Exception):
    """The process or its event loop ends; only the store can still be reached."""
