"""Streamed runs: what stands in for the SDK's methods, on a client of either colour.

Each function here is made for one resource object and gives the callable to put on it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from streaming_assistants import _sdk
from streaming_assistants._io.reading import Ways
from streaming_assistants._io.streams import (
    AssistantStreamManager,
    AsyncAssistantStreamManager,
    AsyncEventStream,
    EventStream,
)
from streaming_assistants._sdk.untyped import AnyClient, Method, Model

from .adoption import adopt
from .operations import Operation, Request, spoken


def send(client: AnyClient, request: Request) -> Model:
    """Opens the stream: an EventStream, or for an async client a coroutine that gives the async one."""
    # Releases up to 1.10 read the type from a generic argument.
    stream = AsyncEventStream[object] if _sdk.is_async(client) else EventStream[object]
    return client.post(
        request.path,
        cast_to=object,
        body=request.body,
        options=spoken(client, request.options),
        stream=True,
        stream_cls=stream,
    )


def opened(client: AnyClient, request: Request, ways: Ways) -> Model:
    """The same for a stream that goes on in ``ways``."""
    answer = send(client, request)
    return _keeping_async(answer, ways) if _sdk.is_async(client) else _keeping(answer, ways)


def _keeping(answer: Model, ways: Ways) -> Model:
    ways.keep(_sdk.response_of(answer))
    return answer


async def _keeping_async(answer: Awaitable[Model], ways: Ways) -> Model:
    return _keeping(await answer, ways)


def streaming(client: object, operation: Operation, plain_call: Method) -> Method:
    """``create(..., stream=True)``: ours when a stream is asked for, the SDK's own call otherwise."""

    def call(*args: object, **kwargs: object) -> Model:
        stream = kwargs.pop("stream", None)
        if not (stream and _sdk.given(stream)):
            return plain_call(*args, **kwargs)
        return send(client, operation.request(args, kwargs))

    return call


def helper(client: object, operation: Operation, name: str) -> Method:
    """``.stream(...)`` and its like: a context manager that gives a handler.

    Everything that can be wrong with a call is said at once; the request is made on entry.
    """
    is_async = _sdk.is_async(client)
    manager = AsyncAssistantStreamManager if is_async else AssistantStreamManager

    def call(*args: object, event_handler: object = None, **kwargs: object) -> Model:
        custom = "true" if event_handler is not None and _sdk.given(event_handler) else "false"
        handler = adopt(event_handler if custom == "true" else None, is_async=is_async)
        request = operation.request(
            args, kwargs, X_Stainless_Stream_Helper=name, X_Stainless_Custom_Event_Handler=custom
        )
        return manager(lambda: send(client, request), event_handler=handler)

    return call
