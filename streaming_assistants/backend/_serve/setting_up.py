"""What a process that drives runs opens before it does: its store, and a client for its upstream."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TypedDict

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import AnyClient

from .._engine.observer import Observer
from .._engine.store_port import StoreAway
from .._local import LocalBackend
from ..upstreams import registry
from .upstream_clients import UpstreamClients


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
    lease: float
    background: bool
    observer: Observer | None


def opened(upstream: str, store: str, options: BackendOptions) -> LocalBackend:
    """The backend. Raises ValueError for a store that cannot be opened, and for what makes no sense."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return LocalBackend(upstream, store, **options)
    except (SQLAlchemyError, StoreAway, OSError, RuntimeError) as error:
        shown = re.sub("(password=)[^&]*", r"\1...", re.sub("//[^/]*@", "//", store))
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ValueError(f"The store {shown} cannot be opened: {reason}") from None


def clients_of(
    upstream: str,
    base_url: str | None,
    keys: Mapping[str, str] | None = None,
    *,
    callers: bool = False,
    embeds: bool = False,
) -> UpstreamClients:
    """The clients that the upstream is asked through: with the operator's key, with those of projects, or
    with the callers' own. Raises ValueError where there is none for what is to be done."""
    import openai

    if callers and keys:
        raise ValueError("The upstream is asked with the callers' own keys, or with those of projects.")
    try:
        return UpstreamClients(client_of(upstream, base_url), keys, callers=callers)
    except ValueError:
        if not (callers or keys):
            raise
    if embeds:
        raise ValueError(
            "Files are indexed for all projects, with the operator's key: --embedding-model takes "
            "OPENAI_API_KEY."
        )
    client = openai.AsyncOpenAI(api_key="unused", base_url=base_url or os.environ.get("OPENAI_BASE_URL"))
    return UpstreamClients(client, keys, callers=callers, keyless=True)


def client_of(upstream: str, base_url: str | None) -> AnyClient:
    """The async client that the upstream is asked through. Raises ValueError where it has no key."""
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


def shared(store: str) -> None:
    """Raises ValueError for a store that no two processes see."""
    from .._store.address import address

    parsed = address(store)
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("A store in memory is one process's alone: --store takes one that several can see.")
