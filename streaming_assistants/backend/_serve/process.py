"""The server's process: what it refuses to start with, what it listens on, and how it ends."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from .._local import LocalBackend
from ..upstreams import registry
from .app import LARGEST_JSON, LARGEST_UPLOAD, app, not_installed
from .ending import within
from .guard import is_loopback
from .key_ring import GivenKeys
from .logs import log_config
from .setting_up import BackendOptions, clients_of, opened, shared
from .supervisor import Inherited, supervise

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_GRACE = 2  # seconds, for connections that have nothing more to say


def serve(
    *,
    upstream: str = "responses",
    store: str = "sqlite://",
    host: str = "127.0.0.1",
    port: int = 8000,
    base_url: str | None = None,
    upstream_keys: Mapping[str, str] | None = None,
    callers_keys: bool = False,
    api_keys: GivenKeys = (),
    no_auth: bool = False,
    allow_hosts: Sequence[str] = (),
    cors_origins: Sequence[str] = (),
    max_body: int | None = None,
    options: BackendOptions | None = None,
    workers: int = 1,
    command: Sequence[str] = (),
    inherited: Inherited | None = None,
    log_format: str = "text",
    announce: Callable[[str], object] | None = None,
) -> int:
    """Serves until the process is told to end. The upstream's key and address come from the environment
    (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``) unless ``base_url`` is given, or it is asked with
    ``upstream_keys``, those of projects, or with ``callers_keys``.

    :func:`~streaming_assistants.backend._serve.app.app` says what ``api_keys``, ``allow_hosts`` and
    ``cors_origins`` do; anywhere but on loopback it takes those, keys in the store, or ``no_auth``.
    ``log_format`` is ``text`` or ``json``. ``max_body`` bounds
    every body, in bytes, instead of uploads at 512 MB and JSON at 20 MB. ``options`` are more of what
    :class:`~streaming_assistants.backend.LocalBackend` takes. More than one of ``workers`` are processes of
    the command line ``command``, each of which has the port ``inherited``. ``announce`` is called with a text
    for whoever is to use the server, once it listens. Answers with the process's exit code.

    Raises ImportError when uvicorn or Starlette are not installed, ValueError for what makes no sense, and
    OSError for an address that cannot be listened on.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
    embeds = (options or {}).get("embedding_model") is not None
    clients = clients_of(upstream, base_url, upstream_keys, callers=callers_keys, embeds=embeds)
    client = clients.client
    if not (api_keys or no_auth or is_loopback(host)):
        with opened(upstream, store, options or {}) as backend:
            keyed = _keyed(backend)
        if not keyed:
            raise ValueError(
                f"Listening on {host} takes a key that clients have to give: --api-key, --api-key-file, keys "
                "in the store (`keys add`), or --no-auth."
            )
    several = workers > 1 and inherited is None
    if several:
        _check_several(store)
    with _listener(host, port) if inherited is None else socket.socket(fileno=inherited.listener) as listener:
        port = listener.getsockname()[1]
        if upstream in registry.with_server() and _is_own(str(client.base_url), host, port):
            shown = re.sub("//[^/]*@", "//", str(client.base_url))
            raise ValueError(f"The upstream's address, {shown}, is this server's own.")
        with opened(upstream, store, options or {}) as backend:
            told = _told(host, port, bool(api_keys) or _keyed(backend))
            if several:
                backend.close()  # it can be opened, and its tables are there
                return supervise(
                    command, workers, listener, lambda: None if announce is None else announce(told)
                )
            served = app(
                backend,
                clients,
                api_keys=api_keys,
                allow_hosts=[*allow_hosts, host],
                cors_origins=cors_origins,
                max_upload=max_body or LARGEST_UPLOAD,
                max_json=max_body or LARGEST_JSON,
                told=told,
            )

            class Server(uvicorn.Server):
                async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                    await super().startup(sockets)
                    if inherited is not None:
                        inherited.ready()
                    elif announce is not None:
                        announce(told)

                async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                    within()
                    await served.state.served.stop()
                    await super().shutdown(sockets)

            # One parser of requests, whatever else is installed.
            config = uvicorn.Config(
                served,
                http="h11",
                ws="none",
                log_config=log_config(log_format),
                timeout_graceful_shutdown=_GRACE,
            )
            Server(config).run(sockets=[listener])
    return 0


def _keyed(backend: LocalBackend) -> bool:
    """Whether the store has keys, so that nobody is served without one."""
    with backend.store.read() as tx:
        return tx.keyed()


def _check_several(store: str) -> None:
    """Raises ValueError where several processes cannot serve one port."""
    shared(store)
    if sys.platform == "win32":
        raise ValueError("Several processes on one port take a system that passes a socket on: --workers 1.")


def _listener(host: str, port: int) -> socket.socket:
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = infos[0]
    # asyncio sends small writes at once on sockets that say that they are TCP's: others hold an event back.
    listener = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_REUSEPORT"):  # on Windows the option means that others may take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_own(url: str, host: str, port: int) -> bool:
    """Whether requests to ``url`` would come back to a server that listens on ``host`` and ``port``."""
    parts = urlsplit(url)
    if (parts.port or {"http": 80, "https": 443}.get(parts.scheme)) != port:
        return False
    there, here = _addresses(parts.hostname or ""), _addresses(host)
    if here & _UNSPECIFIED.keys():
        return any(_is_local(address) for address in there)
    return bool(there & here)


def _addresses(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def _is_local(address: str) -> bool:
    """Whether an address is one of this machine's: only such a one can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _told(host: str, port: int, keys: bool) -> str:
    shown = _UNSPECIFIED.get(host, host)
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/v1"
    key = "one of its API keys" if keys else "any API key"
    return (
        f"{url}\n"
        f'Point a client there, with {key}: OpenAI(base_url="{url}", api_key=...)\n'
        f"or in the environment of any program: OPENAI_BASE_URL={url} OPENAI_API_KEY=...\n"
    )
