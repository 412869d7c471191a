"""The streams that a caller iterates, and the context managers around handlers.

What is read, what it means and what is still owed is decided in ``_protocol`` and ``reading.py``, and
carried out in ``drive.py``; the classes of a pair differ by ``async`` and ``await``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from openai import AsyncStream, Stream
from typing_extensions import Self

from streaming_assistants import _sdk
from streaming_assistants._protocol.tool_calls import ToolOutput
from streaming_assistants._sdk.untyped import Model

from .drive import part, part_async, said, said_async
from .reading import RunSpan

ItemT = TypeVar("ItemT")
HandlerT = TypeVar("HandlerT")


class Closing(Generic[ItemT]):
    """A stream that is left with its ``with`` block."""

    def __iter__(self) -> Iterator[ItemT]:
        stream: Model = self
        return stream._iterator  # type: ignore[no-any-return]  # the SDK's hands each event on by a generator

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream and releases the connection; also while another thread waits for what is next.

        Closing twice is fine.
        """
        stream: Model = self
        span, halt = stream._span, stream._span.halt
        halt.call()
        if stream._iterator.gi_running:
            # The thread that reads closes the response. Here it could only pull it away from under the
            # read, which would not even notice.
            _sdk.interrupt(halt.response)
        else:
            stream._iterator.close()
            halt.response.close()
            part(span.farewell(left=True))  # where nothing was ever read


class AsyncClosing(Generic[ItemT]):
    """The async form of :class:`Closing`."""

    def __aiter__(self) -> AsyncIterator[ItemT]:
        stream: Model = self
        return stream._iterator  # type: ignore[no-any-return]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the stream and releases the connection; also while another task waits for what is next.

        Closing twice is fine.
        """
        stream: Model = self
        span, halt = stream._span, stream._span.halt
        halt.call()
        if stream._iterator.ag_running:
            await halt.response.aclose()  # the task that reads does the rest
            return
        await stream._iterator.aclose()
        await halt.response.aclose()
        await part_async(span.farewell(left=True))

    async def aclose(self) -> None:
        """The same as :meth:`close`."""
        await self.close()


class EventStream(Closing[ItemT], Stream[ItemT]):
    """The typed events of a run, as they arrive: an ``openai.Stream``.

    Ends when the server says so; a stream that just stops is settled first (see ``_protocol/settle.py``).
    Raises ``openai.APIError`` for an ``error`` event, an exception that is both
    ``openai.APIConnectionError`` and the transport's own for a broken connection, MalformedEventError for
    a frame that is no event, IncompleteStreamError for a run whose end cannot be learned.
    """

    def __stream__(self) -> Iterator[ItemT]:
        self._span = span = RunSpan(self.response, self._client)
        return said(span.plan(), span.asked, span.halt, span.farewell)

    @property
    def tool_outputs(self) -> list[ToolOutput]:
        """Under ``tool_handlers=``: the outputs that were computed and not submitted, as a submit takes them.

        There are some where a run stopped at a call that nobody handles, or something broke the loop off.
        """
        return self._span.unsent()


class AsyncEventStream(AsyncClosing[ItemT], AsyncStream[ItemT]):
    """The typed events of a run, as they arrive: an ``openai.AsyncStream``. See :class:`EventStream`."""

    def __stream__(self) -> AsyncIterator[ItemT]:
        self._span = span = RunSpan(self.response, self._client)
        return said_async(span.plan(), span.asked, span.halt, span.farewell)

    @property
    def tool_outputs(self) -> list[ToolOutput]:
        """See :attr:`EventStream.tool_outputs`."""
        return self._span.unsent()


class AssistantStreamManager(Generic[HandlerT]):
    """What ``.stream()`` gives: ``with`` makes the request, gives the handler, and ends both.

    with client.beta.threads.runs.stream(thread_id=..., assistant_id=...) as stream:
        for text in stream.text_deltas:
            ...
    """

    def __init__(self, request: Callable[[], Model], *, event_handler: Model) -> None:
        self._request = request
        self._handler = event_handler

    def __enter__(self) -> HandlerT:
        self._handler._refuse_another()  # before a run is started that nobody would read
        self._handler._init(self._request())
        return self._handler  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        self._handler.close()


class AsyncAssistantStreamManager(Generic[HandlerT]):
    """The async form: ``async with`` makes the request. One that is never entered has made none."""

    def __init__(self, request: Callable[[], Awaitable[Model]], *, event_handler: Model) -> None:
        self._request = request
        self._handler = event_handler

    async def __aenter__(self) -> HandlerT:
        self._handler._refuse_another()
        self._handler._init(await self._request())
        return self._handler  # type: ignore[no-any-return]

    async def __aexit__(self, *_: object) -> None:
        await self._handler.close()
