"""Vectors of texts, by the upstream's ``/embeddings``. Sans-IO."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from .._search.vectors import unit
from .port import Call, Json, Sleep, UpstreamError

AT_ONCE = 64
"""Texts of one request."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds until a server that does not answer is asked again; after the last it is given up."""

_TOO_MUCH = (400, 413, 422)
_REFUSED = (401, 403, 404, 405, 501)
_SHORTEST = 200  # characters that any model takes


class Waits:
    """How long a server has been waited for."""

    def __init__(self) -> None:
        self._left = list(PAUSES)

    def next(self, error: UpstreamError) -> float:
        """The next pause. Raises the error after the last one."""
        if not self._left:
            raise error
        return self._left.pop(0)

    def over(self) -> None:
        """It answers."""
        self._left = list(PAUSES)


def asked(model: str, texts: Sequence[str], *, seconds: float | None = None) -> Call:
    """The request for the vectors of some texts."""
    return Call("POST", "/embeddings", {"model": model, "input": list(texts)}, seconds=seconds)


def vectors_of(answer: Json, texts: Sequence[str]) -> list[bytes]:
    """The vectors in the answer, in the order of the texts. Raises UpstreamError for another answer."""
    try:
        of = sorted(answer["data"], key=lambda each: int(each.get("index") or 0))
        vectors = [unit(each["embedding"]) for each in of]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UpstreamError(f"/embeddings answered something else than vectors ({error}).") from None
    if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
        raise UpstreamError(f"/embeddings gave {len(vectors)} vectors for {len(texts)} texts, or odd ones.")
    return vectors


def patiently(model: str, texts: Sequence[str], waits: Waits) -> Generator[Call | Sleep, Json, list[bytes]]:
    """The vectors of texts, asked for until they come. What is too much for the server it is given in halves;
    of a text that is too long for the model, the vector is that of its beginning. Raises UpstreamError."""
    while True:
        try:
            vectors = vectors_of((yield asked(model, texts)), texts)
            waits.over()
            return vectors
        except UpstreamError as error:
            refused = error
        if refused.status in _REFUSED:
            raise refused
        if refused.status in _TOO_MUCH:
            break
        yield Sleep(waits.next(refused))
    if len(texts) > 1:
        half = len(texts) // 2
        first = yield from patiently(model, texts[:half], waits)
        return first + (yield from patiently(model, texts[half:], waits))
    [text] = texts
    if len(text) <= _SHORTEST:
        raise refused
    return (yield from patiently(model, [text[: max(_SHORTEST, len(text) // 2)]], waits))
