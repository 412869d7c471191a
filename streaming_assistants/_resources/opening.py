"""Opening the stream of a run, for a client of either colour."""

from __future__ import annotations

from collections.abc import Awaitable

from streaming_assistants import _sdk
from streaming_assistants._io.reading import Ways
from streaming_assistants._io.streams import AsyncEventStream, EventStream
from streaming_assistants._sdk.untyped import AnyClient, Model

from .operations import Request, spoken


def send(client: AnyClient, request: Request) -> Model:
    """Opens the stream: an EventStream, or for an async client a coroutine that gives the async one."""
    # Releases up to 1.10 read the type from a generic argument.
    stream = AsyncEventStream[object] if _sdk.is_async(client) else EventStream[object]
    body = {} if request.method == "get" else {"body": request.body}
    return getattr(client, request.method)(
        request.path,
        cast_to=object,
        options=spoken(client, request.options),
        stream=True,
        stream_cls=stream,
        **body,
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
