"""The API at HTTP level, without HTTP: a request in, a status with JSON or with a stream of events out."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl, quote

from .._engine import api_errors, contents, indexing, objects, refusals
from .._engine.api_errors import ApiError
from .._engine.effects import Work
from .._engine.event_port import KEPT_SECONDS
from .._engine.file_settings import FileSettings
from .._engine.port import Json
from .._engine.scoped import scoped
from .._engine.standing import LeftBehind
from .._engine.store_port import Store, StoreAway, StoreClosed, Transaction
from .._engine.transacting import transacted
from .._strict_json import decoded
from . import views
from .context import ApiAnswer, Context, Deed, Download, NeedsDeed, NeedsErrand, NeedsWrite, Settings
from .exchange import ApiRequest as ApiRequest
from .exchange import Reply as Reply
from .lapsing import lapse
from .route_table import Route, routes
from .upstream_ids import refuse_theirs

logger = logging.getLogger("streaming_assistants")


_SWEEP_SECONDS = 3600.0

POLL_AFTER = "openai-poll-after-ms"
"""The header of a run that is pending, which the SDK's polling heeds."""

_FILE_CONTENT = re.compile(r"/files/([^/]+)/content")


class App:
    """Every request is one transaction; an answer is sent only after it is committed."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        stay_seen: Callable[[], object],
        take: Callable[[str], Sequence[Work]],
    ) -> None:
        self.store = store
        self.closing = False
        self._settings = settings
        self._routes = routes(files=settings.files is not None)
        self._stay_seen = stay_seen
        self._take = take  # takes over a run that nobody drives
        self._sweep_at = 0.0
        self._looked = False
        self._pid = os.getpid()

    def handle(self, request: ApiRequest, done: Mapping[str, Json] | None = None) -> Reply:
        """Answers, whatever the request holds: what goes wrong is an answer too. ``done`` are the results
        of the errands that earlier replies to this request asked for."""
        try:
            return self._handled(request, done or {})
        finally:
            if request.form is not None:
                request.form.close()

    def _handled(self, request: ApiRequest, done: Mapping[str, Json]) -> Reply:
        headers = {"x-request-id": "req_" + secrets.token_hex(16)}
        taken: list[Work] = []
        reply = self._replied(request, headers, done, taken)
        return replace(reply, beside=[*taken, *reply.beside]) if taken else reply

    def _replied(
        self, request: ApiRequest, headers: dict[str, str], done: Mapping[str, Json], taken: list[Work]
    ) -> Reply:
        try:
            if os.getpid() != self._pid:
                headers["x-should-retry"] = "false"
                raise api_errors.forked()
            if self.closing and request.method != "GET":
                raise StoreClosed
            return self._answer(request, headers, done, taken)
        except NeedsErrand as needs:
            return Reply(0, {}, errand=needs.errand)
        except ApiError as error:
            return _refusal(self._hinted(error, request.project), headers)
        except StoreClosed:  # or it is being closed, and begins nothing more
            refused = api_errors.closed()
        except StoreAway as error:
            logger.warning("%s %s is refused, the store is away: %s", request.method, request.path, error)
            again = request.method == "GET" or not error.doubtful
            return _refusal(api_errors.store_away(again=again), headers)
        except Exception:
            logger.exception("%s %s failed.", request.method, request.path)
            refused = ApiError(500, "The backend had an error while processing your request.")
        headers["x-should-retry"] = "false"  # it would fail again, or act twice
        return _refusal(refused, headers)

    def _hinted(self, error: ApiError, project: str) -> ApiError:
        kind, id = error.missing or ("", "")
        made = objects.is_made({"assistant": "asst"}.get(kind, kind), id)
        foreign = made and kind in ("assistant", "thread") and self.store.in_memory and not project
        return api_errors.missing_in_memory(kind, id) if foreign else error

    def file(self, path: str, project: str) -> Reply | None:
        """The content of a file that a tool made in a run; None where the upstream has the file."""
        match = _FILE_CONTENT.fullmatch(path)
        if match is None:
            return None
        with self.store.read() as tx:
            content = scoped(tx, project).file(match[1])
        if content is None:
            return None
        return Reply(200, {"content-type": "application/octet-stream"}, content)

    def _answer(
        self, request: ApiRequest, headers: dict[str, str], done: Mapping[str, Json], taken: list[Work]
    ) -> Reply:
        path = request.path.rstrip("/")
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is not None and route.method == request.method:
                break
        else:
            file = self.file(path, request.project) if request.method == "GET" else None
            if file is not None:
                return file
            raise api_errors.unknown_url(request.method, request.path)
        v1 = "assistants=v1" in request.headers.get("openai-beta", "")
        answer, beside = self._run(route, match.groupdict(), request, v1, done, taken)
        interrupts = answer.interrupts
        if answer.download is not None:
            return replace(self._sent(answer.download, headers), route=route.path)
        if answer.stream or answer.reads is not None:
            headers["content-type"] = "text/event-stream"
            headers["cache-control"] = "no-cache"
            begun = Reply(
                200, headers, work=answer.work, interrupts=interrupts, beside=beside, route=route.path
            )
            if answer.reads is None:
                return replace(begun, encode=views.data_alone, end=views.END_UNNAMED)
            frame = views.framer(include=answer.include, v1=v1)
            return replace(begun, reads=answer.reads, frame=frame, end=views.END)
        if answer.poll_after_ms is not None:
            headers[POLL_AFTER] = str(answer.poll_after_ms)
        headers["content-type"] = "application/json"
        body = json.dumps(views.answered(answer.data, include=answer.include, v1=v1)).encode()
        return Reply(200, headers, body, answer.work, interrupts=interrupts, beside=beside, route=route.path)

    def _sent(self, download: Download, headers: dict[str, str]) -> Reply:
        """A file as it is sent."""
        assert self._settings.files is not None
        headers["content-type"] = "application/octet-stream"
        headers["content-length"] = str(download.size)
        headers["content-disposition"] = "attachment; filename*=UTF-8''" + quote(download.filename, safe="")
        if download.content is not None:
            return Reply(200, headers, download.content)
        pieces = contents.read(self.store, self._settings.files, download.content_ids, download.size)
        return Reply(200, headers, pieces=pieces)

    def _run(
        self,
        route: Route,
        ids: dict[str, str],
        request: ApiRequest,
        v1: bool,
        done: Mapping[str, Json],
        taken: list[Work],
    ) -> tuple[ApiAnswer, Sequence[Work]]:
        """The answer, and the work of indexing files that begins with it. What drives runs that nobody has
        driven is put into ``taken``, whatever comes of the request."""
        if self._settings.strict:
            refusals.ids(ids)
        pairs = parse_qsl(request.query, keep_blank_values=True)
        include = any(name in ("include", "include[]") and "results" in value for name, value in pairs)
        form = request.form
        body = form.fields if form else _decoded(request.body) if request.method == "POST" else {}
        writes = route.writes
        undo: list[Deed] = []
        try:
            while True:
                try:
                    begun = partial(
                        Context,
                        self._settings,
                        writes=writes,
                        ids=ids,
                        query=dict(pairs),
                        body=body,
                        include=include,
                        v1=v1,
                        last_event_id=request.headers.get("last-event-id"),
                        done=done,
                        form=form,
                        stay_seen=self._stay_seen,
                        project=request.project,
                        callers_key=request.callers_key,
                    )
                    endpoint = partial(self._endpoint, route, request, begun)
                    context, answer = transacted(self.store, endpoint, writes=writes)
                    break
                except NeedsWrite:
                    writes = True
                except LeftBehind as met:
                    taken += self._take(met.run_id)
                except NeedsDeed as needs:
                    undo.append(needs.deed)
                    done = {**done, needs.deed.key: needs.deed.do(self.store)}
        except BaseException:
            for deed in undo:
                deed.undo(self.store)
            raise
        return answer, self._afterwards(context)

    def _endpoint(
        self, route: Route, request: ApiRequest, begun: Callable[[Transaction], Context], tx: Transaction
    ) -> tuple[Context, ApiAnswer]:
        context = begun(scoped(tx, request.project, request.limits))
        if route.of_files:
            lapse(replace(context, tx=tx))  # whosever they are
        if request.shares_upstream and self._settings.files is None:
            refuse_theirs(context.tx, context.body)
        answer = route.endpoint(context)
        if context.wanted:
            raise NeedsErrand(context.wanted[0])
        if context.deeds:
            raise NeedsDeed(context.deeds[0])
        return context, answer

    def _afterwards(self, context: Context) -> Sequence[Work]:
        """What a request leaves to be done that is committed: contents outside the store, files to index."""
        settings = self._settings.files
        if settings is None:
            return ()
        for content_id in context.dropped:
            contents.drop(self.store, settings, content_id)
        contents.settle(settings, context.kept)
        if context.kept and time.monotonic() >= self._sweep_at:
            self.sweep()
        works = list(self._indexing(settings, context.to_index)) if context.to_index else []
        if not self._looked:  # a process before this one may have left files behind
            self._looked = True
            left = self.left_behind()
            works += [] if left is None else [left]
        return works

    def left_behind(self) -> Work | None:
        """The work of indexing the files that nobody indexes; None where there are none."""
        settings = self._settings.files
        if settings is None:
            return None
        with self.store.read() as tx:
            store_ids = indexing.left_behind(tx, settings)
        works = self._indexing(settings, store_ids) if store_ids else ()
        return next(iter(works), None)

    def _indexing(self, settings: FileSettings, store_ids: Sequence[str]) -> Sequence[Work]:
        """The work of indexing what waits for it in these stores."""
        return [indexing.work(settings, store_ids)]

    def sweep(self) -> None:
        """Drops what other backends of the store have left behind: contents, and events of runs that ended
        long ago."""
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        if self._settings.files is not None:
            contents.sweep(self.store, self._settings.files)
        if not self.store.in_memory:
            before = self._settings.keeper.clock() - KEPT_SECONDS
            transacted(self.store, lambda tx: tx.drop_events(before), durable=False)


def _decoded(body: bytes) -> Json:
    if not body.strip():
        return {}
    try:
        return decoded(body)
    except ValueError as error:
        raise api_errors.not_json(error) from None


def _refusal(error: ApiError, headers: dict[str, str]) -> Reply:
    headers.update(error.headers)
    headers["content-type"] = "application/json"
    return Reply(error.status, headers, json.dumps(error.body).encode())
