"""The other end of the wire, in its own process: ``python -m tests.conformance.server`` prints its port.

Each case owns a realm, ``/<realm>/...``, and scripts it over ``/_control/<realm>/...`` (see ``script.py``).
The process ends when its standard input does.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.loopback import CUT, Loopback, Piece, Reply, Request

PATIENCE = 200
"""How often the last answer of a rule is repeated; a client that asks on is polling for ever."""


class Rule:
    def __init__(self, spec: dict[str, Any]) -> None:
        self._method = spec["method"]
        self._path = re.compile(spec["path"])
        self._query = spec["query"]
        self._headers = spec["headers"]
        self._answers: list[dict[str, Any]] = spec["answers"]
        self._repeats = 0

    def matches(self, path: str, request: Request) -> bool:
        return (
            request.method == self._method
            and self._path.fullmatch(path) is not None
            and all(request.query.get(name) == [value] for name, value in self._query.items())
            and all(request.headers.get(name) == value for name, value in self._headers.items())
        )

    def next(self) -> dict[str, Any] | None:
        if len(self._answers) > 1:
            return self._answers.pop(0)
        self._repeats += 1
        return self._answers[0] if self._repeats <= PATIENCE else None


class RealmState:
    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._requests: list[dict[str, Any]] = []
        self._hangups = 0
        self._lock = threading.Lock()

    def control(self, verb: str, value: Any) -> Any:
        with self._lock:
            if verb == "rule":
                self._rules.insert(0, Rule(value))
            elif verb == "gate":
                self._gates[value["name"]].set()
            return {"requests": self._requests, "hangups": self._hangups}

    def answer(self, path: str, request: Request) -> Reply:
        with self._lock:
            self._requests.append(_described(path, request))
            rule = next((rule for rule in self._rules if rule.matches(path, request)), None)
            answer = rule.next() if rule else None
        if rule is None:
            return _refusal(404, f"nothing is scripted for {request.method} {path}")
        if answer is None:
            return _refusal(418, f"asked {PATIENCE} times after the last answer: polls for ever")
        return Reply(answer["status"], answer["headers"], self._body(answer["pieces"]))

    def _body(self, pieces: list[dict[str, Any]]) -> Iterator[Piece]:
        try:
            for piece in pieces:
                if "bytes" in piece:
                    yield base64.b64decode(piece["bytes"])
                elif "gate" in piece:
                    yield self._gates[piece["gate"]]
                elif "drip" in piece:
                    for _ in range(500):
                        yield base64.b64decode(piece["drip"])
                        yield 0.01
                else:
                    yield CUT
        except GeneratorExit:  # the client went away and the server dropped this body
            with self._lock:
                self._hangups += 1
            raise


def _described(path: str, request: Request) -> dict[str, Any]:
    text = request.body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    query = {name: values[0] if len(values) == 1 else values for name, values in request.query.items()}
    return {
        "method": request.method,
        "path": path,
        "query": query,
        "headers": request.headers,
        "text": text,
        "json": value,
    }


def _refusal(status: int, message: str) -> Reply:
    return Reply.json({"error": {"message": message, "type": "invalid_request_error"}}, status)


def main() -> None:
    realms: defaultdict[str, RealmState] = defaultdict(RealmState)

    def dispatch(request: Request) -> Reply:
        first, _, rest = request.path.removeprefix("/").partition("/")
        if first == "_control":
            realm, _, verb = rest.partition("/")
            return Reply.json(realms[realm].control(verb, request.json))
        return realms[first].answer(f"/{rest}", request)

    with Loopback() as server:
        for method in ("GET", "POST", "DELETE"):
            server.on(method, "/.*", dispatch)
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
