"""What the server shall answer, as data for its process, and what it saw, as data from there."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import sleep  # the real one, also while a case has replaced it
from typing import Any

CUT: Mapping[str, Any] = {"cut": True}
"""Breaks the connection in the middle of a body."""


def gate(name: str) -> Mapping[str, Any]:
    """Holds a body back until ``Realm.open(name)``; a gate that stays shut is a stall."""
    return {"gate": name}


def drip(piece: bytes) -> Mapping[str, Any]:
    """Sends ``piece`` again and again, so that the server notices when the client hangs up."""
    return {"drip": base64.b64encode(piece).decode()}


Piece = bytes | Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    pieces: tuple[Piece, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        pieces = [
            {"bytes": base64.b64encode(piece).decode()} if isinstance(piece, bytes) else dict(piece)
            for piece in self.pieces
        ]
        return {"status": self.status, "headers": dict(self.headers), "pieces": pieces}


def reply(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; ``openai_poll_after_ms="20"`` becomes a header."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer((json.dumps(value).encode(),), status, {"content-type": "application/json", **named})


def error(status: int, message: str, **headers: str) -> Answer:
    body = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return reply({"error": body}, status, **headers)


def sse(*pieces: Piece, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(pieces, 200, {"content-type": "text/event-stream", **named})


class Realm:
    """A part of the server's address space that belongs to one run of one case."""

    def __init__(self, url: str, name: str) -> None:
        self.url = f"{url}/{name}"
        self._host = url.removeprefix("http://")
        self._control = f"/_control/{name}"

    def on(
        self,
        method: str,
        path: str,
        *answers: Answer,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers in order, then repeats the last; a later rule wins; ``query`` and ``headers``
        must match.
        """
        rule = {"method": method, "path": path, "query": dict(query or {}), "headers": dict(headers or {})}
        self._ask("rule", {**rule, "answers": [answer.as_json() for answer in answers]})

    def open(self, name: str) -> None:
        self._ask("gate", {"name": name})

    def seen(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """The requests so far: ``method, path, query, headers, text`` and, where the body is JSON,
        ``json``.
        """
        requests: Iterable[dict[str, Any]] = self._ask("seen", {})["requests"]
        return [r for r in requests if method in ("", r["method"]) and path in ("", r["path"])]

    def hung_up(self, times: int = 1) -> bool:
        """Whether the client closed that many answers before their end; waits for the news to arrive."""
        for _ in range(100):
            if self._ask("seen", {})["hangups"] >= times:
                return True
            sleep(0.02)
        return False

    def _ask(self, verb: str, value: Any) -> Any:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.request("POST", f"{self._control}/{verb}", json.dumps(value))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
