"""The tables of a service: what runs have said, projects with their limits, and keys. Importing this adds
them to the schema's."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from .schema import SafeString, metadata

# A row is a batch: a JSON array of [name, data], the events of a run from number ``first`` to ``last``.
run_events = Table(
    "run_events",
    metadata,
    Column("run_id", SafeString(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
    Column("events", Text, nullable=False),
    Column("at", Float, nullable=False),
)
Index("run_events_by_time", run_events.c.at)

# Without a number there is no limit.
projects = Table(
    "projects",
    metadata,
    Column("id", SafeString(64), primary_key=True),  # its name
    Column("runs", Integer),  # at once
    Column("requests_per_minute", Integer),
    Column("storage", BigInteger),  # bytes
    Column("created_at", Float, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", SafeString(64), primary_key=True),
    Column("project", SafeString(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the key, which is random enough
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)
Index("keys_by_project", keys.c.project)

# The projects that a key may choose from; the one of its own row is chosen where it does not.
key_projects = Table(
    "key_projects",
    metadata,
    Column("key_id", SafeString(64), ForeignKey("keys.id", ondelete="CASCADE"), primary_key=True),
    Column("project", SafeString(64), ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
)

request_counts = Table(
    "request_counts",
    metadata,
    Column("project", SafeString(64), primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),  # since the epoch
    Column("requests", Integer, nullable=False),
)
