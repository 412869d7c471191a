"""What files say, whatever their format and encoding."""

from __future__ import annotations

import codecs
import shutil
from pathlib import Path
from typing import Any

import pytest

from streaming_assistants.backend._files import office
from streaming_assistants.backend._files.cutting import chunks
from streaming_assistants.backend._files.kinds import SEARCHABLE, Unreadable, extension
from streaming_assistants.backend._files.sections import sections

from . import documents

pytestmark = pytest.mark.any_sdk


def read(path: Path, filename: str | None = None) -> list[tuple[str, Any]]:
    return [tuple(section) for section in sections(filename or path.name, str(path))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("filename", "kind"),
    [("a.PDF", ".pdf"), ("C:\\x.y\\a.md", ".md"), ("a/b.c/README", ""), (".txt", ""), ("a.tar.gz", ".gz")],
)
def test_the_kind_of_a_name(filename: str, kind: str) -> None:
    assert extension(filename) == kind


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    text = "Caf\u00e9 na\u00efve, zw\u00f6lf Gr\u00fc\u00dfe.\nNext line \u20ac5."
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert read(path) == [(text, {})]


def test_utf_8_beyond_the_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "a" * (1 << 16) + "\U0001f600" * 1000
    path.write_text(text, encoding="utf-8")
    assert read(path) == [(text, {})]


def test_a_mark_that_lies_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(codecs.BOM_UTF8 + b"\xff\xff")
    with pytest.raises(Unreadable, match="encoding"):
        read(path)


def test_binary_data_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(Unreadable, match="binary"):
        read(path)


def test_markdown_by_its_headings(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Before\n# One #\ntext\n```\n# no heading\n```\n## Two\nmore\n", encoding="utf-8")
    assert read(path) == [
        ("Before", {}),
        ("# One #\ntext\n```\n# no heading\n```", {"heading": "One"}),
        ("## Two\nmore\n", {"heading": "Two"}),
    ]


def test_a_line_of_signs_takes_no_time_and_a_heading_little_room(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# " + "#" * 200_000 + "x\n" + "words " * 2000, encoding="utf-8")
    passages = list(chunks(sections("a.md", str(path))))
    assert passages[0].place == {"heading": "#" * 200}


def test_html_as_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>t</title><style>s</style></head><body>Top<h1>Terms &amp; more</h1>"
        "<p>Three <b>months</b>.</p><script>evil()</script><table><tr><td>a<td>b</tr></table></body>",
        encoding="utf-8",
    )
    assert read(path) == [
        ("Top", {}),
        ("Terms & more\nThree months.\na\tb", {"heading": "Terms & more"}),
    ]


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (documents.pdf, [("Notice is three months.", {"page": 1}), ("Second page.", {"page": 2})]),
        (documents.docx, [("Terms\nThree months.\na\tb", {"heading": "Terms"})]),
        (documents.pptx, [("Quarter\nGrew by a tenth.", {"page": 1})]),
        (documents.xlsx, [("name\tsum\nOslo\t12.5", {"sheet": "Sales"})]),
    ],
)
def test_documents(tmp_path: Path, make: Any, wanted: Any) -> None:
    path = make(tmp_path)
    copy = path.rename(tmp_path / "copy")  # as indexing has it, under a name that says nothing
    assert [(text.strip(), place) for text, place in read(copy, path.name)] == wanted


def test_a_doc_that_is_a_docx(tmp_path: Path) -> None:
    path = documents.docx(tmp_path)
    assert read(path, "old.doc") == read(path)


def test_an_old_doc_without_a_program_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.doc"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Unreadable, match="antiword or catdoc"):
        read(path)


def test_a_missing_parser_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    path = documents.pdf(tmp_path)
    monkeypatch.setattr(office.importlib, "import_module", lacks)
    with pytest.raises(Unreadable, match=r"\[files\]") as caught:
        read(path)
    assert caught.value.code == "invalid_file"


def test_a_protected_pdf_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="password"):
        read(documents.pdf(tmp_path, password="secret"))


def test_another_type_is_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert caught.value.code == "unsupported_file"


def test_every_extension_has_a_reader(tmp_path: Path) -> None:
    made = {path.suffix: path for path in (make(tmp_path) for make in documents.ALL)}
    for kind in SEARCHABLE:
        path = made.get(kind) or tmp_path / f"a{kind}"
        if kind not in made:
            path.write_text("words", encoding="utf-8")
        assert read(path), kind
