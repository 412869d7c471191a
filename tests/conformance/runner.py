"""Runs cases in another process, so that an SDK that hangs or spins costs one deadline and not the suite."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.conformance.registry import Case

DEADLINE = 5.0
START = 300.0
"""Seconds until the process that runs the cases has imported them; it may have the SDK to compile."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    case: str
    colour: str
    outcome: str  # passed, failed or n/a
    reason: str = ""
    trace: str = ""


class Runner:
    """``patched`` says what the cases are asked of: a client after ``patch()``, or the SDK alone."""

    def __init__(self, *, patched: bool, deadline: float = DEADLINE) -> None:
        self.patched = patched
        self.versions: dict[str, str] = {}
        self._deadline = deadline
        self._realms = (f"case-{number}" for number in itertools.count())
        self._server = _python("tests.conformance.server")
        assert self._server.stdout is not None
        self._url = f"http://127.0.0.1:{self._server.stdout.readline().strip()}"
        self._worker: _Worker | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for process in (self._worker, self._server):
            if process is not None:
                _stop(process.process if isinstance(process, _Worker) else process)

    def run(self, case: Case, colour: str) -> Outcome:
        result = self._try(case, colour)
        if result is None:  # a machine may be slow once; an SDK that hangs hangs again
            result = self._try(case, colour)
        if result is None:
            result = {"outcome": "failed", "reason": f"hangs: no end after {self._deadline:g} s"}
        return Outcome(
            case.name, colour, result["outcome"], result.get("reason", ""), result.get("trace", "")
        )

    def run_all(self, cases: Iterable[Case]) -> Iterator[Outcome]:
        for case in cases:
            for colour in case.colours:
                yield self.run(case, colour)

    def _try(self, case: Case, colour: str) -> dict[str, Any] | None:
        worker = self._worker = self._worker or self._start()
        result = worker.ask(
            {"case": case.name, "colour": colour, "realm": next(self._realms)}, self._deadline
        )
        if result is None:
            _stop(worker.process)
            self._worker = None
        return result

    def _start(self) -> _Worker:
        flags = ["--patched"] if self.patched else []
        worker = _Worker(_python("tests.conformance.worker", "--url", self._url, *flags))
        hello = worker.read(START)
        if hello is None:
            _stop(worker.process)
            raise RuntimeError("the process that runs the cases did not start; its error is above")
        self.versions = hello["versions"]
        return worker


class _Worker:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def ask(self, order: dict[str, Any], deadline: float) -> dict[str, Any] | None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.read(deadline)

    def read(self, deadline: float) -> dict[str, Any] | None:
        """The next answer; nothing when the deadline passes or the process dies."""
        try:
            line = self._lines.get(timeout=deadline)
        except queue.Empty:
            return None
        return json.loads(line) if line else None

    def _pump(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


def _python(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
