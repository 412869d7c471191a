"""Where a text is cut into the passages that a search finds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .kinds import MAX_TOKENS, TOO_LARGE, Unreadable
from .tokens import measured

if TYPE_CHECKING:
    from .kinds import Place
    from .sections import Section

BETWEEN = "\n\n"
"""What stands between two sections in the text of a file."""

_LONGEST_NAME = 200
"""Characters of a heading that are kept with each passage under it."""


class Chunk(NamedTuple):
    """A passage: ``start`` and ``end`` are offsets in the file's text, in characters. ``place`` is where it
    begins: a page, a heading, a sheet."""

    text: str
    start: int
    end: int
    place: Place


def chunks(sections: Iterable[Section], max_tokens: int = 800, overlap: int = 400) -> Iterator[Chunk]:
    """Passages of ``max_tokens``, each of which begins with the last ``overlap`` tokens of the one before.

    Those of white space alone are left out. Raises Unreadable for a file of more tokens than the API takes.
    """
    texts, starts, places = [], [], []
    at = 0
    for section in sections:
        starts.append(at)
        places.append(_short(section.place))
        texts.append(section.text)
        at += len(section.text) + len(BETWEEN)
    text = BETWEEN.join(texts)
    texts.clear()
    ends, tokens = measured(text)
    if tokens and tokens[-1] > MAX_TOKENS:
        raise Unreadable(TOO_LARGE)
    first = last = 0
    while last < len(ends):
        before = tokens[first - 1] if first else 0
        last = max(bisect_right(tokens, before + max_tokens), first + 1)
        start, end = ends[first - 1] if first else 0, ends[last - 1]
        said = text[start:end]
        if said.strip():
            start += len(said) - len(said.lstrip())
            said = said.strip()
            yield Chunk(said, start, start + len(said), places[bisect_right(starts, start) - 1])
        first = max(bisect_left(tokens, tokens[last - 1] - overlap) + 1, first + 1)


def _short(place: Place) -> Place:
    return {name: at[:_LONGEST_NAME] if isinstance(at, str) else at for name, at in place.items()}
