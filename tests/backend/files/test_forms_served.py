"""Uploads byte by byte, as any HTTP client may send them: what is a form, what is none, who hangs up."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend._engine.api_errors import ApiError
from streaming_assistants.backend._http.forms import FormReader
from streaming_assistants.cli.serve import main
from tests.backend.served import Answer, Command, ask, connected, served

pytestmark = pytest.mark.any_sdk

TYPE = "multipart/form-data; boundary=B"
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nSome\r\n--words\r\n--B--\r\n"
)
LIMIT = 100_000


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend("echo", tmp_path / "a.db")


@pytest.fixture
def url(backend: LocalBackend) -> Iterator[str]:
    with served(backend, openai.AsyncOpenAI(api_key="unused"), max_upload=LIMIT) as address:
        yield address


def sent(url: str, body: bytes, kind: str = TYPE, *headers: str, path: str = "/v1/files") -> Answer:
    return ask(url, f"POST {path} HTTP/1.1", f"Content-Type: {kind}", *headers, body=body)


def nothing_is_left(backend: LocalBackend) -> None:
    with backend._app.store.read() as tx:
        assert (tx.all("stored_files"), tx.loose_contents()) == ([], [])


def test_what_clients_escape_in_a_filename_is_undone() -> None:
    reader = FormReader(TYPE)
    reader.feed(FORM.replace(b"a.txt", b"a %22b%22%0D%0A100%25 %41.txt"))
    form = reader.close()
    form.close()
    assert form.filename == 'a "b"100%25 %41.txt'


def test_a_form_as_curl_sends_it(url: str) -> None:
    answer = sent(url, FORM)
    assert answer.status == 200
    file = json.loads(answer.body)
    assert (file["filename"], file["bytes"], file["purpose"]) == ("a.txt", 13, "assistants")
    got = ask(url, f"GET /v1/files/{file['id']}/content HTTP/1.1")
    assert (got.status, got.body) == (200, b"Some\r\n--words")
    assert got.headers["content-length"] == "13"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a.txt"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert ask(url, f"DELETE /v1/files/{file['id']} HTTP/1.1").status == 200


def test_a_form_in_chunks(url: str) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, FORM[at : at + 1]) for at in range(len(FORM))) + b"0\r\n\r\n"
    answer = sent(url, chunks, TYPE, "Transfer-Encoding: chunked")
    assert (answer.status, json.loads(answer.body)["bytes"]) == (200, 13)


MALFORMED = [
    (FORM[:-8], TYPE, 400, "it ends before its last boundary"),
    (b"", TYPE, 400, "Missing required parameter: 'file'."),
    (b"no form", TYPE, 400, "Could not parse multipart form"),
    (FORM, "multipart/form-data", 400, "names no boundary"),
    (FORM, "multipart/form-data; boundary=C", 400, "Could not parse multipart form"),
    (FORM, "text/plain", 415, "Unsupported content type: 'text/plain'"),
    (FORM.replace(b'name="purpose"', b""), TYPE, 400, "a part of it has no name"),
    (FORM.replace(b'name="purpose"', b'name="x"; filename="b"'), TYPE, 400, "more than one file"),
    (FORM.replace(b"assistants", b"x" * 70_000), TYPE, 400, "its fields are larger than"),
    (FORM.replace(b'; filename="a.txt"', b""), TYPE, 400, "Invalid type for 'file': expected a file."),
    (FORM.replace(b'name="file"', b'name="data"'), TYPE, 400, "Unknown parameter: 'data'."),
    (FORM.replace(b"Content-Type", b"X: " + b"y" * 9000 + b"\r\nZ"), TYPE, 400, "Could not parse"),
    (b'{"purpose": "assistants"}', "application/json", 400, "Missing required parameter: 'file'."),
]


@pytest.mark.parametrize(("body", "kind", "status", "words"), MALFORMED)
def test_a_body_that_is_no_such_form(
    url: str, backend: LocalBackend, body: bytes, kind: str, status: int, words: str
) -> None:
    answer = sent(url, body, kind)
    assert (answer.status, answer.error["type"]) == (status, "invalid_request_error")
    assert words in answer.error["message"]
    nothing_is_left(backend)


def test_what_takes_no_form_takes_none(url: str) -> None:
    for path in ("/v1/vector_stores", "/v1/uploads", "/v1/threads"):
        assert sent(url, FORM, path=path).status == 415


def test_a_file_that_is_too_large(url: str, backend: LocalBackend) -> None:
    just = FORM.replace(b"Some\r\n--words", b"x" * LIMIT)
    assert sent(url, just).status == 200
    with backend._app.store.write() as tx:
        (row,) = tx.all("stored_files")
        tx.remove("stored_files", row["id"])
        tx.drop_content(row["content_id"])
    answer = sent(url, FORM.replace(b"Some\r\n--words", b"x" * (LIMIT + 1)))
    assert (answer.status, f"larger than the {LIMIT:,} bytes" in answer.error["message"]) == (413, True)
    told = ask(url, "POST /v1/files HTTP/1.1", f"Content-Type: {TYPE}", "Content-Length: 900000000")
    assert told.status == 413  # before any of it has come
    nothing_is_left(backend)


def open_files() -> int:
    """How many temporary files this process has open that have no name any more."""
    folder, gone = tempfile.gettempdir(), 0
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        gone += target.startswith(folder) and target.endswith("(deleted)")
    return gone


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux for the open files")
def test_a_client_that_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    backend = LocalBackend("echo", tmp_path / "a.db")
    with served(backend, openai.AsyncOpenAI(api_key="unused")) as url:
        before = open_files()
        with connected(url) as sock:
            head = f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
            sock.sendall(head.encode() + b"Content-Length: 9000000\r\n\r\n" + FORM[:-8] + b"x" * 4_000_000)
            give_up = time.monotonic() + 20
            while open_files() == before and time.monotonic() < give_up:
                time.sleep(0.01)
            assert open_files() > before  # it is being spooled
        while open_files() != before and time.monotonic() < give_up:
            time.sleep(0.01)
            gc.collect()
        assert open_files() == before
        nothing_is_left(backend)
        assert ask(url, "GET /v1/files HTTP/1.1").status == 200


def test_one_who_leaves_a_download_holds_nobody_up(url: str, backend: LocalBackend) -> None:
    body = FORM.replace(b"Some\r\n--words", os.urandom(50) * 2000)
    id = json.loads(sent(url, body).body)["id"]
    with connected(url) as sock:
        sock.sendall(f"GET /v1/files/{id}/content HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sock.recv(10)
    assert ask(url, f"DELETE /v1/files/{id} HTTP/1.1").status == 200
    nothing_is_left(backend)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (b'filename="a b.txt"', "a b.txt"),
        ('filename="n\u00e4me.txt"'.encode(), "n\u00e4me.txt"),
        (b"filename*=UTF-8''n%C3%A4me.txt", "n\u00e4me.txt"),
        (b'filename="C:\\\\dir\\\\a.txt"', "a.txt"),
        (b'filename="n\xe4me.txt"', "n\u00e4me.txt"),
        (b'filename="a\tb.txt"', "ab.txt"),
    ],
)
def test_the_names_of_files(given: bytes, name: str) -> None:
    reader = FormReader(TYPE)
    reader.feed(FORM.replace(b'filename="a.txt"', given))
    with contextlib.closing(reader.close()) as form:
        assert (form.filename, form.file.read()) == (name, b"Some\r\n--words")


def test_a_form_is_the_same_however_it_is_cut() -> None:
    nested = b'--B\r\nContent-Disposition: form-data; name="expires_after[seconds]"\r\n\r\n3600\r\n'
    for size in (1, 7, 64, 4096):
        reader = FormReader(TYPE)
        body = nested + FORM
        for at in range(0, len(body), size):
            reader.feed(body[at : at + size])
        with contextlib.closing(reader.close()) as form:
            assert form.fields == {"purpose": "assistants", "expires_after": {"seconds": "3600"}}
            assert (form.part, form.size, form.file.read()) == ("file", 13, b"Some\r\n--words")


def test_a_form_over_its_limit_is_refused_while_it_comes() -> None:
    reader = FormReader(TYPE, limit=12)
    with pytest.raises(ApiError) as caught:
        reader.feed(FORM)
    assert caught.value.status == 413
    reader.abandon()


def test_the_command_takes_the_options_of_files(tmp_path: Path) -> None:
    place = tmp_path / "contents"
    options = ["--files", "local", "--files-at", str(place), "--search", "always"]
    with Command("--upstream", "echo", "--store", str(tmp_path / "a.db"), *options) as command:
        assert sent(command.url, FORM).status == 200
    assert [path.read_bytes() for path in place.iterdir() if path.is_file()] == [b"Some\r\n--words"]


def test_the_command_says_what_makes_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--port", "0", "--upstream", "echo", "--files", "upstream", "--files-at", "x"])
    assert ended.value.code == 2
    assert 'files_at= is for files that are kept here: files="local".' in capsys.readouterr().err
