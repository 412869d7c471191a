"""The event handlers: callbacks, iteration and final objects over one streamed run.

They subclass the SDK's own handlers where it has them, so that ``isinstance`` and annotations hold. What
they do is decided by :class:`~streaming_assistants._protocol.dispatch.Dispatcher`; here callbacks are made.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from . import _sdk
from ._io.handler_core import (
    AsyncBase,
    Core,
    SyncBase,
    answers_private_names,
    is_timeout,
    running,
    texts,
)
from ._protocol.callbacks import AsyncCallbacks, Callbacks
from ._protocol.cite import CitedDeltas

if TYPE_CHECKING:
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import Message, Run
    from openai.types.beta.threads.runs import RunStep


@answers_private_names
class AssistantEventHandler(Core, Callbacks, SyncBase):  # type: ignore[override]
    """Callbacks, iteration and final objects over one streamed run.

    Subclass it, override what you need (all is optional), and hand an instance to a ``.stream()`` helper
    as ``event_handler``. Iterate it for the events, or ``text_deltas`` for the text alone.
    """

    def __init__(self) -> None:
        # Not the SDK's __init__: its state is not used, and its private names are answered from ours.
        pass

    @property
    def text_deltas(self) -> Iterator[str]:  # type: ignore[override]
        """The text of the message deltas, as it arrives."""
        return self._texts  # type: ignore[no-any-return]

    @property
    def cited_text_deltas(self) -> Iterator[str]:
        """:attr:`text_deltas` with ``[1]`` in place of a citation's marker, which is never cut in two.

        The text is that of :func:`~streaming_assistants.cited`: every message counts from 1.
        """
        return self._cited_texts  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[AssistantStreamEvent]:
        return self._iterator  # type: ignore[no-any-return]

    def __next__(self) -> AssistantStreamEvent:
        return next(self._iterator)  # type: ignore[no-any-return]

    def until_done(self) -> None:
        """Reads the stream to its end."""
        if not self._session.ended:  # on_end may ask for what is final, too
            for _ in self:
                pass

    def get_final_run(self) -> Run:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_run()

    def get_final_run_steps(self) -> list[RunStep]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_steps()

    def get_final_messages(self) -> list[Message]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        self.until_done()
        return self._final_messages()

    def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat.

        A callback may call it, or another thread: the loop that reads then ends, and ``on_end`` fires
        there.
        """
        session = self._session
        session.closed = True
        if running(session.iterator):
            if session.event is None:  # else a callback is under way, and the loop ends after it
                _sdk.closer(session.stream)()
            return
        if session.iterator is not None:
            session.iterator.close()
        self._end()

    def _end(self) -> None:
        session = self._session
        if session.stream is None or session.ended:
            return
        session.ended = True
        try:
            _sdk.closer(session.stream)()
        finally:
            self.on_end()

    def __stream__(self) -> Iterator[AssistantStreamEvent]:
        session = self._session
        stream, dispatcher, calls = self._begin()
        args: Any
        try:
            for event in stream:
                session.event = event
                for name, args in dispatcher.apply(event):
                    calls[name](*args)
                # Nothing but the caller keeps a snapshot alive: its text can then grow in place.
                args = session.event = None
                yield event
                if session.closed:
                    break
        except Exception as error:
            if session.closed and session.event is None:
                return  # the SDK's streams raise where they are closed under a read
            if is_timeout(error):
                self.on_timeout()
            self.on_exception(error)
            raise
        finally:
            session.event = None
            self._end()

    def __text_deltas__(self) -> Iterator[str]:
        for event in self:
            yield from texts(event)

    def __cited_text_deltas__(self) -> Iterator[str]:
        cited = CitedDeltas()
        try:
            for event in self:
                yield from cited.add(event)
        except Exception:
            yield from cited.close()  # what was held back is text that came
            raise
        yield from cited.close()


@answers_private_names
class AsyncAssistantEventHandler(Core, AsyncCallbacks, AsyncBase):  # type: ignore[override]
    """The async form of :class:`AssistantEventHandler`; callbacks may be ``async def`` or ``def``."""

    def __init__(self) -> None:
        # See AssistantEventHandler.__init__.
        pass

    @property
    def text_deltas(self) -> AsyncIterator[str]:  # type: ignore[override]
        """The text of the message deltas, as it arrives."""
        return self._texts  # type: ignore[no-any-return]

    @property
    def cited_text_deltas(self) -> AsyncIterator[str]:
        """The async form of :attr:`AssistantEventHandler.cited_text_deltas`."""
        return self._cited_texts  # type: ignore[no-any-return]

    def __aiter__(self) -> AsyncIterator[AssistantStreamEvent]:
        return self._iterator  # type: ignore[no-any-return]

    async def __anext__(self) -> AssistantStreamEvent:
        return await self._iterator.__anext__()  # type: ignore[no-any-return]

    async def until_done(self) -> None:
        """Reads the stream to its end."""
        if not self._session.ended:
            async for _ in self:
                pass

    async def get_final_run(self) -> Run:
        """Reads to the end; the Run as the server last told it. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_run()

    async def get_final_run_steps(self) -> list[RunStep]:
        """Reads to the end; the RunSteps, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_steps()

    async def get_final_messages(self) -> list[Message]:
        """Reads to the end; the Messages, the server's final ones. Raises NoFinalObjectError for none."""
        await self.until_done()
        return self._final_messages()

    async def close(self) -> None:
        """Ends the stream and releases the connection; ``on_end`` fires if it has not. Safe to repeat.

        A callback may call it, or another task: the loop that reads then ends, and ``on_end`` fires there.
        """
        session = self._session
        session.closed = True
        if running(session.iterator):
            if session.event is None:  # else a callback is under way, and the loop ends after it
                await _sdk.closer(session.stream)()
            return
        if session.iterator is not None:
            await session.iterator.aclose()
        await self._end()

    async def _end(self) -> None:
        session = self._session
        if session.stream is None or session.ended:
            return
        session.ended = True
        try:
            await _sdk.closer(session.stream)()
        finally:
            await _over(self.on_end())

    async def __stream__(self) -> AsyncIterator[AssistantStreamEvent]:
        session = self._session
        stream, dispatcher, calls = self._begin()
        args: Any
        try:
            async for event in stream:
                session.event = event
                for name, args in dispatcher.apply(event):
                    await _over(calls[name](*args))
                args = session.event = None
                yield event
                if session.closed:
                    break
        except Exception as error:
            if session.closed and session.event is None:
                return
            if is_timeout(error):
                await _over(self.on_timeout())
            await _over(self.on_exception(error))
            raise
        finally:
            session.event = None
            await self._end()

    async def __text_deltas__(self) -> AsyncIterator[str]:
        async for event in self:
            for text in texts(event):
                yield text

    async def __cited_text_deltas__(self) -> AsyncIterator[str]:
        cited = CitedDeltas()
        try:
            async for event in self:
                for text in cited.add(event):
                    yield text
        except Exception:
            for text in cited.close():
                yield text
            raise
        for text in cited.close():
            yield text


async def _over(result: object) -> None:
    """Awaits what an ``async def`` callback gave; a plain one is over already."""
    if result is not None and inspect.isawaitable(result):
        await result
