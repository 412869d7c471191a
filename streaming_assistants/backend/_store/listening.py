"""What PostgreSQL tells of the commits of other processes: on one connection of this process, while somebody
waits for a thread or for a run to be done.

A notice names who tells it and the threads that have changed, or ``runs`` where a run waits to be driven.
What is told while no connection listens is lost, so that all who wait look once one listens again; and they
look now and then in any case.
"""

from __future__ import annotations

import logging
import re
import selectors
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine as Pool
from sqlalchemy.exc import SQLAlchemyError

from .._engine.store_port import StoreAway
from .changes import Changes

logger = logging.getLogger("streaming_assistants")

_CHANNEL = "streaming_assistants"
_LONGEST = 7_900
"""Bytes of a notice; the server takes less than 8,000."""
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_IDLE = 60.0
"""Seconds without anybody who waits, after which nobody listens any more."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def notices(origin: str, changed: Iterable[object]) -> str:
    """Statements that tell the others what has changed; empty for nothing. An id that is not plain is left to
    those who look by themselves."""
    payloads: list[str] = []
    for id in sorted(str(each) for each in changed):
        if not _PLAIN.fullmatch(id):
            continue
        if not payloads or len(payloads[-1]) + len(id) >= _LONGEST:
            payloads.append(origin)
        payloads[-1] += f" {id}"
    return "; ".join(f"NOTIFY {_CHANNEL}, '{payload}'" for payload in payloads)


class Listener:
    """Tells ``changes`` what others than ``origin`` commit, in a thread of its own."""

    def __init__(self, pool: Pool, changes: Changes, origin: str) -> None:
        self._pool = pool
        self._changes = changes
        self._origin = origin
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._wake: socket.socket | None = None

    def begin(self) -> None:
        """Listens from soon on, unless it does already."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is not None or self._stopped.is_set():
                return
            self._thread = threading.Thread(
                target=self._listen, name="streaming_assistants listener", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError as error:  # the interpreter ends, or the system has no more threads
                self._thread = None
                logger.warning("Nobody listens to the store's server: %s", error)

    def stop(self) -> None:
        """Listens no more, ever."""
        self._stopped.set()
        with self._lock:
            if self._wake is not None:
                self._wake.send(b"\0")

    def _listen(self) -> None:
        awake, wake = socket.socketpair()
        with awake, wake:
            with self._lock:
                self._wake = wake
            pause = _FIRST_PAUSE
            try:
                while not self._ends():
                    if self._heard(awake):
                        pause = _FIRST_PAUSE
                    self._stopped.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
            finally:
                with self._lock:
                    if self._wake is wake:
                        self._thread = self._wake = None

    def _heard(self, awake: socket.socket) -> bool:
        """Tells what is heard until nobody waits for it, or the connection is cut; whether there was one."""
        listens = False
        try:
            with self._connected() as driver, selectors.DefaultSelector() as selector:
                listens = True
                self._changes.tell_all()  # what was told before is lost
                selector.register(awake, selectors.EVENT_READ)
                selector.register(driver.fileno(), selectors.EVENT_READ)
                while (selector.select(_IDLE) or self._changes.watched) and not self._stopped.is_set():
                    self._tell(driver.pgconn)
        except (SQLAlchemyError, StoreAway, OSError, self._pool.dialect.loaded_dbapi.Error) as error:
            logger.debug("The store's server is not heard, and listened to again: %s", error)
        return listens

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection of the driver that listens."""
        with self._pool.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.detach()  # from the pool, which is for transactions
            try:
                driver.execute(f"LISTEN {_CHANNEL}")
                yield driver
            finally:
                driver.close()
                connection.invalidate()  # nothing is left to be put right on it

    def _ends(self) -> bool:
        """Whether it does, with its thread: it is stopped, or nobody waits."""
        with self._lock:
            if self._changes.watched and not self._stopped.is_set():
                return False
            self._thread = self._wake = None
            return True

    def _tell(self, pgconn: Any) -> None:
        pgconn.consume_input()
        self._changes.tell({id for ids in self._notices(pgconn) for id in ids})

    def _notices(self, pgconn: Any) -> Iterator[list[str]]:
        while (notice := pgconn.notifies()) is not None:
            origin, *ids = notice.extra.decode("utf-8", "replace").split()
            if origin != self._origin:
                yield ids
