"""An upstream whose pieces pass through another's hands before the engine has them. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from streaming_assistants._protocol.plan import Outcome

from .._engine.port import Conversation, Piece, Turn, Upstream, UpstreamError


class Rewriter(Protocol):
    """Of one conversation."""

    def read(self, piece: Piece) -> Iterable[Piece]:
        """What the engine has in the place of the piece."""
        ...

    def end(self) -> Iterable[Piece]:
        """What comes after the last piece."""
        ...


def rewritten(upstream: Upstream, rewriter: Callable[[], Rewriter]) -> Upstream:
    def answer_rewritten(turn: Turn) -> Conversation:
        conversation = upstream(turn)
        rewrites = rewriter()
        outcome = Outcome()
        try:
            while True:
                piece = outcome.into(conversation)
                outcome = Outcome()
                for each in rewrites.read(piece):
                    try:
                        outcome = Outcome((yield each))
                    except UpstreamError as error:  # noqa: PERF203 - what was asked for failed
                        outcome = Outcome(error=error)
        except StopIteration:
            yield from rewrites.end()
        finally:
            conversation.close()

    return answer_rewritten
