"""An upstream whose pieces pass through another's hands before the engine has them. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from .._engine.port import Conversation, Json, Piece, Turn, Upstream, UpstreamError


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
        answer: Json = None
        trouble: UpstreamError | None = None
        try:
            while True:
                piece = conversation.send(answer) if trouble is None else conversation.throw(trouble)
                answer = trouble = None
                for each in rewrites.read(piece):
                    try:
                        answer = yield each
                    except UpstreamError as error:  # noqa: PERF203 - what was asked for failed
                        trouble = error
        except StopIteration:
            yield from rewrites.end()
        finally:
            conversation.close()

    return answer_rewritten
