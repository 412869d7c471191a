"""Where a store is: what ``LocalBackend(store=...)`` takes, as a URL of SQLAlchemy."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+]+:")  # two letters at least: one is a drive of Windows
_TIME = re.compile(r"\d+(ms|s|min|h)?")
_SETTINGS: Mapping[str, str] = {
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    # A process that is paused within a transaction holds up those who would take over its runs.
    "idle_in_transaction_session_timeout": "10s",
}
_POOL_SIZE = 16
_WANTED = (
    'A store is a path ("assistants.db"), a SQLite URL ("sqlite:///assistants.db", "sqlite://" for memory) '
    'or a PostgreSQL URL ("postgresql+psycopg://user@host/name")'
)


class Patience(NamedTuple):
    """How long PostgreSQL is waited for, by ``settings`` of each of its connections, and how many of these
    there are at most."""

    settings: Mapping[str, str]
    pool_size: int


def patience(url: URL) -> tuple[URL, Patience]:
    """What the URL of a store says of it, which is PostgreSQL's, and the URL without that:
    ``?statement_timeout=30s&lock_timeout=5s&pool_size=8``. A time is one of PostgreSQL's: milliseconds, or
    with a unit; 0 is for ever.

    Raises ValueError for what is no time or number."""
    if url.get_backend_name() == "sqlite":
        return url, Patience({}, 1)
    given = {name: value for name, value in url.query.items() if name in _SETTINGS or name == "pool_size"}
    for name, value in given.items():
        if name != "pool_size" and not (isinstance(value, str) and _TIME.fullmatch(value)):
            raise ValueError(f"{name}= in a store's URL takes a time (500ms, 30s, 2min), not {value!r}.")
    size = given.get("pool_size", str(_POOL_SIZE))
    if not (isinstance(size, str) and size.isdecimal() and int(size) > 0):
        raise ValueError(f"pool_size= in a store's URL takes a number from 1 on, not {size!r}.")
    options = str(url.query.get("options", ""))
    settings = {
        name: str(given.get(name, default))
        for name, default in _SETTINGS.items()
        if name in given or name not in options  # where libpq is told, that holds
    }
    return url.difference_update_query(given), Patience(settings, int(size))


def address(store: str | os.PathLike[str]) -> URL:
    """The URL of a store that is given as one, or as the path of a SQLite file.

    Raises ValueError for anything but SQLite and PostgreSQL: another database would take the same tables
    and not keep their promise of one active run a thread.
    """
    given = os.fspath(store)
    if not isinstance(given, str):
        raise TypeError(f"store= takes a str or a path, not {type(store).__name__}.")
    if not isinstance(store, str) or not _SCHEME.match(given):
        if not given:
            raise ValueError(f"{_WANTED}, not an empty text.")
        return URL.create("sqlite", database=given)
    try:
        url = make_url(given)
        kind, is_async = url.get_backend_name(), url.get_dialect().is_async
    except (ArgumentError, NoSuchModuleError):
        # The text is not shown: it may hold a password.
        raise ValueError(f"{_WANTED}, not {given.partition(':')[0]!r} as this one is.") from None
    if kind not in ("sqlite", "postgresql"):
        raise ValueError(f"{_WANTED}, not {kind}.")
    if is_async:
        raise ValueError(f"{_WANTED}. {url.drivername} is a driver for event loops, and no store takes one.")
    return url
