"""The backend over a socket, for clients in other languages: an ASGI app."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio

from streaming_assistants._sdk.untyped import AnyClient

from .._engine import api_errors
from .._engine.api_errors import ApiError
from .._engine.contents import ContentGone
from .._http.forms import LARGEST_FORM, Form, FormReader, takes_form
from .._http.paths import assistants_path, deployment_of, files_path, requested_path, without_prefix
from .._local import LocalBackend
from .guard import Guard
from .requests import is_form, target, while_there

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from .._http.routes import ApiRequest
    from .forwarding import Forwarding

logger = logging.getLogger("streaming_assistants")

LARGEST_UPLOAD = LARGEST_FORM
LARGEST_JSON = 20 * 1024 * 1024

_ALWAYS = {
    # A file that somebody uploaded must not become a page of this server in its operator's browser.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
_FORM_OVERHEAD = 128 * 1024  # what a form may have beside its file
_STOP_SECONDS = 6.0
_LAST_SECONDS = 1.5
_PATIENCE = 60.0  # seconds that a body may take,
_SLOWEST = 8192  # and one more for so many bytes


def app(
    backend: LocalBackend,
    client: AnyClient,
    *,
    api_keys: Iterable[str] = (),
    allow_hosts: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    max_upload: int = LARGEST_UPLOAD,
    max_json: int = LARGEST_JSON,
    told: str = "",
    patience: float = _PATIENCE,
) -> Starlette:
    """An ASGI app that answers the Assistants API, with or without ``/v1`` before its paths.

    ``client`` is the AsyncOpenAI that the upstream is asked through. Requests for files, vector stores,
    models, completions and the like go to its server, with its key; with the echo upstream there is none.

    With ``api_keys`` every request has to carry one of them. The server is asked as ``localhost``, by a
    loopback address, or by a name of ``allow_hosts``; pages of other origins may not ask it unless
    ``cors_origins`` names them. ``max_upload`` and ``max_json`` bound bodies, in bytes; each may take
    ``patience`` seconds to come, and one more for every 8 KB. ``told`` is what ``GET /`` says.
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
        client,
        Guard(allow_hosts, cors_origins, api_keys),
        Forwarding(backend.upstream, backend.models, client),
        max_upload=max_upload,
        max_json=max_json,
        told=told,
        patience=patience,
    )
    made = Starlette()
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
        client: AnyClient,
        guard: Guard,
        forwarding: Forwarding,
        *,
        max_upload: int,
        max_json: int,
        told: str,
        patience: float,
    ) -> None:
        self._backend = backend
        self._client = client
        self._guard = guard
        self._forwarding = forwarding
        self._max_upload = max_upload
        self._max_json = max_json
        self._told = told
        self._patience = patience
        self._stopping = False
        self._under_way: set[anyio.CancelScope] = set()
        self._reading: set[anyio.CancelScope] = set()  # of those, the ones that wait for a body
        self._handling = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import ClientDisconnect, Request

        from .forwarding import Broken

        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        with anyio.CancelScope() as cut, _listed(self._under_way, cut):
            try:
                response = await self._answer(Request(scope, receive))
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
        for scope in list(self._reading):
            scope.cancel()
        with anyio.move_on_after(_LAST_SECONDS):
            while self._handling:
                await anyio.sleep(0.01)
        with anyio.move_on_after(_STOP_SECONDS):
            await self._backend.aclose()
        with anyio.move_on_after(_LAST_SECONDS):
            while self._under_way:
                await anyio.sleep(0.01)
        for scope in list(self._under_way):
            scope.cancel()

    async def _answer(self, http: Request) -> Response:
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response

        extra = dict(_ALWAYS)
        headers = {name.lower(): value for name, value in http.headers.items()}
        try:
            if self._stopping:
                raise _shutting_down()
            path = requested_path(target(http.scope))
            if path is None:
                raise api_errors.bad("The request's path is no path of this API.")
            self._guard.check_host(headers)
            shared = self._guard.check_origin(headers)
            extra.update(shared)
            preflight = self._guard.preflight(http.method, headers, shared)
            if preflight is not None:
                return Response(b"", 204, preflight)
            if http.method in ("GET", "HEAD") and path in ("/", "/health"):
                told = self._told if path == "/" else "ok\n"
                return Response(told, 200, extra, "text/plain")
            self._guard.check_key(headers)
            response = await self._routed(http, path, headers)
        except ApiError as error:
            response = _refused(error)
        except ClientDisconnect:
            raise
        except Exception:
            logger.exception("%s %s failed.", http.method, http.scope["path"])
            response = _refused(ApiError(500, "The backend had an error while processing your request."))
            response.headers["x-should-retry"] = "false"
        response.headers.update(extra)
        return response

    async def _routed(self, http: Request, path: str, headers: dict[str, str]) -> Response:
        from .._http.routes import ApiRequest

        ours = assistants_path(path, "") or (files_path(path, "") if self._backend.keeps_files else None)
        rest = ours or without_prefix(path)
        query = http.scope["query_string"].decode("latin-1")
        route = None if ours else self._forwarding.route(http.method, rest)
        if not ours and route is None:
            raise api_errors.unknown_url(http.method, path)
        taken = takes_form(http.method, rest) if ours else route is not None and route.uploads
        form = is_form(headers, taken=taken)
        limit = self._max_upload if form else self._max_json
        told = headers.get("content-length", "")
        if told.isdecimal() and int(told) > limit + (_FORM_OVERHEAD if form and ours else 0):
            raise api_errors.too_large(limit)
        content: bytes | AsyncIterator[bytes] = self._parts(http, limit)
        if form and ours:
            body = await self._form(http, headers, limit)
            return await self._replied(ApiRequest(http.method, rest, query, headers, form=body))
        if not form:
            json_body = b"".join([part async for part in self._parts(http, limit)])
            if ours or (route is not None and route.made_by_runs):
                reply = await self._replied(ApiRequest(http.method, rest, query, headers, json_body))
                if route is None or reply.status_code != 404:
                    return reply
            content = self._forwarding.named_for_upstream(json_body, deployment_of(path))
        assert route is not None
        answer = partial(self._forwarding.answer, http.method, route, query, headers, content)
        # A form is still being read, which shows as well that its sender is there.
        return await (answer() if form else while_there(http, answer))

    async def _replied(self, request: ApiRequest) -> Response:
        """The backend's own answer."""
        from starlette.responses import Response, StreamingResponse

        from .._jobs.answering import answer_async
        from .forwarding import Broken

        self._handling += 1
        try:
            reply, feed = await answer_async(self._backend, self._client, request)
        finally:
            self._handling -= 1
        if feed is None:
            return Response(reply.body, reply.status, reply.headers)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in feed:
                    yield chunk
            except ContentGone as error:
                raise Broken(str(error)) from None
            finally:
                feed.close()

        return StreamingResponse(body(), reply.status, reply.headers)

    async def _form(self, http: Request, headers: dict[str, str], limit: int) -> Form:
        """The body, which is a form. What has come of one whose sender leaves is dropped."""
        reader = FormReader(headers["content-type"], min(limit, LARGEST_FORM))
        try:
            async for part in self._parts(http, limit + _FORM_OVERHEAD):
                reader.feed(part)
            return reader.close()
        except BaseException:
            reader.abandon()
            raise

    async def _parts(self, http: Request, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes."""
        stream, size, waited = http.stream(), 0, 0.0
        while True:
            part: bytes | None = None
            began = anyio.current_time()
            late = began + self._patience + size / _SLOWEST - waited
            with anyio.CancelScope(deadline=late) as waiting, _listed(self._reading, waiting):
                part = await anext(stream, b"")
            waited += anyio.current_time() - began
            if self._stopping:
                raise _shutting_down()
            if part is None:
                raise api_errors.too_slow()
            if not part:
                return
            size += len(part)
            if size > limit:
                raise api_errors.too_large(limit)
            yield part


def _refused(error: ApiError) -> Response:
    from starlette.responses import Response

    return Response(json.dumps(error.body), error.status, media_type="application/json")


def _shutting_down() -> ApiError:
    return ApiError(503, "The server is being shut down.")


@contextmanager
def _listed(scopes: set[anyio.CancelScope], scope: anyio.CancelScope) -> Iterator[None]:
    scopes.add(scope)
    try:
        yield
    finally:
        scopes.discard(scope)
