"""The server's process: what it refuses to start with, what it listens on, and how it ends."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict
from urllib.parse import urlsplit

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import AnyClient

from .._engine.store_port import StoreAway
from .._local import LocalBackend
from ..upstreams import registry
from .app import LARGEST_JSON, LARGEST_UPLOAD, app, not_installed
from .guard import is_loopback

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_GRACE = 2  # seconds, for connections that have nothing more to say


class BackendOptions(TypedDict, total=False):
    """What :class:`~streaming_assistants.backend.LocalBackend` takes beside an upstream and a store."""

    models: Mapping[str, str] | None
    upstream_options: Mapping[str, Json] | None
    strict: bool
    context_window: int | None
    think: str
    files: str | None
    files_at: str | None
    embedding_model: str | None
    search: str


def serve(
    *,
    upstream: str = "responses",
    store: str = "sqlite://",
    host: str = "127.0.0.1",
    port: int = 8000,
    base_url: str | None = None,
    models: dict[str, str] | None = None,
    api_keys: Sequence[str] = (),
    no_auth: bool = False,
    allow_hosts: Sequence[str] = (),
    cors_origins: Sequence[str] = (),
    max_body: int | None = None,
    options: BackendOptions | None = None,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Serves until the process is told to end. The upstream's key and address come from the environment
    (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``) unless ``base_url`` is given.

    :func:`~streaming_assistants.backend._serve.app.app` says what ``api_keys``, ``allow_hosts`` and
    ``cors_origins`` do; anywhere but on loopback it takes ``api_keys``, or ``no_auth``. ``max_body`` bounds
    every body, in bytes, instead of uploads at 512 MB and JSON at 20 MB. ``options`` are more of what
    :class:`~streaming_assistants.backend.LocalBackend` takes. ``announce`` is called with a text
    for whoever is to use the server, once it listens.

    Raises ImportError when uvicorn or Starlette are not installed, ValueError for what makes no sense, and
    OSError for an address that cannot be listened on.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
    if not (api_keys or no_auth or is_loopback(host)):
        raise ValueError(
            f"Listening on {host} takes a key that clients have to give: --api-key, or --no-auth."
        )
    client = _client(upstream, base_url)
    with _listener(host, port) as listener:
        port = listener.getsockname()[1]
        if upstream in registry.with_server() and _is_own(str(client.base_url), host, port):
            shown = re.sub("//[^/]*@", "//", str(client.base_url))
            raise ValueError(f"The upstream's address, {shown}, is this server's own.")
        with _opened(upstream, store, {"models": models, **(options or {})}) as backend:
            told = _told(host, port, bool(api_keys))
            served = app(
                backend,
                client,
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
                    if announce is not None:
                        announce(told)

                async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                    await served.state.served.stop()
                    await super().shutdown(sockets)

            # One parser of requests, whatever else is installed.
            config = uvicorn.Config(
                served, http="h11", ws="none", log_level="info", timeout_graceful_shutdown=_GRACE
            )
            Server(config).run(sockets=[listener])


def _opened(upstream: str, store: str, options: BackendOptions) -> LocalBackend:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return LocalBackend(upstream, store, **options)
    except (SQLAlchemyError, StoreAway, OSError, RuntimeError) as error:
        shown = re.sub("(password=)[^&]*", r"\1...", re.sub("//[^/]*@", "//", store))
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ValueError(f"The store {shown} cannot be opened: {reason}") from None


def _client(upstream: str, base_url: str | None) -> AnyClient:
    import openai

    base_url = base_url or os.environ.get("OPENAI_BASE_URL")  # which the oldest releases do not read
    if upstream not in registry.with_server():
        return openai.AsyncOpenAI(api_key="unused", base_url=base_url)
    try:
        return openai.AsyncOpenAI(base_url=base_url)
    except openai.OpenAIError:
        raise ValueError(
            "There is no key for the upstream: set OPENAI_API_KEY, to any text if the upstream wants none."
        ) from None


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
