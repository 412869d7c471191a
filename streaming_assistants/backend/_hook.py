"""The hook into a client: Assistants requests are answered in process, all others pass through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import wrapt

from streaming_assistants import _sdk
from streaming_assistants._protocol.plan import WaitedTooLong
from streaming_assistants._sdk.untyped import AnyClient, HttpClient, HttpRequest, HttpResponse

from ._engine import api_errors
from ._engine.api_errors import ApiError
from ._http.forms import Form, FormReader, form_reader
from ._http.paths import assistants_path, file_content_path, files_path
from ._http.routes import ApiRequest, Reply
from ._jobs.answering import AsyncBody, Backend, Body, Leavable, answer, answer_async
from .upstreams import registry

_LONG = 60.0  # seconds that a store keeps a request waiting at most; a thread to count them costs time


def attach(backend: Backend, client: AnyClient) -> Callable[[], None]:
    """Puts a proxy in the place of the client's HTTP client; answers with what takes it back."""
    if not _sdk.is_client(client):
        raise TypeError(
            f"A backend attaches to OpenAI, AsyncOpenAI and their Azure clients, not {type(client).__name__}."
        )
    kind = _AsyncProxy if _sdk.is_async(client) else _Proxy
    proxy: _Guest = kind(_unhooked(client, backend), backend, client)
    inner = proxy.__wrapped__
    _sdk.set_http_client(client, proxy)

    def detach() -> None:
        proxy._self_backend = None  # for copies of the client, and for a wrapper that sits on top of ours
        if _sdk.http_client(client) is proxy:
            _sdk.set_http_client(client, inner)

    return detach


def _unhooked(client: AnyClient, backend: Backend) -> HttpClient:
    """The client's HTTP client; a copy of an attached client comes with its original's proxy."""
    inner = _sdk.http_client(client)
    while type(inner) in (_Proxy, _AsyncProxy) and inner._self_backend is backend:
        inner = inner.__wrapped__
    return inner


class _Guest(wrapt.ObjectProxy):  # type: ignore[type-arg,unused-ignore]
    """Passes for the HTTP client that it wraps; ``_self_`` names are the proxy's own (wrapt's rule)."""

    _self_backend: Backend | None

    def __init__(self, inner: HttpClient, backend: Backend, client: AnyClient) -> None:
        super().__init__(inner)
        self._self_backend = backend
        self._self_client = client

    def _self_path(self, request: HttpRequest) -> str | None:
        """The path within the API, of a request that the backend answers."""
        if self._self_backend is None:
            return None
        path, base_path = request.url.path, _sdk.base_path(self._self_client)
        if self._self_backend.keeps_files and (rest := files_path(path, base_path)):
            return rest
        return assistants_path(path, base_path) or file_content_path(request.method, path, base_path)

    def _self_not_ours(self, path: str, reply: Reply) -> bool:
        """Whether the request was for a file of the upstream's, which no run of ours has made."""
        backend = self._self_backend
        kept = backend is not None and backend.keeps_files
        return not kept and reply.status == 404 and path.startswith("/files/")

    def _self_refusal(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to a request that is not the backend's, where none may leave the process."""
        if self._self_backend is None or not self._self_backend.offline:
            return None
        error = api_errors.not_sent(request.method, request.url.path, registry.with_server())
        return _sdk.refusal(request, error.status, error.body)


class _Proxy(_Guest):
    def send(self, request: HttpRequest, **options: object) -> HttpResponse:
        path, backend = self._self_path(request), self._self_backend
        if path is None or backend is None:
            return self._self_refusal(request) or self.__wrapped__.send(request, **options)
        try:
            asked = _request(request, path)
        except ApiError as error:
            return _sdk.refusal(request, error.status, error.body)
        answered = partial(answer, backend, self._self_client, asked)
        patience = _sdk.patience(request)
        if backend.blocking and patience is not None and patience < _LONG:
            try:
                reply, feed = Leavable(answered, _close_feed).wait(patience)
            except WaitedTooLong:
                raise _sdk.late(request) from None
        else:
            reply, feed = answered()
        if self._self_not_ours(path, reply):
            return self._self_refusal(request) or self.__wrapped__.send(request, **options)
        response = _sdk.answer(request, reply.status, reply.headers, feed or reply.body, is_async=False)
        if not options.get("stream"):
            response.read()
        return response


class _AsyncProxy(_Guest):
    async def send(self, request: HttpRequest, **options: object) -> HttpResponse:
        path, backend = self._self_path(request), self._self_backend
        if path is None or backend is None:
            return self._self_refusal(request) or await self.__wrapped__.send(request, **options)
        try:
            asked = await _request_async(request, path)
        except ApiError as error:
            return _sdk.refusal(request, error.status, error.body)
        answered: tuple[Reply, AsyncBody | None] | None = None
        with anyio.move_on_after(_sdk.patience(request)):
            answered = await answer_async(backend, self._self_client, asked)
        if answered is None:
            raise _sdk.late(request)
        reply, feed = answered
        if self._self_not_ours(path, reply):
            return self._self_refusal(request) or await self.__wrapped__.send(request, **options)
        response = _sdk.answer(request, reply.status, reply.headers, feed or reply.body, is_async=True)
        if not options.get("stream"):
            await response.aread()
        return response


def _request(request: HttpRequest, path: str) -> ApiRequest:
    """The request with its body. Raises ApiError for a form that is none."""
    reader = _reader(request, path)
    if reader is None:
        request.read()
        return _asked(request, path)
    with _abandoning(reader):
        for chunk in request.stream:
            reader.feed(chunk)
        return _asked(request, path, reader.close())


async def _request_async(request: HttpRequest, path: str) -> ApiRequest:
    reader = _reader(request, path)
    if reader is None:
        await request.aread()
        return _asked(request, path)
    with _abandoning(reader):
        async for chunk in request.stream:
            reader.feed(chunk)
        return _asked(request, path, reader.close())


def _reader(request: HttpRequest, path: str) -> FormReader | None:
    return form_reader(request.method, path, request.headers)


@contextmanager
def _abandoning(reader: FormReader) -> Iterator[None]:
    """Drops what has come of a form where the rest does not."""
    try:
        yield
    except BaseException:
        reader.abandon()
        raise


def _asked(request: HttpRequest, path: str, form: Form | None = None) -> ApiRequest:
    headers = dict(request.headers.items())  # which give the names in lower case
    body = b"" if form is not None else request.content
    return ApiRequest(request.method, path, request.url.query.decode("ascii"), headers, body, form)


def _close_feed(answer: tuple[Reply, Body | None]) -> None:
    if answer[1] is not None:
        answer[1].close()
