"""How long a text is for a model.

Tokens are counted by tiktoken's ``o200k_base`` where that is installed and its data lies on the disk; nothing
is ever downloaded for it. Elsewhere they are estimated: a word of up to twelve letters is one token, and so
is each further part of a longer one, up to three digits, each character of a script that is written without
spaces, and each sign.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

_UNSPACED = "\u0e00-\u0e7f\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"\s*(?:[^\W\d_{_UNSPACED}]{{1,12}}|\d{{1,3}}|[{_UNSPACED}]|[^\w\s]|_+)|\s+")
_ASCII_PIECE = re.compile(
    r"[\s\x1c-\x1f]*(?:[A-Za-z]{1,12}|[0-9]{1,3}|[^\w\s\x1c-\x1f]|_+)|[\s\x1c-\x1f]+", re.ASCII
)
"""The same for a text of ASCII alone, in less time."""

_DATA = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
"""What tiktoken names its copy of the data after. Nothing is asked there."""

_LETTERS = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
_PRETOKEN = "|".join(
    [
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+""" + _LETTERS,
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*""" + _LETTERS,
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
        r"""\s+(?!\S)""",
        r"""\s+""",
    ]
)
"""How that encoding takes a text apart before it counts."""


class Measure(NamedTuple):
    """A text's pieces, which are not cut: where each ends, and how many tokens there are up to there."""

    ends: Sequence[int]
    tokens: Sequence[int]


def measured(text: str) -> Measure:
    """The text, piece by piece."""
    counting = _counting()
    if counting is None:
        pieces = (_ASCII_PIECE if text.isascii() else _PIECE).findall(text)
        ends = array("L", accumulate(map(len, pieces)))  # they leave nothing out
        return Measure(ends, range(1, len(ends) + 1))
    split, tokens_of = counting
    cut = [(match.end(), tokens_of(match.group())) for match in split(text)]
    return Measure([end for end, _ in cut], list(accumulate(tokens for _, tokens in cut)))


def count(text: str) -> int:
    """How many tokens a text is."""
    tokens = measured(text).tokens
    return tokens[-1] if tokens else 0


@cache
def _counting() -> tuple[Callable[[str], Iterator[re.Match[str]]], Callable[[str], int]] | None:
    data = _data()
    if data is None:
        return None
    try:
        regex, tiktoken = importlib.import_module("regex"), importlib.import_module("tiktoken")
    except ImportError:
        return None
    lines = map(bytes.split, data.read_bytes().splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    encoding = tiktoken.Encoding("o200k_base", pat_str=_PRETOKEN, mergeable_ranks=ranks, special_tokens={})
    return regex.compile(_PRETOKEN).finditer, lru_cache(100_000)(
        lambda piece: len(encoding.encode_ordinary(piece))
    )


def _data() -> Path | None:
    """Where tiktoken keeps what it has downloaded, if it has."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    cached = Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache")
    path = cached / hashlib.sha1(_DATA.encode()).hexdigest()
    return path if path.is_file() else None
