"""Requests answered, and the work started that they ask for; also for a caller who leaves meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import anyio

from streaming_assistants._io.drive import run, run_async
from streaming_assistants._io.loops import caller, in_thread, spawn
from streaming_assistants._json import Json
from streaming_assistants._protocol.plan import Invoke, Plan
from streaming_assistants._sdk.untyped import AnyClient

from .._engine.effects import Work
from .._engine.observer import Observer, Seen
from .._engine.store_port import Store
from .._http.routes import POLL_AFTER, ApiRequest, Reply
from .asking import Asker, AsyncAsker, ClientFor
from .channels import ReaderT
from .feed import AsyncFeed, Feed
from .job import AsyncJob, Job
from .pieces import AsyncPieces, Pieces
from .readers import AsyncReader, Reader

_TURN_SECONDS = 0.005

T = TypeVar("T")

Body: TypeAlias = Feed | Pieces | Reader
AsyncBody: TypeAlias = AsyncFeed | AsyncPieces | AsyncReader
"""What comes bit by bit after an answer has begun."""


class Backend(Protocol):
    """What answers requests, and drives the work that goes on after them."""

    offline: bool
    """Whether no request may leave the process: those that the backend cannot answer are refused."""

    keeps_files: bool
    """Whether files, uploads and vector stores are its own, and not the upstream's."""

    blocking: bool
    """Whether :meth:`handle` may wait for a disk, a network or another process."""

    observer: Observer
    """Who watches it at work."""

    def handle(self, request: ApiRequest, done: Mapping[str, Json] | None = None) -> Reply:
        """Answers a request; work that goes on afterwards is in the reply, for :meth:`start`. A reply with
        an errand is asked for again, with what came of it in ``done``, by the errand's key."""
        ...

    def read(self, reply: Reply, kind: type[ReaderT]) -> ReaderT:
        """A reader of the run that a reply says is read."""
        ...

    def start(self, make: Callable[[Store], Job | AsyncJob]) -> None:
        """Starts the job that ``make`` builds on the store, and watches over it while it runs."""


def answer(backend: Backend, client: AnyClient, request: ApiRequest) -> tuple[Reply, Body | None]:
    """Answers a request and starts the work it asks for; the feed is the body where there is one."""
    with _seen(backend, request) as seen:
        reply = backend.handle(request)
        done: dict[str, Json] = {}
        while (errand := reply.errand) is not None:
            for work in reply.works:
                backend.start(partial(_job, client, work, None))
            done[errand.key] = run(errand.steps(), Asker(client).ask)
            reply = backend.handle(request, done)
        seen.status, seen.route = reply.status, reply.route
        feed = None if reply.encode is None else Feed(reply.encode, reply.end)
        reader = None if reply.reads is None else backend.read(reply, Reader)
        for work in reply.works:
            backend.start(partial(_job, client, work, feed if work is reply.work else None))
    return reply, reader or feed if reply.pieces is None else Pieces(reply.pieces)


def _seen(backend: Backend, request: ApiRequest) -> AbstractContextManager[Seen]:
    """What an observer of the request is to know; a server has asked it already."""
    if request.seen is not None:
        return nullcontext(request.seen)
    return backend.observer.request(request.method, request.path, request.headers, served=False)


def _job(client: AnyClient, work: Work, feed: Feed | None, store: Store) -> Job:
    return Job(work, store, Asker(client), feed)


class _Starting(NamedTuple):
    """What begins the works of a reply: its own with the caller's client, others with that of ``beside``."""

    backend: Backend
    client: AnyClient
    beside: ClientFor | None

    def start(self, reply: Reply, work: Work, feed: AsyncFeed | None = None) -> None:
        own = work is reply.work or self.beside is None
        client = self.client if own or self.beside is None else self.beside(work)
        asker = AsyncAsker(client, self.beside)
        self.backend.start(lambda store: AsyncJob(work, store, asker, feed))


async def answer_async(
    backend: Backend, client: AnyClient, request: ApiRequest, beside: ClientFor | None = None
) -> tuple[Reply, AsyncBody | None]:
    """Like :func:`answer`, in an event loop: the store is left to a thread where it may block. ``beside``
    tells the client of work that goes on for others than the caller; by default it is the caller's."""
    starting = _Starting(backend, client, beside)
    with _seen(backend, request) as seen:
        reply = await _handle(starting, request)
        done: dict[str, Json] = {}
        while (errand := reply.errand) is not None:
            for work in reply.works:
                starting.start(reply, work)
            done[errand.key] = await run_async(errand.steps(), AsyncAsker(client).ask)
            reply = await _handle(starting, request, done)
        seen.status, seen.route = reply.status, reply.route
        feed = None if reply.encode is None else AsyncFeed(reply.encode, reply.end)
        reader = None if reply.reads is None else backend.read(reply, AsyncReader)
        for work in reply.works:
            starting.start(reply, work, feed if work is reply.work else None)
    if reply.work is None:
        # A caller may poll without ever letting the event loop turn (SDKs 1.16 to 1.28 sleep in it): the
        # tasks that drive runs get their time here, as they would while a request is on the network.
        await anyio.sleep(_TURN_SECONDS if POLL_AFTER in reply.headers else 0)
    if reply.pieces is not None:
        return reply, AsyncPieces(reply.pieces, blocking=backend.blocking)
    return reply, reader or feed


async def _handle(starting: _Starting, request: ApiRequest, done: Mapping[str, Json] | None = None) -> Reply:
    backend, client = starting.backend, starting.client
    if not backend.blocking:
        return backend.handle(request, done)
    call_soon = caller()

    async def drive(reply: Reply, work: Work) -> None:
        # In a task: older releases of anyio make no event anywhere else.
        starting.start(reply, work)

    def unclaimed(reply: Reply) -> None:
        """The run that a cancelled request has begun goes on, as it would on a server."""
        for work in reply.works:
            try:
                call_soon(spawn, partial(drive, reply, work))
            except RuntimeError:  # noqa: PERF203 - its event loop has ended, and so has the run
                backend.start(partial(_stopped, client, work))

    return await Leavable(partial(backend.handle, request, done), unclaimed).wait_async()


def _stopped(client: AnyClient, work: Work, store: Store) -> Job:
    job = _job(client, work, None, store)
    job.stop()
    return job


def hands(backend: Backend, client_of: ClientFor) -> Callable[[Work], object]:
    """What begins work that no request has brought, from any thread: as tasks of the event loop that the
    caller is in."""
    call_soon = caller()

    async def drive(work: Work) -> None:
        asker = AsyncAsker(client_of(work), client_of)
        backend.start(lambda store: AsyncJob(work, store, asker, None))

    return lambda work: call_soon(spawn, partial(drive, work))


class Leavable(Generic[T]):
    """``work``, done in a thread. What it comes to goes to ``unclaimed`` once nobody waits for it any more:
    it is committed, and a run that it began still has to be driven."""

    def __init__(self, work: Callable[[], T], unclaimed: Callable[[T], object]) -> None:
        self._work = work
        self._unclaimed = unclaimed
        self._lock = threading.Lock()
        self._came: list[T] = []
        self._left = False

    def __call__(self) -> T:
        result = self._work()
        with self._lock:
            self._came.append(result)
            left = self._left
        if left:
            self._unclaimed(result)
        return result

    def leave(self) -> None:
        with self._lock:
            self._left = True
            came = list(self._came)
        for result in came:
            self._unclaimed(result)

    def wait(self, patience: float) -> T:
        """The result, for a thread. Raises WaitedTooLong after so many seconds."""
        return run(self._awaited(self, patience))

    async def wait_async(self) -> T:
        """The result, for a task, which may be cancelled."""
        return await run_async(self._awaited(partial(in_thread, self, leavable=True)))

    def _awaited(self, make: Callable[[], object], within: float | None = None) -> Plan[T]:
        try:
            result: T = yield Invoke(make, within)
            return result
        except BaseException:  # the end of the plan is one, too: its driver was cancelled
            self.leave()
            raise
