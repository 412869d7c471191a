"""The backend over a socket, for clients in other languages: an ASGI app."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from streaming_assistants._io.loops import in_thread
from streaming_assistants._sdk.untyped import AnyClient

from .._engine import api_errors
from .._engine.api_errors import ApiError
from .._engine.contents import ContentGone
from .._engine.observer import Seen
from .._http.forms import takes_form
from .._http.paths import assistants_path, deployment_of, files_path, requested_path, without_prefix
from .._local import LocalBackend
from .bodies import LARGEST_JSON as LARGEST_JSON
from .bodies import LARGEST_UPLOAD as LARGEST_UPLOAD
from .bodies import PATIENCE, Bodies, listed, shutting_down
from .guard import Guard
from .health import health
from .key_ring import Admitted, GivenKeys, KeyRing
from .requests import is_form, refused, target, while_there
from .upstream_clients import UpstreamClients

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from .._http.routes import ApiRequest
    from .forwarding import Forwarding

logger = logging.getLogger("streaming_assistants")

_ALWAYS = {
    # A file that somebody uploaded must not become a page of this server in its operator's browser.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
_STOP_SECONDS = 6.0
_LAST_SECONDS = 1.5


def app(
    backend: LocalBackend,
    client: AnyClient,
    *,
    api_keys: GivenKeys = (),
    allow_hosts: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    max_upload: int = LARGEST_UPLOAD,
    max_json: int = LARGEST_JSON,
    told: str = "",
    patience: float = PATIENCE,
    upstream_keys: Mapping[str, str] | None = None,
    callers_keys: bool = False,
) -> Starlette:
    """An ASGI app that answers the Assistants API, with or without ``/v1`` before its paths.

    ``client`` is the AsyncOpenAI that the upstream is asked through. Requests for files, vector stores,
    models, completions and the like go to its server, with its key; with the echo upstream there is none.

    With ``api_keys``, or with keys in the store, every request has to carry one; it sees the objects of the
    key's project. ``upstream_keys`` are those that the upstream is asked with for projects, by their names;
    with ``callers_keys`` it is asked with the caller's own. The server is asked as ``localhost``, by a
    loopback address, or by a name of ``allow_hosts``; pages of other origins may not ask it unless
    ``cors_origins`` names them. ``max_upload`` and ``max_json`` bound bodies, in bytes; each may take
    ``patience`` seconds to come, and one more for every 8 KB. ``told`` is what ``GET /`` says. Where its
    server tells it that it starts (ASGI's lifespan), it takes over runs that others have left behind.
    ``app.state.served.stop()`` ends what is under way, before the server closes its connections. Raises
    ImportError when Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
    except ModuleNotFoundError as error:
        raise not_installed(error) from None

    from .forwarding import Forwarding

    served = Served(
        backend,
        client
        if isinstance(client, UpstreamClients)
        else UpstreamClients(client, upstream_keys, callers=callers_keys),
        Guard(allow_hosts, cors_origins),
        KeyRing(backend.store, api_keys),
        Forwarding(backend.upstream, backend.models),
        Bodies(max_upload, max_json, patience),
        told=told,
    )
    made = Starlette(lifespan=served.lifespan)
    made.router.default = made.state.served = served
    return made


def not_installed(error: ModuleNotFoundError) -> ImportError:
    return ImportError(
        f"Serving needs {error.name}, which is not installed: pip install 'streaming_assistants[serve]'"
    )


class Served:
    """The ASGI app itself. :meth:`stop` ends what is under way."""

    def __init__(
        self,
        backend: LocalBackend,
        clients: UpstreamClients,
        guard: Guard,
        keys: KeyRing,
        forwarding: Forwarding,
        bodies: Bodies,
        *,
        told: str,
    ) -> None:
        self._backend = backend
        self._clients = clients
        self._guard = guard
        self._keys = keys
        self._forwarding = forwarding
        self._bodies = bodies
        self._told = told
        self._stopping = False
        self._under_way: set[anyio.CancelScope] = set()
        self._handling = 0

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """From a server's start on, runs that others leave behind go on here."""
        self._backend.drive_others(self._clients.for_work)
        yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import ClientDisconnect, Request

        from .forwarding import Broken

        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        http = Request(scope, receive)
        headers = {name.lower(): value for name, value in http.headers.items()}
        observed = self._backend.observer.request(http.method, scope["path"], headers, served=True)
        with anyio.CancelScope() as cut, listed(self._under_way, cut), observed as seen:
            try:
                response = await self._answer(http, headers, seen)
                seen.status = response.status_code
                await response(scope, receive, send)
            except ClientDisconnect:
                logger.debug("A client left before it was answered.")
            except Broken as broken:
                # The answer is not ended, so that the client sees that it is not whole.
                logger.warning("The upstream's answer broke off: %s", broken)

    async def stop(self) -> None:
        """Takes no more requests, ends the runs as failed, and lets their streams tell their readers so.

        Bodies that are still being sent are not waited for, and what else is under way for a moment only.
        """
        self._stopping = True
        self._bodies.stop()
        with anyio.move_on_after(_LAST_SECONDS):
            while self._handling:
                await anyio.sleep(0.01)
        with anyio.move_on_after(_STOP_SECONDS):
            await self._backend.aclose()
        with anyio.move_on_after(_LAST_SECONDS):
            while self._under_way:
                await anyio.sleep(0.01)
            await in_thread(self._backend.observer.flush, leavable=True)
        for scope in list(self._under_way):
            scope.cancel()

    async def _answer(self, http: Request, headers: dict[str, str], seen: Seen) -> Response:
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response

        extra = dict(_ALWAYS)
        try:
            path = requested_path(target(http.scope))
            if http.method in ("GET", "HEAD") and path is not None:
                told = await health(path, self._backend.store, stopping=self._stopping)
                if told is not None:
                    return told
            if self._stopping:
                raise shutting_down()
            if path is None:
                raise api_errors.bad("The request's path is no path of this API.")
            self._guard.check_host(headers)
            shared = self._guard.check_origin(headers)
            extra.update(shared)
            preflight = self._guard.preflight(http.method, headers, shared)
            if preflight is not None:
                return Response(b"", 204, preflight)
            if http.method in ("GET", "HEAD") and path in ("/", "/health"):
                words = self._told if path == "/" else "ok\n"
                return Response(words, 200, extra, "text/plain")
            admitted = await self._admitted(headers)
            seen.project = admitted.project
            response = await self._routed(http, path, headers, admitted, seen)
        except ApiError as error:
            response = refused(error)
        except ClientDisconnect:
            raise
        except Exception:
            logger.exception("%s %s failed.", http.method, http.scope["path"])
            response = refused(ApiError(500, "The backend had an error while processing your request."))
            response.headers["x-should-retry"] = "false"
        response.headers.update(extra)
        return response

    async def _admitted(self, headers: dict[str, str]) -> Admitted:
        admitted = self._keys.remembered(headers)
        if admitted is not None:
            return admitted
        ask = partial(self._keys.admit, headers)
        return await in_thread(ask) if self._backend.blocking else ask()

    async def _routed(
        self, http: Request, path: str, headers: dict[str, str], admitted: Admitted, seen: Seen
    ) -> Response:
        from .._http.routes import ApiRequest

        ours = assistants_path(path, "") or (files_path(path, "") if self._backend.keeps_files else None)
        rest = ours or without_prefix(path)
        query = http.scope["query_string"].decode("latin-1")
        route = None if ours else self._forwarding.route(http.method, rest)
        if not ours and route is None:
            raise api_errors.unknown_url(http.method, path)
        client = self._clients.asked_by(admitted.project, admitted.key)
        taken = takes_form(http.method, rest) if ours else route is not None and route.uploads
        form = is_form(headers, taken=taken)
        limit = self._bodies.limit(headers, form=form, ours=bool(ours))
        asked = ApiRequest(
            http.method,
            rest,
            query,
            headers,
            project=admitted.project,
            limits=admitted.limits,
            callers_key=self._clients.callers,
            shares_upstream=self._clients.shares(admitted.project),
            seen=seen,
        )
        content: bytes | AsyncIterator[bytes] = self._bodies.parts(http, limit)
        if form and ours:
            body = await self._bodies.form(http, headers, limit)
            return await self._replied(client, replace(asked, form=body))
        if not form:
            json_body = await self._bodies.whole(http, limit)
            if ours or (route is not None and route.made_by_runs):
                reply = await self._replied(client, replace(asked, body=json_body))
                if route is None or reply.status_code != 404:
                    return reply
            content = self._forwarding.named_for_upstream(json_body, deployment_of(path))
        assert route is not None
        if route.keeps and self._clients.shares(admitted.project):
            raise api_errors.kept_for_all(admitted.project, route.path)
        answer = partial(self._forwarding.answer, client, http.method, route, query, headers, content)
        # A form is still being read, which shows as well that its sender is there.
        return await (answer() if form else while_there(http, answer))

    async def _replied(self, client: AnyClient, request: ApiRequest) -> Response:
        """The backend's own answer."""
        from starlette.responses import Response, StreamingResponse

        from .._jobs.answering import answer_async
        from .._jobs.readers import Cut
        from .forwarding import Broken

        self._handling += 1
        try:
            reply, feed = await answer_async(self._backend, client, request, beside=self._clients.for_work)
        finally:
            self._handling -= 1
        if feed is None:
            return Response(reply.body, reply.status, reply.headers)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in feed:
                    yield chunk
            except (ContentGone, Cut) as error:
                raise Broken(str(error)) from None
            finally:
                feed.close()

        return StreamingResponse(body(), reply.status, reply.headers)
