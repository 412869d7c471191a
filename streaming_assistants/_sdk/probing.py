"""Clients of the SDK whose requests are answered in memory, for probes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from .clients import AsyncOpenAI, AzureOpenAI, OpenAI
from .models import JSON
from .transport import own_transport


def probe_client(body: bytes, headers: Mapping[str, str] | None = None, on_request: JSON = None) -> JSON:
    """A client of the SDK whose every request is answered in memory with ``body``."""

    def answer(request: JSON) -> tuple[int, Mapping[str, str], bytes]:
        if on_request is not None:
            on_request(request)
        return 200, {"content-type": "text/event-stream", **(headers or {})}, body

    return probe_client_of(answer)


Answering: TypeAlias = "Callable[[JSON], tuple[int, Mapping[str, str], bytes]]"
"""From a request to (status, headers, body)."""


def probe_client_of(answer: Answering, *, is_async: bool = False) -> JSON:
    """A client of the SDK whose requests ``answer`` answers in memory."""
    kind: JSON = AsyncOpenAI if is_async else OpenAI
    http: JSON = _memory(answer, is_async=is_async)
    return kind(api_key="probe", base_url="http://probe.invalid", http_client=http, max_retries=0)


def probe_azure(answer: Answering) -> JSON:
    """An Azure client with a deployment, answered in memory."""
    return AzureOpenAI(
        api_key="probe",
        azure_endpoint="http://probe.invalid",
        azure_deployment="probe",
        api_version="probe",
        http_client=_memory(answer, is_async=False),
        max_retries=0,
    )


def _memory(answer: Answering, *, is_async: bool) -> JSON:
    module = own_transport()

    def handle(request: JSON) -> JSON:
        status, headers, body = answer(request)
        return module.Response(status, headers=dict(headers), content=body)

    # Not httpx's MockTransport: recorders of HTTP traffic patch that, and a probe is not traffic.
    class Memory(module.BaseTransport):  # type: ignore[misc,name-defined]
        def handle_request(self, request: JSON) -> JSON:
            return handle(request)

    class AsyncMemory(module.AsyncBaseTransport):  # type: ignore[misc,name-defined]
        async def handle_async_request(self, request: JSON) -> JSON:
            return handle(request)

    if is_async:
        return module.AsyncClient(transport=AsyncMemory(), trust_env=False)
    return module.Client(transport=Memory(), trust_env=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A block in which the SDK's deprecation warnings are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run_aside(awaitable: JSON) -> None:
    """In a thread of its own: the caller may be inside an event loop."""
    raised: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(_await(awaitable))
        except BaseException as error:  # noqa: BLE001  (carried over to the caller's thread)
            raised.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


async def _await(awaitable: JSON) -> None:
    await awaitable
