"""The streams that a caller iterates, and the context managers around handlers.

The only place where reading a response has a colour. What is read, what it means and what is still owed
is decided in ``wire`` and ``runs``; the two classes of a pair differ by ``async`` and ``await``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

import anyio
import openai
from openai import AsyncStream, Stream

from . import _sdk
from .errors import IncompleteStreamError, MalformedEventError
from .runs.settle import Fetch, Owed, Pause, Pending, Plan, Progress, settle
from .wire.events import EventReader, Malformed, kind_of

EventT = TypeVar("EventT")
HandlerT = TypeVar("HandlerT")

DELTA = "thread.message.delta"


class _Reading:
    """What both colours do with a response besides waiting for it.

    Not a base class: the SDK reads a stream's type from its bases, and trips over one that is not generic.
    """

    def __init__(self, response: Any) -> None:
        self.reader = EventReader()
        self.request = response.request
        self._content_type = response.headers.get("content-type", "no content type")
        self._progress = Progress()
        self._progress.at(response.request.url.path)
        self._events = 0

    def see(self, event: Any) -> None:
        """Takes every event but message deltas; raises the error that an ``error`` event is."""
        self._events += 1
        if event.event == "error":
            raise self._api_error(event.data)
        self._progress.see(event)

    def _api_error(self, data: Any) -> openai.APIError:
        body = _sdk.dump(data)
        error = openai.APIError(data.message, self.request, body=body)
        error.body = body  # releases before 1.3 do not keep it
        return error

    def malformed(self, error: Malformed) -> MalformedEventError:
        return MalformedEventError(
            f"The stream holds a frame that is no event: {error}",
            self.request,
            event=error.frame.event,
            data=error.frame.data,
        )

    def plan(self) -> Plan | None:
        """How to settle the stream, or None where it came to its end."""
        if self.reader.done or self._progress.ended:
            return None
        return settle(self._progress)

    def owed(self, owed: Owed) -> Any:
        kind = kind_of(owed.event)
        assert kind is not None  # settle owes events of the API only
        event = kind.lenient(owed.data)
        self._progress.see(event)
        return event

    def options(self, fetch: Fetch) -> dict[str, Any]:
        beta = self.request.headers.get("OpenAI-Beta", "assistants=v2")
        return {"params": fetch.query, "headers": {"OpenAI-Beta": beta}}

    def incomplete(self, status: str | None, cause: Exception | None = None) -> IncompleteStreamError:
        progress = self._progress
        if not self._events and progress.run_id is None:
            said = f"the answer ({self._content_type}) held no event of a run"
        elif progress.run_id is None:
            said = "it named no run to ask the server about"
        elif cause is not None:
            said = f"asking the server for run {progress.run_id} failed: {cause}"
        else:
            said = f"the server says that run {progress.run_id} is {status or 'unknown'}"
        hint = "; poll the run to see how it ends" if progress.run_id else ""
        return IncompleteStreamError(
            f"The stream ended before its run did, and {said}{hint}.",
            self.request,
            run_id=progress.run_id,
            thread_id=progress.thread_id,
            status=status or progress.status,
        )


def broken(error: Exception, request: Any) -> openai.APIConnectionError:
    """A transport's error as the SDK's, and still the transport's: ``except`` finds it by either class."""
    is_timeout = isinstance(error, _sdk.timeout_errors())
    base = openai.APITimeoutError if is_timeout else openai.APIConnectionError
    both = type(base.__name__, (base, type(error)), {"__module__": base.__module__})
    made: openai.APIConnectionError
    if is_timeout:
        made = both(request=request)
    else:
        made = both(message=f"Connection error: {error or type(error).__name__}", request=request)
    return made


class EventStream(Stream[EventT]):
    """The typed events of a run, as they arrive: an ``openai.Stream``.

    Ends when the server says so; a stream that just stops is settled first (see ``runs/settle.py``).
    Raises ``openai.APIError`` for an ``error`` event, an exception that is both
    ``openai.APIConnectionError`` and the transport's own for a broken connection, MalformedEventError for
    a frame that is no event, IncompleteStreamError for a run whose end cannot be learned.
    """

    def __stream__(self) -> Iterator[EventT]:
        reading = _Reading(self.response)
        reader, see = reading.reader, reading.see
        try:
            for chunk in self.response.iter_bytes():
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
                yield from self._settled(reading, plan)
        except Malformed as error:
            raise reading.malformed(error) from error
        except _sdk.transport_errors() as error:
            raise broken(error, reading.request) from error
        finally:
            self.response.close()

    def _settled(self, reading: _Reading, plan: Plan) -> Iterator[EventT]:
        self.response.close()
        answer: Any = None
        try:
            while True:
                step = plan.send(answer)
                answer = None
                if isinstance(step, Fetch):
                    answer = self._fetched(step.path, reading.options(step))
                elif isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    yield reading.owed(step)
        except StopIteration:
            return
        except Pending as error:
            raise reading.incomplete(error.status) from None
        except openai.APIError as error:
            raise reading.incomplete(None, error) from error

    def _fetched(self, path: str, options: Any) -> Any:
        try:
            return self._client.get(path, cast_to=_sdk.JSON_OBJECT, options=options)
        except openai.NotFoundError:
            return None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the response and releases the connection. Closing twice is fine."""
        self.response.close()


class AsyncEventStream(AsyncStream[EventT]):
    """The typed events of a run, as they arrive: an ``openai.AsyncStream``. See :class:`EventStream`."""

    async def __stream__(self) -> AsyncIterator[EventT]:
        reading = _Reading(self.response)
        reader, see = reading.reader, reading.see
        try:
            async for chunk in self.response.aiter_bytes():
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
                async for event in self._settled(reading, plan):
                    yield event
        except Malformed as error:
            raise reading.malformed(error) from error
        except _sdk.transport_errors() as error:
            raise broken(error, reading.request) from error
        finally:
            await self.response.aclose()

    async def _settled(self, reading: _Reading, plan: Plan) -> AsyncIterator[EventT]:
        await self.response.aclose()
        answer: Any = None
        try:
            while True:
                step = plan.send(answer)
                answer = None
                if isinstance(step, Fetch):
                    answer = await self._fetched(step.path, reading.options(step))
                elif isinstance(step, Pause):
                    await anyio.sleep(step.seconds)
                else:
                    yield reading.owed(step)
        except StopIteration:
            return
        except Pending as error:
            raise reading.incomplete(error.status) from None
        except openai.APIError as error:
            raise reading.incomplete(None, error) from error

    async def _fetched(self, path: str, options: Any) -> Any:
        try:
            return await self._client.get(path, cast_to=_sdk.JSON_OBJECT, options=options)
        except openai.NotFoundError:
            return None

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the response and releases the connection. Closing twice is fine."""
        await self.response.aclose()

    async def aclose(self) -> None:
        """The same as :meth:`close`."""
        await self.close()


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
        self._handler._init(await self._request())
        return self._handler  # type: ignore[no-any-return]

    async def __aexit__(self, *_: object) -> None:
        await self._handler.close()
