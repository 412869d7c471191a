"""The tables. Each object is one row: the JSON that a client sees, and the columns that queries need.

``seq`` orders objects: ``created_at`` counts whole seconds, and many objects are made within one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.engine import Dialect

VERSION = 2
"""What a table has gained since an earlier one is in ``migrations/``, with a default that the database knows:
a process of the earlier version may still be writing."""

metadata = MetaData()


class SafeString(TypeDecorator[str]):
    """Text without NUL, which PostgreSQL does not take: nothing that is stored has one in its id."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value.replace("\0", "\ufffd") if isinstance(value, str) else value


class SafeText(SafeString):
    impl = Text
    cache_ok = True


Seq = BigInteger().with_variant(Integer(), "sqlite")


def objects(name: str, *columns: Column[Any]) -> Table:
    """A table of one kind of objects."""
    return Table(
        name,
        metadata,
        Column("seq", Seq, primary_key=True, autoincrement=True),
        Column("id", SafeString(64), nullable=False, unique=True),
        *columns,
        Column("data", JSON, nullable=False),
        Column("hidden", JSON),  # what the engine remembers about an object and no client sees
        sqlite_autoincrement=True,  # a cursor stays right after its object is deleted
    )


def _thread_id() -> Column[str]:
    return Column("thread_id", SafeString(64), ForeignKey("threads.id", ondelete="CASCADE"), nullable=False)


def project() -> Column[str]:
    """Whose an object is; what belongs to another object is reached through that."""
    return Column("project", SafeString(64), nullable=False, server_default="")


assistants = objects("assistants", project())
threads = objects("threads", project())
messages = objects("messages", _thread_id(), Column("run_id", SafeString(64)))
runs = objects(
    "runs",
    _thread_id(),
    Column("active", Boolean, nullable=False),
    Column("owner", SafeString(64)),  # the backend that drives it; NULL while it waits for tool outputs
    Column("claim", Integer, nullable=False, server_default="0"),  # how often it has been taken to be driven
    Column("expires_at", Float, nullable=False),
    project(),
)
steps = objects(
    "steps",
    _thread_id(),
    Column("run_id", SafeString(64), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("after_message", Seq, nullable=False),  # seq of the thread's newest message when it began
)

Index("assistants_by_project", assistants.c.project, assistants.c.seq)
Index("threads_by_project", threads.c.project, threads.c.seq)
Index("messages_by_thread", messages.c.thread_id, messages.c.seq)
Index("runs_by_thread", runs.c.thread_id, runs.c.seq)
Index("steps_by_run", steps.c.run_id, steps.c.seq)
Index("steps_by_thread", steps.c.thread_id, steps.c.seq)
Index(
    "one_active_run_a_thread",
    runs.c.thread_id,
    unique=True,
    sqlite_where=text("active"),
    postgresql_where=text("active"),
)
Index("active_runs", runs.c.active, sqlite_where=text("active"), postgresql_where=text("active"))
Index("active_runs_by_project", runs.c.project, sqlite_where=text("active"), postgresql_where=text("active"))

# Where a deleted object was in its list: who deletes what a page shows asks for the next page after it.
removed = Table(
    "removed",
    metadata,
    Column("id", SafeString(64), primary_key=True),
    Column("seq", Seq, nullable=False),
    Column("thread_id", SafeString(64), ForeignKey("threads.id", ondelete="CASCADE")),
)

files = Table(
    "files",
    metadata,
    Column("id", SafeString(255), primary_key=True),
    Column("filename", SafeText, nullable=False),
    Column("content", LargeBinary, nullable=False),
    project(),
)

owners = Table(
    "owners",
    metadata,
    Column("id", SafeString(64), primary_key=True),
    Column("place", SafeString(255), nullable=False),  # host, boot and process namespace
    Column("pid", Integer, nullable=False),
    Column("started", SafeString(64), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("lease", Float, nullable=False, server_default="30"),  # seconds that it may go unseen
    Column("drives", Boolean, nullable=False, server_default=false()),  # it takes over runs of others
)

about = Table(
    "streaming_assistants",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("store", String(64), nullable=False, server_default=""),  # tells this store from every other
)
