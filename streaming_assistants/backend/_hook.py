"""The hook into a client: Assistants requests are answered in process, all others pass through."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache, partial
from typing import Any, TypeAlias

import anyio
import wrapt

from streaming_assistants import _sdk

from ._engine import api_errors
from ._http.paths import assistants_path, file_content_path
from ._http.routes import Reply, Request
from ._jobs.answering import Backend, Leavable, run_async, run_sync
from ._jobs.asking import Client, HttpRequest, Response
from ._jobs.feed import AsyncFeed, Feed
from .upstreams import registry

HttpClient: TypeAlias = Any
"""A client of httpx or httpx2."""
Late: TypeAlias = Callable[[TimeoutError], Exception]
"""Makes the transport's own error of a reader that has waited for too long."""

_LONG = 60.0  # seconds that a store keeps a request waiting at most; a thread to count them costs time
_PASSED_ON = ("accept", "content-type", "openai-beta")
_OF_A_BODY = ("content-length", "content-type", "transfer-encoding", "host")


def attach(backend: Backend, client: Client) -> Callable[[], None]:
    """Puts a proxy in the place of the client's HTTP client; answers with what takes it back."""
    if not _sdk.is_client(client):
        raise TypeError(
            f"A backend attaches to OpenAI, AsyncOpenAI and their Azure clients, not {type(client).__name__}."
        )
    kind = _AsyncProxy if _sdk.is_async(client) else _Proxy
    proxy: _Guest = kind(_unhooked(client, backend), backend, client)
    inner = proxy.__wrapped__
    _set_http_client(client, proxy)

    def detach() -> None:
        proxy._self_backend = None  # for copies of the client, and for a wrapper that sits on top of ours
        if _http_client(client) is proxy:
            _set_http_client(client, inner)

    return detach


def _unhooked(client: Client, backend: Backend) -> HttpClient:
    """The client's HTTP client; a copy of an attached client comes with its original's proxy."""
    inner = _http_client(client)
    while type(inner) in (_Proxy, _AsyncProxy) and inner._self_backend is backend:
        inner = inner.__wrapped__
    return inner


class _Guest(wrapt.ObjectProxy):  # type: ignore[type-arg,unused-ignore]
    """Passes for the HTTP client that it wraps; ``_self_`` names are the proxy's own (wrapt's rule)."""

    _self_backend: Backend | None

    def __init__(self, inner: HttpClient, backend: Backend, client: Client) -> None:
        super().__init__(inner)
        self._self_backend = backend
        self._self_client = client

    def _self_path(self, request: HttpRequest) -> str | None:
        """The path within the API, of a request that the backend answers."""
        if self._self_backend is None:
            return None
        path, base_path = request.url.path, _base_path(self._self_client)
        return assistants_path(path, base_path) or file_content_path(request.method, path, base_path)

    def _self_refusal(self, request: HttpRequest) -> Response | None:
        """The answer to a request that is not the backend's, where none may leave the process."""
        if self._self_backend is None or not self._self_backend.offline:
            return None
        error = api_errors.not_sent(request.method, request.url.path, registry.with_server())
        http = _transport_of(request)
        response = http.Response(error.status, json=error.body, request=request)
        response.elapsed = timedelta(0)
        return response


class _Proxy(_Guest):
    def send(self, request: HttpRequest, **options: object) -> Response:
        path, backend = self._self_path(request), self._self_backend
        if path is None or backend is None:
            return self._self_refusal(request) or self.__wrapped__.send(request, **options)
        request.read()
        answer = partial(run_sync, backend, self._self_client, _request(request, path))
        patience = _patience(request)
        if backend.blocking and patience is not None and patience < _LONG:
            try:
                reply, feed = Leavable(answer, _close_feed).wait(patience)
            except TimeoutError:
                raise _late(request) from None
        else:
            reply, feed = answer()
        if _not_ours(path, reply):
            return self._self_refusal(request) or self.__wrapped__.send(request, **options)
        response = _response(request, reply, _Body, feed)
        if not options.get("stream"):
            response.read()
        return response


class _AsyncProxy(_Guest):
    async def send(self, request: HttpRequest, **options: object) -> Response:
        path, backend = self._self_path(request), self._self_backend
        if path is None or backend is None:
            return self._self_refusal(request) or await self.__wrapped__.send(request, **options)
        await request.aread()
        answer: tuple[Reply, AsyncFeed | None] | None = None
        with anyio.move_on_after(_patience(request)):
            answer = await run_async(backend, self._self_client, _request(request, path))
        if answer is None:
            raise _late(request)
        reply, feed = answer
        if _not_ours(path, reply):
            return self._self_refusal(request) or await self.__wrapped__.send(request, **options)
        response = _response(request, reply, _AsyncBody, feed)
        if not options.get("stream"):
            await response.aread()
        return response


class _Body:
    def __init__(self, feed: Feed | None, body: bytes, late: Late) -> None:
        self._feed = feed
        self._body = body
        self._late = late

    def __iter__(self) -> Iterator[bytes]:
        if self._feed is None:
            yield self._body
            return
        try:
            yield from self._feed
        except TimeoutError as error:
            raise self._late(error) from None

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()

    __del__ = close  # a response that nobody reads must not hold its run up


class _AsyncBody:
    def __init__(self, feed: AsyncFeed | None, body: bytes, late: Late) -> None:
        self._feed = feed
        self._body = body
        self._late = late

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._feed is None:
            yield self._body
            return
        try:
            async for chunk in self._feed:
                yield chunk
        except TimeoutError as error:
            raise self._late(error) from None

    async def aclose(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._feed is not None:
            self._feed.close()

    __del__ = _leave


def _not_ours(path: str, reply: Reply) -> bool:
    """Whether the request was for a file that no run of ours has made."""
    return reply.status == 404 and path.startswith("/files/")


def _request(request: HttpRequest, path: str) -> Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, path, request.url.query.decode("ascii"), headers, request.content)


async def pass_on(
    client: Client,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    content: bytes | AsyncIterator[bytes],
) -> Response:
    """Sends a request that is not the backend's to the client's own server; the response is open.

    ``path`` is within the API. Its address and its key are the client's own; of the caller's headers those
    go along that say what the body is.
    """
    own = await _sdk.request_to(client, method, path)
    sent = {name: value for name, value in own.headers.items() if name not in _OF_A_BODY}
    sent.update({name: headers[name] for name in _PASSED_ON if headers.get(name, "\xff").isascii()})
    length = headers.get("content-length", "")
    if not isinstance(content, bytes) and length.isdecimal() and "transfer-encoding" not in headers:
        sent["content-length"] = length
    http = _http_client(client)
    url = own.url.copy_with(query="&".join(filter(None, [own.url.query.decode(), query])).encode() or None)
    made = http.build_request(method, url, headers=sent, content=content or None, extensions=own.extensions)
    return await http.send(made, stream=True)


# What follows touches private names of the SDK, or names that depend on its release.


def _http_client(client: Client) -> HttpClient:
    return client._client


def _set_http_client(client: Client, http_client: Client) -> None:
    client._client = http_client


def _base_path(client: Client) -> str:
    path: str = client.base_url.path
    return path.rstrip("/")


def _transport_of(request: HttpRequest) -> HttpClient:
    """The module that the request comes from: httpx, or httpx2 from SDK 3.0 on."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def _response(
    request: HttpRequest, reply: Reply, kind: type[_Body] | type[_AsyncBody], feed: Feed | AsyncFeed | None
) -> Response:
    """A response of the flavour that the request has."""
    http = _transport_of(request)
    base = http.AsyncByteStream if kind is _AsyncBody else http.SyncByteStream

    if feed is not None:
        feed.patience = _patience(request)
    stream = _body_class(kind is _AsyncBody, base)(feed, reply.body, partial(_late, request))
    response = http.Response(reply.status, headers=reply.headers, stream=stream, request=request)
    response.elapsed = timedelta(0)
    return response


def _patience(request: HttpRequest) -> float | None:
    """For how many seconds the caller waits for an answer, and for each next part of it."""
    seconds: float | None = (request.extensions.get("timeout") or {}).get("read")
    return seconds


def _late(request: HttpRequest, error: TimeoutError | None = None) -> Exception:
    """The transport's own error of a caller who has waited for too long."""
    words = str(error or "The backend had no answer in time.")
    made: Exception = _transport_of(request).ReadTimeout(words, request=request)
    return made


def _close_feed(answer: tuple[Reply, Feed | None]) -> None:
    if answer[1] is not None:
        answer[1].close()


@cache
def _body_class(is_async: bool, base: type[object]) -> type[Any]:
    """One class for each flavour and colour, however many responses there are."""
    kind = _AsyncBody if is_async else _Body
    return type(kind.__name__, (kind, base), {})
