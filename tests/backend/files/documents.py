"""Small documents of every format, made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest


def pdf(folder: Path, *, password: str = "") -> Path:
    pypdf = pytest.importorskip("pypdf", reason="needs streaming_assistants[files]")
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in ("Notice is three months.", "Second page."):
        page = writer.add_blank_page(300, 300)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(content)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    path = folder / "a.pdf"
    writer.write(path)
    return path


def docx(folder: Path) -> Path:
    docx = pytest.importorskip("docx", reason="needs streaming_assistants[files]")
    document = docx.Document()
    document.add_heading("Terms", 1)
    document.add_paragraph("Three months.")
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = "a", "b"
    path = folder / "a.docx"
    document.save(str(path))
    return path


def pptx(folder: Path) -> Path:
    pptx = pytest.importorskip("pptx", reason="needs streaming_assistants[files]")
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Quarter"
    slide.placeholders[1].text = "Grew by a tenth."
    path = folder / "a.pptx"
    show.save(str(path))
    return path


def xlsx(folder: Path) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="needs streaming_assistants[files]")
    book = openpyxl.Workbook()
    book.active.title = "Sales"
    for row in (["name", "sum"], ["Oslo", 12.5]):
        book.active.append(row)
    path = folder / "a.xlsx"
    book.save(path)
    return path


ALL = (pdf, docx, pptx, xlsx)
