"""Answers that are made in this process, as the transport's own responses, and the place that a client keeps
its HTTP client in."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache, partial
from typing import Protocol

from .basemodels import JSON
from .clients import request_to


def http_client(client: JSON) -> JSON:
    """What sends a client's requests: a client of httpx or httpx2."""
    return client._client


def set_http_client(client: JSON, sender: JSON) -> None:
    client._client = sender


def base_path(client: JSON) -> str:
    """What the paths of a client's requests begin with."""
    path: str = client.base_url.path
    return path.rstrip("/")


_OF_A_BODY = ("content-length", "content-type", "transfer-encoding", "host")


async def send_as(
    client: JSON,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    content: bytes | AsyncIterator[bytes],
) -> JSON:
    """Sends a request to an async client's own server; the response is open.

    ``path`` is within the API. Its address and its key are the client's own; ``headers`` come over its.
    """
    own = await request_to(client, method, path)
    sent = {name: value for name, value in own.headers.items() if name not in _OF_A_BODY}
    sent.update(headers)
    url = own.url.copy_with(query="&".join(filter(None, [own.url.query.decode(), query])).encode() or None)
    sender = http_client(client)
    made = sender.build_request(method, url, headers=sent, content=content or None, extensions=own.extensions)
    return await sender.send(made, stream=True)


class Chunks(Protocol):
    """A body that comes bit by bit, read by iterating in the response's colour. TimeoutError, where it waits
    for longer than its ``patience``, becomes the transport's own, and so does any OSError of a body that
    breaks off."""

    patience: float | None

    def close(self) -> None:
        """Its reader has left."""


def answer(
    request: JSON, status: int, headers: Mapping[str, str], body: bytes | Chunks, *, is_async: bool
) -> JSON:
    """The response to a request, of the flavour that the request has."""
    http = _transport_of(request)
    if isinstance(body, bytes):
        stream = http.ByteStream(body)
    else:
        body.patience = patience(request)
        kind = _body_class(is_async, http.AsyncByteStream if is_async else http.SyncByteStream)
        stream = kind(body, partial(late, request))
    return _at_once(http.Response(status, headers=headers, stream=stream, request=request))


def refusal(request: JSON, status: int, error: JSON) -> JSON:
    """The response that says no, in JSON."""
    return _at_once(_transport_of(request).Response(status, json=error, request=request))


def patience(request: JSON) -> float | None:
    """For how many seconds the caller waits for an answer, and for each next part of it."""
    seconds: float | None = (request.extensions.get("timeout") or {}).get("read")
    return seconds


def late(request: JSON, error: OSError | None = None) -> Exception:
    """The transport's own error of a caller who has waited for too long, or whose answer has broken off."""
    words = str(error or "The backend had no answer in time.")
    broken = error is not None and not isinstance(error, TimeoutError)
    http = _transport_of(request)
    made: Exception = (http.ReadError if broken else http.ReadTimeout)(words, request=request)
    return made


def _transport_of(request: JSON) -> JSON:
    """The module that the request comes from: httpx, or httpx2 from SDK 3.0 on."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def _at_once(response: JSON) -> JSON:
    response.elapsed = timedelta(0)  # which only a client of the transport sets
    return response


class _Body:
    def __init__(self, body: JSON, late: Callable[[OSError], Exception]) -> None:
        self._body = body
        self._late = late

    def _leave(self) -> None:
        self._body.close()

    __del__ = _leave  # a response that nobody reads must not hold its run up


class _SyncBody(_Body):
    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except OSError as error:
            raise self._late(error) from None

    def close(self) -> None:
        self._leave()


class _AsyncBody(_Body):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except OSError as error:
            raise self._late(error) from None

    async def aclose(self) -> None:
        self._leave()


@cache
def _body_class(is_async: bool, base: type) -> type:
    """One class for each flavour and colour, however many responses there are."""
    kind = _AsyncBody if is_async else _SyncBody
    return type(kind.__name__, (kind, base), {})
