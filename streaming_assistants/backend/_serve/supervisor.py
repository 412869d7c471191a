"""Several processes that serve one port: begun together, anew when one dies, and told to end together."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

logger = logging.getLogger("streaming_assistants")

_EVERY = 0.1  # seconds
_END_SECONDS = 10.0
_LONGEST_PAUSE = 30.0  # before a process is begun again that dies as soon as it has begun
_READY = b"."


class Inherited(NamedTuple):
    """What one of several processes has of the one that has begun it: the socket that it listens on, and a
    line on which it says that it serves, which ends with the other process."""

    listener: int
    line: int

    @classmethod
    def read(cls, text: str) -> Inherited:
        listener, line = text.split(",")
        return cls(int(listener), int(line))

    def ready(self) -> None:
        """Says that this process serves; it is told to end when nobody is there any more who has begun it."""
        os.write(self.line, _READY)
        threading.Thread(target=self._end_with_it, name="streaming_assistants line", daemon=True).start()

    def _end_with_it(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(self.line, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)


class _Child:
    def __init__(self, command: Sequence[str], listener: socket.socket) -> None:
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        self.began = time.monotonic()
        self.serves = False
        inherited = f"{listener.fileno()},{theirs.fileno()}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streaming_assistants", *command, "--inherited", inherited],
            pass_fds=(listener.fileno(), theirs.fileno()),
            start_new_session=True,  # an interrupt from the keyboard is the parent's
        )
        theirs.close()

    def look(self) -> None:
        """Sees whether it serves."""
        with contextlib.suppress(BlockingIOError, OSError):
            self.serves = self.serves or self._line.recv(1) == _READY

    def close(self) -> None:
        self._line.close()


def supervise(
    command: Sequence[str], count: int, listener: socket.socket, announce: Callable[[], object]
) -> int:
    """Has ``count`` processes of the command serve the socket until this one is told to end; the exit code.

    ``announce`` is called once all serve. Where one ends before that, all do, with its code.
    """
    ending = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ending.set())
    listener.listen(2048)
    children = [_Child(command, listener) for _ in range(count)]
    pauses = [0.0] * count
    announced, code = False, 0
    try:
        while not ending.wait(_EVERY):
            for child in children:
                child.look()
            ended = [place for place, child in enumerate(children) if child.process.poll() is not None]
            if not announced:
                if ended:
                    code = children[ended[0]].process.returncode or 1
                    break
                announced = all(child.serves for child in children)
                if announced:
                    announce()
                continue
            for place in ended:
                children[place] = _again(children[place], command, listener, pauses, place, ending)
    finally:
        _end(children)
    return code


def _again(
    ended: _Child,
    command: Sequence[str],
    listener: socket.socket,
    pauses: list[float],
    place: int,
    ending: threading.Event,
) -> _Child:
    """A process in the place of one that has ended; later and later where none of them comes to serve."""
    logger.warning("Process %d has ended (%s): another begins.", ended.process.pid, ended.process.returncode)
    ended.close()
    pauses[place] = 0.0 if ended.serves else min(max(1.0, 2 * pauses[place]), _LONGEST_PAUSE)
    ending.wait(pauses[place])
    return _Child(command, listener)


def _end(children: Sequence[_Child]) -> None:
    """Tells all to end, and waits for them as long as they may take."""
    for child in children:
        child.process.terminate()
    until = time.monotonic() + _END_SECONDS
    for child in children:
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.error("Process %d did not end, and is killed.", child.process.pid)
            child.process.kill()
            child.process.wait()
        child.close()
