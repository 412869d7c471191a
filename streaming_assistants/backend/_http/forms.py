"""A form with a file, as it comes: its fields, and the file spooled to disk where it is large. Sans-IO."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote

from .._engine import api_errors
from .._engine.file_port import PIECE
from .._engine.port import Json

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartParser

LARGEST_FORM = 512 * 1024 * 1024
"""Bytes of a file that is uploaded at once, as the hosted API had it."""

_OVERHEAD = 64 * 1024  # what a form may have beside its file
_MOST_FIELDS = 64
_TAKES_FORM = re.compile(r"/files|/uploads/[^/]+/parts")
_EXTENDED = re.compile(rb"filename\*\s*=\s*utf-8'[^']*'([!-:<-~]+)", re.IGNORECASE)
_ESCAPED = re.compile("%(22|0D|0A)")  # by browsers, httpx and fetch: all that they escape in a name
_NESTED = re.compile(r"(\w+)\[(\w+)\]")


def takes_form(method: str, path: str) -> bool:
    """Whether a request of the API, by its path there, has a form for its body."""
    return method == "POST" and _TAKES_FORM.fullmatch(path.rstrip("/")) is not None


class Form:
    """What a form holds: ``fields`` by their names (``a[b]`` within ``a``), and one file."""

    def __init__(self, fields: Json, part: str | None, filename: str, file: IO[bytes], size: int) -> None:
        self.fields = fields
        self.part = part
        """The name of the part that holds the file; None where there is no file."""
        self.filename = filename
        self.file = file
        self.size = size

    def close(self) -> None:
        """Drops the file."""
        self.file.close()


class FormReader:
    """Reads a form, fed as it comes. Raises the API's 400 for what is none, 413 for a file over ``limit``.

    Raises ImportError where python-multipart is not installed.
    """

    def __init__(self, content_type: str, limit: int = LARGEST_FORM) -> None:
        try:
            from python_multipart.multipart import MultipartParser, parse_options_header
        except ModuleNotFoundError:
            raise ImportError(
                "Files take python-multipart, which is not installed: "
                "pip install 'streaming_assistants[backend]'"
            ) from None
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise api_errors.wrong_type(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise api_errors.no_form("its Content-Type names no boundary")
        self._options = parse_options_header
        self._limit = limit
        self._fields: dict[str, str] = {}
        self._part: str | None = None
        self._filename = ""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=PIECE)  # noqa: SIM115 - it is the form's
        self._size = self._beside = 0
        self._name: str | None = None  # of the part that is being read
        self._into_file = self._ended = False
        self._header = self._value = b""
        self._disposition = b""
        self._text = bytearray()
        self._parser: MultipartParser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._end_all,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body."""
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise api_errors.no_form(str(error)) from None

    def close(self) -> Form:
        """The form, when all of the body has come."""
        if not self._ended:
            raise api_errors.no_form("it ends before its last boundary")
        self._file.seek(0)
        return Form(_nested(self._fields), self._part, self._filename, self._file, self._size)

    def abandon(self) -> None:
        """Drops what has come: the rest will not."""
        self._file.close()

    # What the parser calls.

    def _begin(self) -> None:
        self._name, self._disposition, self._into_file = None, b"", False
        self._text.clear()
        self._header = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = self._options(self._disposition)
        if b"name" not in options:
            raise api_errors.no_form("a part of it has no name")
        self._name = _text(options[b"name"])
        filename = self._given_name(options)
        if filename is None:
            if len(self._fields) >= _MOST_FIELDS:
                raise api_errors.no_form(f"it has more than {_MOST_FIELDS} fields")
            return
        if self._part is not None:
            raise api_errors.no_form("it has more than one file")
        self._into_file, self._part = True, self._name
        self._filename = re.sub(r"[\x00-\x1f\x7f]", "", filename)

    def _given_name(self, options: Mapping[bytes, bytes]) -> str | None:
        """The name of the file that a part is; None for a field. Some clients give it as mail does."""
        extended = _EXTENDED.search(self._disposition)
        if extended is not None:
            return unquote(extended[1].decode("ascii"))
        if b"filename" not in options:
            return None
        return _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), _text(options[b"filename"]))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._into_file:
            self._size += end - start
            if self._size > self._limit:
                raise api_errors.too_large(self._limit)
            self._file.write(memoryview(data)[start:end])
            return
        self._beside += end - start
        if self._beside > _OVERHEAD:
            raise api_errors.no_form(f"its fields are larger than {_OVERHEAD:,} bytes")
        self._text += data[start:end]

    def _end(self) -> None:
        if not self._into_file and self._name is not None:
            self._fields[self._name] = _text(bytes(self._text))

    def _end_all(self) -> None:
        self._ended = True


def form_reader(
    method: str, path: str, headers: Mapping[str, str], limit: int = LARGEST_FORM
) -> FormReader | None:
    """What reads the body of a request; None where it is no form, or is taken for none."""
    given = headers.get("content-type", "")
    if not takes_form(method, path) or not given.lower().startswith("multipart/"):
        return None
    return FormReader(given, limit)


def _text(value: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return value.decode()
    return value.decode("latin-1")


def _nested(fields: Mapping[str, str]) -> Json:
    """The fields as a body of JSON has them; what they hold stays text."""
    body: dict[str, Json] = {}
    for name, value in fields.items():
        match = _NESTED.fullmatch(name)
        if match is None:
            body[name] = value
            continue
        within = body.setdefault(match[1], {})
        if isinstance(within, dict):
            within[match[2]] = value
    return body
