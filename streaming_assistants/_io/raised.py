"""What a server reports and what a transport raises, as the errors that a caller expects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import openai

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import HttpRequest
from streaming_assistants.errors import both


@contextlib.contextmanager
def transport_broken(request: HttpRequest) -> Iterator[None]:
    """Turns what the transport raises into what a caller expects."""
    try:
        yield
    except _sdk.transport_errors() as error:
        if isinstance(error, openai.APIError):
            raise  # it is both by now
        _sdk.name_request(error, request)
        raise broken(error, request) from error


def reported(message: str, request: HttpRequest, body: object) -> openai.APIError:
    """The error that a server reports in what it sends."""
    error = both(openai.APIError)(message, request, body=body)
    error.body = body  # releases before 1.3 do not keep it
    return error


def broken(error: Exception, request: HttpRequest) -> openai.APIConnectionError:
    """A transport's error as the SDK's, and still the transport's: ``except`` finds it by either class."""
    if isinstance(error, _sdk.timeout_errors()):
        return both(openai.APITimeoutError, type(error))(request=request)
    said = f"Connection error: {str(error) or type(error).__name__}"
    return both(openai.APIConnectionError, type(error))(message=said, request=request)
