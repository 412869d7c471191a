"""What goes on after an answer has begun: a plan that a driver of either colour carries out.

It yields what a conversation yields to the outside (Call, Open, Next, Sleep), Say for whoever reads, and
four things more: :class:`Do` for the store, :class:`Changed` to wait for it, :class:`Apart` and
:class:`Begin`. The driver throws :class:`Interrupted` in where it broke off a wait, :class:`Abandoned` where
it cannot go on at all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from streaming_assistants._protocol.plan import Say

from .event_port import Entry
from .port import Call, Calls, Json, Next, Open, Sleep, UpstreamError
from .store_port import Transaction

ResultT = TypeVar("ResultT")

Event: TypeAlias = "tuple[str, Json]"
"""The name of an event and its object; without a name it is a frame of data alone."""

Events: TypeAlias = Sequence[Event]
"""What Say says here."""


@dataclass(frozen=True)
class Do:
    """A transaction, one that may write unless told otherwise; is sent what ``action`` answers.

    One that is not ``durable`` may be lost when the store's own machine fails at that moment, and nothing
    after it is kept without it: what grows is written again, and the end of a run is durable. With ``says``
    the action answers with events, which whoever reads is told once they are committed. Without ``waits`` a
    run goes on where the store is away."""

    action: Callable[[Transaction], object]
    writes: bool = True
    durable: bool = True
    says: bool = False
    waits: bool = True


@dataclass(frozen=True)
class Apart:
    """Something that takes long and needs neither the store nor an event loop (a file is read by another
    process): done in a thread; is sent what ``action`` answers. It cannot be broken off."""

    action: Callable[[], object]


@dataclass(frozen=True)
class Changed:
    """Asks to go on when the work's thread has changed since the last time, at the latest after so many
    seconds."""

    seconds: float


@dataclass(frozen=True)
class Begin:
    """Begins other work, which goes on by itself."""

    work: Work


WorkEffect: TypeAlias = Call | Open | Next | Sleep | Say | Do | Apart | Changed | Begin

Steps: TypeAlias = Generator[WorkEffect, Any, ResultT]


class Growing(Protocol):
    """What grows between two transactions of a run. It is asked while the run's driver waits."""

    @property
    def unsaved(self) -> bool:
        """Whether something has grown since it was stored."""
        ...

    def look(self, tx: Transaction) -> Events:
        """Stores what has grown, and has nothing to say; raises where there is other news of the run."""
        ...

    def looked(self) -> None:
        """What :meth:`look` did is committed."""


@dataclass(frozen=True)
class Work:
    """``run_id`` is set for a run, which goes on when its reader leaves; other work ends with its reader.
    ``steps`` end with what the reader is told last, unless it has been told an end by others. ``run`` is the
    run as it was queued. It sees the objects of one ``project``, or with None those of all.

    A run's events are kept: ``begun`` are those that are stored already, of what begins with the work, and
    ``last`` is the number that all others follow. ``claim`` is the number of the claim by which it is driven.
    """

    steps: Steps[Events]
    thread_id: str
    run_id: str | None = None
    what: str = "A reader of"
    project: str | None = None
    run: Json = None
    claim: int = 0
    begun: Sequence[Entry] = ()
    last: int = 0
    growing: Growing | None = None

    @property
    def name(self) -> str:
        return f"Run {self.run_id}" if self.run_id else f"{self.what} {self.thread_id}"


@dataclass(frozen=True)
class Errand:
    """Calls that a request needs done before it can be answered. ``key`` tells it from other errands of the
    request."""

    key: str
    calls: Calls

    def steps(self) -> Calls:
        """The calls; what came of them is a result, a refusal too."""
        try:
            return (yield from self.calls)
        except UpstreamError as error:
            return error


class Interrupted(Exception):
    """The wait was broken off from outside: somebody changed the run."""


class Abandoned(Exception):
    """The process or its event loop ends; only the store can still be reached."""
