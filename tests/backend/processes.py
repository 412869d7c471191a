"""Processes of their own, for tests of what two processes do to one store.

They are forked from a clean one that has imported everything: an interpreter that imports the SDK by
itself takes seconds, a fork takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import openai

from streaming_assistants.backend import LocalBackend
from streaming_assistants.backend.upstreams.echo import Echo

from .conftest import JSON

_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_context: Any = multiprocessing.get_context(_START)
if _START == "forkserver":
    # What a child will import anyway: pytest as the main module, SQLAlchemy with its dialect.
    _context.set_forkserver_preload(["pytest", "sqlalchemy.dialects.sqlite", "tests.backend.test_store"])


class Elsewhere:
    """What a job in another process is given: a client of its own on the store, and its way to talk."""

    def __init__(self, store: str, pipe: Any) -> None:
        self.store = store
        self.client = openai.OpenAI(api_key="unused", max_retries=0)
        LocalBackend(Echo(delay=0.01), store).attach(self.client)
        self.say: Callable[[Any], None] = pipe.send
        self.wait: Callable[[], Any] = pipe.recv

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(path, cast_to=JSON, body=body)

    def get(self, path: str) -> Any:
        return self.client.get(path, cast_to=JSON)

    def at_once(self, count: int, job: Callable[[int], None]) -> None:
        """Does the job in so many threads; raises what the first of them raised."""
        failures: list[Exception] = []

        def guarded(number: int) -> None:
            try:
                job(number)
            except Exception as error:  # noqa: BLE001 - it is raised below, in the main thread
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


class Process:
    """``job(elsewhere, *arguments)`` in a process of its own."""

    def __init__(self, job: Callable[..., None], store: str, *arguments: Any) -> None:
        self._pipe, other = _context.Pipe()
        self._process = _context.Process(target=_run, args=(job, other, store, arguments), daemon=True)
        self._process.start()
        other.close()

    def hear(self) -> Any:
        """What the job says next. Fails the test with the job's traceback when it raises instead."""
        assert self._pipe.poll(60), "the other process says nothing"
        said, trouble = self._pipe.recv()
        assert trouble is None, trouble
        return said

    def say(self, said: Any) -> None:
        """What the job waits for."""
        self._pipe.send(said)

    def kill(self) -> None:
        """Ends it at once, as a crash or a reboot would."""
        self._process.kill()
        self.join()

    def join(self) -> None:
        self._process.join(60)
        self._process.close()
        self._pipe.close()


def _run(job: Callable[..., None], pipe: Any, store: str, arguments: tuple[Any, ...]) -> None:
    warnings.simplefilter("ignore")  # it ends without closing anything, as a process may
    here = Elsewhere(store, pipe)
    here.say = lambda said: pipe.send((said, None))
    try:
        job(here, *arguments)
        pipe.send((None, None))
    except Exception:  # noqa: BLE001 - it fails the test in the other process
        pipe.send((None, traceback.format_exc()))
