"""LocalBackend: a store, an upstream and the engine between them, attached to clients."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType

import anyio

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import AnyClient

from . import _hook
from ._engine.effects import Work
from ._engine.file_port import SearchesVectors
from ._engine.file_settings import FileSettings
from ._engine.keeper import LEASE, Keeper
from ._engine.observer import Observer, Observers
from ._engine.port import Upstream
from ._engine.store_port import HearsOthers, Store, StoreAway, StoreClosed
from ._engine.taking import Taken
from ._http.context import Settings
from ._http.routes import ApiRequest, App, Reply
from ._jobs import owners
from ._jobs.answering import hands
from ._jobs.channels import Channels, ReaderT
from ._jobs.job import AsyncJob, Job
from ._jobs.takeover import Takeover
from ._jobs.watch import STOP_SECONDS, JobWatch
from ._records import Records
from ._store.places import contents_at
from ._telemetry.run_log import RunLog
from .upstreams import _vector_stores, registry
from .upstreams._fitting import WithinMaxPromptTokens
from .upstreams._local_search import LocalSearch
from .upstreams._options import checked, with_options
from .upstreams._thinking import without_thoughts

logger = logging.getLogger("streaming_assistants")


class LocalBackend(Records):
    """Answers ``/assistants`` and ``/threads`` requests of the clients it is attached to.

    ``upstream`` is where inference comes from: ``"responses"`` (``POST /responses`` of the client's own
    server), ``"chat"`` (``POST /chat/completions``), ``"echo"`` (built in, no network) or a function as
    :mod:`streaming_assistants.backend._engine.port` describes it. ``store`` is the path of a SQLite file
    or a SQLAlchemy URL: ``sqlite://`` keeps everything in memory, ``sqlite:///assistants.db`` in a file. Or
    it is a store of your own that fills :mod:`streaming_assistants.backend._engine.store_port`, for one
    backend alone, which closes it.
    ``models`` maps the names of models in the code to names that the upstream knows. With ``generating`` a
    run that streams text has the status ``generating``, as Astra Assistants reported it.
    ``upstream_options`` are members for the body of every request for inference (``{"store": False}``),
    over what the backend puts there.
    Without ``strict`` requests are taken that the hosted API refused though they can be done: ids of any
    form, empty messages, ``json_schema`` beside hosted tools, and their like. ``context_window`` is how
    many tokens the models of ``"chat"`` take; older turns of a longer thread are left out under ``auto``
    truncation. With ``think="drop"`` a text loses the ``<think>...</think>`` that it begins with, where a
    server does not tell a model's thoughts apart.
    With ``files="local"``, the default of ``"chat"`` and ``"echo"``, files, uploads and vector stores are
    kept and searched here, with ``"upstream"`` by the client's own server. Contents of files lie in the store
    or at ``files_at``, a folder or a URL that fsspec knows. ``embedding_model`` is a model of the upstream's
    ``/embeddings``, for searches by meaning besides those by words. A model searches by calling a function,
    or with ``search="always"`` is given passages before each of its turns. ``lease`` is how many seconds
    others that share the store wait for a sign of life before they take this backend's runs over. With
    ``background``, ``"responses"`` is asked in the background of its server, where an answer goes on though
    its run's process dies: whoever takes the run over picks it up. ``clock`` answers with the time in seconds
    since the epoch; by default it is the store's own. ``observer`` watches requests and runs:
    :class:`~streaming_assistants.backend.OpenTelemetry`, or one of your own.

    Raises ImportError when SQLAlchemy is not installed and the store is not your own, or what ``files_at``
    needs is not; ValueError for an unknown upstream, another database or options that contradict each other,
    TypeError for a store that is none of these.
    """

    def __init__(
        self,
        upstream: str | Upstream = "responses",
        store: str | os.PathLike[str] | Store = "sqlite://",
        *,
        models: Mapping[str, str] | None = None,
        generating: bool = False,
        upstream_options: Mapping[str, Json] | None = None,
        strict: bool = True,
        context_window: int | None = None,
        think: str = "keep",
        files: str | None = None,
        files_at: str | os.PathLike[str] | None = None,
        embedding_model: str | None = None,
        search: str = "function",
        lease: float = LEASE,
        background: bool = False,
        clock: Callable[[], float] | None = None,
        observer: Observer | None = None,
    ) -> None:
        infer = registry.upstream(upstream, context_window=context_window, background=background or None)
        options = checked(upstream_options)
        if background and options.get("store") is False:
            raise ValueError("background=True takes answers that their server keeps: no store=False.")
        self.upstream: str = (
            upstream if isinstance(upstream, str) else getattr(upstream, "__name__", "custom")
        )
        self.models: dict[str, str] = dict(models or {})
        self._store = _opened(store)
        place = owners.here()
        if not lease > 0:
            raise ValueError(f"lease= takes a number of seconds, not {lease!r}.")
        owner = "owner_" + secrets.token_hex(12)
        self._keeper = Keeper(owner, clock or self._store.clock, owners.living(place), lease)
        log = RunLog(self._keeper.clock)
        self.observer: Observer = Observers([log] if observer is None else [log, observer])
        self.offline: bool = getattr(infer, "offline", False)
        self.blocking: bool = self._store.blocking
        searches = isinstance(upstream, str) and registry.built_in(upstream).vector_stores
        kept = _files_kept(
            files or ("local" if registry.files_here(upstream) else "upstream"),
            files_at,
            embedding_model,
            search,
            self._keeper,
        )
        self.keeps_files: bool = kept is not None
        self._files = kept or FileSettings(self._keeper)
        if embedding_model is not None and isinstance(self._store, SearchesVectors):
            self._store.check_vectors()
        if think not in ("keep", "drop"):
            raise ValueError(f"think= takes 'keep' or 'drop', not {think!r}.")
        if think == "drop":
            infer = without_thoughts(infer)
        infer = WithinMaxPromptTokens(with_options(infer, options))
        if kept is not None:
            infer = LocalSearch(infer, kept.search, inline_images=searches)
        stores = _vector_stores if searches and kept is None else None
        infer = self.observer.upstream(infer)
        hears = isinstance(self._store, HearsOthers) and self._store.hears_others
        settings = Settings(self._keeper, infer, self.models, generating, strict, stores, kept, hears)

        def work_of(taken: Taken) -> Work:
            return settings.work(taken.stretch, last=taken.last, project=taken.project)

        takeover = Takeover(self._store, self._keeper, self.observer, work_of, self._unindexed)
        self._channels = Channels(self._store, self._keeper)
        self._jobs = JobWatch(self._store, self._keeper, place, self.observer, takeover, self._channels)
        self._app = App(self._store, settings, self._jobs.stay_seen, self._jobs.take)
        self._closing = threading.Lock()
        self._clients: weakref.WeakSet[AnyClient] = weakref.WeakSet()
        self._leaves_with_them = False
        self.settle()
        self._app.sweep()

    def attach(self, client: AnyClient) -> Callable[[], None]:
        """Answers the client's Assistants requests from now on; its other requests go where they went.

        ``client`` is an OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI. Copies made from it later
        (``with_options()``, ``copy()``) are answered too. The function that comes back takes it back.
        """
        try:
            take_back = _hook.attach(self, client)
        except BaseException:
            self._left()
            raise
        self._clients.add(client)

        def detach() -> None:
            take_back()
            self._clients.discard(client)
            self._left()

        return detach

    @property
    def closing(self) -> bool:
        """Whether it takes no more requests."""
        return self._app.closing

    def _left(self) -> None:
        if self._leaves_with_them and not self._clients:
            self._leave()

    def close(self) -> None:
        """Ends the backend: runs under way end as failed, and the store is closed.

        Within an event loop whose tasks drive runs, ``await aclose()`` instead: they need the loop to end.
        """
        self._stop()
        with self._closing:
            if not self._store.closed:
                self._close_store()

    async def aclose(self) -> None:
        """:meth:`close`, for async clients."""
        jobs = await anyio.to_thread.run_sync(self._stop)
        with anyio.move_on_after(STOP_SECONDS):
            for job in jobs:
                if isinstance(job, AsyncJob):
                    await job.finished.wait()
        self.close()

    def _stop(self) -> list[Job | AsyncJob]:
        self._app.closing = True
        self._jobs.give_back()
        return self._jobs.stop()

    def _leave(self) -> None:
        """Closes without waiting for an event loop: runs in one have their end there, and then the store."""
        self._stop()
        if not self._jobs.under_way:
            self.close()

    def _close_store(self) -> None:
        self._channels.close()
        try:
            with self._store.write() as tx:
                tx.forget(self._keeper.owner)
        except Exception as error:  # noqa: BLE001 - who is not seen any more is forgotten by the others
            logger.warning("The store was away when its backend was closed: %s", error)
        self._store.close()

    def __enter__(self) -> LocalBackend:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _stay_seen(self) -> None:
        self._jobs.stay_seen()

    # For the shells: transport and server.

    @property
    def store(self) -> Store:
        """Where it keeps everything."""
        return self._store

    def handle(self, request: ApiRequest, done: Mapping[str, Json] | None = None) -> Reply:
        """Answers a request; work that goes on afterwards is in the reply, for :meth:`start`. A reply with
        an errand is asked for again, with what came of it in ``done``, by the errand's key."""
        if request.method == "POST":
            with contextlib.suppress(StoreClosed, StoreAway):  # the request itself will find out
                self._jobs.stay_seen()
        reply = self._app.handle(request, done)
        for run_id in reply.interrupts:
            self._jobs.wake(run_id)
        return reply

    def start(self, make: Callable[[Store], Job | AsyncJob]) -> None:
        """Starts the job that ``make`` builds on the store, and watches over it while it runs."""
        self._jobs.start(make(self._store))

    def read(self, reply: Reply, kind: type[ReaderT]) -> ReaderT:
        """A reader of the run that a reply says is read."""
        assert reply.reads is not None
        assert reply.frame is not None
        return self._channels.read(reply.reads, reply.frame, reply.end, kind)

    def settle(self) -> None:
        """Ends the runs that nobody will end: expired ones, and those that were being cancelled by processes
        that are gone."""
        self._jobs.settle()

    def drive_others(self, client_of: Callable[[Work], AnyClient]) -> None:
        """From now on, drives the runs that others leave behind, and indexes their files; as tasks of the
        caller's event loop, with the async client that ``client_of`` names."""
        self._jobs.drive_others(hands(self, client_of))

    def _unindexed(self) -> Work | None:
        return self._app.left_behind()


def _files_kept(
    files: str,
    files_at: str | os.PathLike[str] | None,
    embedding_model: str | None,
    search: str,
    keeper: Keeper,
) -> FileSettings | None:
    """How files are kept; None where the upstream's server has them. Raises ValueError, and ImportError for
    a place that takes fsspec."""
    if files not in ("local", "upstream"):
        raise ValueError(f"files= takes 'local' or 'upstream', not {files!r}.")
    if search not in ("function", "always"):
        raise ValueError(f"search= takes 'function' or 'always', not {search!r}.")
    if files == "upstream":
        given = {"files_at": files_at, "embedding_model": embedding_model}
        named = [name for name, value in given.items() if value is not None]
        if named or search != "function":
            raise ValueError(f'{(named or ["search"])[0]}= is for files that are kept here: files="local".')
        return None
    contents = None if files_at is None else contents_at(files_at)
    return FileSettings(keeper, embedding_model, contents, "always" if search == "always" else "function")


def _opened(store: str | os.PathLike[str] | Store) -> Store:
    """The store at a path or a URL, or the one that is given."""
    if isinstance(store, Store):
        return store
    if not isinstance(store, (str, os.PathLike)):
        raise TypeError(f"store= takes a str, a path or a store, not {type(store).__name__}.")
    try:
        from ._store.database import Database
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "sqlalchemy":
            raise
        raise ImportError(
            "The backend needs SQLAlchemy, which is not installed: "
            "pip install 'streaming_assistants[backend]'"
        ) from None
    return Database(store)


def own(spec: str) -> LocalBackend:
    """The backend of an upstream by its name. It is closed when the last client that it is attached to is
    detached from it."""
    made = LocalBackend(spec)
    made._leaves_with_them = True  # nobody else can close it
    made._jobs.all_ended = made.close
    return made
