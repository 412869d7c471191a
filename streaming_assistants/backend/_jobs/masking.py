"""Takes the upstream's key out of what the upstream says: some servers quote it. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HIDDEN = "[key]"


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
        return longest


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


def _forms(byte: int) -> bytes:
    plain = re.escape(bytes([byte]))
    slash = rb"|\\/" if byte == ord("/") else b""
    return rb"(?:%s%s|\\u00(?i:%02x))" % (plain, slash, byte)
