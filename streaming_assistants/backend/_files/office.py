"""PDF, Word, PowerPoint and Excel, by well-kept parsers: the extra ``[files]``.

Each reader yields texts with their place. They run in a process of their own (``reader_process.py``): a
parser may loop, or fill the memory, with a file that was made for that.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .kinds import TOO_LARGE, Unreadable

if TYPE_CHECKING:
    from .kinds import Place

_UNPACKED = 1 << 30
"""Bytes that a packed document may have when it is unpacked."""

_OLE, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"


def pdf(path: str) -> Iterator[tuple[str, Place]]:
    """Page by page."""
    pypdf = _parser("pypdf", ".pdf")
    with _faults("PDF"):
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("The file could not be parsed: it is protected by a password.")
        for number, page in enumerate(reader.pages, 1):
            yield page.extract_text() or "", {"page": number}


def docx(path: str) -> Iterator[tuple[str, Place]]:
    """By headings, paragraphs and tables in their order."""
    docx = _parser("docx", ".docx")
    with _faults("Word document"):
        _fitting(path)
        lines: list[str] = []
        place: Place = {}
        for item in docx.Document(path).iter_inner_content():
            rows = getattr(item, "rows", None)
            if rows is not None:
                lines += ["\t".join(cell.text for cell in row.cells) for row in rows]
                continue
            style = getattr(item.style, "name", None) or ""
            if style.startswith(("Heading", "Title")) and item.text.strip():
                if lines:
                    yield "\n".join(lines), place
                lines, place = [], {"heading": item.text.strip()}
            lines.append(item.text)
        yield "\n".join(lines), place


def pptx(path: str) -> Iterator[tuple[str, Place]]:
    """Slide by slide, with its notes."""
    pptx = _parser("pptx", ".pptx")
    with _faults("presentation"):
        _fitting(path)
        for number, slide in enumerate(pptx.Presentation(path).slides, 1):
            lines = [line for shape in slide.shapes for line in _shown(shape)]
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                lines.append(slide.notes_slide.notes_text_frame.text)
            yield "\n".join(lines), {"page": number}


def _shown(shape: Any) -> Iterator[str]:
    if getattr(shape, "has_text_frame", False):
        yield shape.text_frame.text
    if getattr(shape, "has_table", False):
        for row in shape.table.rows:
            yield "\t".join(cell.text for cell in row.cells)
    for inner in getattr(shape, "shapes", ()):
        yield from _shown(inner)


def xlsx(path: str) -> Iterator[tuple[str, Place]]:
    """Sheet by sheet, row by row, values and not formulas."""
    openpyxl = _parser("openpyxl", ".xlsx")
    with _faults("workbook"), open(path, "rb") as file:  # a path has to end on .xlsx for it
        _fitting(path)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = ("\t".join("" if cell is None else str(cell) for cell in row) for row in sheet.values)
            yield "\n".join(row.rstrip("\t") for row in rows), {"sheet": sheet.title}


def kind_of_doc(path: str) -> str:
    """What a ``.doc`` is in truth: many programs give that name to other formats."""
    with open(path, "rb") as file:
        start = file.read(512)
    if start.startswith(_ZIP):
        return ".docx"
    if start.startswith(_OLE):
        return ".doc"
    return ".html" if start.lstrip()[:1] == b"<" else ".txt"


def doc(path: str) -> Iterator[tuple[str, Place]]:
    """An old Word document, where the machine has a program that reads it."""
    program = shutil.which("antiword") or shutil.which("catdoc")
    if program is None:
        raise Unreadable(
            "The file could not be parsed: old Word documents (.doc) are read by antiword or catdoc, and "
            "neither is installed. Save it as .docx."
        )
    done = subprocess.run([program, path], capture_output=True, check=False)
    if done.returncode:
        raise Unreadable("The file could not be parsed: it is no Word document that can be read.")
    yield done.stdout.decode("utf-8", "replace"), {}


def _parser(module: str, kind: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise Unreadable(
            f"The file could not be parsed: reading {kind} files needs an extra that is not installed: "
            "pip install 'streaming_assistants[files]'"
        ) from None


@contextlib.contextmanager
def _faults(noun: str) -> Iterator[None]:
    """Whatever a parser raises of a file is the file's fault."""
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable(
            f"The file could not be parsed: it is no {noun} that can be read ({type(error).__name__})."
        ) from error


def _fitting(path: str) -> None:
    """Refuses an archive that says itself how large it becomes."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED:
            raise Unreadable(TOO_LARGE)
