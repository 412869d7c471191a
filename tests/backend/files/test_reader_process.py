"""Files that were made to break what reads them: each ends in one error, and nothing else does."""

from __future__ import annotations

import os
import random
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streaming_assistants.backend._files import reader_process
from streaming_assistants.backend._files.kinds import Unreadable
from streaming_assistants.backend._files.reader_process import read_apart
from streaming_assistants.backend._files.sections import Section, sections

from . import documents

pytestmark = pytest.mark.any_sdk


def test_it_gives_what_is_read_here(tmp_path: Path) -> None:
    for make in documents.ALL:
        path = make(tmp_path)
        assert list(read_apart(path.name, str(path))) == list(sections(path.name, str(path)))


def test_the_process_has_no_key_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen = []
    popen = subprocess.Popen

    def noted(command: list[str], **options: object) -> object:
        seen.append(options["env"])
        process = popen(command, **options)  # type: ignore[call-overload]
        seen.append(process)
        return process

    monkeypatch.setattr(reader_process.subprocess, "Popen", noted)
    path = documents.pdf(tmp_path)
    reading = read_apart(path.name, str(path))
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    environment, process = seen
    assert "OPENAI_API_KEY" not in environment
    assert process.returncode is not None


def test_one_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.html")  # nobody ever writes there
    with pytest.raises(Unreadable, match="within 1 seconds"):
        list(read_apart("a.html", str(tmp_path / "a.html"), seconds=1))


def test_a_bomb_that_says_so(tmp_path: Path) -> None:
    path = documents.docx(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/x.bin", b"\0" * 1000)
        archive.filelist[-1].file_size = 2 << 30
    with pytest.raises(Unreadable, match="too large"):
        list(read_apart(path.name, str(path)))


def test_a_bomb_in_a_pdf(tmp_path: Path) -> None:
    packed = zlib.compress(b"(" + b"A" * (100 << 20) + b") Tj", 9)
    body = (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
        b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream endobj\n"
        b"trailer<</Root 1 0 R>>\n%%%%EOF" % (len(packed), packed)
    )
    path = tmp_path / "bomb.pdf"
    path.write_bytes(body)
    with pytest.raises(Unreadable):
        list(read_apart(path.name, str(path), seconds=20, memory=128 << 20))


@pytest.mark.parametrize("make", documents.ALL, ids=lambda make: make.__name__)
def test_damaged_documents(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Thirty of each format, cut short or with bytes changed; some in the process that is meant for them."""
    path = make(tmp_path)
    whole, dice = path.read_bytes(), random.Random(14)
    for n in range(30):
        damaged = bytearray(whole[: dice.randrange(len(whole))] if n % 2 else whole)
        for _ in range(dice.choice((1, 8, 64))):
            if damaged:
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(bytes(damaged))
        assert _said(read_apart if n % 10 == 0 else sections, path)


def _said(read: Callable[[str, str], Iterator[Section]], path: Path) -> bool:
    try:
        return all(isinstance(section.text, str) for section in read(path.name, str(path)))
    except Unreadable as error:
        return error.code == "invalid_file" and str(error).startswith("The file could not be parsed")
