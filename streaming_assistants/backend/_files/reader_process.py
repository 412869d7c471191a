"""Reads a file in a process of its own, with limits of time and memory.

What that process is told is the name and the path of the file; it has no key and no setting of this one. It
executes this file, and imports nothing of the library but this package.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sections import Section

SECONDS = 120.0
MEMORY = 1 << 30

_KEPT = ("PATH", "SYSTEMROOT", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "VIRTUAL_ENV")
_SAID = 4096  # bytes of what the process says of a fault


def read_apart(
    filename: str, path: str, *, seconds: float = SECONDS, memory: int = MEMORY
) -> Iterator[Section]:
    """What :func:`.sections.sections` gives, read in another process.

    ``seconds`` and ``memory`` (bytes) bound it. Raises Unreadable, also where a bound was met.
    """
    from .kinds import TOO_LARGE, Unreadable
    from .sections import LONGEST, Section

    command = [sys.executable, __file__, filename, os.path.abspath(path), str(memory), str(int(seconds) + 1)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        length, ended = 0, False
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told = json.loads(line) if line.endswith(b"\n") else {}
                if "code" in told:
                    raise Unreadable(told["message"], told["code"])
                if "text" in told:
                    length += len(told["text"])
                    if length > LONGEST:
                        raise Unreadable(TOO_LARGE)
                    yield Section(told["text"], told["place"])
                ended = bool(told.get("end"))
            if late.is_set():
                raise Unreadable(f"The file could not be parsed within {seconds:g} seconds.")
            if not ended:
                process.wait()
                said.seek(0)
                words = said.read(_SAID).decode("utf-8", "replace").strip().splitlines()
                why = words[-1] if words else f"exit status {process.returncode}"
                raise Unreadable(f"The file could not be parsed: its parser broke off ({why:.200}).")
        finally:
            timer.cancel()
            process.kill()


def _limited(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has the limit of time alone
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main() -> None:
    filename, path, memory, seconds = sys.argv[1:]
    _limited(int(memory), int(seconds))
    # This package under a name of its own, so that the library around it is not imported.
    apart = ModuleType("files_apart")
    apart.__path__ = [str(Path(__file__).parent)]
    sys.modules[apart.__name__] = apart
    sys.path[:] = [each for each in sys.path if each != str(Path(__file__).parent)]
    read = importlib.import_module("files_apart.sections")
    out = sys.stdout

    def tell(**what: object) -> None:
        out.write(json.dumps(what) + "\n")

    try:
        for section in read.sections(filename, path):
            tell(text=section.text, place=section.place)
        tell(end=True)
    except read.Unreadable as error:
        tell(code=error.code, message=str(error))
    except (MemoryError, RecursionError):
        tell(code="invalid_file", message="The file could not be parsed in the memory that its parser has.")


if __name__ == "__main__":
    _main()
