"""The backend on a socket, in this process or in one of its own, and requests to it byte by byte."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from streaming_assistants.backend._serve.thread import served as served

pytest.importorskip("uvicorn", reason="serving needs streaming_assistants[serve]")

ROOT = Path(__file__).parents[2]


class Command:
    """``serve`` in a process of its own; ``told`` is what it wrote once it listened."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "streaming_assistants", "serve", "--port", "0", *arguments]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_"))
        }
        self.process = subprocess.Popen(
            command,
            env={**kept, **environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = ""

    def __enter__(self) -> Command:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.told = "".join(self.process.stdout.readline() for _ in range(3))
        # Its log is read on, or it would wait for that.
        self._lines: list[str] = []
        self._readers = [
            threading.Thread(target=lambda pipe=pipe: self._lines.extend(pipe), daemon=True)
            for pipe in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        assert self.told.startswith("Serving the Assistants API on http"), self.log
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)
        for reader in self._readers:
            reader.join(10)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def log(self) -> str:
        return "".join(self._lines)

    @property
    def url(self) -> str:
        return self.told.split()[5]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> Any:
        return json.loads(self.body)["error"]


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(url).port or 80), timeout=20)


def ask(url: str, *lines: str | bytes, body: bytes = b"") -> Answer:
    """Sends a request as it is written: its first line, its headers, its body. ``Host`` is added."""
    sent = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    if not any(line.lower().startswith(b"host:") for line in sent):
        sent.append(b"Host: 127.0.0.1")
    if body and not any(line.lower().startswith((b"content-length:", b"transfer-enc")) for line in sent):
        sent.append(b"Content-Length: %d" % len(body))
    with connected(url) as sock:
        sock.sendall(b"\r\n".join([*sent, b"Connection: close", b"", b""]) + body)
        return read_answer(sock)


def read_answer(sock: socket.socket) -> Answer:
    received = b""
    while chunk := sock.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    return Answer(int(first.split()[1]), headers, body)


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


def post(url: str, path: str, value: Any, *headers: str) -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ask(url, f"POST {path} HTTP/1.1", "Content-Type: application/json", *headers, body=body)
