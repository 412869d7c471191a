"""What is to be searched goes into vector stores at the upstream's server: while a request is answered, where
the backend knows of that server (the port's VectorStoreCalls), and else when a run begins."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from urllib.parse import quote

from .._engine.port import Call, Calls, Json, Piece, Sleep, ThreadResources, Turn, UpstreamError
from .._engine.run_failures import failure
from ._history import attached
from ._members import Fault, member

logger = logging.getLogger("streaming_assistants")

THREAD_EXPIRY = {"anchor": "last_active_at", "days": 7}
"""The hosted API's own, for stores that threads and their messages make."""

INDEXING_SECONDS = 60.0
"""How long a run waits for attachments to be searchable; the hosted API waited as long and then went on."""


def stores_made(wanted: list[Json], *, of_thread: bool) -> Calls:
    """The ids of stores as ``tool_resources.file_search.vector_stores`` describes them."""
    made: list[str] = []
    try:
        for store in wanted:
            state = yield from _made({**store, "expires_after": THREAD_EXPIRY} if of_thread else store)
            made.append(member(state, "id", str))
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
            store_id = member((yield from _made({"expires_after": THREAD_EXPIRY})), "id", str)
            made.append(store_id)
        for file_id in file_ids:
            yield Call("POST", f"{_path(store_id)}/files", {"file_id": file_id})
    except UpstreamError:
        yield from _taken_back(made)
        raise
    return store_id


def searchable(turn: Turn) -> Generator[Piece, Json, list[str]]:
    """Puts message attachments for file_search into the thread's vector store, which it makes if needed.

    Returns the thread's vector store ids. A file that OpenAI cannot index fails the turn; one that takes
    longer than :data:`INDEXING_SECONDS` does not.
    """
    thread = dict(turn.thread_tool_resources or {})
    search = dict(thread.get("file_search") or {})
    stores: list[str] = list(search.get("vector_store_ids") or [])
    known: list[str] = list(search.get("file_ids") or [])
    wanted = search.pop("vector_stores", None) or []
    filling: list[str] = search.pop("filling", None) or []
    waiting: list[str] = search.pop("waiting", None) or []
    if ((turn.assistant_tool_resources or {}).get("file_search") or {}).get("vector_stores"):
        raise Fault(
            "The assistant's tool_resources.file_search.vector_stores asks for a new vector store, which "
            "this backend makes for threads only. Create it with client.vector_stores.create(file_ids=...) "
            "and give the assistant its id in vector_store_ids."
        )

    def remembered() -> ThreadResources:
        search_now = {**search, "vector_store_ids": list(stores), "file_ids": list(known)}
        return ThreadResources({**thread, "file_search": search_now})

    for store in wanted:  # the helper of threads.create
        state = yield from _made(store)
        made = member(state, "id", str)
        yield from _filled(made, state)
        stores.append(made)
        yield remembered()
    for store_id in filling:
        yield from _filled(store_id, (yield Call("GET", _path(store_id))))
    new = [file_id for file_id in attached(turn, "file_search") if file_id not in known]
    if not new and not waiting:
        if filling:
            yield remembered()
        return stores

    if not stores:
        body = {"expires_after": THREAD_EXPIRY, "metadata": {"thread": turn.thread_id}}
        stores.append(member((yield from _made(body)), "id", str))
        yield remembered()
    yield from _indexed(f"{_path(stores[0])}/files", new, waiting)
    known += new
    yield remembered()
    return stores


def _indexed(path: str, new: list[str], waiting: list[str]) -> Generator[Piece, Json, None]:
    """Puts new files into the store at ``path``; waits until they and those ``waiting`` are searchable."""
    states: dict[str, Json] = {}
    for file_id in new:
        try:
            states[file_id] = yield Call("POST", path, {"file_id": file_id})
        except UpstreamError as error:  # noqa: PERF203 - a file is a request, not a number
            raise _unsearchable(file_id, error.message, error.status) from error
    for file_id in waiting:
        try:
            states[file_id] = yield Call("GET", f"{path}/{quote(file_id, safe='')}")
        except UpstreamError as error:  # noqa: PERF203
            if error.status != 404:  # taken out of the store again
                raise
    states = _under_way(states)
    for pause in _pauses():
        if not states:
            return
        yield Sleep(pause)
        for file_id in states:
            states[file_id] = yield Call("GET", f"{path}/{quote(file_id, safe='')}")
        states = _under_way(states)
    if states:
        logger.warning("%d attached files are not searchable after %g s", len(states), INDEXING_SECONDS)


def _under_way(states: dict[str, Json]) -> dict[str, Json]:
    """Those that are not searchable yet. Raises :class:`Fault` for one that never will be."""
    for file_id, state in states.items():
        status = member(state, "status", str)
        if status not in ("completed", "in_progress"):
            reason = failure(state.get("last_error")).message if state.get("last_error") else status
            raise _unsearchable(file_id, reason, None)
    return {file_id: state for file_id, state in states.items() if state["status"] == "in_progress"}


def _made(store: Json) -> Calls:
    """Makes a vector store as ``tool_resources`` describes it; what the server says of it."""
    return (yield Call("POST", "/vector_stores", {k: v for k, v in store.items() if v is not None}))


def _filled(store_id: str, state: Json) -> Generator[Piece, Json, None]:
    """Waits until the files of a store can be searched."""
    for pause in _pauses():
        if state.get("status") != "in_progress":
            break
        yield Sleep(pause)
        state = yield Call("GET", _path(store_id))
    if (state.get("file_counts") or {}).get("failed"):
        logger.warning("%s files of vector store %s failed", state["file_counts"]["failed"], store_id)


def _pauses() -> Iterator[float]:
    """The seconds between two looks, as long as a run waits."""
    waited, pause = 0.0, 0.25
    while waited < INDEXING_SECONDS:
        yield pause
        waited, pause = waited + pause, min(pause * 2, 2.0)


def _path(store_id: str) -> str:
    return f"/vector_stores/{quote(store_id, safe='')}"


def _taken_back(made: list[str]) -> Generator[Call, Json, None]:
    for store_id in made:
        try:
            yield Call("DELETE", _path(store_id))
        except UpstreamError:  # noqa: PERF203 - a store is a request, not a number
            logger.warning("the vector store %s is left over from a request that failed", store_id)


def _unsearchable(file_id: str, reason: str, status: int | None) -> Fault:
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    return Fault(
        f"The attached file {file_id} could not be made searchable: {reason} "
        "Delete the message, or attach the file to another tool, to go on with the thread.",
        code,
    )
