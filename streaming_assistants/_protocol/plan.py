"""What a plan asks of whoever carries it out: the one vocabulary of effects. Sans-IO.

A plan is a generator that decides and never waits. It yields an effect and is sent what came of it, or has
the exception thrown in that came instead; what it returns is its result. What is no Exception (an interrupt
from the keyboard, a cancellation) is thrown in too, and ends it whatever it does. Who carries plans out, in
either colour, is in ``_io/drive.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from streaming_assistants._json import Json

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Ask:
    """Asks the server for ``GET path``; is sent a :class:`Received`.

    ``retries`` is how often a failure is tried again, None for as often as the client does it; ``within``
    as of :class:`Invoke`.
    """

    path: str
    query: Mapping[str, Json] = field(default_factory=dict)
    retries: int | None = None
    within: float | None = None


class Received(NamedTuple):
    """What a server answered: the value, the headers (found by any case), and the request that was made."""

    value: Json
    headers: Mapping[str, str]
    request: Any = None


@dataclass(frozen=True)
class Invoke:
    """Makes one call; is sent what it gives, awaited where it can be, as ``read`` makes it of that.

    ``within``: the seconds that it may take in all, after which WaitedTooLong is thrown in. ``aside``: it is
    made in a thread also where tasks are waited for, which it would hold up. ``kept``: it is not given up
    when whoever reads leaves; it is they who wrote it.
    """

    make: Callable[[], Any]
    within: float | None = None
    read: Callable[[Any], Any] | None = None
    aside: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Together:
    """Makes several calls, ``limit`` at a time; is sent what each gave or the exception that it raised.

    Each in a thread, or in a task where tasks are waited for, with the context variables of now. Whatever
    ends the waiting cancels the tasks and leaves the threads alone.
    """

    calls: Sequence[Invoke]
    limit: int


@dataclass(frozen=True)
class Sleep:
    """Asks for a pause, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Say:
    """Hands ``what`` to whoever reads; is sent None once they want more."""

    what: Any


class Body(Protocol):
    """A streamed response, and what its bytes mean."""

    response: Any
    reader: Any
    """Its ``done`` says that the server has announced the end; what follows that is not read."""

    def feed(self, data: bytes) -> Iterable[Any]:
        """What the next bytes complete."""
        ...

    def last(self) -> Iterator[Any]:
        """What the end of the bytes completes."""
        ...

    def errors(self) -> AbstractContextManager[None]:
        """Turns what is raised while it is read into what a caller expects."""
        ...


@dataclass(frozen=True)
class Read:
    """Opens a streamed response and hands what it holds to whoever reads, as it comes; then closes it.

    ``make`` opens it, awaited where it can be; ``read`` makes a :class:`Body` of that. The plan is sent the
    body once it is read to its end, or the exception that it broke with. It sees none of what passes by:
    what wants to look at that is what turns bytes into it.
    """

    make: Callable[[], Any]
    read: Callable[[Any], Body]


Effect: TypeAlias = Ask | Invoke | Together | Sleep | Say | Read

Plan: TypeAlias = Generator[Effect, Any, ResultT]


class WaitedTooLong(Exception):
    """A deadline passed."""


class Outcome(NamedTuple):
    """What came of an effect, and of nothing yet before the first."""

    value: Any = None
    error: Exception | None = None

    def into(self, plan: Generator[Any, Any, Any]) -> Any:
        """Hands it to the plan; the effect that follows. Raises StopIteration at the plan's end."""
        return plan.send(self.value) if self.error is None else plan.throw(self.error)
