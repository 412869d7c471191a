"""What a file says, section by section, whatever its format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from . import office
from .kinds import APART, MARKDOWN, MAX_TOKENS, SEARCHABLE, TOO_LARGE, Place, Unreadable, extension

LONGEST = MAX_TOKENS * 8
"""Characters of a text that may still have few enough tokens."""

_PIECE = 1 << 20


class Section(NamedTuple):
    """A part of a file, in reading order."""

    text: str
    place: Place


def sections(filename: str, path: str) -> Iterator[Section]:
    """What the file at ``path`` says; its format is what ``filename`` ends on. Raises Unreadable."""
    kind = extension(filename)
    if kind not in SEARCHABLE:
        raise Unreadable("The file type is not supported.", "unsupported_file")
    if kind == ".doc":
        kind = office.kind_of_doc(path)
    for section in _READERS[kind](path) if kind in APART else _text(path, kind):
        if section.text.strip():
            yield section


def _text(path: str, kind: str) -> Iterator[Section]:
    text = decoded(path)
    return headed(text) if kind in MARKDOWN else iter((Section(text, {}),))


def decoded(path: str) -> str:
    """A text file's text. The encoding is the one that its first bytes name, UTF-8 where all of it is, UTF-16
    where every other byte of a Latin text is nought, or else Windows' Latin-1, which takes anything."""
    with open(path, "rb") as file:
        start = file.read(1 << 16)
        for encoding in _encodings(start):
            file.seek(0)
            decoder = codecs.getincrementaldecoder(encoding)()
            parts: list[str] = []
            length = 0
            try:
                while data := file.read(_PIECE):
                    parts.append(decoder.decode(data))
                    length += len(parts[-1])
                    if length > LONGEST:
                        raise Unreadable(TOO_LARGE)
                parts.append(decoder.decode(b"", final=True))
            except UnicodeDecodeError:
                continue
            text = "".join(parts).removeprefix("\ufeff")
            if "\0" in text:
                raise Unreadable("The file could not be parsed: it holds binary data and no text.")
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise Unreadable("The file could not be parsed: its encoding is none that is known.")


def _encodings(start: bytes) -> list[str]:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return [encoding]
    half = len(start) // 2 or 1
    if start[1::2].count(0) > half * 0.4 and start[::2].count(0) < half * 0.1:
        return ["utf-16-le"]
    if start[::2].count(0) > half * 0.4 and start[1::2].count(0) < half * 0.1:
        return ["utf-16-be"]
    return ["utf-8", "cp1252", "latin-1"]


_HEADING = re.compile(r"#{1,6}[ \t]+")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")


def headed(text: str) -> Iterator[Section]:
    """A Markdown text by its headings."""
    lines: list[str] = []
    place: Place = {}
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark is not None:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        opening = None if fence else _HEADING.match(line)
        # No pattern takes the closing signs off: it would try a line of nothing else in every way.
        heading = line[opening.end() :].rstrip(" \t#") if opening else ""
        if heading:
            if lines:
                yield Section("\n".join(lines), place)
            lines, place = [], {"heading": heading}
        lines.append(line)
    yield Section("\n".join(lines), place)


_SILENT = frozenset({"head", "script", "style", "template", "noscript", "svg"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure"}
    | {
        "footer",
        "form",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    }
)


class _Html(HTMLParser):
    """Takes down what a page shows, by its headings."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: list[Section] = []
        self._place: Place = {}
        self._parts: list[str] = []
        self._silent: list[str] = []
        self._heading: int | None = None  # where in the parts the open heading begins

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif re.fullmatch("h[1-6]", tag):
            self.end()
            self._heading = 0
        elif tag in ("td", "th"):
            self._parts.append("\t")
        elif tag in _BLOCKS:
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif re.fullmatch("h[1-6]", tag) and self._heading is not None:
            self._place = {"heading": _folded("".join(self._parts))}
            self._heading = None
            self._parts.append("\n")
        elif tag in _BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._parts.append(re.sub(r"[ \t\r\n\f\v]+", " ", data))

    def end(self) -> None:
        """The section is over."""
        text = re.sub(r" *\n\s*", "\n", "".join(self._parts)).strip()
        if text:
            self.sections.append(Section(text, self._place))
        self._parts, self._place = [], {}


def _html(path: str) -> Iterator[Section]:
    parser = _Html()
    parser.feed(decoded(path))
    parser.close()
    parser.end()
    return iter(parser.sections)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _made(read: Callable[[str], Iterator[tuple[str, Place]]]) -> Callable[[str], Iterator[Section]]:
    return lambda path: (Section(text, place) for text, place in read(path))


_READERS: dict[str, Callable[[str], Iterator[Section]]] = {
    ".html": _html,
    ".pdf": _made(office.pdf),
    ".docx": _made(office.docx),
    ".pptx": _made(office.pptx),
    ".xlsx": _made(office.xlsx),
    ".doc": _made(office.doc),
    ".txt": lambda path: _text(path, ".txt"),
}
