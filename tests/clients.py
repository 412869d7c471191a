"""One test for both colours: a client of either, and how to wait for what it gives."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from typing import Any

import anyio

import streaming_assistants as sa
from streaming_assistants import _sdk

from .colours import EitherColour
from .recorder import recorder


class Colour(EitherColour):
    """A colour that makes clients."""

    def bare(self, url: str, **options: Any) -> Any:
        return self.sdk_client(base_url=url, **{"api_key": "test", **options})

    def client_answered(self, status: int, body: bytes, base_url: str) -> Any:
        """A bare client whose every request is answered in memory, for hosts that no test may ask."""
        return self.client_answering(lambda _: (status, {}, body), base_url)

    def client_answering(
        self, answer: Callable[[Any], tuple[int, dict[str, str], bytes]], base_url: str
    ) -> Any:
        """The same with an answer for each request: status, headers, body."""
        http = _sdk.own_transport()

        def answered(request: Any) -> Any:
            status, headers, body = answer(request)
            return http.Response(status, headers=headers, content=body, request=request)

        transport = http.MockTransport(answered)
        made = http.AsyncClient(transport=transport) if self.is_async else http.Client(transport=transport)
        return self.bare(base_url, http_client=made)

    def client(self, url: str, **options: Any) -> Any:
        return sa.patch(self.bare(url, **options))

    @property
    def handler(self) -> Any:
        return sa.AsyncAssistantEventHandler if self.is_async else sa.AssistantEventHandler

    def logging_handler(self, log: list[tuple[Any, ...]], *, base: Any = None) -> Any:
        """A handler that logs every callback: (name, *arguments)."""
        base = base or self.handler
        return recorder(base, lambda *told: log.append(told), is_async=self.is_async)

    async def read_until_closed(self, stream: Any, waits: Callable[[], bool]) -> list[Any]:
        """What a reader gets of a stream that somebody else closes once its reader ``waits()``."""
        got: list[Any] = []

        async def read() -> None:
            got.extend(await self.list(stream))

        async def close() -> None:
            while not waits():
                await anyio.sleep(0.001)
            await anyio.sleep(0.05)  # from its first line into the wait
            await self.of(stream.close())

        if self.is_async:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                tasks.start_soon(close)
        else:
            reader = threading.Thread(target=lambda: got.extend(stream))
            reader.start()
            await close()
            await anyio.to_thread.run_sync(reader.join, 10)
            assert not reader.is_alive()
        return got

    async def handled(self, client: Any, handler: Any = None) -> Any:
        """Streams one run to its end through a handler."""
        asked = client.beta.threads.runs.stream(
            thread_id="thread_1", assistant_id="asst_1", event_handler=handler
        )
        async with self.entered(asked) as stream:
            await self.of(stream.until_done())
        return stream

    async def created(self, client: Any, **options: Any) -> Any:
        """``runs.create(stream=True)``."""
        runs = client.beta.threads.runs
        return await self.of(runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True, **options))


@contextlib.contextmanager
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
