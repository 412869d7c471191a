"""What a case can do, in either colour: a case is written once, as ``async def``.

In the colour ``async`` it runs on an event loop. In the colour ``sync`` nothing in it ever waits, so sending
``None`` into its coroutine once runs it to its end:

    stream = await t.value(client.beta.threads.runs.create(..., stream=True))   # awaited if async
    async with t.entered(client.beta.threads.runs.stream(...)) as stream:        # ``with`` or ``async with``
        async for event in t.each(stream):                                      # ``for`` or ``async for``
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import openai

from tests.colours import EitherColour
from tests.conformance.registry import Case
from tests.conformance.script import Answer, Realm, reply, sse
from tests.objects import page
from tests.recorder import Calls, recorder

Error = TypeVar("Error", bound=BaseException)


class NotApplicable(Exception):
    """The behaviour has no meaning in this environment; the reason is the message."""


class Kit(EitherColour):
    def __init__(self, colour: str, *, patched: bool, realm: Realm) -> None:
        super().__init__(colour)
        self.patched = patched
        self.realm = realm
        self.on = realm.on
        self.seen = realm.seen

    # clients ---------------------------------------------------------------------------------------------

    def client(self, **options: Any) -> Any:
        """A client of the case's colour, patched where the suite runs patched; no retries unless
        asked for.
        """
        return self.adopt(self.bare_client(**options))

    def bare_client(self, **options: Any) -> Any:
        defaults = {"api_key": "sk-conformance", "base_url": self.realm.url}
        return self.sdk_client(**{**defaults, **own_transport(is_async=self.is_async), **options})

    def adopt(self, client: Any) -> Any:
        """The client as the suite runs: patched or as it is."""
        return _patch(client) if self.patched else client

    # either colour ---------------------------------------------------------------------------------------

    async def value(self, called: Any) -> Any:
        """The result of a call, awaited if and only if the client is async."""
        awaitable = inspect.isawaitable(called)
        assert awaitable == self.is_async, f"a {self.name} client answered with {type(called).__name__}"
        return await self.of(called)

    # frequent parts --------------------------------------------------------------------------------------

    def streams(self, *pieces: Any, path: str = "/threads/thread_1/runs") -> None:
        """Scripts a streamed answer."""
        self.on("POST", path, sse(*pieces))

    def answers(self, method: str, path: str, *answers: Answer) -> None:
        self.on(method, path, *answers)

    def pages(self, path: str, *pages: list[dict[str, Any]]) -> None:
        """Scripts a list on several pages, and an empty one after the last: some SDKs ask for that too."""
        query: dict[str, str] = {}
        for number, items in enumerate([*pages, []]):
            answer = reply(page(*items, more=number < len(pages) - 1))
            self.on("GET", path, answer, query=query)
            query = {"after": items[-1]["id"]} if items else {}

    def handler(self, **callbacks: Any) -> Any:
        """A handler that notes its callbacks in ``calls``; a given callback (``def cb(self, ...)``)
        runs too.
        """
        return self.recorder(self.handler_base(), **callbacks)

    def recorder(self, base: type[Any], *, is_async: bool | None = None, **callbacks: Any) -> Any:
        """The same of another class; its callbacks are of the case's colour unless told otherwise."""
        calls = Calls()
        is_async = self.is_async if is_async is None else is_async
        handler = recorder(base, calls.note, is_async=is_async, then=callbacks)
        handler.calls = calls
        return handler

    def handler_base(self) -> type[Any]:
        """The handler class that a user of this client would subclass."""
        base: type[Any] = self.of_library(
            "AsyncAssistantEventHandler" if self.is_async else "AssistantEventHandler"
        )
        return base

    def of_library(self, name: str) -> Any:
        """What a program imports by that name; of the SDK where the suite asks that alone."""
        source = importlib.import_module("streaming_assistants") if self.patched else openai
        if not hasattr(source, name) and self.patched:
            return importlib.import_module(f"streaming_assistants.{name}")
        return getattr(source, name)

    async def play(self, *pieces: Any, client: Any = None, **callbacks: Any) -> Any:
        """Streams the pieces through a recording handler to the end, and gives the handler."""
        self.streams(*pieces)
        handler = self.handler(**callbacks)
        async with self.entered(self.managed(client, event_handler=handler)) as stream:
            await self.value(stream.until_done())
        return handler

    def managed(self, client: Any = None, **params: Any) -> Any:
        """The manager of a stream, by the name that this SDK has for it."""
        runs = (client or self.client()).beta.threads.runs
        start = runs.stream if hasattr(runs, "stream") else runs.create_and_stream
        return start(thread_id="thread_1", assistant_id="asst_1", **params)

    async def read(self, *pieces: Any, client: Any = None) -> list[Any]:
        """The events that ``runs.create(stream=True)`` yields for the pieces."""
        self.streams(*pieces)
        return await self.list(await self.raw(client))

    async def raw(self, client: Any = None, **params: Any) -> Any:
        runs = (client or self.client()).beta.threads.runs
        return await self.value(runs.create("thread_1", assistant_id="asst_1", stream=True, **params))

    @contextmanager
    def naps(self) -> Iterator[list[float]]:
        """Replaces waiting by noting how long: a poll is told by what it asks for, not by the clock."""
        noted: list[float] = []
        sleep = time.sleep
        time.sleep = noted.append
        restore = _without_timers(noted) if self.is_async else None
        try:
            yield noted
        finally:
            time.sleep = sleep
            if restore is not None:
                restore()


def _without_timers(noted: list[float]) -> Callable[[], None]:
    """``asyncio.sleep`` notes its delay and returns at once; gives what undoes that."""
    loop: Any = asyncio.get_running_loop()
    call_later = loop.call_later

    def at_once(delay: float, *args: Any, **kwargs: Any) -> Any:
        noted.append(delay)
        return call_later(0, *args, **kwargs)

    def restore() -> None:
        loop.call_later = call_later

    loop.call_later = at_once
    return restore


@functools.cache
def _needs_a_transport() -> bool:
    """Whether this SDK cannot make its own: before 1.55.3 it gives httpx an argument that 0.28 refuses."""
    try:
        openai.OpenAI(api_key="probe").close()
    except TypeError:
        return True
    return False


def own_transport(*, is_async: bool) -> dict[str, Any]:
    """The ``http_client`` that every client must be given where the SDK cannot make one."""
    if not _needs_a_transport():
        return {}
    httpx = importlib.import_module("httpx")
    return {"http_client": httpx.AsyncClient() if is_async else httpx.Client()}


def run_case(case: Case, colour: str, *, patched: bool, realm: Realm) -> None:
    """Runs the case to its end; raises what it raises."""
    kit = Kit(colour, patched=patched, realm=realm)

    async def whole() -> None:
        try:
            await case.body(kit)
        finally:
            await kit.close()

    if colour == "async":
        asyncio.run(whole())
        return
    coroutine = whole()
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise AssertionError("the sync colour of a case waited for something")


def _patch(client: Any) -> Any:
    patched = importlib.import_module("streaming_assistants").patch(client)
    assert patched is client, "patch() gave another object back"
    return patched


def unpatch(client: Any) -> None:
    importlib.import_module("streaming_assistants").unpatch(client)


# checks --------------------------------------------------------------------------------------------------


class Caught(list[BaseException]):
    @property
    def error(self) -> Any:
        return self[0]


@contextmanager
def raises(*kinds: type[BaseException]) -> Iterator[Caught]:
    """The block must raise an error that is of every kind given."""
    caught = Caught()
    try:
        yield caught
    except kinds[0] as error:
        for kind in kinds:
            if not isinstance(error, kind):
                raise AssertionError(f"{type(error).__name__} is no {kind.__name__}") from error
        caught.append(error)
    else:
        raise AssertionError(f"no {kinds[0].__name__} was raised")


def equal(got: Any, wanted: Any) -> None:
    assert got == wanted, f"got {short(got)}, wanted {short(wanted)}"


def short(value: Any, limit: int = 160) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def text_of(events: Iterable[Any]) -> str:
    """What the message deltas among the events say."""
    return "".join(
        block.text.value or ""
        for event in events
        if event.event == "thread.message.delta"
        for block in event.data.delta.content or []
        if block.type == "text" and block.text
    )


def transport_errors(client: Any) -> Any:
    """The module whose exceptions this client's connection raises: ``httpx``, or ``httpx2`` from
    openai 3.0.
    """
    modules = [kind.__module__.partition(".")[0] for kind in type(client._client).__mro__]
    return sys.modules[next(name for name in modules if name.startswith("httpx"))]
