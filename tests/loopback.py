"""A scripted HTTP/1.1 server on a loopback socket, for tests where bytes and timing matter.

    with Loopback() as server:
        server.on("POST", "/threads/thread_1/runs", Reply.sse([b"event: done\\ndata: [DONE]\\n\\n"]))
        client = OpenAI(base_url=server.url, api_key="test")

Each route answers with its replies in order and repeats the last one. A reply may be a function of the
request; ``CUT`` in its place breaks the connection without an answer. In a body, bytes are sent (and flushed)
as they stand, a float sleeps, a ``threading.Event`` is waited for, ``CUT`` breaks the connection without
ending the body.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CUT = object()
Piece = Any  # bytes | float | threading.Event | CUT


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[Piece] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"content-type": "application/json", **named}, [json.dumps(value).encode()])

    @classmethod
    def sse(cls, body: Iterable[Piece], **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(200, {"content-type": "text/event-stream", **named}, body)


Answer = Reply | Callable[[Request], Any]


class Loopback:
    """``requests`` holds what came in, in order; ``closed_early`` counts clients that hung up in a body."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.closed_early = threading.Semaphore(0)
        self._routes: list[tuple[str, re.Pattern[str], list[Answer]]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def handle_any(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: Any) -> None:
                pass  # a client that hangs up is part of many tests

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def on(self, method: str, path: str, *replies: Answer) -> Loopback:
        """Routes ``method`` and ``path`` (a regular expression matched whole); a later route wins."""
        with self._lock:
            self._routes.insert(0, (method, re.compile(path), list(replies)))
        return self

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _answer(self, request: Request) -> Any:
        with self._lock:
            self.requests.append(request)
            for method, pattern, replies in self._routes:
                if method == request.method and pattern.fullmatch(request.path):
                    answer = replies.pop(0) if len(replies) > 1 else replies[0]
                    break
            else:
                message = f"no route for {request.method} {request.path}"
                return Reply.json({"error": {"message": message, "type": "invalid_request_error"}}, 404)
        return answer(request) if callable(answer) else answer

    def _handle(self, http: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(http.path)
        length = int(http.headers.get("content-length") or 0)
        request = Request(
            http.command,
            parts.path,
            parse_qs(parts.query),
            {name.lower(): value for name, value in http.headers.items()},
            http.rfile.read(length),
        )
        reply = self._answer(request)
        if reply is CUT:
            _cut(http)
            return
        http.send_response(reply.status)
        for name, value in reply.headers.items():
            http.send_header(name, value)
        http.send_header("transfer-encoding", "chunked")
        http.end_headers()
        http.wfile.flush()
        try:
            for piece in _waited(reply.body):
                if piece is CUT:
                    _cut(http)
                    return
                http.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                http.wfile.flush()
            http.wfile.write(b"0\r\n\r\n")
            http.wfile.flush()
        except OSError:
            http.close_connection = True
            self.closed_early.release()


def _cut(http: BaseHTTPRequestHandler) -> None:
    linger = struct.pack("ii", 1, 0)  # close with RST: the client sees a broken connection
    http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    http.close_connection = True
    http.connection.close()


def _waited(body: Iterable[Piece]) -> Iterator[Any]:
    for piece in body:
        if isinstance(piece, (int, float)):
            threading.Event().wait(piece)
        elif isinstance(piece, threading.Event):
            piece.wait(10)
        elif piece is CUT or piece:
            yield piece
