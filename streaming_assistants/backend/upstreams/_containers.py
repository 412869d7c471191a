"""The code_interpreter's container: one for a thread, as long as it lives.

With the Assistants API, what one run put into ``/mnt/data`` was there for the next run of the thread. A
container of ``"auto"`` is a new one in each request, empty and paid for anew.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from urllib.parse import quote

from .._engine.port import Call, Json, Piece, Turn, UpstreamError
from ._history import attached, resources

logger = logging.getLogger("streaming_assistants")

_ALIVE = ("running", "active")


def wanted_files(turn: Turn) -> list[str]:
    """Ids of the files that code may read: the assistant's, the thread's, and attachments; each once."""
    files = resources(turn, "code_interpreter", "file_ids") + attached(turn, "code_interpreter")
    return list(dict.fromkeys(files))


def container(turn: Turn) -> Generator[Piece, Json, Json]:
    """The tool's ``container``: the id of the one that an earlier step used, else ``{"type": "auto"}``."""
    files = wanted_files(turn)
    used = next((item["kept"]["container"] for item in reversed(turn.items) if _has_container(item)), None)
    if used:
        path = f"/containers/{quote(used['id'], safe='')}"
        try:
            state = yield Call("GET", path)
            if isinstance(state, dict) and state.get("status") in _ALIVE:
                for file_id in files:
                    if file_id not in used["file_ids"]:
                        yield Call("POST", f"{path}/files", {"file_id": file_id})
                return used["id"]
        except UpstreamError as error:
            logger.debug("the thread's container cannot be used again: HTTP status %s", error.status)
    return {"type": "auto", "file_ids": files} if files else {"type": "auto"}


def _has_container(item: Json) -> bool:
    return bool(item["kind"] == "tool_calls" and (item.get("kept") or {}).get("container"))
