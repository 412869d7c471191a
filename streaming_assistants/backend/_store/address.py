"""Where a store is: what ``LocalBackend(store=...)`` takes, as a URL of SQLAlchemy."""

from __future__ import annotations

import os
import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+]+:")  # two letters at least: one is a drive of Windows
_WANTED = (
    'A store is a path ("assistants.db"), a SQLite URL ("sqlite:///assistants.db", "sqlite://" for memory) '
    'or a PostgreSQL URL ("postgresql+psycopg://user@host/name")'
)


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
