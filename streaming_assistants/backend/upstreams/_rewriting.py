"""An upstream whose pieces pass through another's hands before the engine has them. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from streaming_assistants._protocol.plan import Outcome

from .._engine.port import (
    Conversation,
    Failed,
    Finished,
    Piece,
    Turn,
    Upstream,
    UpstreamError,
    room_for,
    wants_more,
)


class Rewriter(Protocol):
    """Of one conversation."""

    def read(self, piece: Piece) -> Iterable[Piece]:
        """What the engine has in the place of the piece."""
        ...

    def end(self) -> Iterable[Piece]:
        """What comes after the last piece."""
        ...


class Rewritten:
    """An upstream whose pieces pass through what ``rewriter`` makes for each conversation."""

    def __init__(self, upstream: Upstream, rewriter: Callable[[], Rewriter]) -> None:
        self._upstream = upstream
        self._rewriter = rewriter

    def wants_more(self, turn: Turn) -> bool:
        return wants_more(self._upstream, turn)

    def room(self, turn: Turn) -> int | None:
        return room_for(self._upstream, turn)

    def __call__(self, turn: Turn) -> Conversation:
        yield from rewritten(self._upstream(turn), self._rewriter())


def rewritten(conversation: Conversation, rewriter: Rewriter) -> Conversation:
    """The conversation, its pieces as the rewriter gives them."""
    outcome = Outcome()
    try:
        while True:
            piece = outcome.into(conversation)
            outcome = Outcome()
            for each in rewriter.read(piece):
                try:
                    outcome = Outcome((yield each))
                except UpstreamError as error:  # noqa: PERF203 - what was asked for failed
                    outcome = Outcome(error=error)
            if isinstance(piece, (Finished, Failed)):
                return  # whatever may follow
    except StopIteration:
        yield from rewriter.end()
    finally:
        conversation.close()
