"""A server in a thread of this process, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from streaming_assistants._sdk.untyped import AnyClient

from .._local import LocalBackend
from .app import app, not_installed

_SECONDS = 10.0


@contextlib.contextmanager
def served(backend: LocalBackend, client: AnyClient, **options: Any) -> Iterator[str]:
    """The address of a server on a free port of loopback, ``/v1`` included; at the end both the server and
    the backend are closed. ``client`` and ``options`` are :func:`app`'s. Raises ImportError when uvicorn or
    Starlette are not installed."""
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
    with socket.socket() as listener, backend:
        listener.bind(("127.0.0.1", 0))
        listening = threading.Event()
        config = uvicorn.Config(app(backend, client, **options), log_level="warning", lifespan="off")

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                listening.set()

        server = Server(config)

        async def run() -> None:
            async with client:
                await server.serve(sockets=[listener])

        thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        thread.start()
        if not listening.wait(_SECONDS):
            raise TimeoutError(f"The server did not listen within {_SECONDS:g} s.")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(_SECONDS)
