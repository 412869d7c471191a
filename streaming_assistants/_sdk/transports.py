"""httpx and httpx2: errors, responses, and how a read is ended from outside."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable

from .basemodels import JSON

ENCODING = "content-encoding"


def transports() -> list[JSON]:
    """httpx, httpx2 or both, whichever the process has loaded."""
    return [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]


def transport_errors() -> JSON:
    """What a connection that breaks raises, and a body that cannot be decompressed."""
    return tuple(module.RequestError for module in transports())


def timeout_errors() -> tuple[type[Exception], ...]:
    """What a transport raises when nothing came in time."""
    return tuple(module.TimeoutException for module in transports())


def name_request(error: JSON, request: JSON) -> None:
    """Gives an error of the transport the request that it is of, where it has none."""
    try:
        error.request  # noqa: B018
    except RuntimeError:
        error.request = request


def chunks(response: JSON, decoded: Callable[[], JSON]) -> JSON:
    """The body chunk by chunk, for ``for`` or ``async for``: its own stream, or what ``decoded`` gives.

    ``iter_bytes()`` hands each chunk through two generators more, for those who ask for another encoding or
    another size. Both take a body that was read already, or refuse it.
    """
    plain = type(response) in [module.Response for module in transports()]
    if not plain or response.is_closed or response.is_stream_consumed or ENCODING in response.headers:
        return decoded()
    response.is_stream_consumed = True
    return response.stream


def interrupt(response: JSON) -> None:
    """Ends the read of a response that another thread waits in.

    ``response.close()`` would close the socket's descriptor, which wakes nobody and may soon be
    another connection's.
    """
    stream = response.extensions.get("network_stream")
    sock = None if stream is None else stream.get_extra_info("socket")
    if response.is_closed:
        return  # the socket may serve another request by now
    if response.http_version != "HTTP/1.1" or not isinstance(sock, socket.socket):
        response.close()
        return
    with contextlib.suppress(OSError):  # not connected any more
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of a TLS socket drops its session first


def own_transport() -> JSON:
    """The flavour of httpx that the SDK itself was written for."""
    base = sys.modules["openai._base_client"]
    return getattr(base, "httpx2", None) or vars(base)["httpx"]


def request(client: JSON, method: str, path: str) -> JSON:
    """A request as a client would send it, for errors of one whose own is not at hand."""
    return own_transport().Request(method, str(client.base_url).rstrip("/") + path)


def response_class() -> JSON:
    """What ``cast_to`` must be for the SDK to hand out the transport's own response, read to its end."""
    return own_transport().Response


def response_of(answer: JSON) -> JSON:
    """The transport's response behind what a streamed request of the SDK gave: a stream, or its raw view."""
    return getattr(answer, "http_response", None) or answer.response


def sent(response: JSON) -> tuple[str, bytes]:
    """Path and body of the request that was answered; no body where it was sent as a stream."""
    request = response.request
    try:
        body = request.content
    except RuntimeError:  # the transport's RequestNotRead
        body = b""
    return request.url.path, body
