"""What is made at the upstream's server while a request is answered: vector stores and what is in them."""

from __future__ import annotations

import logging
from collections.abc import Generator
from urllib.parse import quote

from .._engine.port import Call, Calls, Json, UpstreamError
from ._members import member

logger = logging.getLogger("streaming_assistants")

THREAD_EXPIRY = {"anchor": "last_active_at", "days": 7}
"""The hosted API's own, for stores that threads and their messages make."""


def stores_made(wanted: list[Json], *, of_thread: bool) -> Calls:
    """The ids of stores as ``tool_resources.file_search.vector_stores`` describes them."""
    made: list[str] = []
    try:
        for store in wanted:
            body = {name: value for name, value in store.items() if value is not None}
            if of_thread:
                body["expires_after"] = THREAD_EXPIRY
            made.append(member((yield Call("POST", "/vector_stores", body)), "id", str))
    except UpstreamError:
        yield from _taken_back(made)
        raise
    return made


def files_added(store_id: str | None, file_ids: list[str], made: list[str]) -> Calls:
    """Puts a thread's attachments into its store, which is made where there is none; the store's id.
    ``made`` are stores that go again should one of the files be refused."""
    made = list(made)
    try:
        if store_id is None:
            store = yield Call("POST", "/vector_stores", {"expires_after": THREAD_EXPIRY})
            store_id = member(store, "id", str)
            made.append(store_id)
        for file_id in file_ids:
            yield Call("POST", f"/vector_stores/{quote(store_id, safe='')}/files", {"file_id": file_id})
    except UpstreamError:
        yield from _taken_back(made)
        raise
    return store_id


def _taken_back(made: list[str]) -> Generator[Call, Json, None]:
    for store_id in made:
        try:
            yield Call("DELETE", f"/vector_stores/{quote(store_id, safe='')}")
        except UpstreamError:  # noqa: PERF203 - a store is a request, not a number
            logger.warning("the vector store %s is left over from a request that failed", store_id)
