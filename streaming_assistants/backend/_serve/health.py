"""Whether a server lives, and whether it is ready to be asked: for load balancers, which have no key."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import anyio

from streaming_assistants._io.loops import in_thread

from .._engine.store_port import Store, StoreAway, StoreClosed

if TYPE_CHECKING:
    from starlette.responses import Response

logger = logging.getLogger("streaming_assistants")

_SECONDS = 5.0  # that a store may take to answer: a load balancer's own patience is about as long

LIVE, READY = "/health/live", "/health/ready"


async def health(path: str, store: Store, *, stopping: bool) -> Response | None:
    """The answer to a question after the server's health; None where none is asked. What is wrong is said in
    a sentence that tells a stranger nothing of the store."""
    from starlette.responses import Response

    if path == LIVE:
        return Response("ok\n", 200, media_type="text/plain")
    if path != READY:
        return None
    wrong = "The server is being shut down." if stopping else await _wrong_with(store)
    return Response(f"{wrong or 'ok'}\n", 503 if wrong else 200, media_type="text/plain")


async def _wrong_with(store: Store) -> str | None:
    if not store.blocking:
        return _look(store)
    with anyio.move_on_after(_SECONDS):
        # Not among the threads that requests wait for: when these are all taken, the store may yet answer.
        return await in_thread(partial(_look, store), leavable=True, limited=False)
    return f"The store has not answered for {_SECONDS:g} s."


def _look(store: Store) -> str | None:
    try:
        with store.read() as tx:
            return tx.unfit()
    except StoreClosed:
        return "The server is being shut down."
    except StoreAway as error:
        logger.warning("The store is away: %s", error)
    except Exception:
        logger.exception("The store could not be asked whether it is ready.")
    return "The store does not answer."
