"""A process that drives runs and serves nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging.config
import signal
import sys
from collections.abc import Callable, Mapping

import anyio

from streaming_assistants._io.loops import in_thread

from .ending import within
from .logs import log_config
from .setting_up import BackendOptions, clients_of, opened, shared

_FLUSH_SECONDS = 1.5


def work(
    *,
    upstream: str,
    store: str,
    base_url: str | None = None,
    upstream_keys: Mapping[str, str] | None = None,
    log_format: str = "text",
    options: BackendOptions,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Takes over the runs of a store that others leave behind, and indexes their files, until the process is
    told to end. Parameters are those of :func:`~.process.serve`; ``announce`` is called with a line once it
    works. Raises ImportError where something is not installed, and ValueError for what makes no sense."""
    shared(store)
    embeds = options.get("embedding_model") is not None
    clients = clients_of(upstream, base_url, upstream_keys, embeds=embeds)
    logging.config.dictConfig(log_config(log_format))
    with opened(upstream, store, options) as backend:

        async def works() -> None:
            told = asyncio.Event()
            loop = asyncio.get_running_loop()
            if sys.platform != "win32":  # where an interrupt ends the loop
                for name in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(name, told.set)
            backend.drive_others(clients.for_work)
            if announce is not None:
                announce(f"Driving the runs of {upstream!r}.\n")
            await told.wait()
            within()
            await backend.aclose()
            with anyio.move_on_after(_FLUSH_SECONDS):
                await in_thread(backend.observer.flush, leavable=True)
            await clients.client.close()

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(works())
