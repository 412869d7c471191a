"""The tables of files, uploads and vector stores. Importing this adds them to the schema's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, Table

from .schema import SafeString, metadata, objects, project


def _of(table: str, name: str) -> Column[Any]:
    return Column(name, SafeString(64), ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


stored_files = objects(
    "stored_files",
    Column("purpose", SafeString(64), nullable=False),
    Column("content_id", SafeString(64), nullable=False),
    Column("expires_at", Float),
    project(),
)
uploads = objects("uploads", Column("expires_at", Float), project())
upload_parts = objects("upload_parts", _of("uploads", "upload_id"), Column("content_id", SafeString(64)))
vector_stores = objects("vector_stores", Column("expires_at", Float), project())
file_batches = objects("file_batches", _of("vector_stores", "vector_store_id"))
# A file is in many stores: its entry in one has an id of its own, which no client sees.
store_files = objects(
    "store_files",
    _of("vector_stores", "vector_store_id"),
    Column("file_id", SafeString(64), nullable=False),
    Column("batch_id", SafeString(64)),
    Column("status", SafeString(32), nullable=False),  # what a client sees, for lists that are filtered by it
    Column("owner", SafeString(64)),  # the backend that indexes it
)

Index("store_files_by_store", store_files.c.vector_store_id, store_files.c.seq)
Index("store_files_by_file", store_files.c.file_id)
Index("store_files_by_status", store_files.c.status, store_files.c.vector_store_id)
Index("file_batches_by_store", file_batches.c.vector_store_id, file_batches.c.seq)
Index("stored_files_by_project", stored_files.c.project, stored_files.c.seq)
Index("stored_files_by_expiry", stored_files.c.expires_at)
Index("stored_files_by_content", stored_files.c.content_id)
Index("upload_parts_by_content", upload_parts.c.content_id)
Index("upload_parts_by_upload", upload_parts.c.upload_id, upload_parts.c.seq)
Index("uploads_by_project", uploads.c.project, uploads.c.seq)
Index("uploads_by_expiry", uploads.c.expires_at)
Index("vector_stores_by_project", vector_stores.c.project, vector_stores.c.seq)
Index("vector_stores_by_expiry", vector_stores.c.expires_at)

# Contents, unless they are kept elsewhere: in pieces, so that none is ever whole in memory.
contents = Table(
    "content_pieces",
    metadata,
    Column("content_id", SafeString(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("piece", LargeBinary, nullable=False),
)
