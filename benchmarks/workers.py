"""Processes that measure what they are asked: a line of JSON in, a line of JSON out.

So what is compared runs in turns, in processes of its own: another library, or another commit of this one.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from typing_extensions import Self


class Worker:
    """A process under way. Raises RuntimeError for one that ends before it has answered."""

    def __init__(self, command: list[str], *, folder: Path | None = None) -> None:
        # The folder comes before what is installed, an editable install of the library included.
        path = {} if folder is None else {"PYTHONPATH": str(folder)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=folder,
            env={**os.environ, **path},
        )  # fmt: skip

    def ask(self, question: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        return self.answer()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, by the end of what it is asked."""
        with self._process:
            pass


class Python(Worker):
    """A Python that has the library of ``folder``, or the installed one."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__([sys.executable, "-W", "ignore", "-m", __spec__.name], folder=folder)
        self.library = Path(self.answer())

    def measure(self, module: str, *args: object, **more: object) -> dict[str, float]:
        """What ``measure()`` of a module of the benchmarks answers."""
        answer: dict[str, float] = self.ask({"module": module, "args": args, "more": more})
        return answer


def main() -> None:
    import streaming_assistants

    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(streaming_assistants.__file__), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        module = importlib.import_module(f"{__package__}.{asked['module']}")
        print(json.dumps(module.measure(*asked["args"], **asked["more"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
