"""Takes the upstream's key out of what the upstream says: some servers quote it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient, HttpRequest

_HIDDEN = "[key]"
_LONGEST_FORM = 6  # bytes of a character of a key, in JSON


class Mask:
    """Hides some keys, in the text of errors and in the bytes of answers.

    In an error every key is hidden. What a model says is changed only where it quotes what looks like a
    secret: a local server's key may be a word such as ``ollama``.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted({key for key in keys if len(key) > 3}, key=len, reverse=True)
        self._secrets = [key.encode() for key in self._keys if _is_secret(key)]
        self._escaped = [re.compile(b"".join(_forms(each) for each in key)) for key in self._secrets]

    def text(self, text: str) -> str:
        for key in self._keys:
            text = text.replace(key, _HIDDEN)
        return text

    def data(self, data: bytes) -> bytes:
        """JSON, or the bytes of a file: a key is found in its JSON escapes, too."""
        for key in self._secrets:
            data = data.replace(key, _HIDDEN.encode())
        if b"\\" in data:
            for form in self._escaped:
                data = form.sub(_HIDDEN.encode(), data)
        return data

    def held_back(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` may be the beginning of a key."""
        longest = 0
        for key in self._secrets:
            for length in range(min(len(key) - 1, len(data)), longest, -1):
                if data.endswith(key[:length]):
                    longest = length
                    break
            tail = data[-_LONGEST_FORM * len(key) :]
            if b"\\" in tail:
                starts = (at for at, byte in enumerate(tail) if byte in (key[0], ord("\\")))
                begun = next((at for at in starts if _begins(key, tail[at:])), len(tail))
                longest = max(longest, len(tail) - begun)
        return longest


def mask_of(client: AnyClient, request: HttpRequest | None) -> Mask:
    """Hides the keys of the client, and of a request that has been made with one of its own."""
    return Mask([*_sdk.keys_of(client), *_sdk.keys_in(request.headers if request else {})])


class MaskedStream:
    """Bytes that come in pieces, a key perhaps across two of them."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        data = self._mask.data(self._rest + chunk)
        keep = len(data) - self._mask.held_back(data)
        self._rest = data[keep:]
        return data[:keep]

    def close(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest


def _is_secret(key: str) -> bool:
    return len(key) >= 16 or key.startswith("sk-") or (len(key) >= 8 and any(c.isdigit() for c in key))


def _begins(key: bytes, tail: bytes) -> bool:
    """Whether ``tail`` is how a key begins, some of its characters perhaps as JSON's escapes."""
    at = 0
    for byte in key:
        rest = tail[at : at + _LONGEST_FORM]
        forms = [bytes([byte]), b"\\u00%02x" % byte, *([b"\\/"] if byte == ord("/") else [])]
        form = next((form for form in forms if rest[: len(form)].lower() == form.lower()), None)
        if form is None:
            return any(form.startswith(rest.lower()) for form in forms)
        at += len(form)
    return False


def _forms(byte: int) -> bytes:
    plain = re.escape(bytes([byte]))
    slash = rb"|\\/" if byte == ord("/") else b""
    return rb"(?:%s%s|\\u00(?i:%02x))" % (plain, slash, byte)
