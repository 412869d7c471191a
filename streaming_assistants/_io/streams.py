"""The streams that a caller iterates, and the context managers around handlers.

The only place where reading a response has a colour. What is read, what it means and what is still owed
is decided in ``_protocol`` and ``reading``; the two classes of a pair differ by ``async`` and ``await``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

import anyio
import openai
from openai import AsyncStream, Stream
from typing_extensions import Self

from streaming_assistants import _sdk
from streaming_assistants._protocol.events import Malformed
from streaming_assistants._protocol.settle import Fetch, Pause, Pending, Plan

from .reading import Reading, broken

EventT = TypeVar("EventT")
HandlerT = TypeVar("HandlerT")

DELTA = "thread.message.delta"


class EventStream(Stream[EventT]):
    """The typed events of a run, as they arrive: an ``openai.Stream``.

    Ends when the server says so; a stream that just stops is settled first (see ``_protocol/settle.py``).
    Raises ``openai.APIError`` for an ``error`` event, an exception that is both
    ``openai.APIConnectionError`` and the transport's own for a broken connection, MalformedEventError for
    a frame that is no event, IncompleteStreamError for a run whose end cannot be learned.
    """

    def __stream__(self) -> Iterator[EventT]:
        self._reading = Reading(self.response, self._client)
        return _events(self._reading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream and releases the connection; also while another thread waits for an event.

        Closing twice is fine.
        """
        self._reading.closed = True
        iterator: Any = self._iterator
        if iterator.gi_running:
            # The thread that reads closes the response. Here it could only pull it away from under the
            # read, which would not even notice.
            _sdk.interrupt(self.response)
        else:
            iterator.close()
            self.response.close()


def _events(reading: Reading) -> Iterator[Any]:
    reader, see = reading.reader, reading.see
    try:
        for chunk in reading.response.iter_bytes():
            for event in reader.feed(chunk):
                if event.event != DELTA:
                    see(event)
                yield event
            if reader.done:
                break
        for event in reader.close():
            see(event)
            yield event
        plan = reading.plan()
        if plan is not None:
            yield from _settled(reading, plan)
    except Malformed as error:
        raise reading.malformed(error) from error
    except _sdk.transport_errors() as error:
        if not reading.closed:
            raise broken(error, reading.request) from error
    finally:
        reading.response.close()


def _settled(reading: Reading, plan: Plan) -> Iterator[Any]:
    reading.response.close()
    answer: Any = None
    try:
        while not reading.closed:
            step = plan.send(answer)
            answer = None
            if isinstance(step, Fetch):
                answer = _fetched(reading, step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                yield reading.owed(step)
    except StopIteration:
        return
    except Pending as error:
        raise reading.incomplete(error.status) from None
    except (openai.APIError, ValueError) as error:  # ValueError: an answer that is no JSON
        raise reading.incomplete(None, error) from error


def _fetched(reading: Reading, step: Fetch) -> Any:
    try:
        return reading.client.get(step.path, cast_to=_sdk.JSON_OBJECT, options=reading.options(step))
    except openai.APIError as error:
        return error


class AsyncEventStream(AsyncStream[EventT]):
    """The typed events of a run, as they arrive: an ``openai.AsyncStream``. See :class:`EventStream`."""

    def __stream__(self) -> AsyncIterator[EventT]:
        self._reading = Reading(self.response, self._client)
        return _async_events(self._reading)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the stream and releases the connection; also while another task waits for an event.

        Closing twice is fine.
        """
        self._reading.closed = True
        iterator: Any = self._iterator
        if not iterator.ag_running:
            await iterator.aclose()
        await self.response.aclose()

    async def aclose(self) -> None:
        """The same as :meth:`close`."""
        await self.close()


async def _async_events(reading: Reading) -> AsyncIterator[Any]:
    reader, see = reading.reader, reading.see
    try:
        async for chunk in reading.response.aiter_bytes():
            for event in reader.feed(chunk):
                if event.event != DELTA:
                    see(event)
                yield event
            if reader.done:
                break
        for event in reader.close():
            see(event)
            yield event
        plan = reading.plan()
        if plan is not None:
            async for event in _async_settled(reading, plan):
                yield event
    except Malformed as error:
        raise reading.malformed(error) from error
    except _sdk.transport_errors() as error:
        if not reading.closed:
            raise broken(error, reading.request) from error
    finally:
        await reading.response.aclose()


async def _async_settled(reading: Reading, plan: Plan) -> AsyncIterator[Any]:
    await reading.response.aclose()
    answer: Any = None
    try:
        while not reading.closed:
            step = plan.send(answer)
            answer = None
            if isinstance(step, Fetch):
                answer = await _async_fetched(reading, step)
            elif isinstance(step, Pause):
                await anyio.sleep(step.seconds)
            else:
                yield reading.owed(step)
    except StopIteration:
        return
    except Pending as error:
        raise reading.incomplete(error.status) from None
    except (openai.APIError, ValueError) as error:
        raise reading.incomplete(None, error) from error


async def _async_fetched(reading: Reading, step: Fetch) -> Any:
    try:
        return await reading.client.get(step.path, cast_to=_sdk.JSON_OBJECT, options=reading.options(step))
    except openai.APIError as error:
        return error


class AssistantStreamManager(Generic[HandlerT]):
    """What ``.stream()`` gives: ``with`` makes the request, gives the handler, and ends both.

    with client.beta.threads.runs.stream(thread_id=..., assistant_id=...) as stream:
        for text in stream.text_deltas:
            ...
    """

    def __init__(self, request: Callable[[], Any], *, event_handler: Any) -> None:
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

    def __init__(self, request: Callable[[], Awaitable[Any]], *, event_handler: Any) -> None:
        self._request = request
        self._handler = event_handler

    async def __aenter__(self) -> HandlerT:
        self._handler._refuse_another()
        self._handler._init(await self._request())
        return self._handler  # type: ignore[no-any-return]

    async def __aexit__(self, *_: object) -> None:
        await self._handler.close()
