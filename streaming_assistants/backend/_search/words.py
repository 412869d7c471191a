"""A text's words, as passages are indexed by them and questions asked: the same on every store.

Case, accents and widths make no difference, and neither does an English plural. What is written without
spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) is taken as overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

LONGEST = 64
"""Characters of a word that count: what is longer is no word but data."""

MOST_ASKED = 64
"""Words of a question that count; the first ones."""

# Characters of which two make a word, besides those of South-East Asia, of which one alone means little.
_IDEOGRAPHS = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = re.compile(f"([{_IDEOGRAPHS}]+|[{_SOUTH_EAST}]+)")
_WORD = re.compile(r"\w+")
_MARKED = re.compile("[\u0590-\u1cff\ua800-\uabff\U00010000-\U00011fff]")
_SIGNS = re.compile("[\u00a0\u00a7\u00ab\u00bb\u2010-\u2015\u2018-\u2022\u2026\u20ac]+")
"""What English is written with besides ASCII, and what parts words like a space."""

_ACCENTS = re.compile("[\u0300-\u036f]+")

_ASCII = (
    bytes(byte + 32 if 65 <= byte <= 90 else byte if chr(byte).isalnum() else 32 for byte in range(128))
    + bytes([32]) * 128
)

_ENGLISH = """
a about an and are as at be been but by can could did do does for from had has have how i if in into is it its
me my no not of on or our should so some such than that the their them then there these they this to was we
were what when where which who why will with would you your d ll m re s t ve
"""
_COMMON = frozenset(_ENGLISH.split())
"""English words that hardly tell one passage from another: asked for only where nothing else is."""


def words(text: str) -> list[str]:
    """Every word of a text, in order, as often as it is there.

    >>> words("Ärzte's CAFÉS_2 no. 東京都")
    ['arzte', 's', 'cafe', '2', 'no', '東', '京', '都', '東京', '京都']
    """
    if not text.isascii():
        text = _SIGNS.sub(" ", text)
    if text.isascii():
        return _stemmed(_spaced(text))
    return [word for run, unspaced in _runs(text) for word in (_pairs(run) if unspaced else _letters(run))]


def of_each(passages: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """The words of passages of one text, each given by its own text and where that starts. What a passage has
    in common with the next is taken once, where it is cut between words."""
    head, said = 0, list[str]()  # as much of the passage is known already, and its words
    for at, (text, start) in enumerate(passages):
        after, begins = passages[at + 1] if at + 1 < len(passages) else ("", start)
        cut = begins - start
        tail = text[cut:]
        if head <= cut < len(text) and cut and _parts(text, cut - 1) and after.startswith(tail):
            shared = words(tail)
            yield said + words(text[head:cut]) + shared
            head, said = (len(tail), shared) if _parts(after, len(tail)) else (0, [])
        else:
            yield said + words(text[head:])
            head, said = 0, []


def _parts(text: str, at: int) -> bool:
    """Whether there is white space, at which a text can be cut without cutting a word."""
    return at >= len(text) or text[at] in " \n\t\r"


def asked(question: str) -> dict[str, int]:
    """The words that a question asks for, and how often it says each.

    >>> asked("What is the fee of the 東京都 office?")
    {'fee': 1, '東京': 1, '京都': 1, 'office': 1}
    >>> asked("To be or not to be")
    {'to': 2, 'be': 2, 'or': 1, 'not': 1}
    """
    said: Counter[str] = Counter()
    for run, unspaced in _runs(question):
        said.update(_two(run) or [run] if unspaced else _letters(run))
    telling = {word: times for word, times in said.items() if word not in _COMMON}
    chosen = telling or said
    return dict(list(chosen.items())[:MOST_ASKED])


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """The text, normalised, part by part; whether the part is written without spaces."""
    text = unicodedata.normalize("NFKD", text)
    text = unicodedata.normalize("NFKC", _ACCENTS.sub("", text)).casefold()
    for number, part in enumerate(_UNSPACED.split(text)):
        if part:
            yield part, number % 2 == 1


def _spaced(text: str) -> list[str]:
    return text.encode().translate(_ASCII).decode().split()


def _letters(text: str) -> list[str]:
    if text.isascii():
        return _stemmed(_spaced(text))
    return _stemmed((_marked() if _MARKED.search(text) else _WORD).findall(text.replace("_", " ")))


def _pairs(run: str) -> list[str]:
    two = _two(run)
    return two or [run] if run[0] < "\u3000" else [*run, *two]


def _two(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


@lru_cache(maxsize=1)
def _marked() -> re.Pattern[str]:
    """Words with their marks, which are letters to whoever writes Hindi. Slow: each mark is a range."""
    marks = "".join(mark for mark in map(chr, range(0x300, 0x12000)) if unicodedata.category(mark)[0] == "M")
    return re.compile(rf"\w+(?:[{marks}]+\w*)*")


def _stemmed(spaced: list[str]) -> list[str]:
    if max(map(len, spaced), default=0) > LONGEST:  # which is not to be remembered whole
        spaced = [word[:LONGEST] for word in spaced]
    return list(map(_stem, spaced))


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """Without the ending of an English plural (Harman's weak stemmer)."""
    if len(word) < 4 or word[-1] != "s" or word[-2] in "us":
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es") and word[-3] in "aeo":
        return word
    return word[:-1]
