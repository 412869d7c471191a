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

from .._store.transaction import Transaction
from .port import Call, Json, Next, Open, Sleep


@dataclass(frozen=True)
class Do:
    """A transaction, one that may write unless told otherwise; is sent what ``action`` answers."""

    action: Callable[[Transaction], Any]
    writes: bool = True


@dataclass(frozen=True)
class Emit:
    """Events for the reader: ``(name, object)`` pairs. Without a name: a frame of data alone."""

    events: Sequence[tuple[str, Json]]
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


class Interrupted(Exception):
    """The wait was broken off from outside: somebody changed the run."""


class Abandoned(Exception):
    """The process or its event loop ends; only the store can still be reached."""
