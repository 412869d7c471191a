"""A service of many processes: claims of runs, leases, projects, and a name for the store.

What a table gains is written out and not taken from the schema, which goes on.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    kinds = ("assistants", "threads", "runs", "files", "stored_files", "uploads", "vector_stores")
    for table in kinds:
        _add(table, sa.Column("project", sa.String(64), nullable=False, server_default=""))
    _add("runs", sa.Column("claim", sa.Integer, nullable=False, server_default="0"))
    _add("owners", sa.Column("lease", sa.Float, nullable=False, server_default="30"))
    _add("owners", sa.Column("drives", sa.Boolean, nullable=False, server_default=sa.false()))
    _add("streaming_assistants", sa.Column("store", sa.String(64), nullable=False, server_default=""))
    about = sa.table("streaming_assistants", sa.column("store"))
    op.execute(about.update().values(store=secrets.token_hex(16)))


def _add(table: str, column: sa.Column[object]) -> None:
    there = _columns(table)
    if there and column.name not in there:
        op.add_column(table, column)


def _columns(table: str) -> set[str]:
    """The names of its columns; none where it is missing."""
    inspector = sa.inspect(op.get_bind())
    return (
        {column["name"] for column in inspector.get_columns(table)} if inspector.has_table(table) else set()
    )
