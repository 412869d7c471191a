"""The routes of files, uploads and vector stores, where a backend keeps them itself."""

from __future__ import annotations

from collections.abc import Callable

from . import file_requests, store_files, store_requests, store_search, upload_requests
from .context import ApiAnswer, Context

_STORE = "/vector_stores/{vector_store_id}"
_BATCH = _STORE + "/file_batches/{batch_id}"

FILE_TABLE: list[tuple[str, str, Callable[[Context], ApiAnswer]]] = [
    ("POST", "/files", file_requests.create),
    ("GET", "/files", file_requests.index),
    ("GET", "/files/{file_id}", file_requests.retrieve),
    ("DELETE", "/files/{file_id}", file_requests.remove),
    ("GET", "/files/{file_id}/content", file_requests.content),
    ("POST", "/uploads", upload_requests.create),
    ("POST", "/uploads/{upload_id}/parts", upload_requests.add_part),
    ("POST", "/uploads/{upload_id}/complete", upload_requests.complete),
    ("POST", "/uploads/{upload_id}/cancel", upload_requests.cancel),
    ("POST", "/vector_stores", store_requests.create),
    ("GET", "/vector_stores", store_requests.index),
    ("GET", _STORE, store_requests.retrieve),
    ("POST", _STORE, store_requests.update),
    ("DELETE", _STORE, store_requests.remove),
    ("POST", _STORE + "/files", store_files.create),
    ("POST", _STORE + "/search", store_search.search),
    ("GET", _STORE + "/files", store_files.index),
    ("GET", _STORE + "/files/{file_id}", store_files.retrieve),
    ("POST", _STORE + "/files/{file_id}", store_files.update),
    ("DELETE", _STORE + "/files/{file_id}", store_files.remove),
    ("GET", _STORE + "/files/{file_id}/content", store_search.content),
    ("POST", _STORE + "/file_batches", store_files.create_batch),
    ("GET", _BATCH, store_files.retrieve_batch),
    ("POST", _BATCH + "/cancel", store_files.cancel_batch),
    ("GET", _BATCH + "/files", store_files.batch_files),
]
