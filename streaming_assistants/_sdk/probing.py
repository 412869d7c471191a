"""Clients of the SDK whose requests are answered in memory, for probes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import openai

from .basemodels import JSON
from .transports import own_transport
from .untouched import untouched
from .untyped import HttpRequest

Answered: TypeAlias = "tuple[int, Mapping[str, str], bytes | Iterator[bytes]]"
"""(status, headers, body)."""

Answering: TypeAlias = "Callable[[HttpRequest], Answered]"


def probe_client(answer: Answering, *, is_async: bool = False) -> JSON:
    """A client of the SDK whose requests ``answer`` answers in memory."""
    return _client(untouched("openai._client"), answer, is_async=is_async)


def probe_azure(answer: Answering) -> JSON:
    """An Azure client with a deployment, answered in memory."""
    return untouched("openai.lib.azure").AzureOpenAI(
        api_key="probe",
        azure_endpoint="http://probe.invalid",
        azure_deployment="probe",
        api_version="probe",
        http_client=_memory(answer, is_async=False),
        max_retries=0,
    )


def probe_handler() -> type:
    """The SDK's handler class. Raises ImportError before 1.14."""
    handler: type = untouched("openai.lib.streaming._assistants").AssistantEventHandler
    return handler


def memory_client(answer: Answering | None = None, *, is_async: bool = False) -> JSON:
    """Like :func:`probe_client`, of the process's own class: one that can be patched."""
    return _client(openai, answer or _nothing, is_async=is_async)


def _nothing(_: HttpRequest) -> Answered:
    return 200, {"content-type": "application/json"}, b"{}"


def _client(module: JSON, answer: Answering, *, is_async: bool) -> JSON:
    kind: JSON = module.AsyncOpenAI if is_async else module.OpenAI
    http: JSON = _memory(answer, is_async=is_async)
    return kind(api_key="probe", base_url="http://probe.invalid", http_client=http, max_retries=0)


def _memory(answer: Answering, *, is_async: bool) -> JSON:
    module = own_transport()

    def handle(request: JSON) -> JSON:
        status, headers, body = answer(request)
        return module.Response(status, headers=dict(headers), content=body, request=request)

    # Whole clients and not a transport below one: tracers and recorders wrap what lies between.
    class Memory(module.Client):  # type: ignore[misc,name-defined]
        def send(self, request: JSON, **_: JSON) -> JSON:
            return handle(request)

    class AsyncMemory(module.AsyncClient):  # type: ignore[misc,name-defined]
        async def send(self, request: JSON, **_: JSON) -> JSON:
            return handle(request)

    if is_async:
        return AsyncMemory(transport=module.AsyncBaseTransport(), trust_env=False)
    return Memory(transport=module.BaseTransport(), trust_env=False)


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
